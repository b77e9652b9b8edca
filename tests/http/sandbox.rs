//! The sandbox's wallet and generators (`wire.md`, section 7).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Answer, MINUTE, MODEL, MODEL_SATS, SECOND, Setup, TestApp, VIDEO, image_body, video_body};

async fn pay(app: &TestApp, invoice: &str) -> Answer {
    app.send(app.post("/sandbox/pay", json!({"invoice": invoice}).to_string())).await
}

#[tokio::test]
async fn an_invoice_is_paid_and_again_with_the_same_answer() {
    let app = TestApp::start().await;
    let terms = app.ask(VIDEO, &video_body("a cat")).await.json();
    let invoice = terms["invoice"].as_str().unwrap();
    let paid = pay(&app, invoice).await;
    assert_eq!(paid.status, 200);
    let document = paid.json();
    assert_eq!(document.as_object().unwrap().len(), 2);
    assert_eq!(document["payment_hash"], terms["payment_hash"]);
    let preimage = hex::decode(document["preimage"].as_str().unwrap()).unwrap();
    assert_eq!(hex::encode(Sha256::digest(preimage)), terms["payment_hash"]);
    for spelling in
        [invoice.to_owned(), invoice.to_uppercase(), format!("lightning:{invoice}"), format!(" {invoice}\n")]
    {
        assert_eq!(pay(&app, &spelling).await.body, paid.body);
    }
    app.stop().await;
}

#[tokio::test]
async fn what_a_wallet_would_refuse_is_refused() {
    let app = TestApp::start().await;
    let mut paid_in_time = Value::Null;
    let mut invoices = Vec::new();
    for n in 0..2 {
        let terms = app.ask(VIDEO, &video_body("a cat")).await.json();
        invoices.push(terms["invoice"].as_str().unwrap().to_owned());
        if n == 0 {
            paid_in_time = pay(&app, &invoices[0]).await.json();
        }
    }
    app.advance(10 * MINUTE + SECOND);
    assert_eq!(pay(&app, &invoices[1]).await.outcome(), (410, "INVOICE_EXPIRED"));
    assert_eq!(pay(&app, &invoices[0]).await.json(), paid_in_time, "what was paid in time stays paid");

    let stranger = TestApp::start().await;
    let foreign = stranger.ask(VIDEO, &video_body("a cat")).await.json();
    for unknown in [foreign["invoice"].as_str().unwrap(), "lnbcrt1x", ""] {
        assert_eq!(pay(&app, unknown).await.outcome(), (404, "INVOICE_UNKNOWN"), "{unknown}");
    }
    for (body, outcome) in
        [("{", (400, "MALFORMED_JSON")), ("{}", (422, "INVALID_PARAMS")), (r#"{"invoice":5}"#, (422, "INVALID_PARAMS"))]
    {
        assert_eq!(app.send(app.post("/sandbox/pay", body)).await.outcome(), outcome, "{body}");
    }
    let long = json!({"invoice": "x".repeat(20_000)}).to_string();
    assert_eq!(app.send(app.post("/sandbox/pay", long)).await.outcome(), (413, "BODY_TOO_LARGE"));
    stranger.stop().await;
    app.stop().await;
}

/// The triggers that let an integrator rehearse trouble.
#[tokio::test]
async fn trouble_can_be_rehearsed() {
    let app = Setup::new().sandbox_provider().start().await;
    for (path, body, code) in [
        (VIDEO, video_body("a cat sandbox:fail"), "GENERATION_FAILED"),
        (VIDEO, video_body("sandbox:reject a cat"), "CONTENT_REJECTED"),
        (MODEL, image_body(b"sandbox:fail"), "GENERATION_FAILED"),
        (MODEL, image_body(b"sandbox:reject"), "CONTENT_REJECTED"),
    ] {
        let purchase = app.buy(path, &body).await;
        assert_eq!(app.redeem(&purchase).await.outcome(), (502, code));
    }
    let slow = app.buy(VIDEO, &video_body("sandbox:slow=3600")).await;
    let waited = app.send(app.presentation(&slow).header("prefer", "wait=0")).await;
    assert_eq!(waited.status, 202);
    app.stop().await;
}

/// Two creates fail and the third works: nothing of it is seen but the result. The model is a real one.
#[tokio::test]
async fn a_flaky_generation_works_in_the_end() {
    let app = Setup::new().sandbox_provider().real_time().start().await;
    let purchase = app.buy(MODEL, &image_body(b"sandbox:flaky")).await;
    let result = app.redeem(&purchase).await;
    assert_eq!(result.status, 200, "{}", result.text());
    let file = app.send(app.get(&app.path_of(result.json()["modelUrl"].as_str().unwrap()))).await;
    assert!(file.body.starts_with(b"glTF\x02\0\0\0"));
    let job = app.send(app.get(&format!("/api/l402/jobs/{}", result.header("x-job-id")))).await.json();
    assert_eq!((&job["status"], &job["amount_sats"]), (&json!("succeeded"), &json!(MODEL_SATS)));
    app.stop().await;
}
