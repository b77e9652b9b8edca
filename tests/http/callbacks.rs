//! Telling callers of a job's end at a URL of theirs.

use std::time::Duration;

use satforge::providers::Ending;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, query};

use crate::support::{
    Answer, DAY, Generation, HOUR, MINUTE, Purchase, Receiver, SECOND, Setup, SubmitStep, TestApp, VIDEO, video_body,
    within,
};

/// A request that wants to be called back at `url`.
pub fn body(url: &str, id: Option<&str>) -> String {
    let mut body: Value = serde_json::from_str(&video_body("a cat")).unwrap();
    body["callback_url"] = url.into();
    if let Some(id) = id {
        body["callback_id"] = id.into();
    }
    body.to_string()
}

/// A purchase that wants to be called back, and the secret that its challenge told.
pub async fn buy(app: &TestApp, body: &str) -> (Purchase, String) {
    let challenge = app.ask(VIDEO, body).await;
    let secret = challenge.json()["callback_secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    (app.pay_challenge(VIDEO, body, &challenge).await, secret)
}

/// What the outbox holds of the only callback.
#[derive(Debug, PartialEq, Eq)]
struct Outbox {
    tries: i64,
    outcome: Option<String>,
    /// The URL, the caller's id and the secret.
    kept: [Option<String>; 3],
}

/// The outbox once so many tries stand in it.
async fn outbox(app: &TestApp, tries: i64) -> Outbox {
    let options = SqliteConnectOptions::new().filename(app.data_dir().join("satforge.db"));
    let mut connection = options.disable_statement_logging().connect().await.unwrap();
    let looking = async {
        loop {
            let rows = query("SELECT tries, outcome, url, caller_id, secret FROM callbacks");
            let row = rows.fetch_one(&mut connection).await.unwrap();
            if row.get::<i64, _>("tries") == tries {
                let kept = ["url", "caller_id", "secret"].map(|column| row.get(column));
                return Outbox { tries, outcome: row.get("outcome"), kept };
            }
            tokio::task::yield_now().await;
        }
    };
    within("a try", looking).await
}

fn over(tries: i64, outcome: &str) -> Outbox {
    Outbox { tries, outcome: Some(outcome.into()), kept: [None, None, None] }
}

async fn document(app: &TestApp, answer: &Answer) -> Value {
    app.send(app.get(&format!("/api/l402/jobs/{}", answer.header("x-job-id")))).await.json()
}

#[tokio::test]
async fn the_document_of_a_job_that_has_ended_is_posted_and_signed() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/hook?for=me"), Some("order 7"))).await;
    assert!(receiver.received().is_empty(), "nothing is sent for what is not paid");
    let result = app.redeem(&purchase).await;
    let [posted] = receiver.wait_for(1).await.try_into().unwrap();
    assert_eq!(posted.path, "/hook?for=me");
    assert_eq!(posted.header("content-type"), "application/json");
    posted.assert_signed(&secret, app.now_seconds());
    let mut expected = document(&app, &result).await;
    assert_eq!(expected["videoUrl"], result.json()["videoUrl"]);
    expected["callback_id"] = "order 7".into();
    assert_eq!(posted.json(), expected);
    assert_eq!(outbox(&app, 1).await, over(1, "delivered"));
    assert_eq!(app.provider.creates(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_failed_job_is_told_as_well_and_without_an_id_there_is_none() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Rejected))]);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    let failed = app.redeem(&purchase).await;
    let [posted] = receiver.wait_for(1).await.try_into().unwrap();
    posted.assert_signed(&secret, app.now_seconds());
    assert_eq!(posted.json(), document(&app, &failed).await);
    assert_eq!(posted.json()["error_code"], "CONTENT_REJECTED");
    app.stop().await;
}

/// A payment that comes too late makes a job that has failed when it begins.
#[tokio::test]
async fn a_job_that_never_ran_is_told_as_well() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), Some("x"))).await;
    app.advance(2 * DAY);
    assert_eq!(app.redeem(&purchase).await.outcome(), (410, "REDEMPTION_EXPIRED"));
    let [posted] = receiver.wait_for(1).await.try_into().unwrap();
    posted.assert_signed(&secret, app.now_seconds());
    assert_eq!((&posted.json()["status"], &posted.json()["callback_id"]), (&json!("failed"), &json!("x")));
    app.stop().await;
}

#[tokio::test]
async fn it_is_tried_six_times_under_one_id() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([500, 404, 302, 429, 503, 500]).await);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    app.redeem(&purchase).await;
    let pauses = [5 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR];
    let page = app.send(app.get("/l402/video")).await.text();
    assert!(page.contains("5 seconds, 1 minute, 10 minutes, 1 hour and 6 hours"));
    for (count, pause) in (1..).zip(pauses) {
        receiver.wait_for(count).await;
        let waiting = outbox(&app, i64::try_from(count).unwrap()).await;
        assert!(waiting.outcome.is_none() && waiting.kept[2].as_deref() == Some(&secret), "{count} tries");
        app.advance(pause.checked_sub(Duration::from_millis(1)).unwrap());
        // Something that the loop has to do first shows that it has looked.
        let other = Receiver::start([]).await;
        app.redeem(&buy(&app, &body(&other.url("/"), None)).await.0).await;
        other.wait_for(1).await;
        assert_eq!(receiver.received().len(), count, "not before its time");
        app.advance(Duration::from_millis(1));
        forget_others(&app).await;
    }
    let posted = receiver.wait_for(6).await;
    assert_eq!(outbox(&app, 6).await, over(6, "given_up"));
    let id = posted[0].header("webhook-id");
    for one in &posted {
        assert_eq!((one.header("webhook-id"), one.path.as_str()), (id, "/"), "no redirect is followed");
    }
    posted[5].assert_signed(&secret, app.now_seconds());
    app.advance(DAY);
    app.stop().await;
    assert_eq!(receiver.received().len(), 6);
}

