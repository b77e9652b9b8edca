//! Money back: with a wallet by LNURL-withdraw, with the credential to an invoice, and never twice.

use serde_json::json;

use crate::support::owed::{Owed, decoded, get, invoice, is_paid, path_of, withdraw};
use crate::support::{DAY, HOUR, Paying, Setup, TestApp, VIDEO, VIDEO_SATS, text, video_body, within};

#[tokio::test]
async fn a_wallet_withdraws_what_is_owed_once() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    assert_eq!(owed.refund()["status"], "available");
    let offer = owed.scan(&app).await;
    assert_eq!(offer["tag"], "withdrawRequest", "{offer}");
    assert_eq!((&offer["minWithdrawable"], &offer["maxWithdrawable"]), (&json!(500_000), &json!(500_000)));
    let mine = invoice(&app, VIDEO_SATS).await;
    assert_eq!(withdraw(&app, &offer, &mine).await, json!({"status": "OK"}));
    within("the payment", async { while owed.look(&app).await["status"] != "paid" {} }).await;
    assert!(is_paid(&app, &mine).await);

    let again = withdraw(&app, &offer, &invoice(&app, VIDEO_SATS).await).await;
    assert_eq!((&again["status"], &again["reason"]), (&json!("ERROR"), &json!("This refund was paid before.")));
    assert_eq!(withdraw(&app, &offer, &mine).await, json!({"status": "OK"}), "the same claim again is the same claim");
    assert_eq!(owed.scan(&app).await["status"], "ERROR");
    let presented = app.redeem(&owed.purchase).await.json();
    assert_eq!((&presented["status"], &presented["refund"]["status"]), (&json!(502), &json!("paid")));
    assert!(presented["refund"].get("lnurl").is_none() && presented["refund"]["paid_at"].is_string(), "{presented}");
    assert_eq!(app.lightning.payments(), 1);
    app.stop().await;
}

#[tokio::test]
async fn the_credential_has_it_paid_to_an_invoice() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let mine = invoice(&app, VIDEO_SATS).await;
    let claimed = owed.claim(&app, json!({"invoice": mine})).await;
    assert_eq!((claimed.status, &claimed.json()["status"]), (200, &json!("paid")), "{}", claimed.text());
    assert_eq!(owed.claim(&app, json!({"invoice": mine})).await.status, 200, "the same claim again");
    let other = owed.claim(&app, json!({"invoice": invoice(&app, VIDEO_SATS).await})).await;
    assert_eq!(other.outcome(), (409, "REFUND_UNAVAILABLE"));
    assert_eq!(app.lightning.payments(), 1);
    // After a restart as well.
    let app = app.restart().await;
    assert_eq!(app.redeem(&owed.purchase).await.json()["refund"]["status"], "paid");
    app.stop().await;
}

