//! Finding out what became of a create.

use std::sync::Arc;

use crate::config::Ambiguous;
use crate::domain::{Failure, JobState};
use crate::providers::{Found, ProviderError, Route};

use super::upstream::Sent;
use super::{Execution, Stop};

/// Creates that are repeated although nobody can say whether the one before has arrived, for one payment.
const MAX_BLIND_REPEATS: i64 = 1;

/// How long ago a create went out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Just now.
    Fresh,
    /// In an earlier attempt.
    Settled,
}

impl Execution {
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
    pub(super) async fn resolve(&mut self, route: &Arc<Route>, seq: i64, sent: &Sent, age: Age) -> Result<(), Stop> {
        // A webhook may have told more than a look-up can.
        let hint = self.engine.store.dispatch(self.job.id, seq).await?.and_then(|dispatch| dispatch.upstream_id);
        if let Some(upstream_id) = hint {
            return self.started(seq, upstream_id).await;
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