/// Leaves the first callback alone in the outbox.
async fn forget_others(app: &TestApp) {
    let options = SqliteConnectOptions::new().filename(app.data_dir().join("satforge.db"));
    let mut connection = options.disable_statement_logging().connect().await.unwrap();
    let gone = async {
        loop {
            query("DELETE FROM callbacks WHERE outcome = 'delivered'").execute(&mut connection).await.unwrap();
            let left = query("SELECT COUNT(*) AS n FROM callbacks").fetch_one(&mut connection).await.unwrap();
            if left.get::<i64, _>("n") == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within("the other callback to be noted", gone).await;
}

#[tokio::test]
async fn success_and_410_end_it() {
    for (answers, outcome) in [([500, 202], "delivered"), ([500, 410], "gone")] {
        let (app, receiver) = (TestApp::start().await, Receiver::start(answers).await);
        let (purchase, _) = buy(&app, &body(&receiver.url("/"), Some("x"))).await;
        app.redeem(&purchase).await;
        outbox(&app, 1).await;
        app.advance(5 * SECOND);
        assert_eq!(outbox(&app, 2).await, over(2, outcome));
        let app = app.restart().await;
        app.advance(DAY);
        app.stop().await;
        assert_eq!(receiver.received().len(), 2, "{outcome}");
    }
}

#[tokio::test]
async fn a_callback_outlives_a_restart() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([500]).await);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    app.redeem(&purchase).await;
    outbox(&app, 1).await;
    let app = app.restart().await;
    app.advance(5 * SECOND);
    let posted = receiver.wait_for(2).await;
    assert_eq!(posted[0].header("webhook-id"), posted[1].header("webhook-id"));
    posted[1].assert_signed(&secret, app.now_seconds());
    app.stop().await;
}

#[tokio::test]
async fn every_problem_of_a_callback_is_reported_before_an_invoice() {
    let app = Setup::new().set("CALLBACKS__ALLOW_PRIVATE", false).start().await;
    let receiver = Receiver::start([]).await;
    for url in [receiver.url("/"), "https://127.0.0.1/".into(), "https://[::1]/x".into(), "https://10.1.2.3".into()] {
        let refused = app.ask(VIDEO, &body(&url, Some(""))).await;
        assert_eq!(refused.outcome(), (422, "INVALID_PARAMS"), "{url}");
        let problems = refused.json()["errors"].clone();
        let pointers: Vec<_> = problems.as_array().unwrap().iter().map(|problem| &problem["pointer"]).collect();
        assert_eq!(pointers, ["/callback_id", "/callback_url"], "{url}");
    }
    app.stop().await;
}

/// A name is judged when it is called, and a payment is honoured whatever became of the rules.
#[tokio::test]
async fn what_leads_to_a_private_address_is_never_called() {
    let receiver = Receiver::start([]).await;
    let app = TestApp::start().await;
    let (typed, _) = buy(&app, &body(&receiver.url("/"), None)).await;
    let setup = app.shut_down().await;
    let app = setup.set("CALLBACKS__ALLOW_PRIVATE", false).start().await;
    assert_eq!(app.redeem(&typed).await.status, 200, "the payment stands");
    assert!(outbox(&app, 1).await.outcome.is_none(), "it is tried again in vain");
    app.stop().await;

    let app = Setup::new().set("CALLBACKS__ALLOW_PRIVATE", false).start().await;
    let (named, _) = buy(&app, &body("https://localhost:1/", None)).await;
    assert_eq!(app.redeem(&named).await.status, 200);
    outbox(&app, 1).await;
    app.stop().await;
    assert!(receiver.received().is_empty());
}

/// A URL is looked at when its request is paid for, and not before: nobody has the gateway call others for free.
#[tokio::test]
async fn an_unpaid_request_calls_nobody() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    for n in 0..10 {
        assert_eq!(app.ask(VIDEO, &body(&receiver.url(&format!("/unpaid/{n}")), None)).await.status, 402);
    }
    let (purchase, _) = buy(&app, &body(&receiver.url("/paid"), None)).await;
    for _ in 0..3 {
        assert_eq!(app.redeem(&purchase).await.status, 200);
    }
    let calls = receiver.wait_for(1).await;
    outbox(&app, 1).await;
    assert_eq!(calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), ["/paid"]);
    assert_eq!(receiver.received().len(), 1, "nor does a credential that is presented again");
    app.stop().await;
}
