//! Copying a result from the provider into our storage.

use crate::artifacts::{ArtifactError, ArtifactName};
use crate::domain::job::{Delivery, Upstream};
use crate::domain::{Failure, JobState};
use crate::providers::ProviderError;

use super::{Execution, Stop};

impl Execution {
    /// `storing`: fetches until the file is on disk, then ends the job.
    pub(super) async fn store_result(&mut self, upstream: &Upstream) -> Result<(), Stop> {
        let Some(provider) = self.provider(&upstream.provider) else {
            return self.fail(Failure::OperatorFault).await;
        };
        let service = self.job.binding.service;
        let limit = self.engine.catalog.service(service).map_or(0, |service| service.result_limit);
        let mut errors = 0;
        loop {
            let name = ArtifactName::new(service, rand::random());
            let fetched = self.call(&provider, "fetch", provider.fetch(&upstream.id)).await;
            let problem = match fetched {
                Ok(source) => match self.engine.artifacts.put_result(&name, source, limit).await {
                    Ok(_) => {
                        let ended = self.deliver(&name).await;
                        self.discard(&provider, &upstream.id).await;
                        return ended;
                    }
                    Err(error @ (ArtifactError::TooLarge(_) | ArtifactError::WrongKind)) => {
                        tracing::error!(job.id = %self.job.id, %error, "the provider's result is unusable");
                        return self.fail(Failure::ResultUnusable).await;
                    }
                    Err(error) => error.to_string(),
                },
                Err(ProviderError::Refused(_)) => return self.fail(Failure::GenerationFailed).await,
                // The result is lost upstream; another generation is at our own cost.
                Err(ProviderError::Unknown) => return self.start_over().await,
                Err(error) => error.to_string(),
            };
            errors += 1;
            tracing::warn!(job.id = %self.job.id, error = problem, errors, "storing a result failed");
            self.pause(self.poll_pause(errors)).await?;
            if self.is_overdue() {
                return Ok(());
            }
        }
    }

    async fn deliver(&mut self, name: &ArtifactName) -> Result<(), Stop> {
        let finished_at = self.engine.now();
        let retention = i64::try_from(self.engine.retention.as_millis()).unwrap_or(i64::MAX);
        let delivery = Delivery {
            artifact: name.as_str().to_owned(),
            finished_at,
            expires_at: finished_at.saturating_add(retention),
        };
        let ended = self.succeed(delivery).await;
        if let Err(Stop::LeaseLost) = ended {
            // Somebody else delivers; this copy belongs to no job.
            if let Err(error) = self.engine.artifacts.delete_result(name.as_str()).await {
                tracing::warn!(job.id = %self.job.id, %error, "deleting a superfluous copy failed");
            }
        }
        ended
    }

    async fn start_over(&mut self) -> Result<(), Stop> {
        tracing::warn!(job.id = %self.job.id, "the provider has lost a finished result; starting over");
        self.retry_later(JobState::Queued, None).await
    }
}
