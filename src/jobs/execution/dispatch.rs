//! Sending a create, and finding out what became of one.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Ambiguous;
use crate::domain::{Failure, JobSpec, JobState};
use crate::planted::{self, Bug};
use crate::providers::{Ending, Found, Health, ProviderError, Route};

use super::upstream::Sent;
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
    /// All of the route's places are taken: nothing was sent.
    Full,
}

impl Execution {
    /// `queued`: the first route that is open and does not surely refuse.
    pub(super) async fn dispatch(&mut self) -> Result<(), Stop> {
        let routes: Vec<_> = self.engine.providers.for_service(self.job.binding.service).cloned().collect();
        let open = candidates(&routes);
        // Whoever waits for a place reads nothing meanwhile: an image may have many megabytes.
        if !open.is_empty() && open.iter().all(|route| route.seats().is_full()) {
            return self.wait_for_a_place(None).await;
        }
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        if self.job.dispatches >= MAX_DISPATCHES {
            tracing::error!(job.id = %self.job.id, job.dispatches = self.job.dispatches, "no create brought a result");
            return self.fail(Failure::GenerationFailed).await;
        }
        let routes: Vec<_> = routes.into_iter().filter(|route| route.takes(&spec)).collect();
        let mut pause = None;
        // What was sold at the price of a route that is full does not go a dearer way.
        let mut dearest = None;
        for route in candidates(&routes) {
            let factor = route.settings().price_factor;
            if dearest.is_some_and(|dearest| factor > dearest) {
                continue;
            }
            match self.create(route, spec.clone()).await? {
                Created::Settled => return Ok(()),
                Created::NotStarted(asked) => pause = pause.max(asked),
                Created::Full => dearest = Some(dearest.map_or(factor, |dearest: f64| dearest.min(factor))),
            }
        }
        // What a fault of the operator's has closed stays so until somebody mends it: too long to wait.
        if routes.iter().all(|route| matches!(route.health(), Health::Faulty(_))) {
            return self.fail(Failure::OperatorFault).await;
        }
        if dearest.is_some() {
            self.wait_for_a_place(pause).await
        } else {
            self.retry_later(JobState::Queued, pause).await
        }
    }

    /// Intent first, then the create, then the provider's id.
    async fn create(&mut self, route: &Arc<Route>, spec: JobSpec) -> Result<Created, Stop> {
        let Some(place) = route.seats().take() else { return Ok(Created::Full) };
        let engine = self.engine.clone();
        let _turn = match &spec {
            // A closed semaphore would mean that the gateway is no more.
            JobSpec::Model3d(_) => engine.uploads.acquire().await.ok(),
            JobSpec::Video(_) => None,
        };
        let (seq, sent_at) = (self.job.dispatches.saturating_add(1), self.engine.now());
        let Some(sent) = self.sent(route, seq, spec, sent_at) else {
            return Ok(Created::NotStarted(None));
        };
        self.begin(route, seq, sent_at).await?;
        self.seat = Some(place);
        let answer = self.call(route, "submit", route.provider().submit(&sent.order())).await;
        metrics::counter!("satforge_dispatches_total", "provider" => route.name().to_owned()).increment(1);
        let not_started = match answer {
            Ok(upstream_id) => {
                route.took();
                return self.started(seq, upstream_id).await.map(|()| Created::Settled);
            }
            Err(ProviderError::Refused(ending)) => return self.end(ending).await.map(|()| Created::Settled),
            Err(ProviderError::NotStarted { message, retry_after }) => {
                tracing::warn!(job.id = %self.job.id, route = route.name(), %message, "a create was not started");
                route.stumbled(&message);
                retry_after
            }
            Err(ProviderError::Busy { retry_after }) => {
                tracing::info!(job.id = %self.job.id, route = route.name(), "the provider has no room");
                route.had_no_room(retry_after);
                retry_after
            }
            Err(ProviderError::OperatorFault(message)) => {
                tracing::error!(job.id = %self.job.id, route = route.name(), %message, "the account is refused");
                route.refused(&message);
                None
            }
            Err(error) => {
                tracing::warn!(job.id = %self.job.id, route = route.name(), %error,
                    "a create may have arrived; looking it up");
                // Once a job: whoever asks for what breaks a provider must not close the shop alone.
                if seq == 1 {
                    route.stumbled(&error.to_string());
                }
                return self.resolve(route, seq, &sent, Age::Fresh).await.map(|()| Created::Settled);
            }
        };
        // It cost nothing, so it does not count.
        self.job.dispatches = seq.saturating_sub(1);
        self.seat = None;
        Ok(Created::NotStarted(not_started))
    }

