//! Polling a provider until it is done.

use std::time::Duration;

use crate::config::CostRule;
use crate::domain::job::Upstream;
use crate::domain::{Failure, JobState};
use crate::providers::{Poll, ProviderError, Route};
use crate::store::Cost;

use super::super::{News, backoff};
use super::upstream::Generation;
use super::{Execution, Stop};

/// The least pause between two looks, however many webhooks come.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// Pauses differ by so much, so that jobs that began together do not ask together.
const JITTER: f64 = 0.2;

impl Execution {
    /// `running`: polls until there is news that changes the state.
    pub(super) async fn watch(&mut self, upstream: &Upstream) -> Result<(), Stop> {
        let Some(route) = self.route(&upstream.provider) else {
            return self.retry_later(JobState::Queued, None).await;
        };
        let (generation, ends_at) =
            (self.generation(&route, &upstream.id), self.ends_at(&route, self.sent_at().await?));
        self.seat.get_or_insert_with(|| route.seats().take_anyway());
        let nudged = self.engine.nudges.listen(self.job.id);
        let mut errors = 0;
        loop {
            match self.call(&route, "poll", route.provider().poll(&generation.task())).await {
                Ok(Poll::Pending { progress, ahead }) => {
                    errors = 0;
                    self.publish(News { progress, ahead });
                }
                Ok(Poll::Ready { charged }) => {
                    self.note_cost(&route, charged).await;
                    return self.save(self.job.state.clone().store()?).await;
                }
                Ok(Poll::Failed(ending)) => {
                    let ended = self.end(ending).await;
                    return self.discard_after(ended, &generation).await;
                }
                Err(error) => {
                    if let Some(ended) = self.give_up(&generation, &error).await {
                        return ended;
                    }
                    errors += 1;
                    tracing::warn!(job.id = %self.job.id, %error, errors, "polling failed");
                }
            }
            let pause = self.poll_pause(&route, errors);
            self.pause(LEAST_PAUSE.min(pause)).await?;
            tokio::select! {
                () = nudged.came() => {}
                waited = self.pause(pause.saturating_sub(LEAST_PAUSE)) => waited?,
            }
            if self.engine.now() > ends_at {
                return self.expire().await;
            }
        }
    }

    /// The end of a generation that cannot be looked at or fetched any more; `None`: it may be, later.
    pub(super) async fn give_up(&mut self, generation: &Generation, error: &ProviderError) -> Option<Result<(), Stop>> {
        let route = &generation.route;
        Some(match error {
            ProviderError::Refused(ending) => self.end(*ending).await,
            // It has forgotten the generation, and with it any hope of a result from this one: another is at the
            // operator's cost.
            ProviderError::Unknown => {
                tracing::warn!(job.id = %self.job.id, route = route.name(), "no result will come of this generation any more");
                // Once is a restart. Again, and nobody else shall wait for what does not come.
                if self.job.create_of_this_run(self.job.dispatches) > 1 {
                    route.spoiled("generations end without a result that can be had");
                }
                self.retry_later(JobState::Queued, None).await
            }
            ProviderError::OperatorFault(message) => {
                tracing::error!(job.id = %self.job.id, route = route.name(), %message, "the account is refused");
                route.misled(message);
                let ended = self.fail(Failure::OperatorFault).await;
                self.cancel_after(ended, generation).await
            }
            ProviderError::Unusable(message) => {
                tracing::error!(job.id = %self.job.id, route = route.name(), %message, "the result is unusable");
                route.spoiled(message);
                let ended = self.fail(Failure::ResultUnusable).await;
                self.discard_after(ended, generation).await
            }
            ProviderError::NotStarted { .. }
            | ProviderError::Busy { .. }
            | ProviderError::Ambiguous(_)
            | ProviderError::Gone
            | ProviderError::Transient(_) => return None,
        })
    }

    /// Writes down what the generation has cost. It is the operator's own book: the caller does not wait for its repair.
    async fn note_cost(&self, route: &Route, charged: Option<f64>) {
        let rule = route.settings().cost;
        let msat = match (rule, charged) {
            (CostRule::Fixed(msat), _) => i64::try_from(msat.msat()).ok(),
            (CostRule::PerUnit(sats), Some(units)) => whole(units * sats * 1_000.0),
            (CostRule::PerUnit(_), None) | (CostRule::Unknown, _) => None,
        };
        let cost = Cost { charged_micros: charged.and_then(|units| whole(units * 1_000_000.0)), cost_msat: msat };
        if cost.charged_micros.is_none() && msat.is_none() {
            return;
        }
        match self.engine.store.note_cost(self.job.id, self.job.dispatches, cost).await {
            Ok(()) => {
                let (service, name) = (self.service(), route.name().to_owned());
                let msat = msat.and_then(|msat| u64::try_from(msat).ok()).unwrap_or(0);
                metrics::counter!("satforge_cost_msat_total", "service" => service, "provider" => name).increment(msat);
            }
            Err(error) => tracing::error!(job.id = %self.job.id, %error, "noting a cost failed"),
        }
    }

    /// Sleeps, unless the gateway stops or the job is somebody else's by now.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = self.shutdown.soft() => Err(Stop::Shutdown),
            () = self.lost.notified() => Err(Stop::LeaseLost),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    pub(super) fn poll_pause(&self, route: &Route, errors: u32) -> Duration {
        let config = &self.engine.config;
        if errors == 0 {
            let usual = route.poll_interval().unwrap_or(config.poll_interval);
            return usual.mul_f64(1.0 - JITTER + 2.0 * JITTER * rand::random::<f64>());
        }
        backoff::pause(errors, config.backoff_base, config.backoff_max, rand::random())
    }
}

/// Nothing for what is no amount.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the range was looked at")]
fn whole(amount: f64) -> Option<i64> {
    (amount.is_finite() && (0.0..9e15).contains(&amount)).then(|| amount.round() as i64)
}
