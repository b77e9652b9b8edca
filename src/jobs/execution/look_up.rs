//! Finding out what became of a create.

use std::sync::Arc;

use crate::config::Ambiguous;
use crate::domain::{Failure, JobState};
use crate::planted::{self, Bug};
use crate::providers::{Found, ProviderError, Route};

use super::upstream::{Generation, Sent};
use super::{Execution, Stop};

/// The last create of a job's run, by its number within it, that is repeated although nobody can say whether it has arrived. Any
/// later one comes after one that may have cost something and brought nothing: that is enough.
const LAST_REPEATED_BLINDLY: i64 = 1;

/// What not to find a create means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// It went out just now and may be on its way.
    Fresh,
    /// It went out in an earlier attempt and has not arrived.
    Settled,
    /// Nothing: it went out in other words than those that it can be looked for in now.
    Reworded,
}

/// What finds a create again that may have arrived.
pub(super) enum Trace {
    /// The generation of which a webhook has told.
    Told(Generation),
    /// What was sent.
    Sent(Sent),
}

impl Execution {
    /// `dispatching`, found in the row: an earlier attempt stopped between intent and answer.
    pub(super) async fn look_up(&mut self, seq: i64, route: &str) -> Result<(), Stop> {
        // What a route that was removed or changed may have started cannot be found out any more.
        let Some(route) = self.route(route) else { return self.unknowable(seq, Ambiguous::Again).await };
        let intent = self.intent(seq).await?;
        // A webhook may have told more than a look-up can.
        if let Some(upstream_id) = intent.upstream_id {
            return self.started(seq, upstream_id).await;
        }
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        let Some(sent) = self.sent(&route, seq, spec, intent.sent_at) else {
            return self.unknowable(seq, route.settings().ambiguous).await;
        };
        self.seat = Some(route.seats().take_anyway());
        let is_reworded = intent.words.is_some_and(|words| words != sent.words);
        let absence = if is_reworded { Absence::Reworded } else { Absence::Settled };
        self.resolve(&route, seq, &sent, absence).await
    }

    /// Looks for the create before anything is sent again.
    pub(super) async fn resolve(
        &mut self,
        route: &Arc<Route>,
        seq: i64,
        sent: &Sent,
        absence: Absence,
    ) -> Result<(), Stop> {
        if let Some(upstream_id) = self.intent(seq).await?.upstream_id {
            return self.started(seq, upstream_id).await;
        }
        if planted::is(Bug::DoubleDispatch) {
            return self.save(self.job.state.clone().requeue()?).await;
        }
        let found = match self.call(route, "find", route.provider().find(&sent.order())).await {
            Ok(Found::Nothing | Found::Among(_)) if absence == Absence::Reworded => {
                tracing::warn!(job.id = %self.job.id, route = route.name(),
                    "the route, the public URL or a key has changed since a create: nobody can say whether it arrived");
                Ok(Found::Unknowable)
            }
            found => found,
        };
        match self.first_free(route, found).await? {
            Ok(Found::Started(upstream_id)) => self.started(seq, upstream_id).await,
            // It may still be on its way: only a later look can say that it did not arrive.
            Ok(Found::Nothing | Found::Among(_)) if absence == Absence::Fresh => {
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
            Ambiguous::Again if self.job.create_of_this_run(seq) <= LAST_REPEATED_BLINDLY => {
                self.retry_later(JobState::Queued, None).await
            }
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

    /// What finds the create number `seq` again; `None`: nothing does any more.
    pub(super) async fn trace(&self, seq: i64, route: &str) -> Result<Option<Trace>, Stop> {
        let Some(route) = self.route(route) else { return Ok(None) };
        let intent = self.intent(seq).await?;
        if let Some(upstream_id) = intent.upstream_id {
            return Ok(Some(Trace::Told(self.generation(&route, &upstream_id))));
        }
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return Ok(None) };
        Ok(self.sent(&route, seq, spec, intent.sent_at).map(Trace::Sent))
    }

    /// Like [`Execution::cancel_after`], for a create that may have arrived. Of several that it may be, none is touched:
    /// another may be somebody else's.
    pub(super) async fn cancel_found(&self, ended: Result<(), Stop>, trace: Option<Trace>) -> Result<(), Stop> {
        if !matches!(ended, Err(Stop::Done)) {
            return ended;
        }
        match trace {
            Some(Trace::Told(generation)) => self.cancel_after(ended, &generation).await,
            Some(Trace::Sent(sent)) => {
                let route = &sent.route;
                match self.call(route, "find", route.provider().find(&sent.order())).await {
                    Ok(Found::Started(id)) => self.cancel_after(ended, &self.generation(route, &id)).await,
                    _ => ended,
                }
            }
            None => ended,
        }
    }
}
