//! One attempt at one job: from the step that the row names to the end, or to the next reason to wait.
//!
//! Crash rules, one a step:
//!
//! - `queued`: nothing was sent. The next claimer submits.
//! - `dispatching(seq)`: written before the create goes out, so a create may have arrived. Look it up by its key before
//!   anything is sent again.
//! - `running(upstream id)`: poll on.
//! - `storing`: fetch again, under a new name.
//!
//! Every write is fenced by the lease: when it changes no row, somebody else has the job, and this attempt stops.

mod dispatch;
mod store_result;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::{Delivery, Failed, IllegalTransition, Job};
use crate::domain::{Failure, JobState};
use crate::providers::{ProviderError, Route, Task};
use crate::shutdown::Shutdown;
use crate::store::{Claimed, Outcome, StoreError};

use super::redeem::RedeemError;
use super::{Engine, JobView};

/// One attempt at one job.
pub(super) struct Execution {
    engine: Arc<Engine>,
    job: Job,
    failures: i64,
    shutdown: Shutdown,
}

/// Why an attempt ends before the job does.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// The job went back to the queue, or has ended: nothing is left to do.
    #[error("done")]
    Done,
    /// Another lease has begun.
    #[error("the lease was lost")]
    LeaseLost,
    /// The gateway stops.
    #[error("shutting down")]
    Shutdown,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Input(#[from] RedeemError),
    #[error(transparent)]
    State(#[from] IllegalTransition),
}

impl Execution {
    pub(super) fn new(engine: Arc<Engine>, claimed: Claimed, shutdown: Shutdown) -> Self {
        Self { engine, job: claimed.job, failures: claimed.failures, shutdown }
    }

    /// Works until the job ends or has to wait.
    pub(super) async fn run(mut self) {
        // Progress has a place to stand for as long as somebody works on the job.
        let engine = self.engine.clone();
        let _place = engine.waiters.subscribe(self.job.id);
        let stop = loop {
            if let Err(stop) = self.step().await {
                break stop;
            }
        };
        match stop {
            Stop::Done => {}
            Stop::LeaseLost => tracing::warn!(job.id = %self.job.id, "the lease was lost; somebody else has the job"),
            Stop::Shutdown => self.give_back(self.engine.now()).await,
            Stop::Store(_) | Stop::Input(_) | Stop::State(_) => {
                tracing::error!(job.id = %self.job.id, error = %stop, "an attempt was cut short");
                let later = self.engine.now().saturating_add(self.engine.pause_millis(self.failures));
                self.give_back(later).await;
                self.tell_if_ended().await;
            }
        }
    }

    /// A write that reported an error may have ended the job all the same; its waiters must not wait in vain.
    async fn tell_if_ended(&mut self) {
        if let Ok(Some(job)) = self.engine.store.job_by_payment(self.job.payment_hash).await
            && job.state.is_terminal()
        {
            self.engine.finished.remember(&job);
            self.job = job;
            self.publish(None);
        }
    }

    async fn step(&mut self) -> Result<(), Stop> {
        if self.shutdown.is_soft() {
            return Err(Stop::Shutdown);
        }
        if self.is_overdue() {
            return self.expire().await;
        }
        match self.job.state.clone() {
            JobState::Queued => self.dispatch().await,
            JobState::Dispatching { seq, provider } => self.look_up(seq, &provider).await,
            JobState::Running(upstream) => self.watch(&upstream).await,
            JobState::Storing(upstream) => self.store_result(&upstream).await,
            JobState::Succeeded(_) | JobState::Failed(_) => Err(Stop::Done),
        }
    }

    /// The deadline has passed: owe, and stop what runs upstream.
    async fn expire(&mut self) -> Result<(), Stop> {
        let left = self.job.state.clone();
        let ended = self.fail(Failure::DeadlineExceeded).await;
        match left {
            JobState::Running(upstream) | JobState::Storing(upstream) => match self.route(&upstream.provider) {
                Some(route) => self.cancel_after(ended, &route, &upstream.id).await,
                None => ended,
            },
            JobState::Dispatching { seq, provider } => self.cancel_found(ended, seq, &provider).await,
            JobState::Queued | JobState::Succeeded(_) | JobState::Failed(_) => ended,
        }
    }

    /// Writes the next open state down.
    async fn save(&mut self, state: JobState) -> Result<(), Stop> {
        if !self.engine.store.save_state(self.job.id, self.job.attempt, state.clone()).await? {
            return Err(Stop::LeaseLost);
        }
        if let JobState::Dispatching { seq, .. } = &state {
            self.job.dispatches = *seq;
        }
        self.job.state = state;
        self.publish(None);
        Ok(())
    }

    /// Back to the queue in `state`, for after a pause.
    async fn retry_later(&mut self, state: JobState, asked: Option<Duration>) -> Result<(), Stop> {
        let asked = asked.map_or(0, |asked| i64::try_from(asked.as_millis()).unwrap_or(i64::MAX));
        let pause = self.engine.pause_millis(self.failures).max(asked);
        // A pause beyond the deadline would only delay the news.
        let run_after = self.engine.now().saturating_add(pause).min(self.job.deadline_at.saturating_add(1));
        if !self.engine.store.requeue(&self.job, state.clone(), run_after).await? {
            return Err(Stop::LeaseLost);
        }
        metrics::counter!("satforge_job_retries_total", "service" => self.service()).increment(1);
        self.job.state = state;
        self.publish(None);
        Err(Stop::Done)
    }

    async fn fail(&mut self, failure: Failure) -> Result<(), Stop> {
        let failed = Failed { failure, finished_at: self.engine.now() };
        let state = self.job.state.clone().fail(failed)?;
        let owed = Outcome::Owed { failed, payment_hash: self.job.payment_hash, amount: self.job.amount };
        self.finish(state, owed).await
    }

    async fn succeed(&mut self, delivery: Delivery) -> Result<(), Stop> {
        let state = self.job.state.clone().succeed(delivery.clone())?;
        self.finish(state, Outcome::Delivered(delivery)).await
    }

    async fn finish(&mut self, state: JobState, outcome: Outcome) -> Result<(), Stop> {
        if !self.engine.store.finish(self.job.id, self.job.attempt, outcome).await? {
            return Err(Stop::LeaseLost);
        }
        self.job.state = state;
        self.engine.finished.remember(&self.job);
        self.publish(None);
        self.engine.account(&self.job);
        // A crash before this leaves a file that the next start sweeps.
        if let Err(error) = self.engine.artifacts.delete_input(&self.job.id.to_string()).await {
            tracing::warn!(job.id = %self.job.id, %error, "deleting the input failed");
        }
        Err(Stop::Done)
    }

    fn publish(&self, progress: Option<f32>) {
        self.engine.waiters.publish(JobView { job: self.job.clone(), progress });
    }

    async fn give_back(&self, run_after: i64) {
        if let Err(error) = self.engine.store.postpone(self.job.id, self.job.attempt, run_after).await {
            tracing::error!(job.id = %self.job.id, %error, "giving a lease back failed; it will run out");
        }
    }

    /// Tells the provider that nobody needs this any more, once the attempt has `ended` with all written down: whoever
    /// waits must not wait for this too, and whoever has lost the lease must not take the generation from whoever has
    /// it now. It costs nothing but storage if it fails.
    async fn discard_after(&self, ended: Result<(), Stop>, route: &Route, upstream_id: &str) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done)) {
            let discarded = self.call(route, "discard", route.provider().discard(&Task { id: upstream_id })).await;
            if let Err(error) = discarded {
                tracing::debug!(job.id = %self.job.id, %error, "discarding upstream failed");
            }
        }
        ended
    }

    /// Like [`Execution::discard_after`], for a generation that may be under way.
    async fn cancel_after(&self, ended: Result<(), Stop>, route: &Route, upstream_id: &str) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done)) {
            self.cancel(route, upstream_id).await;
        }
        ended
    }

    async fn cancel(&self, route: &Route, upstream_id: &str) {
        if let Err(error) = self.call(route, "cancel", route.provider().cancel(&Task { id: upstream_id })).await {
            tracing::warn!(job.id = %self.job.id, %error, "cancelling upstream failed; it may cost all the same");
        }
    }

    /// Every call to a provider has a timeout and is measured.
    async fn call<T>(
        &self,
        route: &Route,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let began = tokio::time::Instant::now();
        let answer = tokio::time::timeout(self.engine.config.provider_timeout, call).await;
        let name = route.name().to_owned();
        metrics::histogram!("satforge_provider_seconds", "provider" => name, "operation" => operation)
            .record(began.elapsed().as_secs_f64());
        answer.unwrap_or_else(|_| Err(ProviderError::Ambiguous("no answer within the timeout".into())))
    }

    fn route(&self, name: &str) -> Option<Arc<Route>> {
        self.engine.providers.by_name(self.job.binding.service, name).cloned()
    }

    fn is_overdue(&self) -> bool {
        self.engine.now() > self.job.deadline_at
    }

    fn service(&self) -> &'static str {
        self.job.binding.service.name()
    }
}
