//! The operator's tools, beside a gateway at work and on what it has left.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use crate::kit::buyer::{MODEL, VIDEO, model, video};
use crate::kit::process::{finish, satforge};
use crate::kit::until;
use crate::scene::{ENDLESS, INSTANT, SOON, Scene};

/// What a video costs by default.
const VIDEO_SATS: u64 = 500;

/// Runs a tool on the scene's data directory.
pub async fn tool(scene: &Scene, arguments: &[&str]) -> Output {
    let data_dir = scene.data_dir().to_str().unwrap();
    let mut command = satforge(&[arguments, &["--data-dir", data_dir]].concat());
    tokio::task::spawn_blocking(move || finish(&mut command)).await.unwrap()
}

/// What a tool answers in JSON when it does as it is told.
pub async fn answer(scene: &Scene, arguments: &[&str]) -> Value {
    let output = tool(scene, &[arguments, &["--json"]].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Why a tool does not do as it is told.
async fn refusal(scene: &Scene, arguments: &[&str]) -> String {
    let output = tool(scene, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_job_is_ended_and_run_once_more() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, MODEL, model(200)).await;
    let job = scene.rows().await.wait_for("running").await.id;
    assert_eq!(scene.names("artifacts/inputs"), [job.as_str()], "its input is a file");

    let fail = ["jobs", "fail", &purchase.payment_hash];
    let waits = scene.buyer.present(&gateway.url, &purchase, "wait=30");
    let (told, failed) = tokio::join!(waits, answer(&scene, &fail));
    assert_eq!(failed["job"], job.as_str());
    assert_eq!((told.status, &told.json["error_code"]), (502, &"GENERATION_FAILED".into()), "{}", told.json);
    assert_eq!(told.json["refund"]["status"], "available");
    until("the generation is cancelled", async || scene.generations().is_empty().then_some(())).await;
    assert!(refusal(&scene, &fail).await.contains("has ended already: it is failed"));
    assert_eq!(scene.names("artifacts/inputs"), [job.as_str()], "it may be wanted again");
    gateway.kill();

    let gateway = scene.start(INSTANT);
    let retried = answer(&scene, &["jobs", "retry", &job, "--time", "1h"]).await;
    assert_eq!((&retried["state"], &retried["refund"]), (&"queued".into(), &"cancelled".into()));
    scene.expect_result(&gateway, &purchase, 1).await;
    until("its input is deleted", async || scene.names("artifacts/inputs").is_empty().then_some(())).await;

    let shown = answer(&scene, &["jobs", "show", &job]).await;
    assert_eq!((&shown["state"], &shown["refund"]["status"]), (&"succeeded".into(), &"cancelled".into()));
    assert_eq!(shown["creates"].as_array().unwrap().len(), 2, "{shown}");
    assert!(shown["retried_at"].is_string() && shown["failure"].is_null(), "{shown}");
    assert!(refusal(&scene, &["jobs", "retry", &job]).await.contains("only one that has failed"));
    assert!(refusal(&scene, &["refunds", "settle", &job, "--note", "x"]).await.contains("the refund is cancelled"));
    let report = answer(&scene, &["report"]).await;
    assert_eq!((&report["delivered"]["count"], &report["refunds"]["cancelled"]["count"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn lists_show_what_was_asked_for_and_nothing_that_opens_anything() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let first = scene.buy(&gateway, VIDEO, video("a lighthouse")).await;
    let second = scene.buy(&gateway, MODEL, model(8)).await;
    answer(&scene, &["jobs", "fail", &second.payment_hash, "--reason", "content_rejected"]).await;
    scene.buyer.present(&gateway.url, &second, "").await.owed(502, "CONTENT_REJECTED", 350);

    let all = answer(&scene, &["jobs", "list"]).await;
    let hashes: Vec<_> = all["jobs"].as_array().unwrap().iter().map(|job| job["payment_hash"].clone()).collect();
    assert_eq!(hashes, [second.payment_hash.clone(), first.payment_hash.clone()], "newest first");
    let newest = all["jobs"][0]["job"].as_str().unwrap();
    for (filter, hash) in [
        (["--state", "failed"], &second),
        (["--state", "open"], &first),
        (["--service", "video"], &first),
        (["--limit", "1"], &second),
        (["--before", newest], &first),
    ] {
        let found = answer(&scene, &[&["jobs", "list"][..], &filter].concat()).await;
        assert_eq!(found["jobs"].as_array().unwrap().len(), 1, "{filter:?}");
        assert_eq!(found["jobs"][0]["payment_hash"], hash.payment_hash.as_str(), "{filter:?}");
    }
    let owed = answer(&scene, &["refunds", "list", "--status", "due"]).await;
    assert_eq!(owed["refunds"][0]["payment_hash"], second.payment_hash.as_str());

    let public = scene.rows().await.public_ids().await;
    let mut said = String::new();
    for form in [&["--json"][..], &[]] {
        for command in [
            &["jobs", "list"][..],
            &["jobs", "show", newest],
            &["refunds", "list"],
            &["refunds", "show", newest],
            &["report"],
        ] {
            let output = tool(&scene, &[command, form].concat()).await;
            assert_eq!(output.status.code(), Some(0), "{command:?}");
            said.push_str(&String::from_utf8(output.stdout).unwrap());
        }
    }
    let preimage = first.credential.rsplit(':').next().unwrap();
    for secret in public.iter().map(String::as_str).chain([preimage, "lighthouse", "iVBOR"]) {
        assert!(!said.contains(secret), "{secret} is shown");
    }
    assert!(refusal(&scene, &["jobs", "show", "lighthouse"]).await.contains("a job is named by"));
    assert!(refusal(&scene, &["jobs", "show", &"0".repeat(64)]).await.contains("there is no such job"));
}

#[tokio::test]
async fn of_a_retry_and_a_settlement_one_wins() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    for n in 0..4 {
        let purchase = scene.buy(&gateway, VIDEO, video(&format!("number {n}"))).await;
        answer(&scene, &["jobs", "fail", &purchase.payment_hash]).await;
        let settle = ["refunds", "settle", &purchase.payment_hash, "--note", "by bank"];
        let retry = ["jobs", "retry", &purchase.payment_hash];
        let (settled, retried) = tokio::join!(tool(&scene, &settle), tool(&scene, &retry));
        let won = [settled.status.success(), retried.status.success()];
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        let answer = scene.buyer.present(&gateway.url, &purchase, "respond-async").await;
        let expected = if won[0] { (502, "paid") } else { (202, "") };
        assert_eq!(
            (answer.status, answer.json["refund"]["status"].as_str().unwrap_or("")),
            expected,
            "{}",
            answer.json
        );
    }
    assert_eq!(tool(&scene, &["report"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn what_a_backend_was_told_to_pay_is_settled_only_by_force() {
    let scene = Scene::new();
    let gateway = scene.start(ENDLESS);
    let purchase = scene.buy(&gateway, VIDEO, video("a lighthouse")).await;
    let job = answer(&scene, &["jobs", "fail", &purchase.payment_hash]).await["job"].as_str().unwrap().to_owned();
    let claim = "UPDATE refunds SET status = 'claiming', claims = 1, claimed_at = 1, payer = 'another node'";
    scene.rows().await.run(claim).await;
    for verb in [&["refunds", "settle", &job, "--note", "in cash"][..], &["refunds", "release", &job]] {
        let said = refusal(&scene, verb).await;
        assert!(said.contains("\"another node\" was told to pay") && said.contains("may still arrive"), "{said}");
    }
    assert!(refusal(&scene, &["jobs", "retry", &job]).await.contains("the refund is claiming"));
    let released = answer(&scene, &["refunds", "release", &job, "--force"]).await;
    assert_eq!(released["status"], "available");
    scene.rows().await.run(claim).await;
    answer(&scene, &["refunds", "settle", &job, "--note", "in cash", "--force"]).await;
    let shown = answer(&scene, &["refunds", "show", &job]).await;
    assert_eq!((&shown["status"], &shown["note"]), (&"paid".into(), &"in cash".into()));
    let told = scene.buyer.present(&gateway.url, &purchase, "").await;
    assert_eq!(told.json["refund"]["status"], "paid", "{}", told.json);
    assert!(refusal(&scene, &["refunds", "settle", &job, "--note", "again"]).await.contains("the refund is paid"));
}

#[tokio::test]
async fn the_report_says_what_does_not_balance() {
    let scene = Scene::new();
    let mut gateway = scene.start(INSTANT);
    let purchase = scene.buy(&gateway, VIDEO, video("a lighthouse")).await;
    scene.buyer.present(&gateway.url, &purchase, SOON).await.result_path();
    scene.buyer.ask(&gateway.url, VIDEO, &video("never paid")).await;
    gateway.terminate();
    gateway.ended().await;

    let report = answer(&scene, &["report", "--since", "1d"]).await;
    assert_eq!(report["issued"]["count"], 2, "a stop enters what was counted: {report}");
    assert_eq!((&report["balanced"], &report["earned_msat"]), (&true.into(), &(VIDEO_SATS * 1_000).into()));
    let earlier = answer(&scene, &["report", "--until", "2026-01-01"]).await;
    assert_eq!((&earlier["redeemed"]["count"], &earlier["balanced"]), (&0.into(), &true.into()));

    let mut rows = scene.rows().await;
    let job = rows.job().await.id;
    rows.run(
        "INSERT INTO refunds (id, job_id, payment_hash, amount_msat, status, created_at) \
         SELECT id, id, payment_hash, 1, 'available', 1 FROM jobs",
    )
    .await;
    let output = tool(&scene, &["report", "--json"]).await;
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["objections"].as_array().unwrap();
    let found: Vec<_> = checks.iter().map(|objection| objection["check"].as_str().unwrap()).collect();
    assert_eq!(found, ["owed", "refund_without_failure", "refund_amount"]);
    assert_eq!(checks[1]["jobs"], serde_json::json!([job]));
    let text = String::from_utf8(tool(&scene, &["report"]).await.stdout).unwrap();
    assert!(text.contains("THE BOOKS DO NOT BALANCE") && text.contains(&job), "{text}");
}

#[tokio::test]
async fn a_database_of_another_version_is_left_alone() {
    let scene = Scene::new();
    assert!(refusal(&scene, &["jobs", "list"]).await.contains("there is no database"));
    drop(scene.start(INSTANT));
    scene.rows().await.run("DELETE FROM _sqlx_migrations WHERE version = 7").await;
    let said = refusal(&scene, &["jobs", "list"]).await;
    assert!(said.contains("has the schema") && said.contains("works with 7"), "{said}");
}

#[tokio::test]
async fn a_new_secret_takes_over_and_the_old_one_is_honoured() {
    let scene = Scene::new();
    let gateway = scene.start(INSTANT);
    let purchase = scene.buyer.pay(&gateway.url, VIDEO, video("a lighthouse")).await;
    let plan = answer(&scene, &["keys", "rotate"]).await;
    let file = plan["file"].as_str().unwrap().to_owned();
    assert!(
        file.ends_with("/gateway-2.key") && !std::path::Path::new(&file).exists(),
        "nothing is made unasked: {plan}"
    );
    let output = tool(&scene, &["keys", "rotate", "--write", "--json"]).await;
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = String::from_utf8(tool(&scene, &["keys", "rotate"]).await.stdout).unwrap();
    let said = format!("{plan}{said}");
    for key in [&file, scene.data_dir().join("gateway.key").to_str().unwrap()] {
        let secret = std::fs::read_to_string(key).unwrap();
        assert!(secret.trim().len() == 64 && !said.contains(secret.trim()), "a secret is shown");
        assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    gateway.kill();
    let secrets = plan["secrets"].to_string();
    assert_eq!(plan["secrets"][0], format!("file:{file}"));
    let gateway = scene.start(&[INSTANT, &[("SATFORGE_KEYS__SECRETS", secrets.as_str())]].concat());
    scene.buyer.present(&gateway.url, &purchase, SOON).await.result_path();
    scene.buyer.pay(&gateway.url, VIDEO, video("signed with the new one")).await;
    assert_eq!(scene.rows().await.jobs().await.len(), 1);
    let again = refusal(&scene, &["keys", "rotate", "--out", &file]).await;
    assert!(again.contains("is there already"), "{again}");
}
