//! Credentials that are refused: each gets its code and a fresh challenge that can be paid, and nothing is consumed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{MODEL, Pieces, Purchase, TestApp, VIDEO, image_body, video_body};

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A refusal offers the request for sale again, and the payment that came with it still stands.
async fn assert_refused(app: &TestApp, purchase: &Purchase, authorization: &str, code: &str) {
    let refused = app.redeem_as(purchase, authorization).await;
    assert_eq!(refused.outcome(), (402, code), "{authorization}");
    let problem = refused.json();
    assert!(problem["detail"].as_str().unwrap().contains("Nothing was consumed"), "{problem:#}");
    let fresh = app.pay_challenge(purchase.path, &purchase.body, &refused).await;
    assert_ne!(fresh.macaroon, purchase.macaroon);
    let creates = app.provider.creates();
    assert_eq!(app.redeem(&fresh).await.status, 200, "{authorization}");
    assert_eq!(app.provider.creates(), creates + 1, "only the fresh purchase bought something");
}

#[tokio::test]
async fn what_cannot_be_decoded_is_malformed() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let Purchase { macaroon, preimage, .. } = &purchase;
    let long = STANDARD.encode(vec![2; 4 * 1024 + 1]);
    let cut = &macaroon[..macaroon.len() - 8];
    let trailing = STANDARD.encode([STANDARD.decode(macaroon).unwrap(), vec![0]].concat());
    for authorization in [
        "L402".to_owned(),
        "L402 ".to_owned(),
        "L402 x".to_owned(),
        format!("L402 {macaroon}"),
        format!("L402 :{preimage}"),
        format!("L402 {macaroon}:"),
        format!("L402 {macaroon}:{}", &preimage[..62]),
        format!("L402 {macaroon}:{preimage}00"),
        format!("L402 {macaroon}:{}", preimage.replace(char::is_numeric, "g")),
        format!("L402 a*b:{preimage}"),
        format!("L402 {cut}:{preimage}"),
        format!("L402 {trailing}:{preimage}"),
        format!("L402 {long}:{preimage}"),
        format!("L402 {}:{preimage}", hex::encode(macaroon)),
    ] {
        let refused = app.redeem_as(&purchase, &authorization).await;
        assert_eq!(refused.outcome(), (402, "CREDENTIAL_MALFORMED"), "{authorization}");
    }
    assert_refused(&app, &purchase, "L402 x", "CREDENTIAL_MALFORMED").await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

/// No header hangs or crashes the gateway, not even one that is no text.
#[tokio::test]
async fn bytes_that_are_no_text_are_malformed() {
    let app = TestApp::start().await;
    let body = video_body("a cat");
    let head =
        format!("POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n");
    for value in [&b"L402 \xff\xfe:\xff"[..], b"L402 \x80,\x80,,,,:::", &[b"L402 ", &[b','; 9_000][..]].concat()] {
        let tail = format!("\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let request = [head.as_bytes(), b"authorization: ", value, tail.as_bytes()].concat();
        let answer = app.raw(request).await;
        assert_eq!(answer.status_line, "HTTP/1.1 402 Payment Required");
        assert_eq!(answer.header("x-error-code"), "CREDENTIAL_MALFORMED");
    }
    app.stop().await;
}

/// A macaroon that somebody else could have written: wrong signature, caveats that are missing, that widen, that
/// cannot be read. Those that only the gateway's key can make are made with it.
#[tokio::test]
async fn what_this_gateway_would_not_sign_is_invalid() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let (pieces, config) = (Pieces::of(&purchase.macaroon), app.config());
    let [services, body, until] = [0, 1, 2].map(|n| pieces.caveats[n].as_str());
    let later = format!("video_valid_until={}", u64::MAX);
    let other_body = format!("body_sha256={ZEROS}");
    let mut macaroons = vec![pieces.forged()];
    for kept in [[services, body], [services, until], [body, until]] {
        macaroons.push(pieces.minted_with(&config, &kept));
    }
    for appended in
        [&later, "video_valid_until=soon", "video_valid_until=", "services=3d-model:0", "services=video:1", &other_body]
    {
        macaroons.push(pieces.with(&[appended]));
    }
    for macaroon in &macaroons {
        let credential = format!("L402 {macaroon}:{}", purchase.preimage);
        let refused = app.redeem_as(&purchase, &credential).await;
        assert_eq!(refused.outcome(), (402, "CREDENTIAL_INVALID"), "{:?}", Pieces::of(macaroon).caveats);
    }
    assert_refused(&app, &purchase, &format!("L402 {}:{}", macaroons[0], purchase.preimage), "CREDENTIAL_INVALID")
        .await;
    // A control: the same hand makes a macaroon that passes.
    let whole = pieces.minted_with(&config, &[services, body, until]);
    assert_eq!(app.redeem_as(&purchase, &format!("L402 {whole}:{}", purchase.preimage)).await.status, 200);
    app.stop().await;
}

