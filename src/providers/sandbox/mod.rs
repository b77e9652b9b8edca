//! The sandbox provider: really generated media, without a model, a key or a network.
//!
//! It behaves like an upstream on another machine: asynchronous, with an id and progress of its own, and with a memory
//! that a restart of the gateway does not wipe. That memory is a folder with one small file a generation, and the image
//! that it was made from; what is fetched is rendered each time.

mod ledger;
pub mod media;
pub mod trigger;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::domain::JobSpec;

use super::{Ending, Found, Order, Poll, Provider, ProviderError, Task};
use ledger::{Generation, Ledger};
use media::Clip;
use trigger::Triggers;

const NAME: &str = "sandbox";
/// Creates of a flaky generation that fail before one works.
const FLAKY_FAILURES: u32 = 2;
/// A stream's chunk in bytes.
const CHUNK: usize = 64 * 1024;

/// The simulated provider of both services.
pub struct SandboxProvider {
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    generation_time: Duration,
    /// Rendering takes a core: more at once would only starve the gateway.
    renderers: Arc<Semaphore>,
}

impl SandboxProvider {
    /// A provider that remembers in `folder`, which is made when it is missing.
    pub fn new(folder: &Path, clock: Arc<dyn Clock>, generation_time: Duration) -> std::io::Result<Self> {
        Ok(Self { ledger: Ledger::open(folder)?, clock, generation_time, renderers: Arc::new(Semaphore::new(1)) })
    }

    /// How many creates have arrived since the ledger was made, for tests that count them.
    #[must_use]
    pub fn creates(&self) -> u64 {
        self.ledger.creates()
    }

    async fn generation(&self, upstream_id: &str) -> Result<Generation, ProviderError> {
        let found = self.ledger.read(upstream_id).await.map_err(transient)?;
        found.ok_or(ProviderError::Unknown)
    }

    fn elapsed(&self, generation: &Generation) -> Duration {
        Duration::from_millis(self.clock.unix_millis().saturating_sub(generation.started_at))
    }

    async fn render(&self, generation: &Generation) -> Result<Vec<u8>, ProviderError> {
        let turn = self.renderers.clone().acquire_owned().await.map_err(transient)?;
        let spec = self.ledger.spec(generation).await.map_err(transient)?;
        let rendered = tokio::task::spawn_blocking(move || {
            // Held by the thread: a caller that gives up does not free the core.
            let _turn = turn;
            match &spec {
                JobSpec::Video(video) => media::render_video(&Clip {
                    prompt: &video.prompt,
                    seconds: video.duration,
                    camera_fixed: video.camera_fixed,
                }),
                JobSpec::Model3d(model) => media::render_relief(&model.image),
            }
        });
        let rendered = rendered.await.map_err(transient)?;
        rendered.map_err(|_| ProviderError::Refused(Ending::Failed))
    }
}

#[async_trait]
impl Provider for SandboxProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let Order { key, spec, .. } = *order;
        let not_started =
            |error: std::io::Error| ProviderError::NotStarted { message: error.to_string(), retry_after: None };
        let triggers = Triggers::of(spec);
        let generation = Generation::new(key, spec.service(), triggers, self.clock.unix_millis());
        self.ledger.create(&generation, spec).await.map_err(not_started)?;
        Ok(key.to_owned())
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let found = self.ledger.read(order.key).await.map_err(transient)?;
        Ok(found.map_or(Found::Nothing, |generation| Found::Started(generation.id)))
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let upstream_id = task.id;
        let generation = self.generation(upstream_id).await?;
        let wanted = generation.triggers.generation_time(self.generation_time);
        let elapsed = self.elapsed(&generation);
        if elapsed < wanted {
            // Real models do not tell the last percent either.
            let progress = (elapsed.as_secs_f32() / wanted.as_secs_f32()).min(0.99);
            return Ok(Poll::Pending { progress: Some(progress), ahead: None });
        }
        Ok(match generation.triggers {
            Triggers { reject: true, .. } => Poll::Failed(Ending::Rejected),
            Triggers { fail: true, .. } => Poll::Failed(Ending::Failed),
            Triggers { flaky: true, .. } if generation.create_number <= FLAKY_FAILURES => {
                Poll::Failed(Ending::Transient)
            }
            _ => Poll::Ready { charged: None },
        })
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let upstream_id = task.id;
        let generation = self.generation(upstream_id).await?;
        let file = Bytes::from(self.render(&generation).await?);
        let chunks = (0..file.len()).step_by(CHUNK).map(move |from| Ok(file.slice(from..file.len().min(from + CHUNK))));
        Ok(stream::iter(chunks).boxed())
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let upstream_id = task.id;
        self.ledger.forget(upstream_id).await.map_err(transient)
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        Ok(())
    }
}

fn transient(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::Transient(error.to_string())
}

#[cfg(test)]
mod tests;
