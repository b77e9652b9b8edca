//! Errors as callers see them (`wire.md`, section 5).

use insta::assert_snapshot;
use reqwest::Method;

use crate::support::{Answer, Generation, Lie, RawConnection, SubmitStep, TestApp, VIDEO, video_body};

/// Without what follows `before` in a JSON string: it differs between runs.
fn cut(text: &str, before: &str) -> String {
    let Some((head, rest)) = text.split_once(before) else { return text.to_owned() };
    let (_, tail) = rest.split_once('"').unwrap();
    let (head, what) = match before.strip_suffix("lnurl1") {
        Some(key) => (format!("{head}{key}"), "<lnurl>"),
        None => (format!("{head}{before}"), "<link>"),
    };
    format!("{head}{what}\"{tail}")
}

fn shown(app: &TestApp, answer: &Answer) -> String {
    let job = answer.header("x-job-id").to_owned();
    answer.snapshot(|text| {
        let text = text.replace(app.public_url(), "<url>");
        let text = ["lnurl\": \"lnurl1", "<url>/refunds/"].into_iter().fold(text, |text, before| cut(&text, before));
        if job.is_empty() { text } else { text.replace(&job, "<job id>") }
    })
}

#[tokio::test]
async fn a_body_that_cannot_be_run() {
    let app = TestApp::start().await;
    let answer = app.ask(VIDEO, r#"{"model":"Video Generation","duration":7}"#).await;
    assert_snapshot!(shown(&app, &answer), @r#"
    422
    access-control-allow-origin: *
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff
    x-error-code: INVALID_PARAMS
    x-request-id: <request id>

    {
      "detail": "/prompt: required, but missing; /duration: must be the integer 5 or 10",
      "error": "/prompt: required, but missing; /duration: must be the integer 5 or 10",
      "error_code": "INVALID_PARAMS",
      "errors": [
        {
          "detail": "required, but missing",
          "pointer": "/prompt"
        },
        {
          "detail": "must be the integer 5 or 10",
          "pointer": "/duration"
        }
      ],
      "status": 422,
      "suggestion": "Repair every field that `errors` lists. GET on the same path describes the parameters.",
      "title": "The request cannot be run",
      "type": "<url>/errors#INVALID_PARAMS"
    }
    "#);
    app.stop().await;
}

#[tokio::test]
async fn a_payment_that_could_not_be_delivered() {
    let app = TestApp::start().await;
    app.provider.script([SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Failed))]);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let answer = app.redeem(&purchase).await;
    assert_snapshot!(shown(&app, &answer), @r#"
    502
    access-control-allow-origin: *
    cache-control: no-store
    content-type: application/problem+json
    vary: Prefer
    x-content-type-options: nosniff
    x-error-code: GENERATION_FAILED
    x-job-id: <job id>
    x-request-id: <request id>

    {
      "detail": "The generation failed. 500 sats are owed back to you; this credential is the claim to them.",
      "error": "The generation failed. 500 sats are owed back to you; this credential is the claim to them.",
      "error_code": "GENERATION_FAILED",
      "refund": {
        "amount_sats": 500,
        "claim_url": "<url>/api/l402/refunds/<job id>",
        "expires_at": "2027-01-16T08:00:00Z",
        "lnurl": "<lnurl>",
        "status": "available",
        "url": "<url>/refunds/<link>"
      },
      "status": 502,
      "suggestion": "Claim the amount in `refund`: scan `refund.lnurl` with a wallet, or open `refund.url`. To try again, make a new purchase.",
      "title": "Paid, but not delivered",
      "type": "<url>/errors#GENERATION_FAILED"
    }
    "#);
    app.stop().await;
}

#[tokio::test]
async fn a_node_that_is_down() {
    let app = TestApp::start().await;
    app.lightning.tell(Lie::Down);
    let answer = app.ask(VIDEO, &video_body("a cat")).await;
    assert_snapshot!(shown(&app, &answer), @r#"
    503
    access-control-allow-origin: *
    cache-control: no-store
    content-type: application/problem+json
    retry-after: 5
    x-content-type-options: nosniff
    x-error-code: LIGHTNING_UNAVAILABLE
    x-request-id: <request id>

    {
      "detail": "The Lightning node does not answer. You were not charged.",
      "error": "The Lightning node does not answer. You were not charged.",
      "error_code": "LIGHTNING_UNAVAILABLE",
      "retry_after_seconds": 5,
      "status": 503,
      "suggestion": "Wait for the seconds in Retry-After, then repeat the request.",
      "title": "No invoice can be made at the moment",
      "type": "<url>/errors#LIGHTNING_UNAVAILABLE"
    }
    "#);
    app.stop().await;
}

#[tokio::test]
async fn a_method_that_is_not_answered() {
    let app = TestApp::start().await;
    let answer = app.send(app.request(Method::PUT, VIDEO)).await;
    assert_snapshot!(shown(&app, &answer), @r#"
    405
    access-control-allow-origin: *
    allow: POST,GET,HEAD
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff
    x-error-code: METHOD_NOT_ALLOWED
    x-request-id: <request id>

    {
      "detail": "This address does not answer that method.",
      "error": "This address does not answer that method.",
      "error_code": "METHOD_NOT_ALLOWED",
      "status": 405,
      "suggestion": "Use one of the methods in the Allow header.",
      "title": "Method not allowed",
      "type": "<url>/errors#METHOD_NOT_ALLOWED"
    }
    "#);
    app.stop().await;
}

#[tokio::test]
async fn nothing_there() {
    let app = TestApp::start().await;
    for path in ["/api/l402/music", "/api/l402", "/api/l402/video/", "/nothing", "/static/", "/api"] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let answer = app.send(app.request(method.clone(), path)).await;
            assert_eq!(answer.outcome(), (404, "NOT_FOUND"), "{method} {path}");
        }
    }
    let head = app.send(app.request(Method::HEAD, "/nothing")).await;
    assert_eq!((head.status, head.body.len()), (404, 0));
    app.stop().await;
}

/// Every path says which methods it answers.
#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let app = TestApp::start().await;
    for (path, allowed) in [
        (VIDEO, "GET,HEAD,POST"),
        ("/api/l402/3d-model", "GET,HEAD,POST"),
        ("/api/error-codes", "GET,HEAD"),
        ("/healthz", "GET,HEAD"),
        ("/readyz", "GET,HEAD"),
        ("/", "GET,HEAD"),
        ("/errors", "GET,HEAD"),
        ("/sandbox/pay", "POST"),
    ] {
        let answer = app.send(app.request(Method::PATCH, path)).await;
        assert_eq!(answer.outcome(), (405, "METHOD_NOT_ALLOWED"), "{path}");
        let mut methods: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
    app.stop().await;
}

/// An id of each request's own, whatever the caller sends as one.
#[tokio::test]
async fn request_ids_are_ours_and_new() {
    let app = TestApp::start().await;
    let id =
        async || app.send(app.get("/healthz").header("x-request-id", "mine")).await.header("x-request-id").to_owned();
    let (one, other) = (id().await, id().await);
    assert!(one != other && one != "mine", "{one} {other}");
    app.stop().await;
}

/// What the HTTP library refuses by itself ends the connection and nothing else.
#[tokio::test]
async fn what_is_no_http_is_refused() {
    let app = TestApp::start().await;
    let answer = app.raw("what?\r\n\r\n").await;
    assert_eq!(answer.status_line, "HTTP/1.1 400 Bad Request");
    assert_eq!(answer.header("www-authenticate"), "");
    let mut endless = RawConnection::open(&app).await;
    endless.write(format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-long: {}", "x".repeat(300_000))).await;
    endless.closed().await;
    assert_eq!(app.send(app.get("/healthz")).await.status, 200);
    app.stop().await;
}
