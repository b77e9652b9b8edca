//! A job ends at its deadline, whatever the provider does.

use std::sync::Arc;
use std::time::Duration;

use satforge::clock::ManualClock;
use satforge::providers::{Found, Noticed, ProviderError};
use tokio::sync::Notify;

use crate::fake::Reply::{After, Hang, Panic, Say};
use crate::fake::{Fake, Script, stalls};
use crate::kit::buyer::{MODEL, model};
use crate::kit::until;
use crate::world::{PRICE, World};

const DEADLINE: Duration = Duration::from_mins(10);
const MOMENT: Duration = Duration::from_millis(2);

/// Moves the clock over the deadline and expects the waiter of `ordered` to be told what it is owed.
async fn expires(world: &World, clock: &ManualClock, ordered: &crate::kit::buyer::Purchase) {
    clock.advance(DEADLINE + MOMENT);
    world.app.jobs.wake();
    let outcome = world.outcome(ordered).await;
    outcome.owed(502, "GENERATION_FAILED", PRICE);
    assert!(outcome.json["detail"].as_str().unwrap().contains("took too long"), "{}", outcome.json);
    assert_eq!(world.rows().await.refunds().await, [500_000]);
}

#[tokio::test]
async fn a_generation_that_never_ends_is_stopped_upstream() {
    let fake = Fake::endless();
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    let job = world.rows().await.wait_for("running").await;
    clock.advance(DEADLINE);
    let answer = world.buyer.present(world.url(), &ordered, "respond-async").await;
    assert_eq!(answer.status, 202, "the last millisecond is still in time: {}", answer.json);
    expires(&world, &clock, &ordered).await;
    until("it is discarded", async || (fake.about("discard") == [job.upstream_id.clone()?]).then_some(())).await;
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn a_pause_beyond_the_deadline_ends_at_it() {
    let busy = ProviderError::NotStarted { message: "429".into(), retry_after: Some(Duration::from_hours(24)) };
    let fake = Fake::new(Script { submit: [Say(Err(busy))].into(), ..Script::default() });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    until("the create was refused", async || (world.rows().await.job().await.failures == 1).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    assert_eq!(fake.creates(), [1], "nothing is sent after the deadline");
}

#[tokio::test]
async fn failures_without_end_are_owed_back() {
    let lost = |n: usize| std::iter::repeat_with(|| Say(Err(ProviderError::Transient("503".into())))).take(n);
    let fake = Fake::endless();
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    fake.poll_next(lost(1_000).collect());
    let ordered = world.order().await;
    until("some polls failed", async || (fake.count("poll") > 3).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn a_result_that_never_arrives_is_owed_back() {
    let broken = std::iter::repeat_with(|| Say(Err(ProviderError::Transient("503".into())))).take(1_000);
    let fake = Fake::new(Script { fetch: broken.collect(), ..Script::default() });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    until("some fetches failed", async || (fake.count("fetch") > 2).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    until("it is discarded", async || (fake.count("discard") == 1).then_some(())).await;
}

#[tokio::test]
async fn a_source_that_stalls_again_and_again_is_owed_back() {
    let fake = Fake::new(Script {
        fetch: std::iter::repeat_with(|| Say(Ok(stalls()))).take(1_000).collect(),
        ..Script::default()
    });
    let timeout = Duration::from_millis(50);
    let (world, clock) = World::by_hand(&fake, |config| config.jobs.provider_timeout = timeout).await;
    let ordered = world.order().await;
    until("it was fetched again", async || (fake.count("fetch") > 1).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    until("nothing is left of it", async || world.files("results").is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_create_that_may_have_arrived_is_stopped_upstream_at_the_deadline() {
    let ambiguous = || ProviderError::Ambiguous("connection reset".into());
    let lost = std::iter::repeat_with(|| Say(Err(ambiguous()))).take(1);
    let fake = Fake::new(Script {
        submit: [Say(Err(ambiguous()))].into(),
        find: lost.chain([Say(Ok(Found::Started("up-found".into())))]).collect(),
        ..Script::default()
    });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    until("the look-up failed", async || (world.rows().await.job().await.failures == 1).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    until("it is discarded", async || (fake.about("discard") == ["up-found"]).then_some(())).await;
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn what_a_webhook_has_told_is_stopped_upstream_at_the_deadline() {
    let gate = Arc::new(Notify::new());
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: [After(gate.clone(), Err(ProviderError::Transient("too early to tell".into())))].into(),
        notice: [Ok(Noticed { id: Some("up-told".into()) })].into(),
        ..Script::default()
    });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    until("a look-up", async || (fake.count("find") == 1).then_some(())).await;
    let url = format!("{}{}", world.url(), fake.webhook());
    let told = crate::kit::client::builder().build().unwrap().post(url).body("genuine").send().await.unwrap();
    assert_eq!(told.status(), 200);
    clock.advance(DEADLINE + MOMENT);
    gate.notify_one();
    expires(&world, &clock, &ordered).await;
    until("it is stopped", async || (fake.about("discard") == ["up-told"]).then_some(())).await;
    assert_eq!((fake.creates(), fake.count("find")), (vec![1], 1));
}

#[tokio::test]
async fn of_generations_that_look_alike_none_is_stopped() {
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: [
            Say(Err(ProviderError::Transient("too early to tell".into()))),
            Say(Ok(Found::Among(vec!["up-anyones".into()]))),
        ]
        .into(),
        ..Script::default()
    });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let ordered = world.order().await;
    until("the look-up failed", async || (world.rows().await.job().await.failures == 1).then_some(())).await;
    expires(&world, &clock, &ordered).await;
    until("it was looked for", async || (fake.count("find") == 2).then_some(())).await;
    world.app.stop().await;
    assert_eq!(fake.count("discard"), 0, "it may be somebody else's");
}

#[tokio::test]
async fn a_discard_that_hangs_or_panics_does_not_delay_the_end() {
    for reply in [Hang, Panic] {
        let fake = Fake::endless();
        let (world, clock) = World::by_hand(&fake, |_| {}).await;
        fake.discard_next(reply);
        let ordered = world.order().await;
        world.rows().await.wait_for("running").await;
        expires(&world, &clock, &ordered).await;
    }
}

#[tokio::test]
async fn a_create_that_cannot_be_looked_for_any_more_is_owed_back_at_the_deadline() {
    let busy = || Say(Err(ProviderError::Transient("busy".into())));
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: (0..10_000).map(|_| busy()).collect(),
        ..Script::default()
    });
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    let purchase = world.buyer.pay(world.url(), MODEL, model(200)).await;
    world.buyer.present(world.url(), &purchase, "respond-async").await;
    until("a look-up", async || (fake.count("find") > 0).then_some(())).await;
    let inputs = world.folder.path().join("artifacts/inputs");
    for file in std::fs::read_dir(inputs).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    clock.advance(Duration::from_hours(1));
    world.app.jobs.wake();
    world.outcome(&purchase).await.owed(502, "GENERATION_FAILED", 350);
}
