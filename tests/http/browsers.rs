//! What scripts in browsers need: CORS on every answer, and preflights that are never a 402.

use reqwest::Method;

use crate::support::{MODEL, TestApp, VIDEO, video_body};

#[tokio::test]
async fn a_preflight_is_answered_everywhere() {
    let app = TestApp::start().await;
    let job = format!("/api/l402/jobs/{}", "0".repeat(32));
    let file = format!("/artifacts/{}.mp4", "0".repeat(32));
    for (path, method) in [
        (VIDEO, "POST"),
        (MODEL, "POST"),
        (job.as_str(), "GET"),
        (file.as_str(), "GET"),
        ("/api/error-codes", "GET"),
        ("/sandbox/pay", "POST"),
    ] {
        let preflight = app
            .request(Method::OPTIONS, path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type,prefer");
        let answer = app.send(preflight).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        assert!(answer.header("access-control-allow-methods").contains(method), "{path}: {answer:?}");
        assert!(answer.header("allow").contains("OPTIONS"), "{path}: {answer:?}");
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        for header in ["authorization", "content-type", "prefer", "range", "if-none-match", "last-event-id"] {
            assert!(allowed.split(", ").any(|known| known == header), "{header} in {allowed}");
        }
        assert_eq!(answer.header("access-control-max-age"), "86400");
    }
    assert_eq!(app.lightning.calls(), 0);
    app.stop().await;
}

/// `OPTIONS` carries no credential, so nothing in it may ask for one.
#[tokio::test]
async fn options_is_never_a_challenge() {
    let app = TestApp::start().await;
    for path in [VIDEO, MODEL] {
        let request = app.request(Method::OPTIONS, path).header("authorization", "L402 x").body(video_body("a cat"));
        assert_eq!(app.send(request).await.status, 204, "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn every_protocol_header_can_be_read_by_scripts() {
    let app = TestApp::start().await;
    let challenge = app.send(app.post(VIDEO, video_body("a cat")).header("origin", "https://app.example")).await;
    let exposed: Vec<String> =
        challenge.header("access-control-expose-headers").split(", ").map(str::to_ascii_lowercase).collect();
    for header in [
        "www-authenticate",
        "x-request-id",
        "x-error-code",
        "x-job-id",
        "location",
        "retry-after",
        "preference-applied",
        "content-disposition",
        "content-range",
        "accept-ranges",
        "etag",
    ] {
        assert!(exposed.iter().any(|known| known == header), "{header} in {exposed:?}");
    }
    assert!(!challenge.has("access-control-allow-credentials"), "with a star, browsers would refuse it");
    app.stop().await;
}
