//! What a restart, another day or another configuration does to a purchase: nothing.

use crate::support::{
    DAY, HOUR, MINUTE, MODEL, MODEL_SATS, SECOND, Setup, TestApp, VIDEO, VIDEO_SATS, image_body, video_body, within,
};

#[tokio::test]
async fn the_same_credential_a_day_and_a_restart_later_gives_the_same_result() {
    let mut app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let first = app.redeem(&purchase).await;
    assert_eq!(first.status, 200);
    // The public URL changes with the port of a test; the file's name does not.
    let name = |answer: &crate::support::Answer| {
        let url = answer.json()["videoUrl"].as_str().unwrap().to_owned();
        url.rsplit('/').next().unwrap().to_owned()
    };
    let original = name(&first);
    for _ in 0..3 {
        app.advance(DAY);
        app = app.restart().await;
        let again = app.redeem(&purchase).await;
        assert_eq!((again.status, name(&again)), (200, original.clone()));
        assert_eq!(again.header("x-job-id"), first.header("x-job-id"));
        assert_eq!(app.send(app.get(&format!("/artifacts/{original}"))).await.status, 200);
    }
    assert_eq!((app.provider.creates(), app.provider.submits()), (1, 1));
    app.stop().await;
}

/// Nothing is stored for a challenge, and still what was asked before a restart is paid and redeemed after it.
#[tokio::test]
async fn a_challenge_outlives_a_restart() {
    let app = TestApp::start().await;
    let body = video_body("a cat");
    let challenge = app.ask(VIDEO, &body).await;
    let app = app.restart().await;
    let purchase = app.pay_challenge(VIDEO, &body, &challenge).await;
    let app = app.restart().await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

/// A job that a stop interrupts goes on after it, with what was started upstream.
#[tokio::test]
async fn a_job_goes_on_after_a_restart() {
    let app = TestApp::start().await;
    app.provider.hold(0.5);
    let purchase = app.buy(MODEL, &image_body(&vec![7; 100_000])).await;
    let accepted = app.redeem_async(&purchase).await;
    assert_eq!(accepted.status, 202);
    app.provider.created(1).await;
    let app = app.restart().await;
    app.provider.let_go();
    let result = app.redeem(&purchase).await;
    assert_eq!(result.status, 200);
    assert_eq!(result.header("x-job-id"), accepted.header("x-job-id"));
    assert_eq!(app.provider.submits(), 1);
    app.stop().await;
}

/// A gateway that stops does not keep its waiters: they are told where to poll.
#[tokio::test]
async fn waiters_are_told_where_to_poll_when_the_gateway_stops() {
    let app = TestApp::start().await;
    app.provider.hold(0.5);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let waiting = app.presentation(&purchase).send();
    let waiting = {
        tokio::pin!(waiting);
        tokio::select! {
            _ = waiting.as_mut() => panic!("nothing can be answered yet"),
            () = app.provider.created(1) => {}
        }
        let stopping = app.stop();
        within("an answer from a gateway that stops", futures_util::future::join(waiting, stopping)).await.0
    };
    let answer = crate::support::Answer::of(waiting.unwrap()).await;
    assert_eq!(answer.status, 202);
    assert!(answer.json()["poll_url"].as_str().unwrap().contains("/api/l402/jobs/"));
}

/// The minted time limits the first redemption alone: later than it, a payment is owed back, and never a 402.
#[tokio::test]
async fn a_payment_that_comes_too_late_is_owed_back() {
    let app = TestApp::start().await;
    let in_time = app.buy(VIDEO, &video_body("a cat")).await;
    let too_late = app.buy(VIDEO, &video_body("a cat")).await;
    app.advance(DAY + 10 * MINUTE);
    assert_eq!(app.redeem(&in_time).await.status, 200, "the last second counts");
    app.advance(SECOND);
    assert_eq!(app.redeem(&in_time).await.status, 200, "a later redemption is always in time");
    let refused = app.redeem(&too_late).await;
    assert_eq!(refused.outcome(), (410, "REDEMPTION_EXPIRED"));
    assert_eq!(refused.json()["refund"]["status"], "available");
    assert_eq!(refused.json()["refund"]["amount_sats"], VIDEO_SATS);
    assert_eq!(app.redeem(&too_late).await.body, refused.body);
    app.advance(DAY);
    let app = app.restart().await;
    let again = app.redeem(&too_late).await;
    assert_eq!(again.outcome(), (410, "REDEMPTION_EXPIRED"));
    assert_eq!(again.json()["refund"]["status"], "available");
    assert_eq!(app.provider.submits(), 1);
    app.stop().await;
}

/// Prices, limits and rules may have changed since: the payment stands.
#[tokio::test]
async fn a_paid_body_is_honoured_under_other_rules() {
    let app = TestApp::start().await;
    let video = app.buy(VIDEO, &video_body("a cat")).await;
    let model = app.buy(MODEL, &image_body(&vec![9; 5_000])).await;
    let setup = app.shut_down().await;
    let app = setup
        .set("SERVICES__VIDEO__PRICE__PER_SECOND", 5_000)
        .set("SERVICES__3D_MODEL__PRICE__FIXED", 9_000)
        .set("SERVICES__3D_MODEL__BODY_LIMIT_BYTES", 1_024)
        .set("SERVICES__3D_MODEL__MAX_SIDE", 1)
        .set("LIMITS__CHALLENGES_PER_MINUTE", 1)
        .set("LIMITS__CHALLENGE_BURST", 1)
        .start()
        .await;
    assert_eq!(app.ask(VIDEO, &video.body).await.json()["price_sats"], 25_000);
    assert_eq!(app.ask(VIDEO, &video.body).await.outcome(), (429, "RATE_LIMITED"));
    for (purchase, sats) in [(&video, VIDEO_SATS), (&model, MODEL_SATS)] {
        let result = app.redeem(purchase).await;
        assert_eq!(result.status, 200, "{}", result.text());
        let job = app.send(app.get(&format!("/api/l402/jobs/{}", result.header("x-job-id")))).await;
        assert_eq!(job.json()["amount_sats"], sats);
    }
    app.stop().await;
}

/// Even the media type was looked at before the invoice: the bytes are what was paid for.
#[tokio::test]
async fn a_good_credential_needs_no_media_type() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let bare = app.request(reqwest::Method::POST, VIDEO).body(purchase.body.clone());
    assert_eq!(app.send(bare.header("authorization", purchase.credential())).await.status, 200);
    app.stop().await;
}

