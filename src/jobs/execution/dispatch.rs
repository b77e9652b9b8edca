//! Sending a create, and finding out what became of one.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Failure, JobSpec, JobState};
use crate::providers::{Ending, Found, Health, Order, ProviderError, Route};

use super::{Execution, Stop};

/// Creates that may have cost something, for one payment. After that many the job fails and is owed back.
const MAX_DISPATCHES: i64 = 5;

/// Creates that are repeated although nobody can say whether the one before has arrived, for one payment.
const MAX_BLIND_REPEATS: i64 = 1;

/// How long ago a create went out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Just now.
    Fresh,
    /// In an earlier attempt.
    Settled,
}

/// Where a create may go. A route that a fault of the operator's has closed comes last: nothing more is sold for it, but
/// what is paid is still tried, because the fault may have been mended.
fn candidates(routes: &[Arc<Route>]) -> Vec<&Arc<Route>> {
    let open = routes.iter().filter(|route| route.health() == Health::Open);
    let faulty = routes.iter().filter(|route| matches!(route.health(), Health::Faulty(_)));
    open.chain(faulty).collect()
}

/// What became of a create.
enum Created {
    /// The job has left the queue.
    Settled,
    /// Surely nothing was started; the provider may have asked for a pause.
    NotStarted(Option<Duration>),
}

impl Execution {
    /// `queued`: the first route that is open and does not surely refuse.
    pub(super) async fn dispatch(&mut self) -> Result<(), Stop> {
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        if self.job.dispatches >= MAX_DISPATCHES {
            tracing::error!(job.id = %self.job.id, job.dispatches = self.job.dispatches, "no create brought a result");
            return self.fail(Failure::GenerationFailed).await;
        }
        let routes: Vec<_> = self.engine.providers.for_service(self.job.binding.service).cloned().collect();
        let mut pause = None;
        for route in candidates(&routes) {
            match self.create(route, &spec).await? {
                Created::Settled => return Ok(()),
                Created::NotStarted(asked) => pause = pause.max(asked),
            }
        }
        // What a fault of the operator's has closed stays so until somebody mends it: too long to wait.
        if routes.iter().all(|route| matches!(route.health(), Health::Faulty(_))) {
            return self.fail(Failure::OperatorFault).await;
        }
        self.retry_later(JobState::Queued, pause).await
    }

    /// Intent first, then the create, then the provider's id.
    async fn create(&mut self, route: &Arc<Route>, spec: &JobSpec) -> Result<Created, Stop> {
        let seq = self.job.dispatches.saturating_add(1);
        self.save(self.job.state.clone().dispatch(seq, route.name().to_owned())?).await?;
        let key = self.key(seq);
        let answer = self.call(route, "submit", route.provider().submit(&Order { key: &key, spec })).await;
        metrics::counter!("satforge_dispatches_total", "provider" => route.name().to_owned()).increment(1);
        let settled = match answer {
            Ok(upstream_id) => {
                route.took();
                self.save(self.job.state.clone().run(upstream_id)?).await
            }
            Err(ProviderError::NotStarted { message, retry_after }) => {
                tracing::warn!(job.id = %self.job.id, route = route.name(), %message, "a create was not started");
                route.stumbled(&message);
                // It cost nothing, so it does not count.
                self.job.dispatches = seq.saturating_sub(1);
                return Ok(Created::NotStarted(retry_after));
            }
            Err(ProviderError::OperatorFault(message)) => {
                tracing::error!(job.id = %self.job.id, route = route.name(), %message, "the account is refused");
                route.refused(&message);
                self.job.dispatches = seq.saturating_sub(1);
                return Ok(Created::NotStarted(None));
            }
            Err(ProviderError::Refused(ending)) => self.end(ending).await,
            Err(error @ (ProviderError::Ambiguous(_) | ProviderError::Transient(_) | ProviderError::Unknown)) => {
                tracing::warn!(job.id = %self.job.id, route = route.name(), %error,
                    "a create may have arrived; looking it up");
                route.stumbled(&error.to_string());
                self.resolve(route, seq, Age::Fresh).await
            }
        };
        settled.map(|()| Created::Settled)
    }

    /// `dispatching`, found in the row: an earlier attempt stopped between intent and answer.
    pub(super) async fn look_up(&mut self, seq: i64, route: &str) -> Result<(), Stop> {
        match self.route(route) {
            Some(route) => self.resolve(&route, seq, Age::Settled).await,
            // The operator has removed the route: what it may have started cannot be found out any more.
            None => self.retry_later(JobState::Queued, None).await,
        }
    }

    /// Looks for the create before anything is sent again.
    async fn resolve(&mut self, route: &Arc<Route>, seq: i64, age: Age) -> Result<(), Stop> {
        let key = self.key(seq);
        match self.call(route, "find", route.provider().find(&key)).await {
            Ok(Found::Started(upstream_id)) => self.save(self.job.state.clone().run(upstream_id)?).await,
            // It may still be on its way: only a later look can say that it did not arrive.
            Ok(Found::Nothing) if age == Age::Fresh => self.retry_later(self.job.state.clone(), None).await,
            Ok(Found::Nothing) => self.save(self.job.state.clone().requeue()?).await,
            // Nobody will ever know. Once more, at the operator's cost, and then the money goes back.
            Ok(Found::Unknowable) if seq <= MAX_BLIND_REPEATS => self.retry_later(JobState::Queued, None).await,
            Ok(Found::Unknowable) => self.fail(Failure::GenerationFailed).await,
            Err(error) => {
                tracing::warn!(job.id = %self.job.id, %error, "looking a create up failed");
                self.retry_later(self.job.state.clone(), None).await
            }
        }
    }

    /// The provider's last word.
    pub(super) async fn end(&mut self, ending: Ending) -> Result<(), Stop> {
        match ending {
            Ending::Transient => self.retry_later(JobState::Queued, None).await,
            Ending::Failed => self.fail(Failure::GenerationFailed).await,
            Ending::Rejected => self.fail(Failure::ContentRejected).await,
        }
    }

    /// Like [`Execution::cancel_after`], for a create that may have arrived.
    pub(super) async fn cancel_found(&self, ended: Result<(), Stop>, seq: i64, route: &str) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done))
            && let Some(route) = self.route(route)
            && let Ok(Found::Started(id)) = self.call(&route, "find", route.provider().find(&self.key(seq))).await
        {
            self.cancel(&route, &id).await;
        }
        ended
    }

    /// The idempotency key: one for each create that is meant.
    fn key(&self, seq: i64) -> String {
        format!("{}.{seq}", self.job.id)
    }
}
