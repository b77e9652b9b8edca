//! What a Lightning address's server says that could lose money or mislead.

use std::time::Duration;

use lightning_invoice::Currency;
use satforge::config::LightningAddressConfig;
use satforge::domain::{Invoice, Msat, PaymentHash};
use satforge::lightning::lightning_address::LightningAddress;
use satforge::lightning::{
    BackendError, FaultKind, InvoiceRequest, InvoiceState, LightningBackend as _, Network, decode_invoice,
};
use serde_json::{Value, json};

use crate::node::{Incoming, Node};
use crate::products::lightning_address::{METADATA, adapter};
use crate::scripted::Scripted;
use crate::stub::TIMEOUT;

const ADDRESS: &str = "GET /.well-known/lnurlp/seller";
const CALLBACK: &str = "GET /cb";
const MEMO: &str = "satforge video, 5 s";

struct Wallet {
    server: Scripted,
    adapter: LightningAddress,
    node: Node,
}

impl Wallet {
    async fn start() -> Self {
        let server = Scripted::silent().await;
        let adapter = adapter(server.url.authority());
        let wallet = Self { server, adapter, node: Node::new(Currency::Regtest) };
        wallet.server.give(ADDRESS, 200, wallet.params());
        wallet
    }

    fn url(&self, path: &str) -> String {
        self.server.url.join(path).unwrap().into()
    }

    fn params(&self) -> Value {
        json!({
            "tag": "payRequest", "callback": self.url("/cb"), "minSendable": 10_000, "maxSendable": 1_000_000,
            "metadata": METADATA, "commentAllowed": 12,
        })
    }

    /// The next invoice, as the wallet hands it out.
    fn prepare(&self, metadata: &str, rest: &Value) -> Incoming {
        let made = self.node.add_hashed_invoice(500_000, "", metadata, 3_600);
        let mut answer = json!({"pr": made.bolt11, "routes": []});
        answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        self.server.give(CALLBACK, 200, answer);
        made
    }

    async fn create(&self, msat: u64) -> Result<Invoice, BackendError> {
        let amount = Msat::new(msat).unwrap();
        let request = InvoiceRequest { amount, description: MEMO.into(), expiry: Duration::from_mins(10) };
        self.adapter.create_invoice(request).await
    }

    async fn refused(&self) -> String {
        self.create(500_000).await.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn a_price_outside_the_limits_is_told_and_not_tried() {
    let wallet = Wallet::start().await;
    for (sat, expected) in [(9, "9"), (1_001, "1001")] {
        let error = wallet.create(sat * 1_000).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Refused, "it says nothing about other prices");
        let sentence =
            "lightning.lightning_address.address: this wallet takes payments of 10 to 1000 sat, and a price is";
        assert_eq!(error.to_string(), format!("{sentence} {expected} sat"));
    }
    assert!(!wallet.server.news().iter().any(|asked| asked.contains("/cb")));
    let error = wallet.create(500_500).await.unwrap_err();
    assert_eq!(error.to_string(), "a Lightning address takes whole sats only, and 500500 msat is not");
}

#[tokio::test]
async fn an_invoice_costs_one_request_and_an_error_forgets_the_limits() {
    let wallet = Wallet::start().await;
    for _ in 0..3 {
        wallet.prepare(METADATA, &json!({}));
        wallet.create(500_000).await.unwrap();
    }
    let asked = wallet.server.news();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(asked[1], "GET /cb?amount=500000&comment=satforge+vid", "as long as the wallet takes it");
    wallet.server.give(CALLBACK, 200, json!({"status": "ERROR", "reason": "no liquidity"}));
    let error = wallet.create(500_000).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Failing);
    assert_eq!(error.to_string(), "the wallet's server makes no invoice: no liquidity");
    wallet.server.news();
    wallet.adapter.health().await.unwrap();
    assert_eq!(wallet.server.news(), [ADDRESS]);
}

