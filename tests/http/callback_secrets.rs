//! Who is told what callbacks are signed with.

use satforge::providers::Ending;
use serde_json::{Value, json};

use crate::callbacks::{body, buy};
use crate::support::{Answer, DAY, Generation, Purchase, Receiver, Setup, SubmitStep, TestApp, VIDEO, video_body};

#[tokio::test]
async fn the_secret_is_told_to_whoever_presents_the_credential_and_to_nobody_else() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    app.provider.hold(0.5);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    let accepted = app.redeem_async(&purchase).await;
    assert_eq!((accepted.status, &accepted.json()["callback_secret"]), (202, &json!(secret)));
    let path = app.path_of(accepted.header("location"));
    assert!(!app.send(app.get(&path)).await.text().contains(&secret));
    app.provider.let_go();
    let result = app.redeem(&purchase).await;
    let expected = format!(r#"{{"videoUrl":{},"callback_secret":"{secret}"}}"#, result.json()["videoUrl"]);
    assert_eq!((result.status, result.text()), (200, expected.clone()), "the result stands first");
    assert_eq!(app.redeem(&purchase).await.text(), expected, "presented again");
    for open in [path.clone(), format!("{path}/events")] {
        assert!(!app.send(app.get(&open)).await.text().contains("whsec_"), "{open}");
    }
    let [posted] = receiver.wait_for(1).await.try_into().unwrap();
    assert!(!String::from_utf8(posted.body).unwrap().contains("whsec_"));
    let app = app.restart().await;
    assert_eq!(app.redeem(&purchase).await.json()["callback_secret"], secret, "and after a restart");

    let (_, other) = buy(&app, &body(&receiver.url("/"), None)).await;
    assert_ne!(other, secret, "each purchase has a secret of its own");
    let challenge = app.ask(VIDEO, &video_body("a cat")).await;
    assert!(challenge.json().get("callback_secret").is_none(), "without a callback there is none");
    let without = app.redeem(&app.pay_challenge(VIDEO, &video_body("a cat"), &challenge).await).await;
    assert!(without.json().get("callback_secret").is_none());
    app.stop().await;
}

/// A receiver may still get the callback of a job that failed, or whose result is gone.
#[tokio::test]
async fn the_secret_is_told_with_an_error_too() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
    let (failed, of_failed) = buy(&app, &body(&receiver.url("/failed"), None)).await;
    let answer = app.redeem(&failed).await;
    assert_secret_of_holder(&app, &answer, (502, "GENERATION_FAILED"), &of_failed).await;
    assert_eq!(app.redeem(&failed).await.body, answer.body);

    let (delivered, of_delivered) = buy(&app, &body(&receiver.url("/delivered"), None)).await;
    assert_eq!(app.redeem(&delivered).await.status, 200);
    let (late, of_late) = buy(&app, &body(&receiver.url("/late"), None)).await;
    app.advance(7 * DAY);
    let gone = app.redeem(&delivered).await;
    assert_secret_of_holder(&app, &gone, (410, "RESULT_EXPIRED"), &of_delivered).await;
    let late = app.redeem(&late).await;
    assert_secret_of_holder(&app, &late, (410, "REDEMPTION_EXPIRED"), &of_late).await;
    for posted in receiver.wait_for(3).await {
        assert!(!String::from_utf8(posted.body).unwrap().contains("whsec_"), "{}", posted.path);
    }

    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
    let without = app.redeem(&app.buy(VIDEO, &video_body("a cat")).await).await;
    assert_eq!(without.outcome(), (502, "GENERATION_FAILED"));
    assert!(without.json().get("callback_secret").is_none());
    app.stop().await;
}

/// Whoever presents the credential with other bytes is not its holder, for all that is known.
#[tokio::test]
async fn the_secret_is_not_told_to_whoever_presents_other_bytes() {
    let (app, receiver) = (TestApp::start().await, Receiver::start([]).await);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    for is_redeemed in [false, true] {
        if is_redeemed {
            assert_eq!(app.redeem(&purchase).await.json()["callback_secret"], secret);
        }
        let plain = Purchase { body: video_body("a cat"), ..purchase.clone() };
        let refused = app.redeem(&plain).await;
        assert_eq!(refused.outcome(), (402, "BODY_MISMATCH"));
        assert!(refused.json().get("callback_secret").is_none() && !refused.text().contains(&secret));

        let elsewhere = Purchase { body: body(&receiver.url("/elsewhere"), None), ..purchase.clone() };
        let refused = app.redeem(&elsewhere).await;
        assert_eq!(refused.outcome(), (402, "BODY_MISMATCH"));
        let new = refused.json()["callback_secret"].as_str().unwrap().to_owned();
        assert!(new.starts_with("whsec_") && new != secret, "the secret of the new challenge");
        assert!(!refused.text().contains(&secret));
    }
    app.stop().await;
}

/// Holds `answer`, which a credential got, to the secret, and what anybody reads of its job to none.
async fn assert_secret_of_holder(app: &TestApp, answer: &Answer, outcome: (u16, &str), secret: &str) {
    assert_eq!(answer.outcome(), outcome);
    assert_eq!(answer.json()["callback_secret"], secret, "{outcome:?}");
    let path = format!("/api/l402/jobs/{}", answer.header("x-job-id"));
    for open in [path.clone(), format!("{path}/events")] {
        let shown = app.send(app.get(&open)).await;
        assert!(shown.text().contains("error_code") && !shown.text().contains("whsec_"), "{outcome:?}");
    }
}

/// The status is 200 by then, and the problem document follows the spaces.
#[tokio::test]
async fn the_secret_is_told_with_an_error_behind_spaces() {
    let setup =
        Setup::new().set("WAITING__KEEPALIVE_AFTER_SECONDS", 0.02).set("WAITING__KEEPALIVE_EVERY_SECONDS", 0.02);
    let (app, receiver) = (setup.start().await, Receiver::start([]).await);
    app.provider.hold(0.5);
    app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
    let (purchase, secret) = buy(&app, &body(&receiver.url("/"), None)).await;
    let mut response = app.presentation(&purchase).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    app.provider.let_go();
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!((&problem["status"], &problem["callback_secret"]), (&json!(502), &json!(secret)));
    app.stop().await;
}
