//! Paid, and something goes wrong: retried where that can help, owed back where it cannot, and never silently kept.

use std::time::Duration;

use satforge::providers::{Ending, ProviderError};
use serde_json::json;

use crate::support::{
    Answer, FakeProvider, Generation, MODEL, Setup, SubmitStep, TestApp, VIDEO, VIDEO_SATS, image_body, video_body,
};

/// The answer to a purchase that cannot be delivered, each time it is asked for.
async fn assert_owed(app: TestApp, status: u16, code: &str) -> Answer {
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.outcome(), (status, code), "{}", failed.text());
    let problem = failed.json();
    let refund = &problem["refund"];
    assert_eq!((&refund["status"], &refund["amount_sats"]), (&json!("available"), &json!(VIDEO_SATS)), "{problem:#}");
    assert!(refund["lnurl"].as_str().unwrap().starts_with("lnurl1"), "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("500 sats are owed back"), "{problem:#}");
    let submits = app.provider.submits();
    assert_eq!(app.redeem(&purchase).await.body, failed.body);
    let app = app.restart().await;
    let again = app.redeem(&purchase).await.json();
    assert_eq!((&again["error_code"], &again["refund"]["status"]), (&problem["error_code"], &json!("available")));
    assert_eq!(app.provider.submits(), submits, "nothing was tried again");
    app.stop().await;
    failed
}

async fn with_script(steps: impl IntoIterator<Item = SubmitStep>) -> TestApp {
    let app = Setup::new().real_time().start().await;
    app.provider.script(steps);
    app
}

fn refused(error: ProviderError) -> SubmitStep {
    SubmitStep::Refuse(error)
}

#[tokio::test]
async fn a_generation_that_fails_is_owed_back() {
    let app = with_script([SubmitStep::Take(Generation::Ends(Ending::Failed))]).await;
    assert_owed(app, 502, "GENERATION_FAILED").await;
}

#[tokio::test]
async fn content_that_is_rejected_is_owed_back() {
    let app = with_script([SubmitStep::Take(Generation::Ends(Ending::Rejected))]).await;
    assert_owed(app, 502, "CONTENT_REJECTED").await;
    let app = with_script([refused(ProviderError::Refused(Ending::Rejected))]).await;
    assert_owed(app, 502, "CONTENT_REJECTED").await;
}

#[tokio::test]
async fn a_result_that_is_no_video_is_owed_back() {
    let app = with_script([SubmitStep::Take(Generation::Junk)]).await;
    assert_owed(app, 502, "GENERATION_FAILED").await;
}

/// What a provider says about the operator's account is nobody else's business.
#[tokio::test]
async fn an_operators_fault_is_owed_back_and_not_repeated_to_callers() {
    let app = with_script([refused(ProviderError::OperatorFault("card 4242 of fake.example declined".into()))]).await;
    let failed = assert_owed(app, 502, "GENERATION_FAILED").await;
    let told = failed.text();
    assert!(!told.contains("4242") && !told.contains("fake"), "{told}");
}

/// Nothing more is sold on an account that is refused; after a minute the next sale is the probe.
#[tokio::test]
async fn an_operators_fault_stops_the_sale_for_a_while() {
    let app = TestApp::start().await;
    app.provider.script([refused(ProviderError::OperatorFault("no credit".into()))]);
    let paid_before = app.buy(VIDEO, &video_body("paid before")).await;
    let failing = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&failing).await.status, 502);

    let ask = || app.send(app.post(VIDEO, video_body("a dog")));
    let refused = ask().await;
    assert_eq!(refused.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(app.send(app.get(VIDEO)).await.json()["available"], false);
    assert_eq!(app.get("/readyz").send().await.unwrap().status(), 503);
    assert_eq!(app.redeem(&paid_before).await.status, 200, "a payment stands whatever is sold");

    app.advance(Duration::from_secs(61));
    assert_eq!(ask().await.status, 402);
    app.stop().await;
}

#[tokio::test]
async fn what_passes_is_tried_again_unnoticed() {
    let not_started = ProviderError::NotStarted { message: "busy".into(), retry_after: None };
    let app = with_script([
        refused(not_started.clone()),
        SubmitStep::Take(Generation::Ends(Ending::Transient)),
        refused(not_started),
        SubmitStep::Take(Generation::Ends(Ending::Transient)),
    ])
    .await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert_eq!((app.provider.submits(), app.provider.creates()), (5, 3));
    app.stop().await;
}

