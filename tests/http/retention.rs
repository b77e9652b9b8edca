//! What retention ends, and what it does not.

use satforge::domain::ServiceId;

use crate::support::{DAY, FakeProvider, HOUR, MINUTE, SECOND, TestApp, VIDEO, video_body};

#[tokio::test]
async fn after_the_retention_a_result_is_gone_everywhere() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let result = app.redeem(&purchase).await;
    let file = app.path_of(result.json()["videoUrl"].as_str().unwrap());
    let job = format!("/api/l402/jobs/{}", result.header("x-job-id"));

    app.advance(6 * DAY + 23 * HOUR + 59 * MINUTE + 59 * SECOND);
    app.sweep().await;
    assert_eq!(app.redeem(&purchase).await.body, result.body);
    assert_eq!(app.send(app.get(&job)).await.status, 200);
    assert_eq!(app.send(app.get(&file)).await.body, FakeProvider::file(ServiceId::Video));

    app.advance(SECOND);
    app.sweep().await;
    let app = {
        assert_gone(&app, &purchase, &job, &file).await;
        app.restart().await
    };
    assert_gone(&app, &purchase, &job, &file).await;
    assert_eq!(app.provider.creates(), 1);
    app.stop().await;
}

async fn assert_gone(app: &TestApp, purchase: &crate::support::Purchase, job: &str, file: &str) {
    for _ in 0..2 {
        let gone = app.redeem(purchase).await;
        assert_eq!(gone.outcome(), (410, "RESULT_EXPIRED"));
        assert!(gone.json().get("refund").is_none(), "it was delivered");
    }
    for path in [job, &format!("{job}/events"), &format!("{job}?wait=1"), file] {
        assert_eq!(app.send(app.get(path)).await.outcome(), (410, "RESULT_EXPIRED"), "{path}");
    }
    assert_eq!(std::fs::read_dir(app.data_dir().join("artifacts/results")).unwrap().count(), 0);
}

/// The time is what ends it, not the sweeper's next round; only the file itself stays until it is deleted.
#[tokio::test]
async fn an_expired_result_is_gone_before_it_is_swept() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let result = app.redeem(&purchase).await;
    app.advance(7 * DAY);
    assert_eq!(app.redeem(&purchase).await.outcome(), (410, "RESULT_EXPIRED"));
    let job = app.send(app.get(&format!("/api/l402/jobs/{}", result.header("x-job-id")))).await;
    assert_eq!(job.outcome(), (410, "RESULT_EXPIRED"));
    app.stop().await;
}

/// The input of a failed job is kept for the retention, because the operator may have it run once more; a failure is
/// remembered for ever.
#[tokio::test]
async fn a_failure_outlives_the_retention() {
    let app = TestApp::start().await;
    let ending = crate::support::Generation::Ends(satforge::providers::Ending::Failed);
    app.provider.script([crate::support::SubmitStep::Take(ending)]);
    let body = crate::support::image_body(&vec![5; 100_000]);
    let purchase = app.buy(crate::support::MODEL, &body).await;
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.outcome(), (502, "GENERATION_FAILED"));
    let inputs = app.data_dir().join("artifacts/inputs");
    app.advance(6 * DAY);
    app.sweep().await;
    assert_eq!(std::fs::read_dir(&inputs).unwrap().count(), 1, "it can be run once more");
    app.advance(DAY);
    app.sweep().await;
    assert_eq!(std::fs::read_dir(&inputs).unwrap().count(), 0);
    app.advance(400 * DAY);
    let later = app.redeem(&purchase).await;
    assert_eq!(later.outcome(), failed.outcome());
    assert_eq!(later.json()["refund"]["status"], "available", "with a new link");
    app.stop().await;
}

#[tokio::test]
async fn the_input_of_what_was_delivered_goes_at_once() {
    let app = TestApp::start().await;
    let purchase = app.buy(crate::support::MODEL, &crate::support::image_body(&vec![5; 100_000])).await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    // The input is deleted right after the outcome was told; a stop waits for that.
    let setup = app.shut_down().await;
    assert_eq!(std::fs::read_dir(setup.data_dir().join("artifacts/inputs")).unwrap().count(), 0);
}