#[tokio::test]
async fn an_invoice_must_be_payable_and_for_exactly_the_amount() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let (less, more) = (invoice(&app, VIDEO_SATS - 1).await, invoice(&app, VIDEO_SATS + 1).await);
    let long = "l".repeat(5_000);
    for wrong in [less.as_str(), &more, "", "lnbc1", "nonsense", &long] {
        let refused = owed.claim(&app, json!({"invoice": wrong})).await;
        assert_eq!(refused.outcome(), (422, "INVALID_PARAMS"), "{wrong}");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/invoice");
        let offer = owed.scan(&app).await;
        assert_eq!(withdraw(&app, &offer, wrong).await["status"], "ERROR", "{wrong}");
    }
    for (body, pointer) in [
        (json!({}), "/invoice"),
        (json!({"invoice": 5}), "/invoice"),
        (json!({"lightning_address": "nobody"}), "/lightning_address"),
        (json!({"lightning_address": "../x@example.com"}), "/lightning_address"),
        (json!({"invoice": less, "lightning_address": "a@example.com"}), "/lightning_address"),
        (json!({"address": "a@example.com"}), "/address"),
        (json!([1]), ""),
    ] {
        let refused = owed.claim(&app, body.clone()).await;
        assert_eq!(refused.outcome(), (422, "INVALID_PARAMS"), "{body}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(owed.look(&app).await["status"], "available", "nothing of that has cost anything");
    assert_eq!(app.lightning.payments(), 0);
    app.stop().await;
}

/// Offered for two refunds, one payment would look like two.
#[tokio::test]
async fn one_invoice_is_paid_for_one_refund() {
    let app = Setup::new().real_time().start().await;
    let (first, second) = (Owed::at(&app).await, Owed::at(&app).await);
    let mine = invoice(&app, VIDEO_SATS).await;
    assert_eq!(first.claim(&app, json!({"invoice": mine})).await.status, 200);
    assert_eq!(second.claim(&app, json!({"invoice": mine})).await.outcome(), (422, "INVALID_PARAMS"));
    assert_eq!(withdraw(&app, &second.scan(&app).await, &mine).await["status"], "ERROR");
    assert_eq!(second.look(&app).await["status"], "available");
    app.stop().await;
}

#[tokio::test]
async fn a_link_expires_and_the_claim_does_not() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.advance(2 * DAY);
    let late = app.redeem(&purchase).await;
    assert_eq!(late.outcome(), (410, "REDEMPTION_EXPIRED"));
    let owed = Owed { purchase, answer: late.json() };
    let link = decoded(owed.refund());
    app.advance(DAY + HOUR);
    let expired = get(&app, &link).await.json();
    assert!(expired["reason"].as_str().unwrap().contains("expired"), "{expired}");
    let page = get(&app, &text(&owed.refund()["url"])).await;
    assert_eq!(page.status, 410);
    let anew = app.redeem(&owed.purchase).await.json();
    assert_eq!(anew["refund"]["status"], "available");
    assert_eq!(get(&app, &decoded(&anew["refund"])).await.json()["tag"], "withdrawRequest");
    app.stop().await;
}

/// What gives money is for whoever presents the credential.
#[tokio::test]
async fn nobody_else_sees_the_refund() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let id = owed.refund()["claim_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let document = app.send(app.get(&format!("/api/l402/jobs/{id}"))).await.text();
    let events = app.send(app.get(&format!("/api/l402/jobs/{id}/events"))).await.text();
    for seen in [&document, &events] {
        assert!(seen.contains("GENERATION_FAILED"), "{seen}");
        for secret in ["lnurl", "refund\"", "/refunds/", "available"] {
            assert!(!seen.contains(secret), "{secret} in {seen}");
        }
    }
    let path = format!("/api/l402/refunds/{id}");
    let stranger = app.buy(VIDEO, &video_body("another")).await;
    for (credential, status) in [
        (String::new(), 403),
        ("L402 x:y".to_owned(), 403),
        (format!("L402 {}:{}", owed.purchase.macaroon, "00".repeat(32)), 403),
        (format!("L402 {}:{}", owed.purchase.macaroon, stranger.preimage), 403),
        (stranger.credential(), 404),
    ] {
        let body = json!({"invoice": invoice(&app, VIDEO_SATS).await}).to_string();
        for request in [app.get(&path), app.post(&path, body)] {
            let request = if credential.is_empty() { request } else { request.header("authorization", &credential) };
            let refused = app.send(request).await;
            assert_eq!(refused.status, status, "{credential}");
            assert!(refused.header("www-authenticate").is_empty(), "nothing is sold here");
        }
    }
    let (link, offer) = (decoded(owed.refund()), owed.scan(&app).await);
    let forged = link.replace('a', "b");
    assert_eq!(get(&app, &forged).await.json()["status"], "ERROR");
    let mut wrong = offer.clone();
    wrong["k1"] = json!("00".repeat(32));
    assert_eq!(withdraw(&app, &wrong, &invoice(&app, VIDEO_SATS).await).await["status"], "ERROR");
    assert_eq!(app.lightning.payments(), 0);
    app.stop().await;
}

#[tokio::test]
async fn what_was_delivered_is_not_refunded() {
    let app = Setup::new().real_time().start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let delivered = app.redeem(&purchase).await;
    assert_eq!(delivered.status, 200);
    let id = delivered.header("x-job-id").to_owned();
    let claim = app.post(&format!("/api/l402/refunds/{id}"), json!({"invoice": invoice(&app, 500).await}).to_string());
    let refused = app.send(claim.header("authorization", purchase.credential())).await;
    assert_eq!(refused.outcome(), (409, "REFUND_UNAVAILABLE"));
    assert_eq!(app.lightning.payments(), 0);
    app.stop().await;
}