/// Neither a preimage nor a payment hash alone opens anything.
#[tokio::test]
async fn a_preimage_opens_its_own_payment_alone() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let other = app.buy(VIDEO, &video_body("a cat")).await;
    let hash = Pieces::of(&purchase.macaroon).token().payment_hash.to_hex();
    for preimage in [other.preimage.as_str(), &hash, ZEROS] {
        let credential = format!("L402 {}:{preimage}", purchase.macaroon);
        assert_refused(&app, &purchase, &credential, "PREIMAGE_MISMATCH").await;
    }
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

/// One changed byte, even one that means nothing, is another request; so are the same bytes elsewhere.
#[tokio::test]
async fn other_bytes_or_another_service_are_a_mismatch() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    for body in [video_body("a bat"), format!("{} ", purchase.body), format!("\n{}", purchase.body)] {
        let elsewhere = Purchase { body, ..purchase.clone() };
        assert_refused(&app, &elsewhere, &elsewhere.credential(), "BODY_MISMATCH").await;
    }
    // Bytes that are good for one service alone are refused there before any invoice; the payment stands all the same.
    let model = app.buy(MODEL, &image_body(b"")).await;
    let calls = app.lightning.calls();
    let elsewhere = Purchase { path: VIDEO, ..model.clone() };
    assert_eq!(app.redeem(&elsewhere).await.outcome(), (422, "INVALID_PARAMS"));
    assert_eq!(app.lightning.calls(), calls);
    for purchase in [purchase, model] {
        assert_eq!(app.redeem(&purchase).await.status, 200);
    }
    app.stop().await;
}

/// The service that a macaroon names stands for its method and path, be it one that is not sold here any more.
#[tokio::test]
async fn a_payment_for_another_service_is_a_mismatch_even_with_the_same_bytes() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let (pieces, config) = (Pieces::of(&purchase.macaroon), app.config());
    let (body, until) = (&pieces.caveats[1], pieces.caveat("video_valid_until"));
    for service in ["3d-model", "music"] {
        let caveats = [&format!("services={service}:0"), body, &format!("{service}_valid_until={until}")];
        let macaroon = pieces.minted_with(&config, &caveats.map(String::as_str));
        let credential = format!("L402 {macaroon}:{}", purchase.preimage);
        assert_refused(&app, &purchase, &credential, "BODY_MISMATCH").await;
    }
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

/// A mismatch stays one after the redemption, and the purchase stays what it was.
#[tokio::test]
async fn a_redeemed_payment_buys_nothing_else() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let result = app.redeem(&purchase).await;
    let elsewhere = Purchase { body: video_body("a dog"), ..purchase.clone() };
    assert_eq!(app.redeem(&elsewhere).await.outcome(), (402, "BODY_MISMATCH"));
    // The gateway's own key could bind the same payment to other bytes: it has bought something already.
    let pieces = Pieces::of(&purchase.macaroon);
    let other = Pieces::of(app.ask(VIDEO, &elsewhere.body).await.json()["macaroon"].as_str().unwrap());
    let caveats: Vec<&str> = other.caveats.iter().map(String::as_str).collect();
    let rebound = Purchase { macaroon: pieces.minted_with(&app.config(), &caveats), ..elsewhere };
    assert_eq!(app.redeem(&rebound).await.outcome(), (402, "BODY_MISMATCH"));
    assert_eq!(app.redeem(&purchase).await.body, result.body);
    assert_eq!(app.provider.creates(), 1);
    app.stop().await;
}

/// The checks have an order: what is wrong in several ways is refused for the first of them.
#[tokio::test]
async fn the_first_thing_that_is_wrong_is_told() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let pieces = Pieces::of(&purchase.macaroon);
    let expired = pieces.with(&["video_valid_until=5"]);
    let widened = pieces.with(&["video_valid_until=5", "video_valid_until=6"]);
    let elsewhere = Purchase { body: video_body("a dog"), ..purchase.clone() };
    let credential = |macaroon: &str, preimage: &str| format!("L402 {macaroon}:{preimage}");
    for (authorization, code) in [
        (credential(&widened, ZEROS), "CREDENTIAL_INVALID"),
        (credential(&expired, ZEROS), "PREIMAGE_MISMATCH"),
        (credential(&expired, &purchase.preimage), "BODY_MISMATCH"),
    ] {
        let refused = app.redeem_as(&elsewhere, &authorization).await;
        assert_eq!(refused.outcome(), (402, code), "{authorization}");
    }
    assert_refused(&app, &purchase, &credential(&expired, &purchase.preimage), "CREDENTIAL_EXPIRED").await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

/// A scheme that is not ours is no credential at all.
#[tokio::test]
async fn other_schemes_are_not_looked_at() {
    let app = TestApp::start().await;
    let body = video_body("a cat");
    for authorization in ["Bearer abc", "Basic dTpw", "L402x abc", "Payment L402", ""] {
        let answer = app.send(app.post(VIDEO, body.clone()).header("authorization", authorization)).await;
        assert_eq!(answer.outcome(), (402, "PAYMENT_REQUIRED"), "{authorization:?}");
    }
    app.stop().await;
}
