//! Stopping in two stages: first politely, then at once.
//!
//! *Soft*: no new connections, waiters are answered with where to poll, workers give their leases back. *Hard*: what is
//! still running after the grace period is dropped. Nothing is lost by it: every step of a job is on disk.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The stages, and the tasks that a stop waits for; cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Starts a task that a stop waits for, and that the second stage drops.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        #[expect(clippy::disallowed_methods, reason = "this is the tracker")]
        tokio::spawn(self.tasks.track_future(async move {
            tokio::select! {
                () = task => {}
                () = hard.cancelled() => {}
            }
        }))
    }

    /// Returns when the first stage begins.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Whether the first stage has begun.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Begins the first stage.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Stops: both stages, with `grace` between them. Returns when every task has ended.
    pub async fn stop(&self, grace: Duration) {
        self.soft.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "tasks are still running; dropping them");
            self.hard.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Listens for signals from now on, and returns what waits until the process is asked to stop: by SIGTERM, or by Ctrl-C.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn polite_tasks_end_by_themselves_and_others_are_dropped() {
        let shutdown = Shutdown::default();
        let (soft, mut ended) = (shutdown.clone(), tokio::sync::mpsc::channel::<()>(1));
        let sender = ended.0.clone();
        shutdown.spawn(async move {
            soft.soft().await;
            let _ = sender.send(()).await;
        });
        shutdown.spawn(std::future::pending());
        shutdown.stop(Duration::from_secs(1)).await;
        assert!(ended.1.try_recv().is_ok());
        assert!(shutdown.is_soft());
    }
}