/// What can no longer be run is owed back.
#[tokio::test]
async fn a_paid_body_that_can_no_longer_be_run_is_owed_back() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let app = app.shut_down().await.set("SERVICES__VIDEO__MODELS", r#"["Video Generation 2"]"#).start().await;
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.outcome(), (502, "GENERATION_FAILED"));
    assert_eq!(failed.json()["refund"]["status"], "available");
    assert_eq!(failed.json()["refund"]["amount_sats"], VIDEO_SATS);
    assert_eq!(app.redeem(&purchase).await.body, failed.body);
    let app = app.shut_down().await.set("SERVICES__VIDEO__MODELS", r#"["Video Generation"]"#).start().await;
    assert_eq!(app.redeem(&purchase).await.outcome(), (502, "GENERATION_FAILED"), "an outcome never changes");
    assert_eq!(app.provider.submits(), 0);
    app.stop().await;
}

/// Nobody sells what nobody can do; what was sold before is owed back.
#[tokio::test]
async fn without_a_provider_nothing_is_sold_and_what_was_sold_is_owed_back() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let app = app.shut_down().await.no_provider().start().await;
    let refused = app.ask(VIDEO, &purchase.body).await;
    assert_eq!(refused.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    assert!(refused.has("retry-after"));
    assert_eq!(app.lightning.calls(), 0);
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.outcome(), (502, "GENERATION_FAILED"));
    assert_eq!(failed.json()["refund"]["amount_sats"], VIDEO_SATS);
    app.stop().await;
}

/// The newest secret mints, all configured ones verify.
#[tokio::test]
async fn credentials_outlive_the_rotation_of_secrets() {
    let keys = Setup::new().set("KEY_OLD", "3a".repeat(32));
    let app = keys.set("KEYS__SECRETS", r#"["env:SATFORGE_KEY_OLD"]"#).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.advance(HOUR);
    let both = r#"["env:SATFORGE_KEY_NEW", "env:SATFORGE_KEY_OLD"]"#;
    let app = app.shut_down().await.set("KEY_NEW", "5b".repeat(32)).set("KEYS__SECRETS", both).start().await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    let newer = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&newer).await.status, 200);
    app.stop().await;
}
