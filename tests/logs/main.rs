//! The whole log of purchases, at its most talkative, and what must never stand in it.
//!
//! A test binary of its own: the log is one for the whole process.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../http/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with the tests of the HTTP edge, which use all of it")]
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use satforge::config::{LogConfig, LogFormat};
use satforge::telemetry;
use tracing_subscriber::fmt::MakeWriter;

use support::owed::{Owed, invoice, withdraw};
use support::{FakeProvider, Generation, Lie, MODEL, Pieces, Purchase, Receiver, Setup, SubmitStep, TestApp, VIDEO};
use support::{image_body, text, video_body};

const PROMPT: &str = "a prompt that nobody else should read";
const KEY: &str = "7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b";

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What was seen on the way that only the caller may know, and the ids of requests, which everybody may.
#[derive(Default)]
struct Secrets {
    all: Vec<(&'static str, String)>,
    request_ids: Vec<String>,
}

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: impl Into<String>) {
        self.all.push((what, secret.into()));
    }

    fn keep_purchase(&mut self, purchase: &Purchase) {
        self.keep("preimage", &purchase.preimage);
        self.keep("preimage", purchase.preimage.to_uppercase());
        self.keep("macaroon", &purchase.macaroon);
        // The end of it is its signature, which is the secret part.
        self.keep("macaroon", &purchase.macaroon[purchase.macaroon.len() - 40..]);
    }

    fn keep_job(&mut self, answer: &support::Answer) {
        self.keep("public job id", answer.header("x-job-id"));
        self.request_ids.push(answer.header("x-request-id").to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_in_the_log() {
    let log = Captured::default();
    let config = LogConfig { format: LogFormat::Json, filter: "trace".into() };
    telemetry::start_logging(&config, log.clone()).unwrap();

    let mut secrets = Secrets::default();
    secrets.keep("key", KEY);
    secrets.keep("prompt", PROMPT);
    let app = Setup::new()
        .set("KEY", KEY)
        .set("KEYS__SECRETS", r#"["env:SATFORGE_KEY"]"#)
        .set("LIGHTNING__INVOICE_TIMEOUT_SECONDS", 0.1)
        .set("METRICS__LISTEN", "127.0.0.1:0")
        .real_time()
        .start()
        .await;
    buy_a_video(&app, &mut secrets).await;
    buy_a_model(&app, &mut secrets).await;
    let app = fail_a_purchase(app, &mut secrets).await;
    be_called_back(&app, &mut secrets).await;
    be_paid_back(&app, &mut secrets).await;
    be_refused(&app, &mut secrets).await;
    app.stop().await;

    let text = log.text();
    // Without these the log would be no whole log, and nothing to be found in it would mean nothing.
    for expected in [
        r#""http.route":"/api/l402/video""#,
        r#""http.route":"/artifacts/{name}""#,
        r#""http.status":402"#,
        r#""error.code":"LIGHTNING_UNAVAILABLE""#,
        r#""error.code":"CREDENTIAL_INVALID""#,
        r#""payment.amount_msat":500000"#,
        r#""job.outcome":"succeeded""#,
        r#""callback.outcome":"gone""#,
        r#""job.outcome":"result_unusable""#,
        r#""http.route":"/lnurl/{name}/pay""#,
        r#""http.route":"/refunds/{name}""#,
        r#""http.route":"/recover""#,
        r#""message":"a refund was paid""#,
        r#""error.code":"CREDENTIAL_REFUSED""#,
        r#""level":"TRACE""#,
    ] {
        assert!(text.contains(expected), "{expected} is missing");
    }
    for id in &secrets.request_ids {
        let lines = text.lines().filter(|line| line.contains(id) && line.contains(r#""http.status""#)).count();
        assert_eq!(lines, 1, "one line for each request");
    }
    for (what, secret) in &secrets.all {
        assert!(secret.len() >= 16, "{what} {secret:?} is too short to look for");
        let found = text.lines().find(|line| line.contains(secret.as_str()));
        assert!(found.is_none(), "a {what} stands in the log: {found:?}");
    }
}

async fn buy_a_video(app: &TestApp, secrets: &mut Secrets) {
    app.provider.hold(0.5);
    let purchase = app.buy(VIDEO, &video_body(PROMPT)).await;
    secrets.keep_purchase(&purchase);
    let accepted = app.redeem_async(&purchase).await;
    secrets.keep_job(&accepted);
    let path = app.path_of(accepted.header("location"));
    app.send(app.get(&path)).await;
    app.provider.created(1).await;
    app.provider.let_go();
    app.send(app.get(&format!("{path}?wait=60"))).await;
    app.send(app.get(&format!("{path}/events"))).await;
    let url = app.redeem(&purchase).await.json()["videoUrl"].as_str().unwrap().to_owned();
    let file = app.path_of(&url);
    secrets.keep("artifact name", file.trim_start_matches("/artifacts/").trim_end_matches(".mp4"));
    let whole = app.send(app.get(&file)).await;
    assert_eq!(whole.body, FakeProvider::file(satforge::domain::ServiceId::Video));
    app.send(app.get(&file).header("range", "bytes=0-9")).await;
}

async fn buy_a_model(app: &TestApp, secrets: &mut Secrets) {
    let body = image_body(&b"a picture of somebody".repeat(5_000));
    let base64 = body.split("base64,").nth(1).unwrap();
    secrets.keep("image", &base64[..40]);
    secrets.keep("image", &base64[base64.len() - 60..base64.len() - 10]);
    app.provider.break_fetches(1);
    app.provider.script([SubmitStep::TakeAndLose]);
    let purchase = app.buy(MODEL, &body).await;
    secrets.keep_purchase(&purchase);
    let result = app.redeem(&purchase).await;
    secrets.keep_job(&result);
    let url = result.json()["modelUrl"].as_str().unwrap().to_owned();
    secrets.keep("artifact name", url.rsplit('/').next().unwrap().trim_end_matches(".glb"));
}

/// Failures are what one is tempted to log in full; restarts read everything again.
async fn fail_a_purchase(app: TestApp, secrets: &mut Secrets) -> TestApp {
    app.provider.script([
        SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Transient)),
        SubmitStep::Take(Generation::Junk),
    ]);
    let purchase = app.buy(VIDEO, &video_body(PROMPT)).await;
    secrets.keep_purchase(&purchase);
    let failed = app.redeem(&purchase).await;
    assert_eq!(failed.status, 502);
    secrets.keep_job(&failed);
    app.provider.hold(0.5);
    let interrupted = app.buy(VIDEO, &video_body(PROMPT)).await;
    secrets.keep_purchase(&interrupted);
    secrets.keep_job(&app.redeem_async(&interrupted).await);
    let app = app.restart().await;
    app.provider.let_go();
    assert_eq!(app.redeem(&interrupted).await.status, 200);
    app
}

async fn be_refused(app: &TestApp, secrets: &mut Secrets) {
    let purchase = app.buy(VIDEO, &video_body(PROMPT)).await;
    secrets.keep_purchase(&purchase);
    let forged = Pieces::of(&purchase.macaroon).forged();
    for authorization in [
        format!("L402 {forged}:{}", purchase.preimage),
        format!("L402 {}:{}", purchase.macaroon, "0".repeat(64)),
        format!("Bearer {}", purchase.preimage),
        format!("L402 {}", purchase.macaroon),
    ] {
        assert_eq!(app.redeem_as(&purchase, &authorization).await.status, 402);
    }
    let broken = format!(r#"{{"prompt":"{PROMPT}","model":"Video Generation","duration":"{PROMPT}"}}"#);
    assert_eq!(app.ask(VIDEO, &broken).await.status, 422);
    assert_eq!(app.ask(VIDEO, &broken[..60]).await.status, 400);
    for lie in Lie::ALL {
        app.lightning.tell(lie);
        assert_eq!(app.ask(VIDEO, &purchase.body).await.status, 503);
    }
    app.lightning.tell(Lie::None);
}

async fn be_called_back(app: &TestApp, secrets: &mut Secrets) {
    const PATH: &str = "/hook-of-somebody?token=which-nobody-else-knows";
    const ID: &str = "an order that is none of our business";
    let receiver = Receiver::start([410]).await;
    let mut body: serde_json::Value = serde_json::from_str(&video_body(PROMPT)).unwrap();
    body["callback_url"] = receiver.url(PATH).into();
    body["callback_id"] = ID.into();
    let body = body.to_string();
    let challenge = app.ask(VIDEO, &body).await;
    let secret = challenge.json()["callback_secret"].as_str().unwrap().to_owned();
    secrets.keep("callback secret", secret.trim_start_matches("whsec_"));
    secrets.keep("callback URL", PATH);
    secrets.keep("callback URL", "which-nobody-else-knows");
    secrets.keep("callback id", ID);
    let purchase = app.pay_challenge(VIDEO, &body, &challenge).await;
    secrets.keep_purchase(&purchase);
    let result = app.redeem(&purchase).await;
    secrets.keep_job(&result);
    receiver.wait_for(1).await;
}

/// By every way there is, and by some that lead nowhere.
async fn be_paid_back(app: &TestApp, secrets: &mut Secrets) {
    const ADDRESS: &str = "somebody-whom-nobody-should-know";
    let (by_wallet, by_credential) = (Owed::at(app).await, Owed::at(app).await);
    for owed in [&by_wallet, &by_credential] {
        secrets.keep_purchase(&owed.purchase);
        let refund = owed.refund();
        let lnurl = text(&refund["lnurl"]);
        secrets.keep("LNURL", &lnurl[lnurl.len() - 60..]);
        secrets.keep("link's signature", text(&refund["url"]).rsplit('.').next().unwrap());
        secrets.keep("public job id", text(&refund["claim_url"]).rsplit('/').next().unwrap());
    }
    let offer = by_wallet.scan(app).await;
    secrets.keep("k1", text(&offer["k1"]));
    let (mine, other, wrong) = (invoice(app, 500).await, invoice(app, 500).await, invoice(app, 499).await);
    for invoice in [&mine, &other, &wrong] {
        secrets.keep("invoice", &invoice[invoice.len() - 100..]);
    }
    secrets.keep("Lightning address", ADDRESS);
    app.send(app.get(&app.path_of(&text(&by_wallet.refund()["url"])))).await;
    assert_eq!(withdraw(app, &offer, &wrong).await["status"], "ERROR");
    assert_eq!(withdraw(app, &offer, &mine).await["status"], "OK");
    for body in [
        serde_json::json!({"invoice": wrong}),
        serde_json::json!({"invoice": mine}),
        serde_json::json!({"lightning_address": format!("{ADDRESS}@127.0.0.1:1")}),
        serde_json::json!({"lightning_address": format!("{ADDRESS}@nowhere.invalid")}),
        serde_json::json!({"invoice": other}),
    ] {
        by_credential.claim(app, body).await;
    }
    let purchase = &by_credential.purchase;
    let typed = serde_json::json!({"macaroon": purchase.macaroon, "preimage": purchase.preimage}).to_string();
    assert_eq!(app.send(app.post("/recover", typed)).await.json()["refund"]["status"], "paid");
    let half = serde_json::json!({"macaroon": purchase.macaroon, "preimage": "0".repeat(64)}).to_string();
    assert_eq!(app.send(app.post("/recover", half)).await.status, 403);
}
