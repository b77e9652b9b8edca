//! The keep-alive: spaces, which are legal in front of JSON, for clients and proxies that cut silent connections.

use serde_json::Value;

use crate::support::{
    Generation, Purchase, RawAnswer, RawConnection, Setup, SubmitStep, TestApp, VIDEO, VIDEO_SATS, video_body,
};

fn quick() -> Setup {
    Setup::new().set("WAITING__KEEPALIVE_AFTER_SECONDS", 0.02).set("WAITING__KEEPALIVE_EVERY_SECONDS", 0.02)
}

async fn stuck(setup: Setup) -> (TestApp, Purchase) {
    let app = setup.start().await;
    app.provider.hold(0.25);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    (app, purchase)
}

fn presentation(purchase: &Purchase) -> String {
    format!(
        "POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept-encoding: gzip, br, zstd\r\n\
         authorization: {}\r\ncontent-length: {}\r\n\r\n{}",
        purchase.credential(),
        purchase.body.len(),
        purchase.body
    )
}

/// The body's chunks, and the text that they make.
fn unchunked(answer: &RawAnswer) -> (usize, String) {
    let mut rest = std::str::from_utf8(&answer.body).unwrap();
    let (mut chunks, mut text) = (0, String::new());
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            return (chunks, text);
        }
        text.push_str(&after[..size]);
        rest = &after[size + 2..];
        chunks += 1;
    }
}

#[tokio::test]
async fn spaces_come_until_the_json_follows() {
    let (app, purchase) = stuck(quick()).await;
    let mut connection = RawConnection::open(&app).await;
    connection.write(presentation(&purchase)).await;
    let head = connection.read_until("\r\n1\r\n \r\n1\r\n \r\n1\r\n ").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for line in [
        "content-type: application/json",
        "x-accel-buffering: no",
        "transfer-encoding: chunked",
        "cache-control: no-store",
        "vary: prefer",
        "x-job-id: ",
        "x-request-id: ",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.contains("content-encoding"));
    app.provider.let_go();
    let rest = connection.read_until("\r\n0\r\n\r\n").await;
    assert!(rest.contains(r#"{"videoUrl":"#), "{rest}");
    app.stop().await;
}

#[tokio::test]
async fn any_json_reader_reads_it() {
    let (app, purchase) = stuck(quick()).await;
    let mut response = app.presentation(&purchase).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    app.provider.let_go();
    let text = response.text().await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["videoUrl"].is_string(), "{text}");
    app.stop().await;
}

/// The status is gone by then: the document carries it, and a reader looks for the result field.
#[tokio::test]
async fn a_failure_after_the_beginning_is_the_problem_document() {
    let app = quick().start().await;
    app.provider.hold(0.25);
    app.provider.script([SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Rejected))]);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let mut response = app.presentation(&purchase).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    app.provider.let_go();
    let document: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(document["status"], 502);
    assert_eq!(document["error_code"], "CONTENT_REJECTED");
    assert_eq!(document["refund"]["amount_sats"], VIDEO_SATS);
    assert!(document.get("videoUrl").is_none());
    assert_eq!(app.redeem(&purchase).await.outcome(), (502, "CONTENT_REJECTED"), "the next one sees the true status");
    app.stop().await;
}

#[tokio::test]
async fn after_the_hold_the_json_is_the_202_document() {
    let (app, purchase) = stuck(quick().set("WAITING__HOLD_SECONDS", 0.3)).await;
    let answer = app.raw(presentation(&purchase)).await;
    assert_eq!(answer.status_line, "HTTP/1.1 200 OK");
    let (chunks, text) = unchunked(&answer);
    assert!(chunks > 2 && text.starts_with("  "), "{chunks} chunks: {text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"], "running");
    assert!(document["poll_url"].as_str().unwrap().starts_with(app.public_url()));
    app.stop().await;
}

/// Quick outcomes keep their status: nothing has begun yet.
#[tokio::test]
async fn within_the_silence_the_status_is_true() {
    let app = Setup::new().set("WAITING__KEEPALIVE_AFTER_SECONDS", 30).start().await;
    app.provider.script([SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Failed))]);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&purchase).await.outcome(), (502, "GENERATION_FAILED"));
    app.stop().await;
}

/// A gateway that stops ends what has begun with the `202` document.
#[tokio::test]
async fn a_stop_ends_the_spaces() {
    let (app, purchase) = stuck(quick()).await;
    let mut response = app.presentation(&purchase).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    let (text, ()) = futures_util::future::join(response.text(), app.stop()).await;
    let document: Value = serde_json::from_str(&text.unwrap()).unwrap();
    assert!(document["poll_url"].is_string());
}