/// The backend keeps silent about a payment that it has made: nothing is paid a second time.
#[tokio::test]
async fn a_payment_of_unknown_outcome_is_asked_for_and_never_repeated() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let mine = invoice(&app, VIDEO_SATS).await;
    app.lightning.let_pay(Paying::InSilence);
    let path = path_of(&app, &text(&owed.refund()["claim_url"]));
    let offer = owed.scan(&app).await;
    assert_eq!(withdraw(&app, &offer, &mine).await, json!({"status": "OK"}));
    assert_eq!(owed.look(&app).await["status"], "claiming");
    let other = json!({"invoice": invoice(&app, VIDEO_SATS).await}).to_string();
    let refused = app.send(app.post(&path, other).header("authorization", owed.purchase.credential())).await;
    assert_eq!(refused.outcome(), (409, "REFUND_UNAVAILABLE"), "{}", refused.text());
    app.lightning.let_pay(Paying::Well);
    within("the outcome", async { while app.redeem(&owed.purchase).await.json()["refund"]["status"] != "paid" {} })
        .await;
    assert_eq!(app.lightning.payments(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_payment_that_fails_can_be_claimed_again() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    app.lightning.let_pay(Paying::Badly);
    let mine = invoice(&app, VIDEO_SATS).await;
    let failed = owed.claim(&app, json!({"invoice": mine})).await;
    assert_eq!(failed.outcome(), (502, "REFUND_FAILED"), "{}", failed.text());
    assert_eq!(owed.look(&app).await["status"], "available");
    app.lightning.let_pay(Paying::Well);
    assert_eq!(owed.claim(&app, json!({"invoice": mine})).await.status, 200, "the same invoice may be attempt again");
    app.stop().await;
}

/// Each try costs the node a payment attempt.
#[tokio::test]
async fn one_refund_is_not_tried_for_ever() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    app.lightning.let_pay(Paying::Badly);
    let mut attempts = 0;
    let limited = loop {
        let attempt = owed.claim(&app, json!({"invoice": invoice(&app, VIDEO_SATS).await})).await;
        if attempt.outcome() != (502, "REFUND_FAILED") {
            break attempt;
        }
        attempts += 1;
    };
    assert_eq!((limited.outcome(), attempts), ((429, "RATE_LIMITED"), 10), "{}", limited.text());
    assert!(!limited.header("retry-after").is_empty());
    assert_eq!(owed.look(&app).await["status"], "available");
    app.stop().await;
}

#[tokio::test]
async fn an_operator_who_pays_by_hand_is_told_where_to() {
    let app = Setup::new().real_time().set("REFUNDS", "manual").start().await;
    let owed = Owed::at(&app).await;
    assert!(owed.refund().get("lnurl").is_none(), "{}", owed.refund());
    let claimed = owed.claim(&app, json!({"lightning_address": "Me@Example.com"})).await;
    assert_eq!((claimed.status, &claimed.json()["status"]), (202, &json!("claiming")), "{}", claimed.text());
    let app = app.restart().await;
    assert_eq!(app.redeem(&owed.purchase).await.json()["refund"]["status"], "claiming");
    assert_eq!(app.lightning.payments(), 0);
    app.stop().await;
}

#[tokio::test]
async fn the_page_shows_a_code_until_it_is_paid() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let url = text(&owed.refund()["url"]);
    let page = get(&app, &url).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<svg") && page.text().contains(owed.refund()["lnurl"].as_str().unwrap()));
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(owed.claim(&app, json!({"invoice": invoice(&app, VIDEO_SATS).await})).await.status, 200);
    let page = get(&app, &url).await.text();
    assert!(!page.contains("<svg") && page.contains("was paid"), "{page}");
    let json = app.send(app.get(&path_of(&app, &url)).header("accept", "application/json")).await.json();
    assert_eq!(json, json!({"status": "paid", "amount_sats": VIDEO_SATS}));
    assert_eq!(app.send(app.get("/refunds/nothing")).await.status, 404);
    app.stop().await;
}
