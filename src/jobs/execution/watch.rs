//! Polling a provider until it is done.

use std::time::Duration;

use crate::domain::JobState;
use crate::domain::job::Upstream;
use crate::providers::{Poll, ProviderError, Task};

use super::super::backoff;
use super::{Execution, Stop};

impl Execution {
    /// `running`: polls until there is news that changes the state.
    pub(super) async fn watch(&mut self, upstream: &Upstream) -> Result<(), Stop> {
        let Some(route) = self.route(&upstream.provider) else {
            return self.retry_later(JobState::Queued, None).await;
        };
        let mut errors = 0;
        loop {
            let task = Task { id: &upstream.id };
            match self.call(&route, "poll", route.provider().poll(&task)).await {
                Ok(Poll::Pending { progress }) => {
                    errors = 0;
                    self.publish(progress);
                }
                Ok(Poll::Ready) => return self.save(self.job.state.clone().store()?).await,
                Ok(Poll::Failed(ending)) => {
                    let ended = self.end(ending).await;
                    return self.discard_after(ended, &route, &upstream.id).await;
                }
                Err(ProviderError::Refused(ending)) => return self.end(ending).await,
                // It has forgotten the generation, and with it any hope of a result from this one.
                Err(ProviderError::Unknown) => return self.retry_later(JobState::Queued, None).await,
                Err(error) => {
                    errors += 1;
                    tracing::warn!(job.id = %self.job.id, %error, errors, "polling failed");
                }
            }
            self.pause(self.poll_pause(errors)).await?;
            if self.is_overdue() {
                return Ok(());
            }
        }
    }

    /// Sleeps, unless the gateway stops.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = self.shutdown.soft() => Err(Stop::Shutdown),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    pub(super) fn poll_pause(&self, errors: u32) -> Duration {
        let config = &self.engine.config;
        if errors == 0 {
            return config.poll_interval;
        }
        backoff::pause(errors, config.backoff_base, config.backoff_max, rand::random())
    }
}