    /// `dispatching`, found in the row: an earlier attempt stopped between intent and answer.
    pub(super) async fn look_up(&mut self, seq: i64, route: &str) -> Result<(), Stop> {
        // What a route that was removed or changed may have started cannot be found out any more.
        let Some(route) = self.route(route) else { return self.unknowable(seq, Ambiguous::Again).await };
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        let sent_at = self.sent_at().await?;
        let Some(sent) = self.sent(&route, seq, spec, sent_at) else {
            return self.unknowable(seq, route.settings().ambiguous).await;
        };
        self.seat = Some(route.seats().take_anyway());
        self.resolve(&route, seq, &sent, Age::Settled).await
    }

    /// Looks for the create before anything is sent again.
    async fn resolve(&mut self, route: &Arc<Route>, seq: i64, sent: &Sent, age: Age) -> Result<(), Stop> {
        // A webhook may have told more than a look-up can.
        let hint = self.engine.store.dispatch(self.job.id, seq).await?.and_then(|dispatch| dispatch.upstream_id);
        if let Some(upstream_id) = hint {
            return self.started(seq, upstream_id).await;
        }
        if planted::is(Bug::DoubleDispatch) {
            return self.save(self.job.state.clone().requeue()?).await;
        }
        let found = self.call(route, "find", route.provider().find(&sent.order())).await;
        match self.first_free(route, found).await? {
            Ok(Found::Started(upstream_id)) => self.started(seq, upstream_id).await,
            // It may still be on its way: only a later look can say that it did not arrive.
            Ok(Found::Nothing | Found::Among(_)) if age == Age::Fresh => {
                self.retry_later(self.job.state.clone(), None).await
            }
            Ok(Found::Nothing | Found::Among(_)) => self.save(self.job.state.clone().requeue()?).await,
            Ok(Found::Unknowable) => self.unknowable(seq, route.settings().ambiguous).await,
            Err(error) => {
                tracing::warn!(job.id = %self.job.id, %error, "looking a create up failed");
                self.retry_later(self.job.state.clone(), None).await
            }
        }
    }

    /// Nobody will ever know whether the create number `seq` has arrived. Once more, at the operator's cost, if they want
    /// that, and then the money goes back.
    async fn unknowable(&mut self, seq: i64, policy: Ambiguous) -> Result<(), Stop> {
        match policy {
            Ambiguous::Again if seq <= MAX_BLIND_REPEATS => self.retry_later(JobState::Queued, None).await,
            Ambiguous::Again | Ambiguous::Refund => self.fail(Failure::GenerationFailed).await,
        }
    }

    /// Of several generations that a create may have started, the first that belongs to no other create of ours.
    async fn first_free(
        &self,
        route: &Route,
        found: Result<Found, ProviderError>,
    ) -> Result<Result<Found, ProviderError>, Stop> {
        let Ok(Found::Among(ids)) = &found else { return Ok(found) };
        for id in ids {
            if !self.engine.store.is_upstream_taken(&route.settings().provider, id).await? {
                return Ok(Ok(Found::Started(id.clone())));
            }
        }
        Ok(Ok(Found::Nothing))
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
    pub(super) async fn cancel_found(
        &self,
        ended: Result<(), Stop>,
        sent: Option<Sent>,
        route: &str,
    ) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done))
            && let (Some(sent), Some(route)) = (sent, self.route(route))
            && let Ok(Found::Started(id)) = self.call(&route, "find", route.provider().find(&sent.order())).await
        {
            return self.cancel_after(ended, &self.generation(&route, &id)).await;
        }
        ended
    }
}
