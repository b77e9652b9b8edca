//! From the example's section to a sale.

use satforge::lightning::decode_invoice;

use super::documented;
use super::shop::Shop;
use crate::kit::buyer::{Buyer, Purchase, VIDEO, video};
use crate::kit::process::{Gateway, run, satforge};
use crate::products::lnbits::LnbitsProduct;
use crate::stub::Product;

/// `serve` starts, is ready, sells, and hands out what was paid.
pub async fn sell<P: Product>(backend: &str) {
    let shop = Shop::open::<P>(backend, None).await;
    let (gateway, buyer) = (Gateway::start(&mut satforge(&["serve", "--config", &shop.file()])), Buyer::new());
    let ready = buyer.get(&format!("{}/readyz", gateway.url)).await;
    assert_eq!(ready.status(), 200, "{:?}", ready.text().await);

    let body = video("a paper boat");
    let challenge = buyer.ask(&gateway.url, VIDEO, &body).await;
    let invoice = challenge["invoice"].as_str().unwrap();
    assert_eq!(decode_invoice(invoice).unwrap().network, P::NETWORK);

    let preimage = hex::encode(shop.node.receive(invoice));
    let purchase = Purchase::paid(VIDEO, body, &challenge, &preimage);
    let answer = buyer.present(&gateway.url, &purchase, "").await;
    let video = buyer.get(&format!("{}{}", gateway.url, answer.result_path())).await;
    assert_eq!(video.status(), 200);
}

/// `check` and `check --live` find nothing wrong.
pub async fn check<P: Product>(backend: &str) {
    let shop = Shop::open::<P>(backend, None).await;
    let file = shop.file();
    for arguments in [&["check", "--config", &file][..], &["check", "--live", "--config", &file]] {
        let output = run(arguments);
        let printed = shop.as_documented(&output.stdout);
        assert!(output.status.success(), "{printed}{}", shop.as_documented(&output.stderr));
        let made = format!("{backend}: made an invoice over 1 sat on {} in ", P::NETWORK);
        assert_eq!(printed.contains(&made), arguments.contains(&"--live"), "{printed}");
        assert!(printed.ends_with("/etc/satforge/satforge.toml is good.\n"), "{printed}");
        for line in printed.lines().filter(|line| line.contains("pay out")) {
            assert!(documented::DOCUMENT.contains(line), "{line}");
        }
    }
}

/// What a good check prints with an `LNbits` that may not pay.
pub async fn good_check() -> String {
    let mut shop = Shop::open::<LnbitsProduct>("lnbits", None).await;
    shop.remove("lightning.lnbits.admin_key");
    shop.set("refunds", "manual");
    shop.as_documented(&run(&["check", "--live", "--config", &shop.file()]).stdout)
}
