//! Bodies that are refused: each with everything that is wrong with it, and none with an invoice.

use bytes::Bytes;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, MODEL, Setup, TestApp, VIDEO, image_body, video_body};

/// Refused without an invoice.
async fn assert_refused(app: &TestApp, path: &str, body: &str, outcome: (u16, &str)) -> Answer {
    let calls = app.lightning.calls();
    let answer = app.ask(path, body).await;
    assert_eq!(answer.outcome(), outcome, "{}", &body[..body.len().min(100)]);
    assert_eq!(app.lightning.calls(), calls, "an invoice was made for {}", &body[..body.len().min(100)]);
    answer
}

#[tokio::test]
async fn every_problem_is_told_at_once_with_its_pointer() {
    let app = TestApp::start().await;
    let body = r#"{"duration":"5","camera_fixed":null,"a/b~c":1,"model":"x","duration":5}"#;
    let answer = assert_refused(&app, VIDEO, body, (422, "INVALID_PARAMS")).await;
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    let mut pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/a~1b~0c", "/camera_fixed", "/duration", "/duration", "/model", "/prompt"]);
    for error in errors {
        assert_eq!(error.as_object().unwrap().len(), 2);
        assert!(!error["detail"].as_str().unwrap().is_empty());
    }
    app.stop().await;
}

#[tokio::test]
async fn the_rules_of_every_field_hold() {
    let app = TestApp::start().await;
    let with = |rest: &str| format!(r#"{{"prompt":"x","model":"Video Generation"{rest}}}"#);
    let model = |value: &str| format!(r#"{{"image":{value}}}"#);
    let gif = r#""data:image/gif;base64,R0lGODlhAQABAAAAACw=""#;
    let refused = [
        (VIDEO, with(r#","duration":5.0"#), "/duration"),
        (VIDEO, with(r#","duration":7"#), "/duration"),
        (VIDEO, with(r#","duration":null"#), "/duration"),
        (VIDEO, with(r#","camera_fixed":"false""#), "/camera_fixed"),
        (VIDEO, with(r#","seed":1"#), "/seed"),
        (VIDEO, with(r#","prompt":"y""#), "/prompt"),
        (VIDEO, video_body(" \\n "), "/prompt"),
        (VIDEO, video_body(&"é".repeat(2_001)), "/prompt"),
        (VIDEO, r#"{"prompt":"x","model":"video generation"}"#.into(), "/model"),
        (VIDEO, r#"{"prompt":"x"}"#.into(), "/model"),
        (VIDEO, "[]".into(), ""),
        (MODEL, "{}".into(), "/image"),
        (MODEL, model("5"), "/image"),
        (MODEL, model(r#""iVBORw0KGgo=""#), "/image"),
        (MODEL, model(gif), "/image"),
        (MODEL, model(r#""data:image/png;base64,iVBORw0KGgo=""#), "/image"),
        (MODEL, image_body(b"").replace("image/png", "image/jpeg"), "/image"),
    ];
    for (path, body, pointer) in refused {
        let answer = assert_refused(&app, path, &body, (422, "INVALID_PARAMS")).await;
        let pointers: Vec<_> =
            answer.json()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert_eq!(pointers, [json!(pointer)], "{body}");
    }
    assert_eq!(app.ask(VIDEO, &video_body(&"é".repeat(2_000))).await.status, 402);
    app.stop().await;
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start().await;
    for body in ["", "{", "prompt=x", "{\"prompt\":}", "{} {}", "\u{feff}{}"] {
        assert_refused(&app, VIDEO, body, (400, "MALFORMED_JSON")).await;
    }
    let not_utf8 = app.send(app.post(VIDEO, &b"{\"prompt\":\"\xff\",\"model\":\"Video Generation\"}"[..])).await;
    assert_eq!(not_utf8.outcome(), (400, "MALFORMED_JSON"));
    assert_eq!(app.lightning.calls(), 0);
    app.stop().await;
}

#[tokio::test]
async fn the_media_type_must_be_json_and_nothing_may_be_encoded() {
    let app = TestApp::start().await;
    let post = || app.request(Method::POST, VIDEO).body(video_body("a cat"));
    let refused = [
        post(),
        post().header("content-type", "text/plain"),
        post().header("content-type", "application/json-patch+json"),
        app.post(VIDEO, video_body("a cat")).header("content-encoding", "gzip"),
    ];
    for request in refused {
        assert_eq!(app.send(request).await.outcome(), (415, "UNSUPPORTED_MEDIA_TYPE"));
    }
    assert_eq!(app.lightning.calls(), 0);
    for request in [
        post().header("content-type", "Application/JSON; charset=utf-8"),
        app.post(VIDEO, video_body("a cat")).header("content-encoding", "identity"),
    ] {
        assert_eq!(app.send(request).await.status, 402);
    }
    app.stop().await;
}

/// With and without a length that says so beforehand.
#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let limit = 64 * 1024;
    let padded = |len: usize| {
        let body = video_body("a cat");
        format!("{body}{}", " ".repeat(len - body.len()))
    };
    assert_eq!(app.ask(VIDEO, &padded(limit)).await.status, 402);
    assert_refused(&app, VIDEO, &padded(limit + 1), (413, "BODY_TOO_LARGE")).await;
    let chunks = padded(limit + 1).into_bytes();
    let chunks: Vec<_> =
        chunks.chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
    let streamed = app.post(VIDEO, reqwest::Body::wrap_stream(stream::iter(chunks)));
    assert_eq!(app.send(streamed).await.outcome(), (413, "BODY_TOO_LARGE"));
    assert_eq!(app.lightning.calls(), 1);
    app.stop().await;
}

/// The refusal does not wait for a body that goes on for ever.
#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let app = TestApp::start().await;
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 16_384])));
    let request = app.post(VIDEO, reqwest::Body::wrap_stream(endless));
    // A client may see its own broken pipe before the answer; either way the gateway lets go.
    let sent = crate::support::within("the end of an endless upload", request.send()).await;
    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.status() == 413));
    assert_eq!(app.lightning.calls(), 0);
    app.stop().await;
}

#[tokio::test]
async fn a_sender_that_stalls_is_told() {
    let app = Setup::new().set("SERVER__BODY_IDLE_TIMEOUT_SECONDS", 0.1).start().await;
    let head =
        format!("POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let answer = app.raw(format!("{head}content-length: 100\r\n\r\n{{\"prompt\"")).await;
    assert_eq!(answer.status_line, "HTTP/1.1 408 Request Timeout");
    assert_eq!(answer.header("x-error-code"), "REQUEST_TIMEOUT");
    app.stop().await;
}

/// A refused credential does not make a bad body payable: the exceptions of `wire.md` come before the challenge.
#[tokio::test]
async fn a_refused_credential_with_a_bad_body_gets_the_bodys_problem() {
    let app = TestApp::start().await;
    for (body, outcome) in [("{", (400, "MALFORMED_JSON")), ("{}", (422, "INVALID_PARAMS"))] {
        let answer = app.send(app.post(VIDEO, body).header("authorization", "L402 x")).await;
        assert_eq!(answer.outcome(), outcome);
    }
    assert_eq!(app.lightning.calls(), 0);
    app.stop().await;
}
