//! A polite stop, and a second process.

use std::time::Duration;

use crate::kit::buyer::{Buyer, MODEL, model};
use crate::kit::process::run;
use crate::scene::{ENDLESS, INSTANT, Scene};

#[tokio::test]
async fn a_stop_sends_waiters_away_with_202_and_a_restart_goes_on() {
    let scene = Scene::new();
    let mut gateway = scene.start(ENDLESS);
    let purchase = scene.buyer.pay(&gateway.url, MODEL, model(8)).await;
    let (url, waiting) = (gateway.url.clone(), purchase.clone());
    let waiter = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Buyer::new().present(&url, &waiting, "wait=120").await })
    });
    scene.rows().await.wait_for("running").await;
    gateway.terminate();

    let answer = waiter.join().unwrap();
    assert_eq!(answer.status, 202, "{}", answer.json);
    assert_eq!(answer.json["status"], "running");
    assert!(answer.json["poll_url"].as_str().unwrap().contains("/api/l402/jobs/"));
    assert_eq!(gateway.ended().await.code(), Some(0));
    let job = scene.rows().await.job().await;
    assert_eq!((job.state.as_str(), job.lease_until), ("running", 0), "the lease was given back");
    assert_eq!(scene.generations().len(), 1, "the generation upstream goes on");

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 0).await;
}

#[tokio::test]
async fn a_stop_ends_a_kept_alive_response_with_the_202_document() {
    let scene = Scene::new();
    let mut gateway = scene.start(&[ENDLESS, &[("SATFORGE_WAITING__KEEPALIVE_AFTER_SECONDS", "0.05")]].concat());
    let purchase = scene.buyer.pay(&gateway.url, MODEL, model(8)).await;
    let mut response = scene.buyer.begin(&gateway.url, &purchase, "").await;
    assert_eq!(response.status(), 200, "the keep-alive has begun");
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    gateway.terminate();

    let rest = response.bytes().await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&rest).unwrap();
    assert!(document["poll_url"].is_string(), "{document}");
    assert!(document["job_id"].is_string(), "{document}");
    assert_eq!(gateway.ended().await.code(), Some(0));

    let gateway = scene.start(INSTANT);
    scene.expect_result(&gateway, &purchase, 0).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_idle_connections_or_long_polls() {
    let scene = Scene::new();
    let mut gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, MODEL, model(8)).await;
    let accepted = scene.buyer.present(&gateway.url, &purchase, "respond-async").await;
    let idle = std::net::TcpStream::connect(gateway.url.trim_start_matches("http://")).unwrap();
    let mut events = scene.buyer.get(&format!("{}/events", accepted.json["poll_url"].as_str().unwrap())).await;
    assert!(events.chunk().await.unwrap().unwrap().starts_with(b"data: "));
    gateway.terminate();
    // The grace of a stop is 20 seconds: less means that nobody was waited for in vain.
    let ended = tokio::time::timeout(Duration::from_secs(15), gateway.ended()).await;
    assert_eq!(ended.expect("the stop waits for nobody").code(), Some(0));
    drop(idle);
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, MODEL, model(8)).await;
    let before = scene.rows().await.wait_for("running").await;
    let data_dir = scene.data_dir().to_str().unwrap();
    let second = run(&["dev", "--listen", "127.0.0.1:0", "--data-dir", data_dir]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another satforge works in"), "{said}");
    let after = scene.rows().await.job().await;
    assert_eq!((before.attempt, before.id), (after.attempt, after.id), "the first one's lease was not touched");
    let answer = scene.buyer.present(&gateway.url, &purchase, "respond-async").await;
    assert_eq!(answer.status, 202, "the first one goes on");
}
