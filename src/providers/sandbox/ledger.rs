//! The sandbox provider's memory: a folder with one file a generation.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::fs;

use crate::domain::request::{ImageType, ModelSpec, VideoSpec};
use crate::domain::{JobSpec, ServiceId};

use super::trigger::Triggers;

/// Generations that are open or were never discarded.
pub(super) struct Ledger {
    folder: PathBuf,
    creates: AtomicU64,
}

/// One generation.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Generation {
    pub(super) id: String,
    pub(super) service: ServiceId,
    pub(super) triggers: Triggers,
    /// Unix milliseconds.
    pub(super) started_at: u64,
    /// Which create of its job this is, from 1.
    pub(super) create_number: u32,
    video: Option<VideoSpec>,
    image: Option<ImageType>,
}

impl Generation {
    /// A generation under the idempotency key `key`, which ends in the number of the create.
    pub(super) fn new(key: &str, service: ServiceId, triggers: Triggers, started_at: u64) -> Self {
        let create_number = key.rsplit_once('.').and_then(|(_, seq)| seq.parse().ok()).unwrap_or(1);
        Self { id: key.to_owned(), service, triggers, started_at, create_number, video: None, image: None }
    }
}

impl Ledger {
    pub(super) fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), creates: AtomicU64::new(0) })
    }

    /// Notes a generation. The same id again changes nothing: that is what an idempotency key is for.
    pub(super) async fn create(&self, generation: &Generation, spec: &JobSpec) -> std::io::Result<()> {
        let path = self.path(&generation.id, "json")?;
        if fs::try_exists(&path).await? {
            return Ok(());
        }
        let mut generation = generation.clone();
        match spec {
            JobSpec::Video(video) => generation.video = Some(video.clone()),
            JobSpec::Model3d(model) => {
                generation.image = Some(model.media_type);
                fs::write(self.path(&generation.id, "image")?, &model.image).await?;
            }
        }
        // Written aside and renamed, so that a crash leaves either the whole file or none.
        let aside = self.path(&generation.id, "new")?;
        fs::write(&aside, serde_json::to_vec(&generation)?).await?;
        fs::rename(&aside, &path).await?;
        self.creates.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn read(&self, id: &str) -> std::io::Result<Option<Generation>> {
        let Ok(path) = self.path(id, "json") else { return Ok(None) };
        match fs::read(path).await {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The request that a generation was made from.
    pub(super) async fn spec(&self, generation: &Generation) -> std::io::Result<JobSpec> {
        if let Some(video) = &generation.video {
            return Ok(JobSpec::Video(video.clone()));
        }
        let image = Bytes::from(fs::read(self.path(&generation.id, "image")?).await?);
        Ok(JobSpec::Model3d(ModelSpec { media_type: generation.image.unwrap_or(ImageType::Png), image }))
    }

    pub(super) async fn forget(&self, id: &str) -> std::io::Result<()> {
        for ending in ["json", "image", "new"] {
            match fs::remove_file(self.path(id, ending)?).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn creates(&self) -> u64 {
        self.creates.load(Ordering::Relaxed)
    }

    fn path(&self, id: &str, ending: &str) -> std::io::Result<PathBuf> {
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if !plain || id.contains("..") {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not an id of the sandbox"));
        }
        Ok(self.folder.join(format!("{id}.{ending}")))
    }
}
