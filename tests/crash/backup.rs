//! A backup of a gateway at work, and the way back from it.

use std::path::Path;

use crate::kit::buyer::{MODEL, VIDEO, model, video};
use crate::kit::process::Gateway;
use crate::kit::rows::Rows;
use crate::kit::until;
use crate::operator::{answer, tool};
use crate::scene::{ENDLESS, INSTANT, SOON, Scene};

/// Copies a folder, as an operator does who restores.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_backed_up_goes_on_elsewhere() {
    let scene = Scene::new();
    let gateway = scene.start(INSTANT);
    let delivered = scene.buy(&gateway, VIDEO, video("delivered before")).await;
    let path = scene.buyer.present(&gateway.url, &delivered, SOON).await.result_path();
    gateway.kill();
    let gateway = scene.start(&[ENDLESS, &[("SATFORGE_JOBS__CONCURRENCY", "1")]].concat());
    let running = scene.buy(&gateway, VIDEO, video("running")).await;
    scene.rows().await.wait_for("running").await;
    let queued = scene.buy(&gateway, MODEL, model(200)).await;
    let owed = scene.buy(&gateway, VIDEO, video("owed")).await;
    answer(&scene, &["jobs", "fail", &owed.payment_hash]).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("backup");
    let said = answer(&scene, &["backup", "--with-results", "--to", to.to_str().unwrap()]).await;
    assert_eq!((&said["inputs"], &said["results"], &said["missing"]), (&1.into(), &1.into(), &0.into()), "{said}");
    let again = tool(&scene, &["backup", "--to", to.to_str().unwrap()]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert!(!to.join("gateway.key").exists() && !to.join("lock").exists(), "no secret is copied");
    let left: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["backup"], "nothing is left over");
    gateway.kill();

    let restored = elsewhere.path().join("restored");
    copy(&to, &restored);
    std::fs::copy(scene.data_dir().join("gateway.key"), restored.join("gateway.key")).unwrap();
    let gateway = Gateway::dev(&restored, INSTANT);
    for purchase in [&running, &queued] {
        scene.buyer.present(&gateway.url, purchase, SOON).await.result_path();
    }
    assert_eq!(scene.creates(&gateway).await, 1, "the generation that was under way is found again");
    let told = scene.buyer.present(&gateway.url, &owed, "").await;
    assert_eq!((told.status, &told.json["refund"]["status"]), (502, &"available".into()), "{}", told.json);
    let found = scene.buyer.present(&gateway.url, &delivered, "").await;
    assert_eq!(found.result_path(), path);
    assert_eq!(scene.buyer.get(&format!("{}{path}", gateway.url)).await.status(), 200);
    let states: Vec<_> = Rows::open(&restored).await.jobs().await.into_iter().map(|job| job.state).collect();
    assert_eq!(states, ["succeeded", "succeeded", "succeeded", "failed"]);
}

/// Jobs come and end while files are copied.
#[tokio::test]
async fn every_file_that_a_copied_row_names_is_in_the_copy() {
    let scene = Scene::new();
    let gateway = scene.start(INSTANT);
    let elsewhere = tempfile::tempdir().unwrap();
    let buying = async {
        for _ in 0..8 {
            scene.buy(&gateway, MODEL, model(200)).await;
        }
    };
    let copying = async {
        let mut copies = Vec::new();
        for n in 0..4 {
            let to = elsewhere.path().join(n.to_string());
            let said = answer(&scene, &["backup", "--with-results", "--to", to.to_str().unwrap()]).await;
            assert_eq!(said["missing"], 0, "{said}");
            copies.push(to);
        }
        copies
    };
    let (copies, ()) = tokio::join!(copying, buying);
    for copy in copies {
        let mut rows = Rows::open(&copy).await;
        for (folder, names) in [("inputs", rows.input_files().await), ("results", rows.results().await)] {
            for name in names {
                assert!(copy.join("artifacts").join(folder).join(&name).exists(), "{folder}/{name}");
            }
        }
    }
    until("all jobs end", async || {
        scene.rows().await.jobs().await.iter().all(|job| job.state == "succeeded").then_some(())
    })
    .await;
}
