//! One crash a step.

use crate::kit::buyer::{MODEL, Purchase, VIDEO, model, video};
use crate::kit::until;
use crate::scene::{ENDLESS, INSTANT, SOON, Scene};

/// A scene with one job in `running`, whose gateway was killed.
async fn killed_while_running() -> (Scene, Purchase, String) {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, MODEL, model(8)).await;
    let job = scene.rows().await.wait_for("running").await;
    assert_eq!(scene.creates(&gateway).await, 1);
    gateway.kill();
    let upstream_id = job.upstream_id.unwrap();
    assert_eq!(scene.generations(), [upstream_id.as_str()], "one create arrived");
    assert!(job.lease_until > 0, "the dead process's lease still stands");
    (scene, purchase, upstream_id)
}

/// Every generation was fetched and forgotten: one that nobody knows of any more would stay for ever.
async fn nothing_is_left_upstream(scene: &Scene) {
    until("nothing is left upstream", async || scene.generations().is_empty().then_some(())).await;
}

#[tokio::test]
async fn killed_before_the_first_step_with_the_job_still_in_the_queue() {
    let scene = Scene::new();
    // One place to work, and somebody else has it.
    let gateway = scene.start(&[ENDLESS, &[("SATFORGE_JOBS__CONCURRENCY", "1")]].concat());
    scene.buy(&gateway, MODEL, model(9)).await;
    scene.rows().await.wait_for("running").await;
    let second = scene.buy(&gateway, MODEL, model(8)).await;
    gateway.kill();
    let states: Vec<_> = scene.rows().await.jobs().await.into_iter().map(|job| (job.state, job.dispatches)).collect();
    assert_eq!(states, [("running".into(), 1), ("queued".into(), 0)]);

    let gateway = scene.start(INSTANT);
    let answer = scene.buyer.present(&gateway.url, &second, SOON).await;
    answer.result_path();
    let jobs = until("both jobs end", async || {
        let jobs = scene.rows().await.jobs().await;
        jobs.iter().all(|job| job.state == "succeeded").then_some(jobs)
    })
    .await;
    assert_eq!(jobs.iter().map(|job| job.dispatches).collect::<Vec<_>>(), [1, 1], "one create each, ever");
    assert_eq!(scene.creates(&gateway).await, 1, "the first job's create was sent before the crash");
}

#[tokio::test]
async fn killed_with_the_intent_written_and_nothing_sent() {
    let (scene, purchase, _) = killed_while_running().await;
    scene.forget_generations();
    scene.rows().await.rewind("dispatching", Some("sandbox"), None, 1).await;

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 1).await;
    assert_eq!(scene.rows().await.job().await.dispatches, 2, "a key is never used for a second create");
}

#[tokio::test]
async fn killed_with_the_create_sent_and_its_answer_lost() {
    let (scene, purchase, _) = killed_while_running().await;
    scene.rows().await.rewind("dispatching", Some("sandbox"), None, 1).await;

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 0).await;
}

#[tokio::test]
async fn killed_while_polling() {
    let (scene, purchase, upstream_id) = killed_while_running().await;

    let gateway = scene.start(ENDLESS);
    let job = scene.rows().await.wait_for("running").await;
    assert_eq!(job.upstream_id, Some(upstream_id.clone()), "the same generation is polled on");
    gateway.kill();

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 0).await;
    nothing_is_left_upstream(&scene).await;
}

#[tokio::test]
async fn killed_between_the_providers_end_and_the_first_byte() {
    let (scene, purchase, upstream_id) = killed_while_running().await;
    scene.rows().await.rewind("storing", Some("sandbox"), Some(&upstream_id), 1).await;

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 0).await;
}

#[tokio::test]
async fn killed_while_the_result_is_being_stored() {
    let scene = Scene::new();
    let gateway = scene.start(INSTANT);
    // Rendering a film takes long enough to be killed at it.
    let purchase = scene.buy(&gateway, VIDEO, video("a lighthouse")).await;
    scene.rows().await.wait_for("storing").await;
    gateway.kill();
    let job = scene.rows().await.job().await;
    assert_eq!((job.state.as_str(), job.dispatches), ("storing", 1));
    // What a crash in the middle of the copy leaves as well: half a file, and a whole one that no row names.
    let results = scene.data_dir().join("artifacts/results");
    std::fs::create_dir_all(&results).unwrap();
    std::fs::write(results.join(format!("{}.mp4#1", "a".repeat(32))), b"half").unwrap();
    std::fs::write(results.join(format!("{}.mp4", "b".repeat(32))), b"whole, but nobody's").unwrap();

    let gateway = scene.start(INSTANT);
    let path = scene.expect_result(&gateway, &purchase, 0).await.result_path();
    assert_eq!(scene.names("artifacts/results"), [path.trim_start_matches("/artifacts/")]);
}

#[tokio::test]
async fn killed_right_after_success() {
    let scene = Scene::new();
    let gateway = scene.start(INSTANT);
    let purchase = scene.buy(&gateway, MODEL, model(8)).await;
    scene.rows().await.wait_for("succeeded").await;
    gateway.kill();
    let stored = scene.names("artifacts/results");

    let gateway = scene.start(INSTANT);
    let answer = scene.buyer.present(&gateway.url, &purchase, "").await;
    assert_eq!(answer.result_path(), format!("/artifacts/{}", stored[0]));
    scene.expect_result(&gateway, &purchase, 0).await;
    assert_eq!(scene.names("artifacts/results"), stored);
}

#[tokio::test]
async fn killed_after_paying_and_before_redeeming() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buyer.pay(&gateway.url, MODEL, model(8)).await;
    gateway.kill();
    assert!(scene.rows().await.jobs().await.is_empty(), "an unpaid challenge writes nothing");

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 1).await;
}

#[tokio::test]
async fn killed_again_and_again() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, MODEL, model(8)).await;
    gateway.kill();
    for _ in 0..4 {
        let gateway = scene.start(ENDLESS);
        let answer = scene.buyer.present(&gateway.url, &purchase, "respond-async").await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        gateway.kill();
    }
    let gateway = scene.start(INSTANT);
    let answer = scene.buyer.present(&gateway.url, &purchase, SOON).await;
    answer.result_path();
    assert_eq!(scene.rows().await.job().await.state, "succeeded");
    nothing_is_left_upstream(&scene).await;
}

/// An invoice from the shelf is remembered by nobody but its token.
#[tokio::test]
async fn killed_after_an_invoice_from_the_shelf_was_paid() {
    let scene = Scene::new();
    let shelves = [("SATFORGE_LIGHTNING__POOL__SIZE", "2")];
    let gateway = scene.start(&[INSTANT, &shelves].concat());
    let purchase = scene.buyer.pay(&gateway.url, VIDEO, video("paid from the shelf")).await;
    gateway.kill();
    assert!(scene.rows().await.jobs().await.is_empty(), "it was not presented yet");

    let gateway = scene.start(&[INSTANT, &shelves].concat());
    let answer = scene.buyer.present(&gateway.url, &purchase, SOON).await;
    answer.result_path();
    let next = scene.buyer.pay(&gateway.url, VIDEO, video("after the crash")).await;
    assert_ne!(next.payment_hash, purchase.payment_hash, "no invoice is handed out twice");
}