#[tokio::test]
async fn what_is_believed_of_an_address_ages() {
    let wallet = Wallet::start().await;
    wallet.adapter.health().await.unwrap();
    wallet.adapter.health().await.unwrap();
    assert_eq!(wallet.server.news().len(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    wallet.adapter.health().await.unwrap();
    assert_eq!(wallet.server.news().len(), 1);
}

#[tokio::test]
async fn no_comment_is_sent_where_none_is_taken() {
    let wallet = Wallet::start().await;
    let mut params = wallet.params();
    params.as_object_mut().unwrap().remove("commentAllowed");
    params["callback"] = wallet.url("/cb?k=1").into();
    wallet.server.give(ADDRESS, 200, params);
    wallet.prepare(METADATA, &json!({}));
    wallet.create(500_000).await.unwrap();
    assert_eq!(wallet.server.news()[1], "GET /cb?k=1&amount=500000");
}

#[tokio::test]
async fn an_invoice_for_something_else_is_refused() {
    let wallet = Wallet::start().await;
    wallet.prepare("[[\"text/plain\", \"somebody else\"]]", &json!({}));
    let sentence = "the wallet's invoice is not for this address: it bears another description's hash";
    assert_eq!(wallet.refused().await, sentence);
    // Since 2023 the description may stand in the invoice itself.
    let made = wallet.node.add_invoice(500_000, "a sale", 3_600);
    wallet.server.give(CALLBACK, 200, json!({"pr": made.bolt11.to_uppercase()}));
    let invoice = wallet.create(500_000).await.unwrap();
    assert_eq!(decode_invoice(&invoice.bolt11).unwrap().description_hash, None);
    wallet.server.give(CALLBACK, 200, json!({"pr": "lnbcrt1nonsense"}));
    assert_eq!(wallet.refused().await, "the wallet's invoice cannot be read");
}

#[tokio::test]
async fn a_callback_in_the_clear_is_not_followed() {
    let wallet = Wallet::start().await;
    let sentence =
        "lightning.lightning_address.address: the wallet's server names a callback that is not to be trusted:";
    for (callback, why) in [
        ("http://example.com/cb".to_owned(), "it is not https"),
        ("ftp://example.com/cb".to_owned(), "it is not https"),
        (format!("http://me@{}/cb", wallet.server.url.authority()), "it holds a user name or a password"),
    ] {
        let mut params = wallet.params();
        params["callback"] = callback.into();
        wallet.server.give(ADDRESS, 200, params);
        assert_eq!(wallet.refused().await, format!("{sentence} {why}"));
    }
    let mut params = wallet.params();
    params["callback"] = "no url".into();
    wallet.server.give(ADDRESS, 200, params);
    let sentence = "lightning.lightning_address.address: the wallet's server names a callback that is no URL";
    assert_eq!(wallet.refused().await, sentence);
}

#[tokio::test]
async fn strangers_do_not_lead_into_a_private_network() {
    for (host, why) in
        [("127.0.0.1:1", "its host is a private address"), ("localhost", "its host leads to a private address")]
    {
        let config = LightningAddressConfig { address: format!("seller@{host}"), allow_private_hosts: false };
        let adapter = LightningAddress::new(&config, Network::Regtest, TIMEOUT).unwrap();
        let error = adapter.health().await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Unreachable);
        let sentence = format!("lightning.lightning_address.address: the URL is refused: {why}");
        assert_eq!(error.to_string(), sentence);
    }
}

#[tokio::test]
async fn each_misconfiguration_has_its_sentence() {
    let wallet = Wallet::start().await;
    let health = async |status, body: &str| {
        wallet.server.give(ADDRESS, status, body);
        wallet.adapter.health().await.unwrap_err().to_string()
    };
    let key = "lightning.lightning_address.address:";
    assert_eq!(
        health(200, r#"{"status":"ERROR","reason":"Lightning address not found."}"#).await,
        format!("{key} the wallet's server does not serve this address: Lightning address not found.")
    );
    assert_eq!(
        health(404, "<html>").await,
        format!("{key} the wallet's server does not serve this address: HTTP 404 Not Found")
    );
    for body in [r#"{"tag":"withdrawRequest","callback":"https://x","k1":"00"}"#, "<html>"] {
        assert_eq!(health(200, body).await, format!("{key} what is served there is no Lightning address"));
    }
    assert_eq!(
        health(302, "").await,
        format!(
            "{key} the server answers with a redirect, which is not followed; give the address at the host that it leads to"
        )
    );
    wallet.server.give(ADDRESS, 200, wallet.params());
    wallet.server.give(CALLBACK, 403, "forbidden");
    assert_eq!(wallet.refused().await, format!("{key} the wallet's server refuses: HTTP 403 Forbidden: forbidden"));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_before_it_is_used() {
    for address in ["seller", "seller@not a host"] {
        let config = LightningAddressConfig { address: address.into(), allow_private_hosts: false };
        let error = LightningAddress::new(&config, Network::Regtest, TIMEOUT).err().unwrap();
        let sentence = "lightning.lightning_address.address: this must be a Lightning address, such as you@example.com";
        assert_eq!(error.to_string(), sentence);
    }
}

#[tokio::test]
async fn a_look_up_believes_no_wrong_proof() {
    let wallet = Wallet::start().await;
    let verify = json!({"verify": wallet.url("/verify/1")});
    let made = wallet.prepare(METADATA, &verify);
    assert!(!wallet.adapter.capabilities().lookup, "it is not known yet");
    wallet.create(500_000).await.unwrap();
    assert!(wallet.adapter.capabilities().lookup);
    let hash = PaymentHash::from_bytes(made.hash);
    let look = async |body: Value| {
        wallet.server.give("GET /verify/1", 200, body);
        wallet.adapter.lookup(&hash).await
    };
    let settled = |preimage: Value| json!({"status": "OK", "settled": true, "preimage": preimage, "pr": made.bolt11});
    let amount = Msat::from_sat(500).unwrap();
    let paid = Ok(InvoiceState::Settled { amount, at: None });
    assert_eq!(look(settled(json!(hex::encode(made.preimage)))).await, paid);
    assert_eq!(look(settled(Value::Null)).await, paid, "not every wallet hands it out");
    for wrong in [json!(hex::encode([0; 32])), json!("")] {
        assert_eq!(look(settled(wrong)).await.unwrap_err().kind, FaultKind::Garbled);
    }
    assert_eq!(look(json!({"status": "OK", "settled": false, "preimage": null})).await, Ok(InvoiceState::Open));
    assert_eq!(look(json!({"status": "ERROR", "reason": "Not found"})).await, Ok(InvoiceState::NotFound));
    let failing = look(json!({"status": "ERROR", "reason": "database is locked"})).await.unwrap_err();
    assert_eq!(failing.kind, FaultKind::Failing);
    assert_eq!(look(json!({"status": "OK"})).await.unwrap_err().kind, FaultKind::Garbled);
}

#[tokio::test]
async fn a_look_up_leads_nowhere_else() {
    let wallet = Wallet::start().await;
    let long = format!("https://example.com/{}", "x".repeat(500));
    for verify in [json!("http://example.com/verify"), json!("no url"), json!(long), Value::Null] {
        let made = wallet.prepare(METADATA, &json!({"verify": verify}));
        wallet.create(500_000).await.unwrap();
        assert!(!wallet.adapter.capabilities().lookup);
        let error = wallet.adapter.lookup(&PaymentHash::from_bytes(made.hash)).await.unwrap_err();
        assert_eq!(error.kind, FaultKind::Unsupported);
        assert_eq!(error.to_string(), "this backend cannot look up invoices: the wallet does not offer it");
    }
}
