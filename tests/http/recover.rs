//! `/recover`: the credential finds what it bought, and nothing less does. Late and odd payments.

use satforge::providers::Ending;
use serde_json::{Value, json};

use crate::support::{
    Answer, DAY, Generation, HOUR, MINUTE, Purchase, Setup, SubmitStep, TestApp, VIDEO, VIDEO_SATS, video_body, within,
};

async fn recovered(app: &TestApp, purchase: &Purchase) -> Value {
    app.send(app.get("/recover").header("authorization", purchase.credential())).await.json()
}

/// All the ways to present a credential without a body.
async fn recover(app: &TestApp, purchase: &Purchase) -> Answer {
    let credential = purchase.credential();
    let header = app.send(app.get("/recover").header("authorization", &credential)).await;
    for path in ["/recover", "/api/l402/recover"] {
        let in_parts = json!({"macaroon": purchase.macaroon, "preimage": purchase.preimage});
        for request in [
            app.get(path).header("authorization", &credential),
            app.post(path, "").header("authorization", &credential),
            app.post(path, json!({"credential": credential}).to_string()),
            app.post(path, in_parts.to_string()),
        ] {
            let answer = app.send(request).await;
            assert_eq!(
                (answer.status, answer.json()["status"].clone()),
                (header.status, header.json()["status"].clone())
            );
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    header
}

#[tokio::test]
async fn a_credential_finds_its_job_and_the_result() {
    let app = Setup::new().real_time().start().await;
    app.provider.hold(0.5);
    let running = app.buy(VIDEO, &video_body("a cat")).await;
    let accepted = app.redeem_async(&running).await;
    within("the start", async { while recovered(&app, &running).await["status"] != "running" {} }).await;
    let found = recover(&app, &running).await;
    assert_eq!((found.status, &found.json()["job_id"]), (200, &accepted.json()["job_id"]));

    app.provider.let_go();
    let delivered = app.buy(VIDEO, &video_body("a dog")).await;
    let result = app.redeem(&delivered).await.json();
    let found = recover(&app, &delivered).await;
    assert_eq!((found.status, &found.json()["videoUrl"]), (200, &result["videoUrl"]));
    let submits = app.provider.submits();
    recover(&app, &delivered).await;
    assert_eq!(app.provider.submits(), submits, "finding starts nothing");
    app.stop().await;
}

#[tokio::test]
async fn a_credential_finds_its_refund() {
    let app = Setup::new().real_time().start().await;
    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let failed = app.redeem(&purchase).await.json();
    let found = recover(&app, &purchase).await.json();
    assert_eq!((&found["status"], &found["error_code"]), (&json!("failed"), &json!("GENERATION_FAILED")));
    assert_eq!(found["refund"]["claim_url"], failed["refund"]["claim_url"]);
    assert!(found["refund"]["lnurl"].is_string(), "{found}");
    app.stop().await;
}

/// The preimage is known to the nodes that routed the payment, and the payment hash to everybody.
#[tokio::test]
async fn nothing_less_than_a_credential_finds_anything() {
    let app = Setup::new().real_time().start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    let other = app.buy(VIDEO, &video_body("a dog")).await;
    let Purchase { macaroon, preimage, .. } = &purchase;
    for credential in [
        String::new(),
        preimage.clone(),
        format!("L402 {preimage}"),
        format!("L402 :{preimage}"),
        format!("L402 {macaroon}"),
        format!("L402 {macaroon}:"),
        format!("L402 {macaroon}:{}", "00".repeat(32)),
        format!("L402 {macaroon}:{}", other.preimage),
        format!("L402 {}:{preimage}", other.macaroon),
        format!("Bearer {macaroon}:{preimage}"),
    ] {
        let answer = app.send(app.get("/api/l402/recover").header("authorization", &credential)).await;
        assert_eq!(answer.outcome(), (403, "CREDENTIAL_REFUSED"), "{credential}");
        let answer = app.send(app.post("/recover", json!({"credential": credential}).to_string())).await;
        assert_eq!(answer.status, 403, "{credential}");
        assert!(!answer.text().contains("artifacts"), "{credential}");
    }
    for body in ["", "{", "[]", r#"{"credential": 5}"#, r#"{"payment_hash": "00"}"#] {
        assert_eq!(app.send(app.post("/recover", body)).await.status, 403, "{body}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_payment_that_has_bought_nothing_says_so_and_still_buys() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let found = recover(&app, &purchase).await.json();
    assert_eq!((&found["status"], &found["amount_sats"]), (&json!("unredeemed"), &json!(VIDEO_SATS)), "{found}");
    assert!(found["redeemable_until"].is_string());
    assert_eq!(app.redeem_async(&purchase).await.status, 202, "looking has consumed nothing");
    app.stop().await;
}

/// Paid and never redeemed: from the end of the window on it is owed back, from the macaroon alone.
#[tokio::test]
async fn a_payment_is_redeemable_for_its_window_and_owed_back_afterwards() {
    let app = TestApp::start().await;
    let (first, second, third) = (
        app.buy(VIDEO, &video_body("one")).await,
        app.buy(VIDEO, &video_body("two")).await,
        app.buy(VIDEO, &video_body("three")).await,
    );
    // After the invoice's expiry, within the window.
    app.advance(10 * MINUTE + 23 * HOUR);
    assert_eq!(app.redeem_async(&first).await.status, 202);
    app.advance(HOUR + MINUTE);
    let found = recover(&app, &second).await.json();
    assert_eq!((&found["status"], &found["error_code"]), (&json!("failed"), &json!("REDEMPTION_EXPIRED")), "{found}");
    assert_eq!(found["refund"]["amount_sats"], VIDEO_SATS);
    let presented = app.redeem(&second).await;
    assert_eq!(presented.outcome(), (410, "REDEMPTION_EXPIRED"), "with its body it is the same job");
    assert_eq!(presented.json()["refund"]["claim_url"], found["refund"]["claim_url"]);
    // The other way round.
    let presented = app.redeem(&third).await;
    assert_eq!(presented.outcome(), (410, "REDEMPTION_EXPIRED"));
    let found = recover(&app, &third).await.json();
    assert_eq!(found["refund"]["claim_url"], presented.json()["refund"]["claim_url"]);
    // It never ends.
    app.advance(400 * DAY);
    assert_eq!(recover(&app, &second).await.json()["refund"]["status"], "available");
    app.stop().await;
}

/// A wallet that pays twice settles one invoice once: the second try finds it paid.
#[tokio::test]
async fn an_invoice_that_is_paid_twice_buys_once() {
    let app = Setup::new().real_time().start().await;
    let challenge = app.ask(VIDEO, &video_body("a cat")).await;
    let first = app.pay_challenge(VIDEO, &video_body("a cat"), &challenge).await;
    let second = app.pay_challenge(VIDEO, &video_body("a cat"), &challenge).await;
    assert_eq!(first.preimage, second.preimage);
    let (one, two) = tokio::join!(app.redeem(&first), app.redeem(&second));
    assert_eq!((one.status, two.status), (200, 200));
    assert_eq!(one.json(), two.json());
    assert_eq!(app.provider.submits(), 1);
    app.stop().await;
}

#[tokio::test]
async fn the_page_finds_a_purchase_without_scripts() {
    let app = Setup::new().real_time().start().await;
    let page = app.send(app.get("/recover")).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<form") && page.header("content-security-policy").contains("form-action 'self'"));
    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    assert!(post_form(&app, &purchase).await.text().contains("has bought nothing yet"));
    assert_eq!(app.redeem(&purchase).await.status, 502);
    let owed = post_form(&app, &purchase).await;
    assert!(
        owed.text().contains("500 sats are owed back to you") && owed.text().contains("/refunds/"),
        "{}",
        owed.text()
    );
    let delivered = app.buy(VIDEO, &video_body("a dog")).await;
    let result: Value = app.redeem(&delivered).await.json();
    assert!(post_form(&app, &delivered).await.text().contains(result["videoUrl"].as_str().unwrap()));
    let wrong = Purchase { preimage: "00".repeat(32), ..delivered };
    let refused = post_form(&app, &wrong).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("not a credential of this gateway"));
    app.stop().await;
}

async fn post_form(app: &TestApp, purchase: &Purchase) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("macaroon", &purchase.macaroon).append_pair("preimage", &format!(" {}\n", purchase.preimage));
    let request = app
        .request(reqwest::Method::POST, "/recover")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish());
    app.send(request).await
}
