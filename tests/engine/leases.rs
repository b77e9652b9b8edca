//! Two workers that both believe to have a job: only one of them writes.

use std::sync::Arc;
use std::time::Duration;

use satforge::artifacts::ArtifactStore;
use satforge::catalog::Catalog;
use satforge::clock::{Clock as _, SystemClock, signed_millis};
use satforge::jobs::{Jobs, Links, Parts};
use satforge::providers::Poll;
use satforge::shutdown::Shutdown;
use satforge::store::Store;
use tokio::sync::Notify;

use crate::fake::Reply::{After, Say};
use crate::fake::{Fake, Script, after};
use crate::kit::until;
use crate::world::{World, config, providers};

/// Another engine on the same database and files. When it starts it takes every lease, as a successor would.
async fn successor(world: &World, fake: &Arc<Fake>) -> (Jobs, Store, Shutdown) {
    let config = config(world.folder.path());
    let store = Store::open(world.folder.path()).await.unwrap();
    let parts = Parts {
        store: store.clone(),
        artifacts: ArtifactStore::on_disk(&world.folder.path().join("artifacts")).unwrap(),
        providers: providers(fake),
        catalog: Arc::new(Catalog::new(config.services.clone())),
        clock: Arc::new(SystemClock),
        links: Links::new(&config.keys),
        public_url: world.url().to_owned(),
    };
    let (jobs, shutdown) = (Jobs::new(parts, config.jobs, &config.artifacts), Shutdown::default());
    jobs.start(&shutdown).await.unwrap();
    (jobs, store, shutdown)
}

#[tokio::test]
async fn whoever_lost_the_lease_while_polling_stops_and_touches_nothing() {
    let (gate, first, second) = (Arc::new(Notify::new()), Fake::endless(), Fake::new(Script::default()));
    first.poll_next([After(gate.clone(), Ok(Poll::Ready { charged: None }))].into());
    let world = World::new(&first).await;
    let purchase = world.order().await;
    until("the first one polls", async || (first.count("poll") == 1).then_some(())).await;

    let (_jobs, store, shutdown) = successor(&world, &second).await;
    let delivered = world.rows().await.wait_for("succeeded").await;
    assert_eq!((delivered.attempt, delivered.dispatches), (2, 1));
    gate.notify_one();
    until("the first one gives its place up", async || {
        // Somebody else's job shows that it goes on working.
        (first.count("poll") == 1 && first.count("fetch") == 0).then_some(())
    })
    .await;
    world.order().await;
    until("the first one works on", async || (first.count("submit") == 2).then_some(())).await;
    assert_eq!((first.count("fetch"), first.count("discard")), (0, 0));
    assert_eq!(second.count("submit"), 0, "the successor polls the generation that there is");
    assert_eq!(second.about("fetch"), first.about("poll")[..1]);
    let outcome = world.outcome(&purchase).await;
    assert!(world.files("results").contains(&outcome.result_path()["/artifacts/".len()..].to_owned()));
    shutdown.stop(Duration::from_secs(5)).await;
    store.close().await;
}

#[tokio::test]
async fn whoever_lost_the_lease_while_storing_deletes_its_copy_and_discards_nothing() {
    let gate = Arc::new(Notify::new());
    let first = Fake::new(Script { fetch: [Say(Ok(after(gate.clone())))].into(), ..Script::default() });
    let second = Fake::endless();
    let world = World::new(&first).await;
    let purchase = world.order().await;
    until("the first one fetches", async || (first.count("fetch") == 1).then_some(())).await;

    // The successor holds the job in `storing` and has not delivered when the first one comes to its end.
    let held = Arc::new(Notify::new());
    second.fetch_next(Say(Ok(after(held.clone()))));
    let (_jobs, store, shutdown) = successor(&world, &second).await;
    until("the successor fetches", async || (second.count("fetch") == 1).then_some(())).await;
    gate.notify_one();
    until("the first one's copy is gone", async || {
        (world.files("results").iter().all(|name| name.contains('#'))).then_some(())
    })
    .await;
    held.notify_one();
    world.rows().await.wait_for("succeeded").await;
    until("the successor discards", async || (second.count("discard") == 1).then_some(())).await;
    assert_eq!(first.count("discard"), 0, "the generation was the successor's by then");
    world.outcome(&purchase).await.result_path();
    until("one file is left", async || (world.files("results").len() == 1).then_some(())).await;
    shutdown.stop(Duration::from_secs(5)).await;
    store.close().await;
}

#[tokio::test]
async fn an_attempt_that_lost_its_lease_leaves_its_successors_lease_alone() {
    let (gate, fake) = (Arc::new(Notify::new()), Fake::endless());
    fake.poll_next([After(gate.clone(), Ok(Poll::Ready { charged: None }))].into());
    let lease = Duration::from_millis(600);
    let (world, clock) = World::by_hand(&fake, |config| config.jobs.lease = lease).await;
    world.order().await;
    let mut rows = world.rows().await;
    until("the first attempt polls", async || (fake.count("poll") == 1).then_some(())).await;
    clock.advance(Duration::from_secs(5));
    until("the lease has run out, and the job is taken up again", async || {
        let job = rows.job().await;
        if job.attempt == 1 && job.lease_until > signed_millis(clock.unix_millis()) {
            // It was renewed first.
            clock.advance(Duration::from_secs(5));
        }
        world.app.jobs.wake();
        (job.attempt == 2 && fake.count("poll") > 1).then_some(())
    })
    .await;
    gate.notify_one();
    let (polls, mut until_now) = (fake.count("poll"), rows.job().await.lease_until);
    until("the first attempt is over", async || (fake.count("poll") > polls + 20).then_some(())).await;
    for _ in 0..3 {
        clock.advance(Duration::from_millis(50));
        until_now = until("the lease is renewed", async || {
            let renewed = rows.job().await.lease_until;
            (renewed > until_now).then_some(renewed)
        })
        .await;
    }
    assert_eq!(rows.job().await.attempt, 2);
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn one_place_to_work_is_used_by_one_job_after_the_other() {
    let fake = Fake::new(Script::default());
    let world = World::with(&fake, |config| config.jobs.concurrency = 1).await;
    let mut purchases = Vec::new();
    for _ in 0..4 {
        purchases.push(world.order().await);
    }
    for purchase in &purchases {
        world.outcome(purchase).await.result_path();
    }
    let operations: Vec<_> = fake.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations[..12], ["submit", "poll", "fetch", "discard"].repeat(3), "never two at once");
}
