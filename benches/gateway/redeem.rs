//! Durable redemptions a second, against bare durable inserts into the same SQLite file, one after the other.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::http::HeaderValue;
use satforge::app::App;
use satforge::catalog::{self, Depth};
use satforge::clock::SystemClock;
use satforge::domain::{Caller, RequestBinding, ServiceId};
use satforge::paywall::{Proof, VerifiedPayment};
use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::task::JoinSet;

use crate::setup::{self, BODY};

const REDEMPTIONS: usize = 3_000;
const CONCURRENT: usize = 64;
const INSERTS: usize = 500;
/// No job is taken up in the meantime: the redemption alone is measured.
const NO_WORKERS: &[(&str, &str)] = &[("SATFORGE_SANDBOX__GENERATION_SECONDS", "86400")];

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let config = setup::config(dir.path(), NO_WORKERS);
        let app = App::start(config, Arc::new(SystemClock)).await.expect("the gateway starts");
        let mut payments = Vec::with_capacity(REDEMPTIONS);
        for _ in 0..REDEMPTIONS {
            payments.push(pay(&app).await);
        }
        let app = Arc::new(app);
        let inserts = bare_inserts(dir.path()).await;
        let redemptions = redeem_all(&app, payments).await;
        println!(
            "durable redemptions, {CONCURRENT} at once: {redemptions:.0}/s against {inserts:.0} bare inserts/s, ratio {:.2}",
            redemptions / inserts
        );
    });
}

async fn redeem_all(app: &Arc<App>, mut payments: Vec<VerifiedPayment>) -> f64 {
    let began = Instant::now();
    let count = payments.len();
    let mut tasks = JoinSet::new();
    for _ in 0..CONCURRENT {
        let share = payments.split_off(payments.len().saturating_sub(count / CONCURRENT));
        let app = app.clone();
        tasks.spawn(async move {
            let done = share.len();
            for payment in share {
                app.jobs.redeem(payment, Bytes::from_static(BODY.as_bytes())).await.expect("it is redeemed");
            }
            done
        });
    }
    let mut done = 0;
    while let Some(share) = tasks.join_next().await {
        done += share.expect("no task panics");
    }
    done as f64 / began.elapsed().as_secs_f64()
}

/// One row of about the same size, in a transaction of its own, on a connection with the same settings.
async fn bare_inserts(data_dir: &std::path::Path) -> f64 {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", data_dir.join("satforge.db").display());
    let options: sqlx::any::AnyConnectOptions = url.parse().expect("a URL");
    let mut connection = options.connect().await.expect("the file opens");
    for statement in [
        "PRAGMA busy_timeout = 5000",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE bench (id TEXT PRIMARY KEY, payment_hash TEXT UNIQUE, row TEXT)",
    ] {
        connection.execute(statement).await.expect("a statement runs");
    }
    let row = "x".repeat(400);
    let began = Instant::now();
    for n in 0..INSERTS {
        sqlx::query("INSERT INTO bench (id, payment_hash, row) VALUES ($1, $2, $3)")
            .bind(format!("{:032x}", rand::random::<u128>()))
            .bind(format!("{n:064x}"))
            .bind(row.clone())
            .execute(&mut connection)
            .await
            .expect("a row is inserted");
    }
    INSERTS as f64 / began.elapsed().as_secs_f64()
}

async fn pay(app: &App) -> VerifiedPayment {
    let body = Bytes::from_static(BODY.as_bytes());
    let service = app.gateway.catalog.service(ServiceId::Video).expect("videos are sold");
    let quote = catalog::validate(service, &body, Depth::Full).expect("the body is good").quote;
    let binding = RequestBinding { service: ServiceId::Video, body_sha256: Sha256::digest(&body).into() };
    let caller = Caller::at(std::net::Ipv4Addr::LOCALHOST.into());
    let challenge = app.gateway.paywall.challenge(&binding, &quote, caller).await.expect("a challenge is made");
    let wallet = app.gateway.sandbox.as_ref().expect("the sandbox has a wallet");
    let preimage = wallet.pay(&challenge.invoice.bolt11).expect("it pays").preimage.reveal_hex();
    let header = HeaderValue::try_from(format!("L402 {}:{preimage}", challenge.macaroon)).expect("a header");
    match app.gateway.paywall.prove(std::iter::once(header.as_bytes())) {
        Proof::Proven(credentials) => app.gateway.paywall.bind(credentials, binding).expect("it is for this body"),
        Proof::Absent | Proof::Refused(_) => unreachable!("the credential is good"),
    }
}
