//! What is deleted, and when: results after their retention, inputs of failed jobs that will not run again, leftovers of a
//! crash at the start.

use std::sync::Arc;
use std::time::Duration;

use crate::artifacts;
use crate::shutdown::Shutdown;

use super::{Engine, backoff};

/// The first pause after leftovers could not be swept; it doubles.
const SWEEP_AGAIN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Results deleted between two looks at the clock.
const BATCH: i64 = 100;

/// Sweeps until shutdown.
pub(super) async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    loop {
        sweep(&engine).await;
        tokio::select! {
            () = shutdown.soft() => return,
            () = tokio::time::sleep(engine.sweep_every) => {}
        }
    }
}

/// Deletes every result whose retention is over. Their rows stay: a payment hash is remembered for ever.
pub(super) async fn sweep(engine: &Engine) {
    sweep_inputs(engine).await;
    // While the storage is away every single one would fail.
    while engine.artifacts.is_reachable() {
        match sweep_batch(engine).await {
            Ok(swept) if swept > 0 => {
                tracing::info!(results = swept, "results deleted after their retention");
            }
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "sweeping results failed");
                return;
            }
        }
    }
}

/// Deletes the inputs of failed jobs whose refund was paid, or whose retention is over. The row goes first: a job without it
/// cannot be run once more, and a file that outlives it is swept at the next start.
async fn sweep_inputs(engine: &Engine) {
    while engine.artifacts.is_reachable() {
        let retention = i64::try_from(engine.retention.as_millis()).unwrap_or(i64::MAX);
        let spent = match engine.store.drop_spent_inputs(engine.now().saturating_sub(retention), BATCH).await {
            Ok(spent) if spent.is_empty() => return,
            Ok(spent) => spent,
            Err(error) => return tracing::error!(%error, "sweeping inputs failed"),
        };
        for (job, file) in &spent {
            let Some(file) = file else { continue };
            if let Err(error) = engine.artifacts.delete_input(file).await {
                tracing::error!(job.id = job, %error, "deleting an input failed");
            }
        }
        tracing::info!(inputs = spent.len(), "inputs of failed jobs deleted");
    }
}

/// Deletes what an earlier process began and did not finish, as soon as the storage can be reached.
pub(super) async fn sweep_after_crash(engine: Arc<Engine>, shutdown: Shutdown) {
    let sweep = async {
        let mut failures = 0;
        loop {
            engine.artifacts.wait_until_reachable().await;
            match sweep_leftovers(&engine).await {
                Ok(0) => return,
                Ok(files) => return tracing::info!(files, "leftovers of an earlier process deleted"),
                Err(error) => tracing::error!(error, "sweeping leftovers failed"),
            }
            failures += 1;
            let pause = backoff::pause(failures, SWEEP_AGAIN, LONGEST_PAUSE, rand::random());
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = shutdown.soft() => {}
        () = sweep => {}
    }
}

async fn sweep_leftovers(engine: &Engine) -> Result<usize, String> {
    let needed = engine.store.needed_input_files().await.map_err(|error| error.to_string())?;
    let known = |name: String| async move { engine.store.is_artifact_known(&name).await };
    let swept = artifacts::sweep_leftovers(&engine.artifacts, |file| needed.contains(file), known).await;
    swept.map_err(|error| error.to_string())
}

async fn sweep_batch(engine: &Engine) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let expired = engine.store.expired_results(engine.now(), BATCH).await?;
    let mut swept = Vec::with_capacity(expired.len());
    for result in expired {
        match engine.artifacts.delete_result(&result.artifact).await {
            Ok(()) => swept.push(result.job_id),
            // One file that cannot be deleted must not keep all the others.
            Err(error) => tracing::error!(job.id = result.job_id, %error, "deleting a result failed"),
        }
    }
    let count = swept.len();
    if count > 0 {
        engine.store.mark_swept(swept, engine.now()).await?;
    }
    Ok(count)
}
