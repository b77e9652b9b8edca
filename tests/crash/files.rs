//! What a crash leaves on the disk.

use std::io::Write as _;

use crate::kit::buyer::{MODEL, model};
use crate::scene::{ENDLESS, INSTANT, SOON, Scene};

/// Large enough that the image stands in a file and not in the row.
const LARGE: u32 = 200;

#[tokio::test]
async fn a_large_input_survives_and_is_deleted_with_its_job() {
    let scene = Scene::new();
    let gateway = scene.start(&[ENDLESS, &[("SATFORGE_JOBS__CONCURRENCY", "1")]].concat());
    scene.buy(&gateway, MODEL, model(8)).await;
    scene.rows().await.wait_for("running").await;
    let large = scene.buy(&gateway, MODEL, model(LARGE)).await;
    gateway.kill();
    let queued = scene.rows().await.jobs().await.into_iter().find(|job| job.state == "queued").unwrap();
    assert_eq!(scene.names("artifacts/inputs"), [queued.id], "flushed before the payment was consumed");

    let gateway = scene.start(INSTANT);
    scene.buyer.present(&gateway.url, &large, SOON).await.result_path();
    crate::kit::until("the input is deleted", async || scene.names("artifacts/inputs").is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_upload_consumes_nothing() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buyer.pay(&gateway.url, MODEL, model(LARGE)).await;
    let mut half = std::net::TcpStream::connect(gateway.url.trim_start_matches("http://")).unwrap();
    write!(
        half,
        "POST {MODEL} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Authorization: {}\r\n\r\n",
        purchase.body.len(),
        purchase.credential
    )
    .unwrap();
    half.write_all(&purchase.body[..purchase.body.len() / 2]).unwrap();
    gateway.kill();
    assert!(scene.rows().await.jobs().await.is_empty());

    let gateway = scene.start(INSTANT);
    assert_eq!(scene.names("artifacts/inputs"), [] as [&str; 0]);
    scene.expect_result(&gateway, &purchase, 1).await;
}

#[tokio::test]
async fn files_without_a_row_are_swept_and_those_of_open_jobs_are_not() {
    let scene = Scene::new();
    let gateway = scene.start(&[ENDLESS, &[("SATFORGE_JOBS__CONCURRENCY", "1")]].concat());
    scene.buy(&gateway, MODEL, model(LARGE)).await;
    let job = scene.rows().await.wait_for("running").await;
    gateway.kill();
    let artifacts = scene.data_dir().join("artifacts");
    std::fs::create_dir_all(artifacts.join("results")).unwrap();
    let nobodys = "018f0000-0000-7000-8000-000000000000";
    for left in [
        format!("inputs/{nobodys}"),
        format!("inputs/{nobodys}#1"),
        format!("results/{}.glb", "c".repeat(32)),
        format!("results/{}.glb#2", "c".repeat(32)),
    ] {
        std::fs::write(artifacts.join(left), vec![7; 100_000]).unwrap();
    }

    let _gateway = scene.start(ENDLESS);
    let swept = async || {
        let names = [scene.names("artifacts/inputs"), scene.names("artifacts/results")].concat();
        (names == [job.id.as_str()]).then_some(())
    };
    crate::kit::until("what no row names is deleted", swept).await;
}
