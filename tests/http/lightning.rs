//! A Lightning backend that fails or lies: no invoice of it ever reaches a caller.

use crate::support::{Lie, Setup, TestApp, VIDEO, video_body};

#[tokio::test]
async fn whatever_the_backend_does_wrong_no_invoice_is_handed_out() {
    let app = Setup::new().set("LIGHTNING__INVOICE_TIMEOUT_SECONDS", 0.1).start().await;
    let body = video_body("a cat");
    assert_eq!(app.ask(VIDEO, &body).await.status, 402, "an honest invoice, which a liar can repeat");
    for (calls, lie) in (2..).zip(Lie::ALL) {
        app.lightning.tell(lie);
        let refused = app.ask(VIDEO, &body).await;
        assert_eq!(refused.outcome(), (503, "LIGHTNING_UNAVAILABLE"), "{lie:?}");
        assert_eq!(app.lightning.calls(), calls, "{lie:?}: asked once");
        assert_eq!(refused.header("retry-after"), "5");
        let told = refused.text();
        assert!(
            !told.to_lowercase().contains("lnbcrt") && !told.contains("holiday") && !told.contains("fake"),
            "{told}"
        );
    }
    app.lightning.tell(Lie::None);
    assert_eq!(app.ask(VIDEO, &body).await.status, 402);
    app.stop().await;
}

/// A payment needs no node: it was made.
#[tokio::test]
async fn a_good_credential_is_honoured_while_the_backend_is_down() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.lightning.tell(Lie::Down);
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert_eq!(app.redeem_as(&purchase, "L402 x").await.outcome(), (503, "LIGHTNING_UNAVAILABLE"));
    app.stop().await;
}
