//! Sending a create.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Failure, JobSpec, JobState};
use crate::providers::{Ending, Health, ProviderError, Route};

use super::look_up::Absence;
use super::{Execution, Stop};

/// Creates that may have cost something, for one payment. After that many the job fails and is owed back.
const MAX_DISPATCHES: i64 = 5;

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
    /// Surely nothing was started.
    NotStarted,
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
            return self.wait_for_a_place().await;
        }
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        if self.job.dispatches >= MAX_DISPATCHES {
            tracing::error!(job.id = %self.job.id, job.dispatches = self.job.dispatches, "no create brought a result");
            return self.fail(Failure::GenerationFailed).await;
        }
        let routes: Vec<_> = routes.into_iter().filter(|route| route.takes(&spec)).collect();
        if routes.is_empty() {
            tracing::error!(job.id = %self.job.id, "no route takes this request any more: the routes have changed since it was sold");
            return self.fail(Failure::NotRunnable).await;
        }
        // Until the first of them may take a create: one that asks for a pause keeps nobody from the others.
        let mut pause = None;
        let mut not_for = |left: Duration| pause = Some(pause.map_or(left, |pause: Duration| pause.min(left)));
        // What was sold at the price of a route that is full does not go a dearer way.
        let mut dearest = None;
        let (mut waiting, mut is_tried) = (Vec::new(), false);
        for route in candidates(&routes) {
            let factor = route.settings().price_factor;
            if dearest.is_some_and(|dearest| factor > dearest) {
                continue;
            }
            if let Some(left) = route.wait() {
                not_for(left);
                waiting.push((route, left));
                continue;
            }
            is_tried = true;
            match self.create(route, spec.clone()).await? {
                Created::Settled => return Ok(()),
                Created::NotStarted => not_for(route.wait().unwrap_or_default()),
                Created::Full => dearest = Some(dearest.map_or(factor, |dearest: f64| dearest.min(factor))),
            }
        }
        // What a fault of the operator's has closed stays so until somebody mends it: too long to wait.
        if routes.iter().all(|route| matches!(route.health(), Health::Faulty(_))) {
            return self.fail(Failure::OperatorFault).await;
        }
        // It has kept this job waiting as if it had been asked again. Who tries others meanwhile counts for nothing.
        for (route, left) in waiting.into_iter().filter(|_| !is_tried) {
            route.had_no_room(Some(left));
        }
        if dearest.is_some() { self.wait_for_a_place().await } else { self.retry_later(JobState::Queued, pause).await }
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
            return Ok(Created::NotStarted);
        };
        self.begin(route, seq, &sent).await?;
        self.seat = Some(place);
        let answer = self.call(route, "submit", route.provider().submit(&sent.order())).await;
        metrics::counter!("satforge_dispatches_total", "provider" => route.name().to_owned()).increment(1);
        let asked = match answer {
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
                return self.resolve(route, seq, &sent, Absence::Fresh).await.map(|()| Created::Settled);
            }
        };
        // It cost nothing, so it does not count.
        self.job.dispatches = seq.saturating_sub(1);
        self.seat = None;
        if let Some(asked) = asked {
            route.asked_to_wait(asked);
        }
        Ok(Created::NotStarted)
    }

    /// The provider's last word.
    pub(super) async fn end(&mut self, ending: Ending) -> Result<(), Stop> {
        match ending {
            Ending::Transient => self.retry_later(JobState::Queued, None).await,
            Ending::Perhaps if self.job.dispatches <= 1 => self.retry_later(JobState::Queued, None).await,
            Ending::Perhaps | Ending::Failed => self.fail(Failure::GenerationFailed).await,
            Ending::Rejected => self.fail(Failure::ContentRejected).await,
        }
    }
}
