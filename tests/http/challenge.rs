//! The challenge, in the form that deployed clients need (`wire.md`, section 2).

use insta::assert_snapshot;
use satforge::lightning::{Network, decode_invoice};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::{DAY, MODEL, MODEL_SATS, Pieces, TestApp, VIDEO, VIDEO_SATS, image_body, video_body};

const START: u64 = 1_800_000_000;

#[tokio::test]
async fn the_whole_response() {
    let app = TestApp::start().await;
    let answer = app.ask(VIDEO, &video_body("a cat")).await;
    let body = answer.json();
    let url = app.public_url().to_owned();
    let redacted = answer.snapshot(|text| {
        text.replace(body["macaroon"].as_str().unwrap(), "<macaroon>")
            .replace(body["invoice"].as_str().unwrap(), "<invoice>")
            .replace(body["payment_hash"].as_str().unwrap(), "<payment hash>")
            .replace(&url, "<url>")
    });
    assert_snapshot!(redacted, @r#"
    402
    access-control-allow-origin: *
    cache-control: no-store
    content-type: application/problem+json
    www-authenticate: L402 macaroon="<macaroon>", invoice="<invoice>", token="<macaroon>", version="0"
    x-content-type-options: nosniff
    x-error-code: PAYMENT_REQUIRED
    x-request-id: <request id>

    {
      "detail": "The request is valid and has a price. The response carries an invoice and the macaroon that paying it activates.",
      "docs": "<url>/l402/video",
      "error": "The request is valid and has a price. The response carries an invoice and the macaroon that paying it activates.",
      "error_code": "PAYMENT_REQUIRED",
      "expires_at": "2027-01-15T08:10:00Z",
      "invoice": "<invoice>",
      "macaroon": "<macaroon>",
      "payment_hash": "<payment hash>",
      "priceSats": 500,
      "price_sats": 500,
      "status": 402,
      "suggestion": "Pay the invoice and send the same bytes again with `Authorization: L402 <macaroon>:<preimage>`.",
      "title": "Payment required",
      "type": "<url>/errors#PAYMENT_REQUIRED"
    }
    "#);
    app.stop().await;
}

/// Aperture's and lnget's regular expressions: scheme, macaroon, comma, one space, invoice.
#[tokio::test]
async fn the_header_is_the_first_and_only_and_in_its_order() {
    let app = TestApp::start().await;
    let body = video_body("a cat");
    let head =
        format!("POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let answer = app.raw(format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(answer.status_line, "HTTP/1.1 402 Payment Required");
    let lines: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(lines.len(), 1);
    let terms: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let (macaroon, invoice) = (terms["macaroon"].as_str().unwrap(), terms["invoice"].as_str().unwrap());
    let expected = format!(r#"L402 macaroon="{macaroon}", invoice="{invoice}", token="{macaroon}", version="0""#);
    assert_eq!(lines[0].1, expected);
    app.stop().await;
}

#[tokio::test]
async fn invoice_macaroon_and_body_say_the_same() {
    let app = TestApp::start().await;
    let (video, model) = (video_body("a cat"), image_body(b""));
    for (path, service, body, sats) in [(VIDEO, "video", video, VIDEO_SATS), (MODEL, "3d-model", model, MODEL_SATS)] {
        let terms = app.ask(path, &body).await.json();
        assert_eq!((&terms["price_sats"], &terms["priceSats"]), (&json!(sats), &json!(sats)));
        assert_eq!(terms["docs"], format!("{}/l402/{service}", app.public_url()));
        assert_eq!(app.send(app.get(&app.path_of(terms["docs"].as_str().unwrap()))).await.status, 200);
        assert_eq!(terms["expires_at"], "2027-01-15T08:10:00Z", "ten minutes by default");

        let text = terms["invoice"].as_str().unwrap();
        assert!(text.starts_with("lnbcrt") && *text == text.to_lowercase(), "{text}");
        let invoice = decode_invoice(text).unwrap();
        assert_eq!(invoice.amount.unwrap().msat(), sats * 1_000);
        assert_eq!((invoice.network, invoice.expires_at), (Network::Regtest, START + 600));
        assert_eq!(terms["payment_hash"], invoice.payment_hash.to_hex());

        let pieces = Pieces::of(terms["macaroon"].as_str().unwrap());
        let sha256 = hex::encode(Sha256::digest(&body));
        let valid_until = START + 600 + DAY.as_secs();
        let caveats = [
            format!("services={service}:0"),
            format!("body_sha256={sha256}"),
            format!("{service}_valid_until={valid_until}"),
        ];
        assert_eq!(pieces.caveats, caveats);
        assert_eq!(pieces.token().payment_hash, invoice.payment_hash);
        assert_eq!(pieces.token().amount.msat(), sats * 1_000);
        assert_eq!(pieces.identifier.len(), 66);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_longer_video_costs_more() {
    let app = TestApp::start().await;
    let body = r#"{"prompt":"x","model":"Video Generation","duration":10,"camera_fixed":true}"#;
    assert_eq!(app.ask(VIDEO, body).await.json()["price_sats"], 2 * VIDEO_SATS);
    app.stop().await;
}

/// Two challenges for the same bytes are two purchases.
#[tokio::test]
async fn every_challenge_is_new() {
    let app = TestApp::start().await;
    let body = video_body("a cat");
    let (one, other) = (app.ask(VIDEO, &body).await.json(), app.ask(VIDEO, &body).await.json());
    for field in ["macaroon", "invoice", "payment_hash"] {
        assert_ne!(one[field], other[field], "{field}");
    }
    assert_eq!(app.lightning.calls(), 2);
    app.stop().await;
}

#[tokio::test]
async fn the_query_string_is_ignored() {
    let app = TestApp::start().await;
    let purchase = app.buy("/api/l402/video?utm_source=x&duration=10", &video_body("a cat")).await;
    assert_eq!(Pieces::of(&purchase.macaroon).token().amount.msat(), VIDEO_SATS * 1_000);
    let elsewhere = crate::support::Purchase { path: VIDEO, ..purchase };
    assert_eq!(app.redeem(&elsewhere).await.status, 200);
    app.stop().await;
}

/// An unpaid request leaves nothing behind: no row, no file.
#[tokio::test]
async fn a_challenge_stores_nothing() {
    let app = TestApp::start().await;
    app.ask(MODEL, &image_body(&vec![0; 200_000])).await;
    let files =
        |folder: &str| std::fs::read_dir(app.data_dir().join("artifacts").join(folder)).map_or(0, Iterator::count);
    assert_eq!((files("inputs"), files("results")), (0, 0));
    assert_eq!(app.provider.submits(), 0);
    app.stop().await;
}
