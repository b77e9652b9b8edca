//! What becomes of jobs outside this process: the operator ends some and has others run once more, from a command line.
//!
//! Each write of a worker's is fenced, so nothing rests on this; it spares those who wait, and the provider, some time.

use std::sync::Arc;
use std::time::Duration;

use crate::shutdown::Shutdown;
use crate::store::StoreError;

use super::{Engine, JobView, News};

/// The pause between two looks at whether another process has written to the database: a look is no flush to disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks until shutdown.
pub(super) async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let mut seen = None;
    loop {
        tokio::select! {
            () = shutdown.soft() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // A look that goes well must not pass for a write that does.
        if !engine.store.is_writable() {
            continue;
        }
        match look(&engine, seen).await {
            Ok(version) => seen = Some(version),
            // Whoever writes next says why.
            Err(error) => tracing::debug!(%error, "the writes of others cannot be seen"),
        }
    }
}

async fn look(engine: &Engine, seen: Option<i64>) -> Result<i64, StoreError> {
    let version = engine.store.writes_of_others().await?;
    // The first look may come after a write already.
    if seen != Some(version) {
        catch_up(engine).await?;
    }
    Ok(version)
}

/// Tells those who wait for jobs, or work on them, what somebody else has made of these.
async fn catch_up(engine: &Engine) -> Result<(), StoreError> {
    engine.wake.notify_one();
    // Every callback that was written down is looked at.
    engine.calls_back.notify_one();
    for id in engine.waiters.jobs() {
        let Some(job) = engine.store.job(id).await? else { continue };
        engine.leases.end_before(id, job.attempt);
        if job.state.is_terminal() {
            engine.waiters.publish(JobView { job, news: News::default() });
        }
    }
    Ok(())
}
