//! Copying a result from the provider into our storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::artifacts::{ArtifactError, ArtifactName, ByteStream};
use crate::domain::Failure;
use crate::domain::job::{Delivery, Upstream};
use crate::providers::{ProviderError, Route};

use super::{Execution, Stop};

/// Looks for a result's file that was not there, or was another's, before the generation counts as one without a result.
const MOST_MISSES: u32 = 5;

impl Execution {
    /// `storing`: fetches until the file is on disk, then ends the job.
    pub(super) async fn store_result(&mut self, upstream: &Upstream) -> Result<(), Stop> {
        let Some(route) = self.route(&upstream.provider) else {
            return self.fail(Failure::OperatorFault).await;
        };
        let (service, generation) = (self.job.binding.service, self.generation(&route, &upstream.id));
        let limit = generation.task().limit;
        let (mut errors, mut misses) = (0, 0);
        loop {
            // The provider is not asked for a file that nobody could keep.
            while !self.engine.artifacts.is_reachable() {
                self.pause(self.poll_pause(&route, 0)).await?;
                if self.is_overdue() {
                    return Ok(());
                }
            }
            let name = ArtifactName::new(service, rand::random());
            let mut is_ours = false;
            let fetched = self.call(&route, "fetch", route.provider().fetch(&generation.task())).await;
            let problem = match fetched {
                Ok(source) => match self.copy(&name, source, limit).await? {
                    Ok(_) => {
                        route.delivered();
                        let ended = self.deliver(&name).await;
                        self.earned(&route, &ended);
                        return self.discard_after(ended, &generation).await;
                    }
                    // A page of somebody in between may stand in its place for a while.
                    Err(ArtifactError::WrongKind) if misses < MOST_MISSES => {
                        misses += 1;
                        ProviderError::Transient(ArtifactError::WrongKind.to_string())
                    }
                    Err(error @ (ArtifactError::TooLarge(_) | ArtifactError::WrongKind)) => {
                        ProviderError::Unusable(error.to_string())
                    }
                    Err(error) => {
                        is_ours = !matches!(error, ArtifactError::Source(_));
                        ProviderError::Transient(error.to_string())
                    }
                },
                // It may be on its way to where it will be.
                Err(ProviderError::Gone) if misses >= MOST_MISSES => {
                    ProviderError::Unusable(ProviderError::Gone.to_string())
                }
                Err(error) => error,
            };
            misses += u32::from(problem == ProviderError::Gone);
            if let Some(ended) = self.give_up(&generation, &problem).await {
                return ended;
            }
            errors += 1;
            tracing::warn!(job.id = %self.job.id, error = %problem, errors, "storing a result failed");
            self.pause(self.poll_pause(&route, errors)).await?;
            if self.is_overdue() {
                // What our own storage does not take is not the route's fault.
                if !is_ours {
                    route.spoiled("results cannot be fetched in time");
                }
                return Ok(());
            }
        }
    }

    fn earned(&self, route: &Route, ended: &Result<(), Stop>) {
        if matches!(ended, Err(Stop::Done)) {
            let (service, name) = (self.service(), route.name().to_owned());
            metrics::counter!("satforge_earned_msat_total", "service" => service, "provider" => name)
                .increment(self.job.amount.msat());
        }
    }

    /// Copies a result, for as long as the deadline allows; a provider that stalls does not hold the job for ever.
    async fn copy(
        &self,
        name: &ArtifactName,
        source: ByteStream,
        limit: u64,
    ) -> Result<Result<u64, ArtifactError>, Stop> {
        let left = self.job.deadline_at.saturating_sub(self.engine.now()).max(0);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let (idle, awaited) = (self.engine.config.provider_timeout, Arc::new(AtomicBool::new(false)));
        let source = with_idle_timeout(source, idle, awaited.clone());
        tokio::select! {
            () = self.shutdown.soft() => Err(Stop::Shutdown),
            copied = tokio::time::timeout(left, self.engine.artifacts.put_result(name, source, limit)) => {
                Ok(copied.unwrap_or_else(|_| {
                    let late = "the deadline has passed".to_owned();
                    Err(if awaited.load(Ordering::Acquire) { ArtifactError::Source(late) } else { ArtifactError::Storage(late) })
                }))
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
            self.delete_superfluous(name).await;
        }
        ended
    }

    /// Somebody else delivers, so this copy belongs to no job; unless a row names it after all.
    async fn delete_superfluous(&self, name: &ArtifactName) {
        if !matches!(self.engine.store.is_artifact_known(name.as_str()).await, Ok(false)) {
            return;
        }
        if let Err(error) = self.engine.artifacts.delete_result(name.as_str()).await {
            tracing::warn!(job.id = %self.job.id, %error, "deleting a superfluous copy failed");
        }
    }
}

/// Errors when nothing arrives for `idle`. `awaited` says whether it is the source that is being waited for.
fn with_idle_timeout(source: ByteStream, idle: Duration, awaited: Arc<AtomicBool>) -> ByteStream {
    stream::unfold((source, awaited), move |(mut source, awaited)| async move {
        awaited.store(true, Ordering::Release);
        let chunk = tokio::time::timeout(idle, source.next()).await;
        awaited.store(false, Ordering::Release);
        match chunk {
            Ok(chunk) => Some((chunk?, (source, awaited))),
            Err(_) => Some((Err("nothing arrived within the timeout".into()), (source, awaited))),
        }
    })
    .boxed()
}
