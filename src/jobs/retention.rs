//! What is deleted, and when: results after their retention, leftovers of a crash at the start.

use std::sync::Arc;

use crate::artifacts;
use crate::shutdown::Shutdown;

use super::Engine;

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
    loop {
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

/// Deletes what an earlier process began and did not finish.
pub(super) async fn sweep_after_crash(engine: &Engine) {
    let swept = match engine.store.needed_input_files().await {
        Ok(needed) => {
            let known = |name: String| async move { engine.store.is_artifact_known(&name).await };
            artifacts::sweep_leftovers(&engine.artifacts, |file| needed.contains(file), known)
                .await
                .map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match swept {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "leftovers of an earlier process deleted"),
        Err(error) => tracing::error!(%error, "sweeping leftovers failed"),
    }
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
