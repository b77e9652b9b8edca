//! Sending a create, and finding out what became of one.

use std::sync::Arc;

use crate::domain::{Failure, JobState};
use crate::providers::{Ending, Found, Provider, ProviderError};

use super::{Execution, Stop};

/// Creates that may have cost something, for one payment. After that many the job fails and is owed back.
const MAX_DISPATCHES: i64 = 5;

/// How long a service is not sold after its provider has refused the operator's account.
const CLOSED_MILLIS: i64 = 60_000;

/// How long ago a create went out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Just now.
    Fresh,
    /// In an earlier attempt.
    Settled,
}

impl Execution {
    /// `queued`: intent first, then the create, then the provider's id.
    pub(super) async fn dispatch(&mut self) -> Result<(), Stop> {
        let Some(spec) = self.engine.load_spec(&self.job).await? else { return self.fail(Failure::NotRunnable).await };
        let Some(provider) = self.engine.providers.for_service(self.job.binding.service).cloned() else {
            return self.fail(Failure::OperatorFault).await;
        };
        if self.job.dispatches >= MAX_DISPATCHES {
            tracing::error!(job.id = %self.job.id, job.dispatches = self.job.dispatches, "no create brought a result");
            return self.fail(Failure::GenerationFailed).await;
        }
        let seq = self.job.dispatches.saturating_add(1);
        self.save(self.job.state.clone().dispatch(seq, provider.name().to_owned())?).await?;
        let key = self.key(seq);
        let answer = self.call(&provider, "submit", provider.submit(&key, &spec)).await;
        drop(spec);
        metrics::counter!("satforge_dispatches_total", "provider" => provider.name()).increment(1);
        match answer {
            Ok(upstream_id) => self.save(self.job.state.clone().run(upstream_id)?).await,
            Err(ProviderError::NotStarted { message, retry_after }) => {
                tracing::warn!(job.id = %self.job.id, %message, "a create was not started");
                // It cost nothing, so it does not count.
                self.job.dispatches = seq.saturating_sub(1);
                self.retry_later(JobState::Queued, retry_after).await
            }
            Err(ProviderError::Refused(ending)) => self.end(ending).await,
            Err(ProviderError::OperatorFault(message)) => {
                tracing::error!(job.id = %self.job.id, provider = provider.name(), %message,
                    "the account is refused; the service is not sold for a while");
                // The next sale after that is the probe: if it fails as well, the sale stops again.
                let until = self.engine.now().saturating_add(CLOSED_MILLIS);
                self.engine.providers.close(self.job.binding.service, until);
                self.fail(Failure::OperatorFault).await
            }
            Err(error @ (ProviderError::Ambiguous(_) | ProviderError::Transient(_) | ProviderError::Unknown)) => {
                tracing::warn!(job.id = %self.job.id, %error, "a create may have arrived; looking it up");
                self.resolve(&provider, seq, Age::Fresh).await
            }
        }
    }

    /// `dispatching`, found in the row: an earlier attempt stopped between intent and answer.
    pub(super) async fn look_up(&mut self, seq: i64, provider: &str) -> Result<(), Stop> {
        match self.provider(provider) {
            Some(provider) => self.resolve(&provider, seq, Age::Settled).await,
            // The operator has removed the provider: what it may have started cannot be found out any more.
            None => self.retry_later(JobState::Queued, None).await,
        }
    }

    /// Looks for the create before anything is sent again.
    async fn resolve(&mut self, provider: &Arc<dyn Provider>, seq: i64, age: Age) -> Result<(), Stop> {
        let key = self.key(seq);
        match self.call(provider, "find", provider.find(&key)).await {
            Ok(Found::Started(upstream_id)) => self.save(self.job.state.clone().run(upstream_id)?).await,
            // It may still be on its way: only a later look can say that it did not arrive.
            Ok(Found::Nothing) if age == Age::Fresh => self.retry_later(self.job.state.clone(), None).await,
            Ok(Found::Nothing) => self.save(self.job.state.clone().requeue()?).await,
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

    /// Like [`Execution::discard_after`], for a create that may have arrived.
    pub(super) async fn discard_found(&self, ended: Result<(), Stop>, seq: i64, provider: &str) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done))
            && let Some(provider) = self.provider(provider)
            && let Ok(Found::Started(id)) = self.call(&provider, "find", provider.find(&self.key(seq))).await
        {
            self.discard(&provider, &id).await;
        }
        ended
    }

    /// The idempotency key: one for each create that is meant.
    fn key(&self, seq: i64) -> String {
        format!("{}.{seq}", self.job.id)
    }
}
