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
mod look_up;
mod store_result;
mod upstream;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::{Delivery, Failed, IllegalTransition, Job};
use crate::domain::{Failure, JobState};
use crate::providers::{Route, Seat};
use crate::shutdown::Shutdown;
use crate::store::{Claimed, NewDispatch, Outcome, StoreError};

use super::redeem::RedeemError;
use super::{Engine, JobView, News};
use upstream::Sent;

/// One attempt at one job.
pub(super) struct Execution {
    engine: Arc<Engine>,
    job: Job,
    failures: i64,
    shutdown: Shutdown,
    /// A place at the route that works for this job.
    seat: Option<Seat>,
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

/// How a job goes back to the queue.
struct Requeue {
    state: JobState,
    /// Milliseconds.
    pause: i64,
    is_failure: bool,
}

impl Execution {
    pub(super) fn new(engine: Arc<Engine>, claimed: Claimed, shutdown: Shutdown) -> Self {
        Self { engine, job: claimed.job, failures: claimed.failures, shutdown, seat: None }
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
            self.publish(News::default());
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
        // Ending the job deletes its input, without which a create cannot be looked for.
        let trace = match &left {
            // Cancelling costs less than the caller's money: it must not stand in the way.
            JobState::Dispatching { seq, provider } => self.trace(*seq, provider).await.unwrap_or_else(|error| {
                tracing::error!(job.id = %self.job.id, %error, "a create cannot be looked for");
                None
            }),
            _ => None,
        };
        let ended = self.fail(Failure::DeadlineExceeded).await;
        match left {
            JobState::Running(upstream) | JobState::Storing(upstream) => match self.route(&upstream.provider) {
                Some(route) => self.cancel_after(ended, &self.generation(&route, &upstream.id)).await,
                None => ended,
            },
            JobState::Dispatching { .. } => self.cancel_found(ended, trace).await,
            JobState::Queued | JobState::Succeeded(_) | JobState::Failed(_) => ended,
        }
    }

    /// Writes down that a create is about to go out.
    async fn begin(&mut self, route: &Route, seq: i64, sent: &Sent) -> Result<(), Stop> {
        let (name, account) = (route.name().to_owned(), route.settings().provider.clone());
        let state = self.job.state.clone().dispatch(seq, name.clone())?;
        let new = NewDispatch { seq, route: name, account, sent_at: sent.at, words: sent.words.clone() };
        if !self.engine.store.begin_dispatch(self.job.id, self.job.attempt, new).await? {
            return Err(Stop::LeaseLost);
        }
        self.job.dispatches = seq;
        self.entered(state);
        Ok(())
    }

    /// Writes down what finds the generation again.
    async fn started(&mut self, seq: i64, upstream_id: String) -> Result<(), Stop> {
        let state = self.job.state.clone().run(upstream_id)?;
        let JobState::Running(upstream) = &state else { return Ok(()) };
        if !self.engine.store.note_started(self.job.id, self.job.attempt, seq, upstream.clone()).await? {
            return Err(Stop::LeaseLost);
        }
        self.entered(state);
        Ok(())
    }

    fn entered(&mut self, state: JobState) {
        self.job.state = state;
        self.publish(News::default());
    }

    /// Writes the next open state down.
    async fn save(&mut self, state: JobState) -> Result<(), Stop> {
        if !self.engine.store.save_state(self.job.id, self.job.attempt, state.clone()).await? {
            return Err(Stop::LeaseLost);
        }
        self.entered(state);
        Ok(())
    }

    /// Back to the queue in `state`, for after a pause.
    async fn retry_later(&mut self, state: JobState, asked: Option<Duration>) -> Result<(), Stop> {
        // A part of a millisecond is one: whoever comes too early would have to wait again.
        let asked = asked.map_or(0, |asked| i64::try_from(asked.as_millis()).unwrap_or(i64::MAX).saturating_add(1));
        let pause = self.engine.pause_millis(self.failures).max(asked);
        metrics::counter!("satforge_job_retries_total", "service" => self.service()).increment(1);
        self.back_to_queue(Requeue { state, pause, is_failure: true }).await
    }

    /// Back to the queue until a place may have become free: nothing has failed.
    async fn wait_for_a_place(&mut self) -> Result<(), Stop> {
        let pause = i64::try_from(self.engine.config.poll_interval.as_millis()).unwrap_or(i64::MAX);
        self.back_to_queue(Requeue { state: JobState::Queued, pause, is_failure: false }).await
    }

    async fn back_to_queue(&mut self, Requeue { state, pause, is_failure }: Requeue) -> Result<(), Stop> {
        // A pause beyond the deadline would only delay the news.
        let run_after = self.engine.now().saturating_add(pause).min(self.job.deadline_at.saturating_add(1));
        if !self.engine.store.requeue(&self.job, state.clone(), run_after, is_failure).await? {
            return Err(Stop::LeaseLost);
        }
        self.job.state = state;
        self.publish(News::default());
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
        self.publish(News::default());
        self.engine.account(&self.job);
        // A crash before this leaves a file that the next start sweeps.
        if let Err(error) = self.engine.artifacts.delete_input(&self.job.id.to_string()).await {
            tracing::warn!(job.id = %self.job.id, %error, "deleting the input failed");
        }
        Err(Stop::Done)
    }

    fn publish(&self, news: News) {
        self.engine.waiters.publish(JobView { job: self.job.clone(), news });
    }

    async fn give_back(&self, run_after: i64) {
        if let Err(error) = self.engine.store.postpone(self.job.id, self.job.attempt, run_after).await {
            tracing::error!(job.id = %self.job.id, %error, "giving a lease back failed; it will run out");
        }
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
