//! A database that cannot be written to: nothing is sold that could not be redeemed, and nothing that was redeemed is
//! forgotten.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Executor as _};

use serde_json::json;

use crate::support::owed::{Owed, invoice, withdraw};
use crate::support::{Purchase, Setup, TestApp, VIDEO, VIDEO_SATS, video_body};

/// Longer than the gateway takes to find out that it can write again.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn nothing_is_sold_and_nothing_forgotten() {
    let app = Setup::new().real_time().start().await;
    app.provider.hold(0.2);
    let running = app.buy(VIDEO, &video_body("redeemed before")).await;
    assert_eq!(app.redeem_async(&running).await.status, 202);
    app.provider.created(1).await;
    let paid = app.buy(VIDEO, &video_body("paid before")).await;

    let other = lock(&app).await;
    fails_to_redeem(&app, &paid).await;
    let known = app.redeem_async(&running).await;
    assert_eq!(known.status, 202, "what was redeemed before is still known: {}", known.text());

    drop(other);
    sells_again(&app).await;
    app.provider.let_go();
    for purchase in [&running, &paid] {
        assert_eq!(app.redeem(purchase).await.status, 200);
    }
    assert_eq!(app.provider.creates(), 2);
    app.stop().await;
}

#[tokio::test]
async fn an_idle_gateway_finds_out_by_itself_that_it_can_write_again() {
    let app = Setup::new().real_time().start().await;
    let paid = app.buy(VIDEO, &video_body("paid before")).await;
    let other = lock(&app).await;
    fails_to_redeem(&app, &paid).await;
    drop(other);
    sells_again(&app).await;
    assert_eq!(app.redeem(&paid).await.status, 200);
    app.stop().await;
}

/// Nothing leaves the node on account of a claim that a crash would forget, and what cannot be written down costs nobody
/// their refund.
#[tokio::test]
async fn a_claim_that_cannot_be_written_down_is_not_paid() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let (offer, mine) = (owed.scan(&app).await, invoice(&app, VIDEO_SATS).await);
    let other = lock(&app).await;
    let (by_credential, by_link) =
        tokio::join!(owed.claim(&app, json!({"invoice": mine})), withdraw(&app, &offer, &mine));
    assert_eq!(by_credential.outcome(), (500, "INTERNAL"), "{}", by_credential.text());
    assert_eq!(by_link["status"], "ERROR", "{by_link}");
    assert_eq!((app.lightning.payments(), &owed.look(&app).await["status"]), (0, &json!("available")));

    drop(other);
    sells_again(&app).await;
    let claimed = owed.claim(&app, json!({"invoice": mine})).await;
    assert_eq!((claimed.status, app.lightning.payments()), (200, 1), "{}", claimed.text());
    app.stop().await;
}

/// Another process in the middle of a write. Its lock ends with its connection.
async fn lock(app: &TestApp) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(app.data_dir().join("satforge.db"));
    let mut other = file.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    other
}

async fn fails_to_redeem(app: &TestApp, paid: &Purchase) {
    let failed = app.redeem_async(paid).await;
    assert_eq!(failed.outcome(), (500, "INTERNAL"));
    assert!(failed.json()["suggestion"].as_str().unwrap().contains("Your payment stands"));
    assert_eq!(app.ask(VIDEO, &video_body("new")).await.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(app.get("/readyz").send().await.unwrap().status(), 503);
}

async fn sells_again(app: &TestApp) {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    let sold = async {
        while app.ask(VIDEO, &video_body("new")).await.status != 402 {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, sold).await.expect("it sells again");
}
