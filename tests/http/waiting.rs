//! `Prefer`: a caller that says how it wants to wait (`wire.md`, section 6).

use serde_json::json;

use crate::support::{Answer, Setup, TestApp, VIDEO, video_body, within};

/// A gateway with a purchase whose job does not end.
async fn stuck(setup: Setup) -> (TestApp, crate::support::Purchase) {
    let app = setup.start().await;
    app.provider.hold(0.25);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    (app, purchase)
}

async fn redeem(app: &TestApp, purchase: &crate::support::Purchase, prefer: &str) -> Answer {
    app.send(app.presentation(purchase).header("prefer", prefer)).await
}

#[tokio::test]
async fn respond_async_answers_at_once_with_where_to_poll() {
    let (app, purchase) = stuck(Setup::new()).await;
    let answer = redeem(&app, &purchase, "respond-async").await;
    assert_eq!(answer.outcome(), (202, ""));
    let job = answer.header("x-job-id").to_owned();
    assert_eq!(job.len(), 32);
    let poll_url = format!("{}/api/l402/jobs/{job}", app.public_url());
    assert_eq!(answer.header("location"), poll_url);
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.header("preference-applied"), "respond-async");
    assert_eq!(answer.header("vary"), "Prefer");
    let document = answer.json();
    assert!(["queued", "running"].contains(&document["status"].as_str().unwrap()), "{document}");
    let status = &document["status"];
    let whole = json!({"job_id": job, "status": status, "poll_url": poll_url, "poll_interval_ms": 2_000});
    assert_eq!(document, whole);
    app.stop().await;
}

#[tokio::test]
async fn wait_is_silent_for_so_long_and_then_says_where_to_poll() {
    let (app, purchase) = stuck(Setup::new().set("WAITING__HOLD_SECONDS", 60)).await;
    let answer = redeem(&app, &purchase, "wait=0").await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, "wait=0"));
    let began = std::time::Instant::now();
    let answer = redeem(&app, &purchase, "wait=1").await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!((answer.status, answer.header("preference-applied")), (202, "wait=1"));
    let both = redeem(&app, &purchase, "respond-async, wait=1").await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "with both it is waited first");
    assert_eq!((both.status, both.header("preference-applied")), (202, "respond-async, wait=1"));
    assert_eq!(both.header("vary"), "Prefer");
    app.stop().await;
}

#[tokio::test]
async fn wait_is_capped_at_the_hold() {
    let setup = Setup::new().set("WAITING__HOLD_SECONDS", 0.2).set("WAITING__KEEPALIVE_AFTER_SECONDS", 0);
    let (app, purchase) = stuck(setup).await;
    let answer = within("a capped wait", redeem(&app, &purchase, "wait=99999999999999999999")).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, "wait=0"));
    app.stop().await;
}

/// A result that comes while somebody waits is his at once, with its true status.
#[tokio::test]
async fn a_waiter_gets_the_result_when_it_is_there() {
    for (trouble, status) in [(false, 200), (true, 502)] {
        let app = TestApp::start().await;
        app.provider.hold(0.25);
        if trouble {
            let ending = crate::support::Generation::Ends(satforge::providers::Ending::Failed);
            app.provider.script([crate::support::SubmitStep::Take(ending)]);
        }
        let purchase = app.buy(VIDEO, &video_body("a cat")).await;
        let end = async {
            app.provider.created(1).await;
            app.provider.let_go();
        };
        let waiting = redeem(&app, &purchase, "wait=50");
        let (answer, ()) = within("the result", futures_util::future::join(waiting, end)).await;
        assert_eq!((answer.status, answer.header("preference-applied")), (status, "wait=50"));
        app.stop().await;
    }
}

/// What has ended is answered in every mode alike.
#[tokio::test]
async fn a_finished_job_answers_at_once_with_its_true_status() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let first = app.redeem(&purchase).await;
    for prefer in ["respond-async", "wait=9", "respond-async, wait=9", "handling=lenient", "wait=-1"] {
        let answer = redeem(&app, &purchase, prefer).await;
        assert_eq!((answer.status, &answer.body), (200, &first.body), "{prefer}");
        assert_eq!(answer.header("vary"), "Prefer");
        assert!(!answer.header("preference-applied").contains("respond-async"), "{prefer}");
    }
    app.stop().await;
}

/// Without keep-alive and preference the silence lasts for the whole hold.
#[tokio::test]
async fn without_keepalive_the_hold_ends_in_202() {
    let setup = Setup::new().set("WAITING__KEEPALIVE_AFTER_SECONDS", 0).set("WAITING__HOLD_SECONDS", 0.2);
    let (app, purchase) = stuck(setup).await;
    let answer = app.redeem(&purchase).await;
    assert_eq!(answer.status, 202);
    assert!(!answer.has("preference-applied"));
    assert_eq!(answer.header("vary"), "Prefer");
    app.stop().await;
}
