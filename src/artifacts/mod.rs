//! Files: the inputs of jobs that are too large for a row, and the results of all.
//!
//! They go through `object_store`, so that another place than the local disk is a choice of the configuration. Every
//! file is flushed to disk before it counts as written.

mod sweep;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, WriteMultipart};

use crate::domain::ServiceId;

pub use sweep::{sweep_half_written, sweep_leftovers};

const INPUTS: &str = "inputs";
const RESULTS: &str = "results";
/// Chunks under way to the disk while more arrive.
const CONCURRENT_CHUNKS: usize = 4;

/// Where files are kept; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
}

/// The name of a result: 128 random bits and an ending, so that it cannot be guessed.
#[derive(Clone, PartialEq, Eq)]
pub struct ArtifactName(String);

/// A result, or a part of it, on its way to a caller.
pub struct ArtifactContent {
    /// Bytes of the whole file.
    pub size: u64,
    /// What the stream yields of it.
    pub range: std::ops::Range<u64>,
    /// The bytes.
    pub stream: BoxStream<'static, Result<Bytes, ArtifactError>>,
}

/// A stream of bytes from somewhere that may fail.
pub type ByteStream = BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// Storage that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No file of that name.
    #[error("no such file")]
    NotFound,
    /// The disk or the remote store; the text names no file.
    #[error("storage: {0}")]
    Storage(String),
    /// The file is larger than allowed.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// What was received is not the kind of file that was asked for.
    #[error("not a file of the expected kind")]
    WrongKind,
    /// The source failed.
    #[error("the source failed: {0}")]
    Source(String),
}

impl ArtifactName {
    /// A name for a result of `service`.
    #[must_use]
    pub fn new(service: ServiceId, random: [u8; 16]) -> Self {
        Self(format!("{}.{}", hex::encode(random), extension(service)))
    }

    /// Reads a name out of a URL; `None` for anything that this gateway would not have made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, ending) = text.split_once('.')?;
        let hex = stem.len() == 32 && stem.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let known = ServiceId::ALL.into_iter().any(|service| extension(service) == ending);
        (hex && known).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service whose results are named so.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        ServiceId::ALL.into_iter().find(|service| self.0.ends_with(extension(*service))).unwrap_or(ServiceId::Video)
    }
}

/// The media type of a service's results.
#[must_use]
pub const fn media_type(service: ServiceId) -> &'static str {
    match service {
        ServiceId::Video => "video/mp4",
        ServiceId::Model3d => "model/gltf-binary",
    }
}

/// The ending of a service's results.
#[must_use]
pub const fn extension(service: ServiceId) -> &'static str {
    match service {
        ServiceId::Video => "mp4",
        ServiceId::Model3d => "glb",
    }
}

impl ArtifactStore {
    /// A store in a folder of the local disk, which is made when it is missing.
    pub fn on_disk(folder: &Path) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| object_store::Error::Generic { store: "disk", source: Box::new(source) })?;
        // Without `with_fsync` a power cut could lose a file that a committed row already names.
        let disk = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { objects: Arc::new(disk) })
    }

    /// Writes an input.
    pub async fn put_input(&self, name: &str, bytes: Bytes) -> Result<(), ArtifactError> {
        self.objects.put(&at(INPUTS, name), bytes.into()).await?;
        Ok(())
    }

    /// Reads an input.
    pub async fn input(&self, name: &str) -> Result<Bytes, ArtifactError> {
        Ok(self.objects.get(&at(INPUTS, name)).await?.bytes().await?)
    }

    /// Deletes an input; one that is gone already is no error.
    pub async fn delete_input(&self, name: &str) -> Result<(), ArtifactError> {
        self.delete(&at(INPUTS, name)).await
    }

    /// Writes a result as it arrives and returns its length in bytes.
    ///
    /// Errors when it is larger than `limit` bytes, does not begin like a file of its service, or its source fails;
    /// then nothing of it is kept.
    pub async fn put_result(&self, name: &ArtifactName, source: ByteStream, limit: u64) -> Result<u64, ArtifactError> {
        let upload = self.objects.put_multipart(&at(RESULTS, name.as_str())).await?;
        let mut writer = WriteMultipart::new(upload);
        match copy(&mut writer, source, name.service(), limit).await {
            Ok(size) => {
                writer.finish().await?;
                Ok(size)
            }
            Err(error) => {
                // The half-written file is swept at the next start if this fails as well.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Opens a result, or the part of it that `range` selects.
    pub async fn result(&self, name: &ArtifactName, range: Option<GetRange>) -> Result<ArtifactContent, ArtifactError> {
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.objects.get_opts(&at(RESULTS, name.as_str()), options).await?;
        Ok(ArtifactContent {
            size: found.meta.size,
            range: found.range.clone(),
            stream: found.into_stream().map_err(ArtifactError::from).boxed(),
        })
    }

    /// The length of a result in bytes.
    pub async fn result_size(&self, name: &ArtifactName) -> Result<u64, ArtifactError> {
        Ok(self.objects.head(&at(RESULTS, name.as_str())).await?.size)
    }

    /// Deletes a result; one that is gone already is no error.
    pub async fn delete_result(&self, name: &str) -> Result<(), ArtifactError> {
        self.delete(&at(RESULTS, name)).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<(), ArtifactError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn names(&self, folder: &str) -> Result<Vec<String>, ArtifactError> {
        let files: Vec<_> = self.objects.list(Some(&ObjectPath::from(folder))).try_collect().await?;
        Ok(files.into_iter().filter_map(|file| file.location.filename().map(str::to_owned)).collect())
    }
}

async fn copy(
    writer: &mut WriteMultipart,
    mut source: ByteStream,
    service: ServiceId,
    limit: u64,
) -> Result<u64, ArtifactError> {
    let mut size = 0_u64;
    let mut head = Vec::with_capacity(16);
    while let Some(chunk) = source.next().await {
        let chunk = chunk.map_err(|error| ArtifactError::Source(error.to_string()))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            return Err(ArtifactError::TooLarge(limit));
        }
        if head.len() < 12 {
            head.extend_from_slice(&chunk[..chunk.len().min(12 - head.len())]);
            if head.len() == 12 && !begins_like(service, &head) {
                return Err(ArtifactError::WrongKind);
            }
        }
        writer.wait_for_capacity(CONCURRENT_CHUNKS).await?;
        writer.put(chunk);
    }
    if head.len() < 12 {
        return Err(ArtifactError::WrongKind);
    }
    Ok(size)
}

fn begins_like(service: ServiceId, head: &[u8]) -> bool {
    match service {
        ServiceId::Video => &head[4..8] == b"ftyp",
        ServiceId::Model3d => &head[..4] == b"glTF",
    }
}

/// The innermost error, usually the operating system's: the texts around it name the file, and a result's name is all
/// that is needed to read it.
fn root_cause(error: &object_store::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    let mut depth = 0;
    while let Some(source) = innermost.source() {
        innermost = source;
        depth += 1;
    }
    if depth == 0 { "the request could not be served".to_owned() } else { innermost.to_string() }
}

fn at(folder: &str, name: &str) -> ObjectPath {
    ObjectPath::from_iter([folder, name])
}

impl From<object_store::Error> for ArtifactError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Storage(root_cause(&other)),
        }
    }
}

// A result's name is all that is needed to read it, so it must not reach a log.
impl std::fmt::Debug for ArtifactName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArtifactName(redacted)")
    }
}

#[cfg(test)]
mod tests;
