//! What can be learnt for free.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Lie, MODEL, MODEL_SATS, Setup, TestApp, VIDEO, VIDEO_SATS, within};

/// The metadata is enough to buy: its example is posted as it stands.
#[tokio::test]
async fn a_service_describes_itself() {
    let app = TestApp::start().await;
    for (path, service, sats, field) in
        [(VIDEO, "video", VIDEO_SATS, "videoUrl"), (MODEL, "3d-model", MODEL_SATS, "modelUrl")]
    {
        let answer = app.send(app.get(path)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let document = answer.json();
        for (key, value) in [
            ("service", json!(service)),
            ("method", json!("POST")),
            ("url", json!(format!("{}{path}", app.public_url()))),
            ("content_type", json!("application/json")),
            ("payment", json!("L402")),
            ("available", json!(true)),
            ("result_field", json!(field)),
            ("docs", json!(format!("{}/l402/{service}", app.public_url()))),
        ] {
            assert_eq!(document[key], value, "{key}");
        }
        assert!(document["description"].is_string() && document["request_schema"]["properties"].is_object());
        assert_eq!(document["price"]["price_sats"], sats);
        let challenge = app.ask(path, &document["example_request"].to_string()).await;
        assert_eq!((challenge.status, &challenge.json()["price_sats"]), (402, &json!(sats)));
    }
    app.stop().await;
}

/// `HEAD` is `GET` without a body, and never a challenge.
#[tokio::test]
async fn head_mirrors_get() {
    let app = TestApp::start().await;
    for path in [VIDEO, MODEL, "/api/error-codes", "/healthz", "/readyz", "/", "/l402", "/errors", "/static/style.css"]
    {
        let get = app.send(app.get(path)).await;
        let head = app.send(app.request(Method::HEAD, path)).await;
        assert_eq!((get.status, head.status, head.body.len()), (200, 200, 0), "{path}");
        for header in ["content-type", "content-length", "cache-control"] {
            assert_eq!(get.header(header), head.header(header), "{header} of {path}");
        }
    }
    assert_eq!(app.lightning.calls(), 0);
    app.stop().await;
}

#[tokio::test]
async fn the_catalogue_of_errors_has_every_code_of_the_contract() {
    let app = TestApp::start().await;
    let answer = app.send(app.get("/api/error-codes")).await;
    let document = answer.json();
    let errors = document["errors"].as_array().unwrap();
    let page = app.send(app.get("/errors")).await.text();
    for (status, codes) in [
        (400, "MALFORMED_JSON"),
        (
            402,
            "PAYMENT_REQUIRED CREDENTIAL_MALFORMED CREDENTIAL_INVALID PREIMAGE_MISMATCH BODY_MISMATCH CREDENTIAL_EXPIRED",
        ),
        (403, "LOCAL_ONLY"),
        (404, "NOT_FOUND INVOICE_UNKNOWN"),
        (405, "METHOD_NOT_ALLOWED"),
        (410, "RESULT_EXPIRED REDEMPTION_EXPIRED INVOICE_EXPIRED"),
        (413, "BODY_TOO_LARGE"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (422, "INVALID_PARAMS"),
        (429, "RATE_LIMITED"),
        (500, "INTERNAL"),
        (502, "GENERATION_FAILED CONTENT_REJECTED"),
        (503, "LIGHTNING_UNAVAILABLE UPSTREAM_UNAVAILABLE SHUTTING_DOWN"),
    ] {
        for code in codes.split(' ') {
            let entry = errors.iter().find(|entry| entry["error_code"] == code);
            let entry = entry.unwrap_or_else(|| panic!("{code} is missing"));
            assert_eq!(entry["status"], status, "{code}");
            assert_eq!(entry["type"], format!("{}/errors#{code}", app.public_url()));
            assert!(["title", "meaning", "suggestion"].iter().all(|field| entry[*field].is_string()), "{entry}");
            assert!(page.contains(&format!("id=\"{code}\"")), "the page has no entry {code}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn health_and_readiness() {
    let app = TestApp::start().await;
    assert_eq!(app.send(app.get("/healthz")).await.json(), json!({"status": "ok"}));
    let ready = app.send(app.get("/readyz")).await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    app.lightning.tell(Lie::Down);
    // What the node said a moment ago is repeated for a second.
    let is_ready = async || app.get("/readyz").send().await.unwrap().status() == 200;
    within("the gateway finds out", async { while is_ready().await {} }).await;
    let not_ready: Value = app.get("/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(not_ready["checks"]["lightning"], "failing");
    app.stop().await;
    let app = Setup::new().no_provider().start().await;
    assert_eq!(app.get("/readyz").send().await.unwrap().status(), 503);
    app.stop().await;
}

/// URLs in answers come from the configuration. What a caller writes into `Host` would otherwise reach others.
#[tokio::test]
async fn urls_are_made_from_the_public_url_and_never_from_the_host_header() {
    let setup = Setup::new().set("SERVER__PUBLIC_URL", "https://ai.example.com");
    let app = setup.set("SANDBOX__PUBLIC", true).start().await;
    let evil = |request: reqwest::RequestBuilder| {
        request
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "ftp")
    };
    let body = crate::support::video_body("a cat");
    let challenge = app.send(evil(app.post(VIDEO, body.clone()))).await;
    let purchase = app.pay_challenge(VIDEO, &body, &challenge).await;
    app.provider.hold(0.5);
    let accepted = app.send(evil(app.presentation(&purchase)).header("prefer", "respond-async")).await;
    app.provider.let_go();
    let result = app.send(evil(app.presentation(&purchase))).await;
    let job = app.send(evil(app.get(&app.path_of(accepted.header("location"))))).await;
    let metadata = app.send(evil(app.get(VIDEO))).await;
    let page = app.send(evil(app.get("/l402/video"))).await;
    for answer in [&challenge, &accepted, &result, &job, &metadata, &page] {
        assert!(answer.text().contains("https://ai.example.com/"), "{answer:?}");
        assert!(!answer.text().contains("evil") && !format!("{:?}", answer.headers).contains("evil"), "{answer:?}");
        assert!(!answer.text().contains("127.0.0.1"), "{answer:?}");
    }
    assert!(result.json()["videoUrl"].as_str().unwrap().starts_with("https://ai.example.com/artifacts/"));
    app.stop().await;
}
