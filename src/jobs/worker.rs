//! The claim loop: takes up what is due, and keeps the leases of what is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use crate::clock::{Clock, signed_millis};
use crate::domain::JobId;
use crate::shutdown::Shutdown;
use crate::store::Claimed;

use super::Engine;
use super::execution::Execution;

/// The longest sleep between two looks at the queue, should a wake-up be lost.
const MAX_SLEEP: Duration = Duration::from_secs(5);
/// The pause after the database failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// How far the clock is set back, in milliseconds, before what was written by it is set right. Less is waited out.
const SET_BACK: i64 = 1_000;
/// Jobs claimed by one statement.
const CLAIM_AT_ONCE: usize = 32;

/// The leases that this process holds, by job.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<JobId, Held>>);

struct Held {
    attempt: i64,
    work: AbortHandle,
    /// Somebody outside this process has ended the lease.
    lost: Arc<Notify>,
}

/// A lease that is being renewed until this is dropped.
struct Lease<'a> {
    leases: &'a Leases,
    id: JobId,
    attempt: i64,
}

impl Leases {
    /// Holds a lease for `work`. A lease that ran out unrenewed (the clock was moved, the machine slept) may be claimed
    /// again by this very process: then the older attempt ends here, as if it had crashed.
    fn hold(&self, id: JobId, attempt: i64, work: AbortHandle, lost: Arc<Notify>) -> Lease<'_> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = held.insert(id, Held { attempt, work, lost }) {
            older.work.abort();
        }
        Lease { leases: self, id, attempt }
    }

    /// Tells whoever works on a job under an older lease than `attempt` that it is over.
    pub(super) fn end_before(&self, id: JobId, attempt: i64) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.get(&id).filter(|held| held.attempt < attempt) {
            held.lost.notify_one();
        }
    }

    fn held(&self) -> Vec<(JobId, i64)> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|(id, held)| (*id, held.attempt)).collect()
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut held = self.leases.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&self.id).is_some_and(|held| held.attempt == self.attempt) {
            held.remove(&self.id);
        }
    }
}

/// Claims and starts jobs until shutdown.
pub(super) async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(engine.config.concurrency));
    let mut time = Time::of(&*engine.clock);
    while !shutdown.is_soft() {
        look_at_the_clock(&engine, &mut time).await;
        let sleep = match claim(&engine, &slots, &shutdown).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::error!(%error, "claiming jobs failed");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = shutdown.soft() => {}
            () = engine.wake.notified() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// What both clocks showed.
struct Time {
    unix_millis: i64,
    monotonic: Duration,
}

impl Time {
    fn of(clock: &dyn Clock) -> Self {
        Self { unix_millis: signed_millis(clock.unix_millis()), monotonic: clock.monotonic() }
    }

    /// By how many milliseconds the clock was set back until `later`.
    fn set_back(&self, later: &Self) -> i64 {
        let passed = later.monotonic.saturating_sub(self.monotonic).as_millis();
        let shown = later.unix_millis.saturating_sub(self.unix_millis);
        i64::try_from(passed).unwrap_or(i64::MAX).saturating_sub(shown)
    }
}

/// A clock that was ahead and is set right leaves times behind that lie in the future: nobody shall wait for them.
async fn look_at_the_clock(engine: &Engine, time: &mut Time) {
    let now = Time::of(&*engine.clock);
    let by = time.set_back(&now);
    if by >= SET_BACK {
        tracing::warn!(by_seconds = by / 1_000, "the clock was set back");
        if let Err(error) = engine.store.set_back(now.unix_millis, by, now.unix_millis).await {
            tracing::error!(%error, "what was written by the wrong time stays as it is for now");
            return;
        }
    }
    *time = now;
}

/// Renews the leases of everything under way, at a third of their length.
pub(super) async fn renew_leases(engine: Arc<Engine>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.soft() => return,
            () = tokio::time::sleep(engine.config.lease / 3) => {}
        }
        let held = engine.leases.held();
        if held.is_empty() {
            continue;
        }
        if let Err(error) = engine.store.renew_leases(held, engine.lease_until()).await {
            tracing::error!(%error, "renewing leases failed");
        }
    }
}

/// Claims as many jobs as there are free slots and returns how long to sleep.
async fn claim(
    engine: &Arc<Engine>,
    slots: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Result<Duration, crate::store::StoreError> {
    loop {
        let free = slots.available_permits().min(CLAIM_AT_ONCE);
        if free == 0 {
            // A job that ends wakes this loop.
            return Ok(MAX_SLEEP);
        }
        // Claiming is a flush to disk; looking first is not.
        let now = engine.now();
        match engine.store.next_due().await? {
            None => return Ok(MAX_SLEEP),
            Some(due) if due > now => {
                let wait = u64::try_from(due - now).unwrap_or(u64::MAX);
                return Ok(Duration::from_millis(wait).min(MAX_SLEEP));
            }
            Some(_) => {}
        }
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let claimed = engine.store.claim_jobs(now, engine.lease_until(), limit).await?;
        if claimed.is_empty() {
            return Ok(AFTER_ERROR);
        }
        for claimed in claimed {
            // This loop alone takes permits, so one is free for each job that was claimed.
            let Ok(slot) = slots.clone().try_acquire_owned() else { return Ok(MAX_SLEEP) };
            shutdown.spawn(work(engine.clone(), claimed, slot, shutdown.clone()));
        }
    }
}

async fn work(engine: Arc<Engine>, claimed: Claimed, slot: OwnedSemaphorePermit, shutdown: Shutdown) {
    let (id, attempt) = (claimed.job.id, claimed.job.attempt);
    let failures = claimed.failures;
    let lost = Arc::<Notify>::default();
    let execution = Execution::new(engine.clone(), claimed, shutdown.clone(), lost.clone());
    let span = tracing::info_span!("job", job.id = %id, job.attempt = attempt);
    // A task of its own, so that a panic ends one attempt and not the engine.
    let work = shutdown.spawn(execution.run().instrument(span));
    let lease = engine.leases.hold(id, attempt, work.abort_handle(), lost);
    let ended = work.await;
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!(job.id = %id, "an attempt panicked; the job goes back to the queue");
        put_back(&engine, id, attempt, failures).await;
    }
    drop(lease);
    drop(slot);
    engine.wake.notify_one();
}

async fn put_back(engine: &Engine, id: JobId, attempt: i64, failures: i64) {
    let run_after = engine.now().saturating_add(engine.pause_millis(failures));
    // The row may be further than what was claimed, so its state is left alone: whoever comes next goes on from it.
    if let Err(error) = engine.store.postpone(id, attempt, run_after).await {
        tracing::error!(job.id = %id, %error, "putting a job back failed; its lease will run out");
    }
}

impl Engine {
    fn lease_until(&self) -> i64 {
        let lease = u64::try_from(self.config.lease.as_millis()).unwrap_or(u64::MAX);
        signed_millis(self.clock.unix_millis().saturating_add(lease))
    }
}
