//! A purchase from challenge to file, and the rule that a payment is honoured once and always.

use futures_util::future::join_all;
use satforge::domain::{JobSpec, ServiceId};
use serde_json::json;

use crate::support::{FakeProvider, MODEL, Purchase, TestApp, VIDEO, image_body, video_body, within};

#[tokio::test]
async fn a_video_is_bought_and_downloaded() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, r#"{"prompt":" a cat ","model":"Video Generation","duration":10}"#).await;
    let result = app.redeem(&purchase).await;
    assert_eq!(result.outcome(), (200, ""));
    assert_eq!(result.header("content-type"), "application/json");
    let document = result.json();
    let url = document["videoUrl"].as_str().unwrap();
    assert_eq!(document, json!({"videoUrl": url}));
    let file = app.send(app.get(&app.path_of(url))).await;
    assert_eq!((file.status, file.body), (200, FakeProvider::file(ServiceId::Video)));
    let [JobSpec::Video(video)] = &app.provider.specs()[..] else { panic!("one video was asked for") };
    assert_eq!((video.prompt.as_str(), video.duration, video.camera_fixed), ("a cat", 10, false));
    app.stop().await;
}

/// Small images stand in the row, large ones in a file; both reach the provider byte by byte, and go with the job.
#[tokio::test]
async fn a_model_is_bought_and_downloaded() {
    let app = TestApp::start().await;
    for tail in [vec![1; 10], vec![2; 100_000]] {
        let purchase = app.buy(MODEL, &image_body(&tail)).await;
        let document = app.redeem(&purchase).await.json();
        let url = document["modelUrl"].as_str().unwrap();
        assert_eq!(document, json!({"modelUrl": url}));
        let file = app.send(app.get(&app.path_of(url))).await;
        assert_eq!((file.status, file.body), (200, FakeProvider::file(ServiceId::Model3d)));
        let Some(JobSpec::Model3d(model)) = app.provider.specs().pop() else { panic!("a model was asked for") };
        assert!(model.image.starts_with(b"\x89PNG") && model.image.ends_with(&tail));
    }
    app.stop().await;
}

/// The identity of a purchase is its payment hash: no other way to write a credential makes a second one of it.
#[tokio::test]
async fn every_spelling_of_a_credential_is_the_same_purchase() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let first = app.redeem(&purchase).await;
    assert_eq!(first.status, 200);
    let Purchase { macaroon, preimage, .. } = &purchase;
    let url_safe = macaroon.replace('+', "-").replace('/', "_");
    let unpadded = macaroon.trim_end_matches('=');
    let upper = preimage.to_uppercase();
    let mixed: String =
        preimage.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
    for spelling in [
        format!("LSAT {macaroon}:{preimage}"),
        format!("lsat {macaroon}:{preimage}"),
        format!("l402 {macaroon}:{preimage}"),
        format!("L402   {macaroon}:{preimage}"),
        format!("L402 {url_safe}:{preimage}"),
        format!("L402 {unpadded}:{preimage}"),
        format!("L402 {}:{preimage}", url_safe.trim_end_matches('=')),
        format!("L402 {macaroon}:{upper}"),
        format!("L402 {macaroon}:{mixed}"),
        format!("L402 {macaroon},{macaroon}:{preimage}"),
        format!("L402 {macaroon}, {unpadded}:{upper}"),
    ] {
        let again = app.redeem_as(&purchase, &spelling).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{spelling}");
        assert_eq!(again.header("x-job-id"), first.header("x-job-id"));
    }
    assert_eq!((app.provider.creates(), app.provider.submits()), (1, 1));
    app.stop().await;
}

#[tokio::test]
async fn sixty_four_presentations_at_once_are_one_purchase() {
    let app = TestApp::start().await;
    app.provider.hold(0.5);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let presentations = join_all((0..64).map(|_| app.redeem(&purchase)));
    let let_go = async {
        app.provider.created(1).await;
        app.provider.let_go();
    };
    let (answers, ()) = within("64 answers", futures_util::future::join(presentations, let_go)).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
        assert_eq!(answer.header("x-job-id"), answers[0].header("x-job-id"));
    }
    assert_eq!((app.provider.creates(), app.provider.submits()), (1, 1));
    app.stop().await;
}

/// The same for images that go through a file, presented before anything of the job exists.
#[tokio::test]
async fn parallel_presentations_of_a_large_image_are_one_purchase() {
    let app = TestApp::start().await;
    let purchase = app.buy(MODEL, &image_body(&vec![3; 100_000])).await;
    let answers = within("16 answers", join_all((0..16).map(|_| app.redeem(&purchase)))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    assert_eq!(app.provider.submits(), 1);
    let setup = app.shut_down().await;
    assert_eq!(std::fs::read_dir(setup.data_dir().join("artifacts/inputs")).unwrap().count(), 0, "no input is left");
}

/// A client that hangs up changes nothing: the job goes on, and the credential finds it.
#[tokio::test]
async fn a_client_that_disconnects_finds_its_job_again() {
    let app = TestApp::start().await;
    app.provider.hold(0.1);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let hung_up = app.presentation(&purchase).send();
    tokio::select! {
        _ = hung_up => panic!("nothing can be answered yet"),
        () = app.provider.created(1) => {}
    }
    app.provider.let_go();
    let found = app.redeem(&purchase).await;
    assert_eq!(found.status, 200);
    assert_eq!((app.provider.creates(), app.provider.submits()), (1, 1));
    app.stop().await;
}

/// A good credential costs the payer nothing, and the gateway no invoice.
#[tokio::test]
async fn a_redemption_asks_for_no_invoice() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    for _ in 0..3 {
        app.redeem(&purchase).await;
    }
    assert_eq!(app.lightning.calls(), 1);
    app.stop().await;
}
