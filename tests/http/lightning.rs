//! A Lightning backend that fails or lies: no invoice of it ever reaches a caller.

use crate::support::{Lie, Setup, TestApp, VIDEO, video_body, within};

#[tokio::test]
async fn whatever_the_backend_does_wrong_no_invoice_is_handed_out() {
    let app = Setup::new().set("LIGHTNING__INVOICE_TIMEOUT_SECONDS", 0.1).start().await;
    let body = video_body("a cat");
    assert_eq!(app.ask(VIDEO, &body).await.status, 402, "an honest invoice, which a liar can repeat");
    for lie in Lie::ALL {
        // An honest one in between, so that the circuit stays closed.
        app.lightning.tell(Lie::None);
        assert_eq!(app.ask(VIDEO, &body).await.status, 402);
        let calls = app.lightning.calls() + 1;
        app.lightning.tell(lie);
        let refused = app.ask(VIDEO, &body).await;
        assert_eq!(refused.outcome(), (503, "LIGHTNING_UNAVAILABLE"), "{lie:?}");
        assert_eq!(app.lightning.calls(), calls, "{lie:?}: asked once");
        assert_eq!(refused.header("retry-after"), "5");
        let told = refused.text();
        assert!(
            !told.to_lowercase().contains("lnbcrt") && !told.contains("holiday") && !told.contains("fake"),
            "{told}"
        );
    }
    app.lightning.tell(Lie::None);
    assert_eq!(app.ask(VIDEO, &body).await.status, 402);
    app.stop().await;
}

/// A payment needs no node: it was made.
#[tokio::test]
async fn a_good_credential_is_honoured_while_the_backend_is_down() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.lightning.tell(Lie::Down);
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert_eq!(app.redeem_as(&purchase, "L402 x").await.outcome(), (503, "LIGHTNING_UNAVAILABLE"));
    app.stop().await;
}

/// After a few failures nobody is asked to wait for the node's time limit any more, and whoever has paid does not notice.
#[tokio::test]
async fn a_node_that_is_down_is_left_alone_until_it_is_back() {
    let app = Setup::new().real_time().start().await;
    let body = video_body("a cat");
    let paid = app.buy(VIDEO, &body).await;
    assert_eq!(app.redeem(&paid).await.status, 200);
    app.lightning.tell(Lie::Down);
    let calls = app.lightning.calls();
    for _ in 0..20 {
        let refused = app.ask(VIDEO, &body).await;
        assert_eq!(refused.outcome(), (503, "LIGHTNING_UNAVAILABLE"));
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
        assert_eq!(app.redeem(&paid).await.status, 200);
    }
    assert_eq!(app.lightning.calls() - calls, 3);
    assert_eq!(app.get("/readyz").send().await.unwrap().status(), 503);
    app.lightning.tell(Lie::None);
    within("recovery", async { while app.ask(VIDEO, &body).await.status != 402 {} }).await;
    app.stop().await;
}

#[tokio::test]
async fn a_payment_that_the_node_does_not_confirm_stands_until_it_does() {
    let app = Setup::new().set("LIGHTNING__REQUIRE_SETTLED", true);
    let app = app.set("LIGHTNING__SETTLEMENT_LOOKUPS_PER_SECOND", 0).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    for lie in [Lie::Forgets, Lie::Down] {
        app.lightning.tell(lie);
        let unconfirmed = app.redeem(&purchase).await;
        assert_eq!(unconfirmed.outcome(), (503, "PAYMENT_UNCONFIRMED"), "{lie:?}");
        assert!(unconfirmed.text().contains("Your payment stands") && !unconfirmed.header("retry-after").is_empty());
        assert_eq!(unconfirmed.header("www-authenticate"), "");
    }
    assert_eq!(app.provider.creates(), 0);
    app.lightning.tell(Lie::None);
    // Asked again and again, it asks the node every two seconds.
    within("the payment is confirmed", async { while app.redeem(&purchase).await.status != 200 {} }).await;
    assert!((2..=3).contains(&app.lightning.lookups()), "{}", app.lightning.lookups());
    let app = app.restart().await;
    app.lightning.tell(Lie::Down);
    assert_eq!(app.redeem(&purchase).await.status, 200, "what was redeemed is not asked about again");
    assert_eq!(app.lightning.lookups(), 0);
    app.stop().await;
}

