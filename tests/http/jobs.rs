//! The job document, long-polls and event streams.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, FakeProvider, Generation, MODEL, Setup, SubmitStep, TestApp, VIDEO, VIDEO_SATS, image_body, video_body,
    within,
};

/// A job under way and its path.
async fn under_way(app: &TestApp) -> (crate::support::Purchase, String) {
    app.provider.hold(0.25);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let accepted = app.redeem_async(&purchase).await;
    app.provider.created(1).await;
    (purchase, app.path_of(accepted.header("location")))
}

/// The first document in which `is_so`.
async fn document_when(app: &TestApp, path: &str, is_so: impl Fn(&Value) -> bool) -> Answer {
    let looking = async {
        loop {
            let answer = app.send(app.get(path)).await;
            if is_so(&answer.json()) {
                return answer;
            }
        }
    };
    within("a change of the job", looking).await
}

#[tokio::test]
async fn the_document_follows_the_job() {
    let app = TestApp::start().await;
    let (_, path) = under_way(&app).await;
    let running = document_when(&app, &path, |job| job.get("progress").is_some()).await;
    assert_eq!((running.status, running.header("retry-after")), (200, "2"));
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(running.header("x-job-id"), id);
    let mut document = json!({
        "job_id": id, "service": "video", "status": "running", "progress": 0.25, "amount_sats": VIDEO_SATS,
        "created_at": "2027-01-15T08:00:00Z", "poll_url": format!("{}{path}", app.public_url()), "poll_interval_ms": 2_000,
    });
    assert_eq!(running.json(), document);
    app.provider.let_go();
    let done = app.send(app.get(&format!("{path}?wait=60"))).await;
    assert!(!done.has("retry-after"));
    for (field, value) in [
        ("status", json!("succeeded")),
        ("progress", json!(1.0)),
        ("finished_at", json!("2027-01-15T08:00:00Z")),
        ("expires_at", json!("2027-01-22T08:00:00Z")),
        ("videoUrl", done.json()["videoUrl"].clone()),
    ] {
        document[field] = value;
    }
    assert_eq!(done.json(), document);
    let url = document["videoUrl"].as_str().unwrap();
    assert_eq!(app.send(app.get(&app.path_of(url))).await.body, FakeProvider::file(satforge::domain::ServiceId::Video));
    app.stop().await;
}

#[tokio::test]
async fn a_failed_job_carries_its_error() {
    let app = TestApp::start().await;
    app.provider.script([SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Rejected))]);
    let purchase = app.buy(MODEL, &image_body(b"")).await;
    let failed = app.redeem(&purchase).await;
    let job = app.send(app.get(&format!("/api/l402/jobs/{}", failed.header("x-job-id")))).await;
    assert_eq!(job.outcome(), (200, ""));
    let document = job.json();
    assert_eq!((&document["status"], &document["error_code"]), (&json!("failed"), &json!("CONTENT_REJECTED")));
    let (told, shown) = (failed.json(), &document["error"]);
    for field in ["type", "title", "status", "error_code"] {
        assert_eq!(shown[field], told[field]);
    }
    assert!(told["refund"].is_object() && shown.get("refund").is_none(), "that is for whoever has the credential");
    assert!(document.get("modelUrl").is_none());
    app.stop().await;
}

/// The public id is 128 random bits, and not the id that providers see.
#[tokio::test]
async fn what_is_no_id_of_a_job_is_not_found() {
    let app = TestApp::start().await;
    let (_, path) = under_way(&app).await;
    let id = path.rsplit('/').next().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    for unknown in
        ["0".repeat(32), id.to_uppercase(), id[1..].to_owned(), "%ff".into(), "x".repeat(5_000), "..%2f".into()]
    {
        for tail in ["", "/events", "?wait=1"] {
            let answer = app.send(app.get(&format!("/api/l402/jobs/{unknown}{tail}"))).await;
            assert_eq!(answer.outcome(), (404, "NOT_FOUND"), "{unknown}{tail}");
        }
    }
    app.provider.let_go();
    app.stop().await;
}

#[tokio::test]
async fn a_long_poll_ends_with_the_job_or_its_time() {
    let app = Setup::new().set("WAITING__HOLD_SECONDS", 60).start().await;
    let (_, path) = under_way(&app).await;
    let began = std::time::Instant::now();
    let waited = app.send(app.get(&format!("{path}?wait=1"))).await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!((waited.status, &waited.json()["status"]), (200, &json!("running")));
    for refused in ["-1", "1.5", "x", ""] {
        let answer = app.send(app.get(&format!("{path}?wait={refused}"))).await;
        assert_eq!(answer.outcome(), (422, "INVALID_PARAMS"), "{refused}");
    }
    let polls = futures_util::future::join_all((0..20).map(|_| app.send(app.get(&format!("{path}?x=y&wait=60")))));
    let end = async { app.provider.let_go() };
    let (answers, ()) = within("20 long-polls", futures_util::future::join(polls, end)).await;
    assert!(answers.iter().all(|answer| answer.json()["status"] == "succeeded"));
    app.stop().await;
}

#[tokio::test]
async fn events_are_documents_until_the_end() {
    let app = TestApp::start().await;
    let (_, path) = under_way(&app).await;
    let mut events = app.get(&format!("{path}/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.headers()["cache-control"], "no-store");
    assert_eq!(events.headers()["x-accel-buffering"], "no");
    let first = events.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: {"), "{first:?}");
    app.provider.let_go();
    let rest = within("the end of the events", events.text()).await.unwrap();
    let (_, last) = rest.trim_end().rsplit_once("id: end\ndata: ").expect("an end");
    let job = app.send(app.get(&path)).await;
    assert_eq!(serde_json::from_str::<Value>(last).unwrap(), job.json());

    let again = app.send(app.get(&format!("{path}/events"))).await;
    assert_eq!(again.text(), format!("id: end\ndata: {last}\n\n"), "whoever comes late is told as well");
    let reconnected = app.send(app.get(&format!("{path}/events")).header("last-event-id", "end")).await;
    assert_eq!((reconnected.status, reconnected.body.len()), (204, 0));
    app.stop().await;
}

/// Proxies cut silent streams, so there is a comment every 15 s. Time is paused here, so that they pass at once.
#[tokio::test]
async fn a_quiet_event_stream_has_comments() {
    let app = Setup::new().set("JOBS__POLL_INTERVAL_SECONDS", 3_600).start().await;
    let (_, path) = under_way(&app).await;
    document_when(&app, &path, |job| job.get("progress").is_some()).await;
    let mut events =
        app.get(&format!("{path}/events")).timeout(std::time::Duration::from_hours(1)).send().await.unwrap();
    events.chunk().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let comment = events.chunk().await.unwrap().unwrap();
    tokio::time::resume();
    assert_eq!(comment, ": still here\n\n");
    // The pause began a moment before time stood still.
    assert!((14..=15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    app.stop().await;
}

#[tokio::test]
async fn head_and_other_methods() {
    let app = TestApp::start().await;
    let (_, path) = under_way(&app).await;
    let head = app.send(app.request(Method::HEAD, &path)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), "application/json");
    for method in [Method::POST, Method::DELETE] {
        let refused = app.send(app.request(method, &path)).await;
        assert_eq!((refused.outcome(), refused.header("allow")), ((405, "METHOD_NOT_ALLOWED"), "GET,HEAD"));
    }
    app.provider.let_go();
    app.stop().await;
}
