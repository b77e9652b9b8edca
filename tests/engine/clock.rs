//! A clock that was ahead, and is set right: nobody waits for an hour that was none.

use std::time::Duration;

use satforge::clock::{Clock as _, ManualClock, signed_millis};
use satforge::providers::ProviderError;

use crate::fake::Fake;
use crate::fake::Reply::Say;
use crate::fake::Script;
use crate::kit::until;
use crate::world::{EPOCH, World};

const HOUR: Duration = Duration::from_hours(1);

/// A provider that does not take the first create.
fn busy_at_first() -> std::sync::Arc<Fake> {
    let busy = ProviderError::NotStarted { message: "429".into(), retry_after: None };
    Fake::new(Script { submit: [Say(Err(busy))].into(), ..Script::default() })
}

#[tokio::test]
async fn a_job_that_rests_by_a_clock_that_was_ahead_is_taken_up_when_it_is_set_right() {
    let fake = busy_at_first();
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    clock.advance(HOUR);
    let ordered = world.order().await;
    let mut rows = world.rows().await;
    until("it rests", async || (rows.job().await.failures == 1).then_some(())).await;

    clock.set(EPOCH);
    world.app.jobs.wake();
    world.outcome(&ordered).await.result_path();
}

#[tokio::test]
async fn a_process_that_starts_after_the_clock_was_set_right_lets_no_job_rest_for_long() {
    let fake = busy_at_first();
    let (world, clock) = World::by_hand(&fake, |_| {}).await;
    clock.advance(HOUR);
    let ordered = world.order().await;
    let mut rows = world.rows().await;
    until("it rests", async || (rows.job().await.failures == 1).then_some(())).await;
    let folder = world.folder.clone();
    world.app.stop().await;

    let clock = std::sync::Arc::new(ManualClock::new(EPOCH));
    let world = World::start(&fake, folder, clock.clone(), |_| {}).await;
    assert_eq!(fake.creates().len(), 1);
    clock.advance(Duration::from_mins(1));
    world.app.jobs.wake();
    // The deadline is counted from the start, too.
    let answer = world.outcome(&ordered).await;
    answer.result_path();
    let finished = until("it is over", async || world.rows().await.jobs().await.pop()).await;
    assert!(finished.lease_until <= signed_millis(clock.unix_millis()));
}
