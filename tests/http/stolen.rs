//! What somebody has who steals the database, and nothing else.

use serde_json::{Value, json};

use crate::support::owed::{Owed, invoice};
use crate::support::{Receiver, Setup, TestApp, VIDEO, VIDEO_SATS, text, video_body};

/// Every byte of the database, once the gateway has stopped.
async fn stolen(app: TestApp) -> String {
    let setup = app.shut_down().await;
    let entries = std::fs::read_dir(setup.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let database = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("satforge.db");
    let files: Vec<Vec<u8>> = entries.filter(database).map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!files.is_empty());
    String::from_utf8_lossy(&files.concat()).into_owned()
}

#[tokio::test]
async fn the_database_proves_no_payment_and_forgets_what_is_over() {
    // Long, so that a later row does not happen to lie on all of it.
    const PROMPT: &str = "deleted with its job; ";
    let receiver = Receiver::start([200]).await;
    let app = Setup::new().real_time().set("KEY", "7b".repeat(32)).set("KEYS__SECRETS", r#"["env:SATFORGE_KEY"]"#);
    let app = app.start().await;
    let mut body: Value = serde_json::from_str(&video_body(&PROMPT.repeat(80))).unwrap();
    body["callback_url"] = receiver.url("/a-hook-that-was-deleted-with-it").into();
    let body = body.to_string();
    let challenge = app.ask(VIDEO, &body).await;
    let secret = text(&challenge.json()["callback_secret"]);
    let purchase = app.pay_challenge(VIDEO, &body, &challenge).await;
    let delivered = app.redeem(&purchase).await;
    assert_eq!(delivered.status, 200);
    receiver.wait_for(1).await;
    let owed = Owed::at(&app).await;
    let offer = owed.scan(&app).await;
    let mine = invoice(&app, VIDEO_SATS).await;
    assert_eq!(owed.claim(&app, json!({"invoice": mine})).await.json()["status"], "paid");
    let id = delivered.header("x-job-id").to_owned();
    // The callback is over once its answer is written down; a stop waits for that.
    let database = stolen(app).await;

    assert!(database.contains(&id), "whoever has it reads the results that are kept: SECURITY.md says so");
    let link = text(&owed.refund()["url"]);
    let signed = |macaroon: &str| macaroon[macaroon.len() - 40..].to_owned();
    for (what, secret) in [
        ("key", "7b".repeat(32)),
        ("preimage", purchase.preimage),
        ("preimage", owed.purchase.preimage.clone()),
        ("macaroon", signed(&purchase.macaroon)),
        ("macaroon", signed(&owed.purchase.macaroon)),
        ("link to a refund", link.rsplit('.').next().unwrap().to_owned()),
        ("k1", text(&offer["k1"])),
        ("invoice that was paid", mine),
        ("prompt", PROMPT.to_owned()),
        ("callback URL", "a-hook-that-was-deleted-with-it".to_owned()),
        ("callback secret", secret),
    ] {
        assert!(secret.len() >= 16 && !database.contains(&secret), "a {what} stands in the database");
    }
}

/// Ids and payment hashes are all that the rows have: no credential can be made of them.
#[tokio::test]
async fn what_stands_in_a_row_claims_nothing() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let hash = satforge::domain::Preimage::from_hex(owed.purchase.preimage.as_bytes()).unwrap().payment_hash().to_hex();
    let id = text(&owed.refund()["claim_url"]).rsplit('/').next().unwrap().to_owned();
    let name = text(&owed.refund()["url"]).rsplit('/').next().unwrap().to_owned();
    let job = name.split('.').next().unwrap();
    let macaroon = &owed.purchase.macaroon;
    for credential in [format!("L402 {macaroon}:{hash}"), format!("L402 {hash}:{hash}"), format!("L402 {id}:{hash}")] {
        for path in ["/api/l402/recover".to_owned(), format!("/api/l402/refunds/{id}")] {
            let answer = app.send(app.get(&path).header("authorization", &credential)).await;
            assert_eq!(answer.outcome(), (403, "CREDENTIAL_REFUSED"), "{credential} at {path}");
        }
    }
    for name in [job.to_owned(), id.clone(), hash, format!("{job}.9999999999999.{}", "0".repeat(32))] {
        assert_eq!(app.send(app.get(&format!("/refunds/{name}"))).await.status, 404, "{name}");
        assert_eq!(app.send(app.get(&format!("/lnurl/{name}"))).await.json()["status"], "ERROR", "{name}");
    }
    app.stop().await;
}