/// A create whose answer was lost may have arrived: it is looked up, never sent again on suspicion.
#[tokio::test]
async fn a_create_that_may_have_arrived_is_looked_up_and_not_repeated() {
    for step in [SubmitStep::TakeAndLose, SubmitStep::TakeAndHang] {
        let app = Setup::new().real_time().set("JOBS__PROVIDER_TIMEOUT_SECONDS", 0.1).start().await;
        app.provider.script([step.clone()]);
        app.provider.break_finds(2);
        let purchase = app.buy(VIDEO, &video_body("a cat")).await;
        assert_eq!(app.redeem(&purchase).await.status, 200, "{step:?}");
        assert_eq!((app.provider.creates(), app.provider.submits(), app.provider.finds()), (1, 1, 3), "{step:?}");
        app.stop().await;
    }
}

/// The other half: one that surely did not arrive is sent again. It is looked for twice, as it may still be on its way.
#[tokio::test]
async fn a_create_that_did_not_arrive_is_sent_again() {
    let app = with_script([refused(ProviderError::Ambiguous("timeout".into()))]).await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert!(app.provider.finds() > 0);
    assert_eq!((app.provider.creates(), app.provider.submits()), (1, 2));
    app.stop().await;
}

/// A download that breaks off is begun again under a new name, and the provider may forget what was fetched.
#[tokio::test]
async fn a_download_that_breaks_off_is_begun_again() {
    let app = with_script([]).await;
    app.provider.break_fetches(2);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let result = app.redeem(&purchase).await.json();
    let file = app.send(app.get(&app.path_of(result["videoUrl"].as_str().unwrap()))).await;
    assert_eq!(file.body, FakeProvider::file(satforge::domain::ServiceId::Video));
    assert_eq!(app.provider.creates(), 1);
    let provider = app.provider.clone();
    app.stop().await;
    assert_eq!(provider.kept(), 0);
}

/// A fault of ours consumes nothing: the credential is good again once the fault is repaired.
#[tokio::test]
async fn a_redemption_that_fails_on_our_side_can_be_repeated() {
    let app = TestApp::start().await;
    let purchase = app.buy(MODEL, &image_body(&vec![4; 100_000])).await;
    // A file where the folder of inputs has to be.
    let inputs = app.data_dir().join("artifacts/inputs");
    std::fs::write(&inputs, "").unwrap();
    for _ in 0..2 {
        let failed = app.redeem(&purchase).await;
        assert_eq!(failed.outcome(), (500, "INTERNAL"));
        assert!(failed.json()["suggestion"].as_str().unwrap().contains("Your payment stands"));
        assert!(!failed.text().contains("inputs"), "paths stay in the log");
    }
    std::fs::remove_file(&inputs).unwrap();
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert_eq!(app.provider.submits(), 1);
    app.stop().await;
}

/// A job that outlives its deadline is stopped upstream and owed back.
#[tokio::test]
async fn a_job_past_its_deadline_is_owed_back() {
    let app = Setup::new().start().await;
    app.provider.hold(0.2);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let late = async {
        app.provider.created(1).await;
        app.advance(std::time::Duration::from_secs(601));
    };
    let (failed, ()) = futures_util::future::join(app.redeem(&purchase), late).await;
    assert_eq!(failed.outcome(), (502, "GENERATION_FAILED"));
    let problem = failed.json();
    assert!(problem["detail"].as_str().unwrap().contains("took too long"), "{problem:#}");
    assert_eq!(problem["refund"]["status"], "available", "{problem:#}");
    assert_eq!(problem["refund"]["amount_sats"], json!(VIDEO_SATS));
    // The provider is told after everybody else; a stop waits for that.
    let provider = app.provider.clone();
    app.stop().await;
    assert_eq!(provider.kept(), 0);
}

/// The amount that was paid is owed, whatever the price is by now.
#[tokio::test]
async fn a_refund_is_what_was_paid() {
    let app = with_script([SubmitStep::Take(Generation::Ends(Ending::Failed))]).await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let app = app.shut_down().await.set("SERVICES__VIDEO__PRICE__PER_SECOND", 9_999).start().await;
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.json()["refund"]["amount_sats"], VIDEO_SATS);
    app.stop().await;
}