#[tokio::test]
async fn challenges_from_the_shelf_do_not_wait_for_the_node() {
    let app = Setup::new().set("LIGHTNING__POOL__SIZE", 2).start().await;
    // Two services, one of them with two prices.
    within("the shelves are full", async {
        while app.lightning.calls() < 6 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.lightning.tell(Lie::Silent);
    let mut invoices = Vec::new();
    for _ in 0..2 {
        let challenge = app.ask(VIDEO, &video_body("a cat")).await;
        assert_eq!(challenge.status, 402);
        let promised: jiff::Timestamp = challenge.json()["expires_at"].as_str().unwrap().parse().unwrap();
        assert!(promised.as_second() >= i64::try_from(app.now_seconds()).unwrap() + 600);
        let purchase = app.pay_challenge(VIDEO, &video_body("a cat"), &challenge).await;
        assert_eq!(app.redeem(&purchase).await.status, 200);
        invoices.push(challenge.json()["payment_hash"].clone());
    }
    assert_ne!(invoices[0], invoices[1], "each is handed out once");
    app.stop().await;
}

/// What was paid is in the books, redeemed or not; what was not paid leaves nothing behind.
#[tokio::test]
async fn payments_are_entered_in_the_books() {
    let app = Setup::new().set("LIGHTNING__SETTLEMENT_LOOKUPS_PER_SECOND", 1_000).start().await;
    let redeemed = app.buy(VIDEO, &video_body("redeemed")).await;
    assert_eq!(app.redeem(&redeemed).await.status, 200);
    app.buy(VIDEO, &video_body("paid and forgotten")).await;
    assert_eq!(app.ask(VIDEO, &video_body("never paid")).await.status, 402);
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(app.data_dir().join("satforge.db"));
    let mut database = sqlx::ConnectOptions::connect(&file).await.unwrap();
    let mut rows: Vec<(String, i64, i64)> = Vec::new();
    within("two payments are entered", async {
        while rows.len() < 2 {
            app.advance(crate::support::SECOND);
            rows = sqlx::query_as("SELECT payment_hash, amount_msat, settled_at FROM settlements")
                .fetch_all(&mut database)
                .await
                .unwrap();
        }
    })
    .await;
    app.advance(crate::support::HOUR);
    assert!(rows.iter().all(|(_, msat, at)| *msat == 500_000 && *at >= 1_800_000_000_000), "{rows:?}");
    let count: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM settlements").fetch_one(&mut database).await.unwrap();
    assert_eq!(count.0, 2);
    app.stop().await;
}

/// Somebody who was given a preimage for nothing comes when the payment would be owed back: it is not owed to a thief.
#[tokio::test]
async fn what_was_not_paid_is_not_owed_back_either() {
    let app = Setup::new().set("LIGHTNING__REQUIRE_SETTLED", true).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.advance(2 * crate::support::DAY);
    app.lightning.tell(Lie::Forgets);
    assert_eq!(app.redeem(&purchase).await.outcome(), (503, "PAYMENT_UNCONFIRMED"));
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(app.data_dir().join("satforge.db"));
    let mut database = sqlx::ConnectOptions::connect(&file).await.unwrap();
    for table in ["jobs", "refunds", "settlements"] {
        let query = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let (rows,): (i64,) = sqlx::query_as(query).fetch_one(&mut database).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    app.lightning.tell(Lie::None);
    within("the payment is confirmed", async { while app.redeem(&purchase).await.status == 503 {} }).await;
    assert_eq!(app.redeem(&purchase).await.outcome(), (410, "REDEMPTION_EXPIRED"), "it was paid after all");
    app.stop().await;
}
