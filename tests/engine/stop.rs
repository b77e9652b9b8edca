//! Stopping in two stages, and what the next start makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use satforge::clock::SystemClock;
use satforge::config::{ImageBounds, RouteConfig};
use satforge::domain::ServiceId;
use satforge::providers::{Account, Found, ProviderError, Providers, Route};

use crate::fake::Reply::{Hang, Say};
use crate::fake::{Fake, Script};
use crate::kit::buyer::{MODEL, model};
use crate::kit::until;
use crate::world::World;

#[tokio::test]
async fn the_first_stage_gives_every_lease_back_and_a_restart_polls_on() {
    let fake = Fake::endless();
    let world = World::new(&fake).await;
    let mut purchases = Vec::new();
    for _ in 0..5 {
        purchases.push(world.order().await);
    }
    until("all are polled", async || (fake.count("submit") == 5 && fake.count("poll") >= 5).then_some(())).await;
    let mut rows = world.rows().await;
    until("all are running", async || rows.jobs().await.iter().all(|job| job.state == "running").then_some(())).await;
    let World { app, folder, buyer } = world;
    let began = Instant::now();
    app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "nobody waits for the grace period's end");
    for job in rows.jobs().await {
        assert_eq!((job.state.as_str(), job.lease_until), ("running", 0));
    }

    fake.finish();
    let app = World::start(&fake, folder, Arc::new(SystemClock), |_| {}).await;
    for purchase in &purchases {
        buyer.present(app.url(), purchase, "wait=120").await.result_path();
    }
    assert_eq!(fake.count("submit"), 5, "no create was sent twice");
}

#[tokio::test]
async fn the_second_stage_drops_a_create_under_way_and_a_restart_looks_it_up() {
    let fake = Fake::new(Script {
        submit: [Hang].into(),
        find: [Say(Ok(Found::Started("up-found".into())))].into(),
        ..Script::default()
    });
    let world = World::with(&fake, |config| config.server.shutdown_grace = Duration::from_millis(50)).await;
    let purchase = world.order().await;
    until("the create is under way", async || (fake.count("submit") == 1).then_some(())).await;
    let mut rows = world.rows().await;
    let World { app, folder, buyer } = world;
    app.stop().await;
    let job = rows.job().await;
    assert_eq!(job.state, "dispatching");
    assert!(job.lease_until > 0, "it was dropped, as by a crash");

    let world = World::start(&fake, folder, Arc::new(SystemClock), |_| {}).await;
    buyer.present(world.url(), &purchase, "wait=120").await.result_path();
    assert_eq!((fake.creates(), fake.about("fetch")), (vec![1], vec!["up-found".to_owned()]));
}

#[tokio::test]
async fn a_job_whose_provider_was_removed_goes_to_the_one_that_there_is() {
    let fake = Fake::endless();
    let world = World::new(&fake).await;
    let purchase = world.order().await;
    world.rows().await.wait_for("running").await;
    let World { app, folder, buyer } = world;
    app.stop().await;

    let other = Fake::named("other", Script::default());
    let world = World::start(&other, folder, Arc::new(SystemClock), |_| {}).await;
    buyer.present(world.url(), &purchase, "wait=120").await.result_path();
    assert_eq!(other.creates(), [2]);
}

#[tokio::test]
async fn what_no_route_takes_any_more_is_owed_back() {
    let busy = || Say(Err(ProviderError::Busy { retry_after: None }));
    let full = Fake::new(Script { submit: (0..10_000).map(|_| busy()).collect(), ..Script::default() });
    let world = World::one_route(&full, ServiceId::Model3d, |_| {}, Account::default()).await;
    let purchase = world.buyer.pay(world.url(), MODEL, model(40)).await;
    world.buyer.present(world.url(), &purchase, "respond-async").await;
    until("a create", async || (full.count("submit") > 0).then_some(())).await;
    let World { app, folder, buyer } = world;
    app.stop().await;

    let other = Fake::new(Script::default());
    let settings = Route::plain(ServiceId::Model3d, other.clone()).settings().clone();
    let image = ImageBounds { min_side: Some(4_000), ..ImageBounds::default() };
    let route = Route::new(RouteConfig { image, ..settings }, other.clone(), Account::default());
    let world = World::over(Providers::of(vec![route]), folder, Arc::new(SystemClock), |_| {}).await;
    let outcome = buyer.present(world.url(), &purchase, "wait=120").await;
    outcome.owed(502, "GENERATION_FAILED", 350);
    assert!(outcome.json["detail"].as_str().unwrap().contains("can no longer be run"), "{}", outcome.json);
    assert_eq!(other.count("submit"), 0);
}

#[tokio::test]
async fn a_gateway_that_stops_sells_nothing_more_and_loses_nothing() {
    let fake = Fake::endless();
    let world = World::new(&fake).await;
    let unredeemed = world.pay("a lighthouse").await;
    let waiting = world.order().await;
    world.rows().await.wait_for("running").await;
    let url = world.url().to_owned();
    let World { app, folder, buyer } = world;
    let (answer, ()) = tokio::join!(buyer.present(&url, &waiting, "wait=120"), async {
        until("somebody waits", async || (fake.count("poll") > 3).then_some(())).await;
        app.stop().await;
    });
    assert_eq!(answer.status, 202, "{}", answer.json);

    fake.finish();
    let world = World::start(&fake, folder, Arc::new(SystemClock), |_| {}).await;
    for purchase in [&waiting, &unredeemed] {
        buyer.present(world.url(), purchase, "wait=120").await.result_path();
    }
    assert_eq!(fake.count("submit"), 2);
}
