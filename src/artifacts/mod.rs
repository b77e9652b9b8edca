//! Files: the inputs of jobs that are too large for a row, and the results of all.
//!
//! They go through `object_store`, so that a bucket (`s3`) instead of the local disk is a choice of the configuration.
//! Every file is flushed to disk, or acknowledged by the bucket, before it counts as written.

mod error;
mod fresh;
mod name;
mod s3;
mod sweep;
mod trial;
mod upload;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::config::{S3Config, StorageConfig};

use fresh::Fresh;
use s3::Bucket;
use upload::Upload;

pub use error::ArtifactError;
pub use name::{ArtifactName, extension, media_type};
pub use sweep::{sweep_half_written, sweep_leftovers};

const INPUTS: &str = "inputs";
const RESULTS: &str = "results";
/// How long a result may be kept by whoever has fetched it. Whoever has the name may read; a shared cache has no business
/// with it.
pub const CACHE_CONTROL: &str = "private, max-age=86400, immutable";

/// Where files are kept; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
    /// What is particular to a bucket; `None` for the disk.
    bucket: Option<Arc<Bucket>>,
    fresh: Arc<Fresh>,
}

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

impl ArtifactStore {
    /// The store that `config` names. A folder is made when it is missing, and rid of what a crash left half-written;
    /// nothing is sent to a bucket before [`ArtifactStore::look_first`].
    pub fn open(config: &StorageConfig) -> Result<Self, ArtifactError> {
        match config {
            StorageConfig::Folder(folder) => {
                sweep_half_written(folder).map_err(|error| ArtifactError::Storage(error.to_string()))?;
                Self::on_disk(folder)
            }
            StorageConfig::S3(config) => Ok(Self::in_bucket(Bucket::open(config)?)),
        }
    }

    /// A store in a folder of the local disk, which is made when it is missing.
    pub fn on_disk(folder: &Path) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| object_store::Error::Generic { store: "disk", source: Box::new(source) })?;
        // Without `with_fsync` a power cut could lose a file that a committed row already names.
        let disk = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { objects: Arc::new(disk), bucket: None, fresh: Arc::default() })
    }

    /// A store in a bucket to be tried out; nothing is sent to it, and nothing noted about it.
    pub fn for_trial(config: &S3Config) -> Result<Self, ArtifactError> {
        Ok(Self::in_bucket(Bucket::unclaimed(config)?))
    }

    fn in_bucket(bucket: Bucket) -> Self {
        Self { objects: bucket.objects(), bucket: Some(Arc::new(bucket)), fresh: Arc::default() }
    }

    /// Looks for the bucket, and takes the prefix if it is nobody's; returns at once for a disk. Takes some seconds where
    /// nothing answers.
    ///
    /// Errors when the prefix is another gateway's, and not when the bucket is out of reach: it may come back.
    pub async fn look_first(&self) -> Result<(), ArtifactError> {
        match &self.bucket {
            Some(bucket) => bucket.look_first().await,
            None => Ok(()),
        }
    }

    /// Whether files can be kept, as far as is known. While they cannot, nothing must be sold.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.bucket.as_ref().is_none_or(|bucket| bucket.is_reachable())
    }

    /// Keeps finding out whether the bucket can be reached, until `stop`; returns at once for a disk.
    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        if let Some(bucket) = &self.bucket {
            bucket.watch(stop).await;
        }
    }

    /// Returns once files can be kept.
    pub async fn wait_until_reachable(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.wait_until_reachable().await;
        }
    }

    /// A URL at which a caller can read a result for a while; `None` when the gateway serves it itself.
    pub async fn redirect(&self, name: &ArtifactName) -> Result<Option<String>, ArtifactError> {
        match &self.bucket {
            Some(bucket) => bucket.signed_url(name.as_str()).await,
            None => Ok(None),
        }
    }

    /// Writes an input.
    pub async fn put_input(&self, name: &str, bytes: Bytes) -> Result<(), ArtifactError> {
        self.require_reach()?;
        let claim = self.fresh.claim(name);
        let put = self.objects.put(&at(INPUTS, name), bytes.into()).await;
        self.noted(put.map_err(ArtifactError::from))?;
        claim.keep();
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
        self.require_reach()?;
        self.write_result(name, source, limit).await
    }

    async fn write_result(&self, name: &ArtifactName, source: ByteStream, limit: u64) -> Result<u64, ArtifactError> {
        let claim = self.fresh.claim(name.as_str());
        let mut upload = match &self.bucket {
            None => Upload::to_disk(&*self.objects, &at(RESULTS, name.as_str())).await?,
            Some(bucket) => Upload::Bucket(s3::Upload::new(bucket.clone(), name)),
        };
        match upload.copy(source, name.service(), limit).await {
            Ok(size) => {
                self.noted(upload.finish().await)?;
                claim.keep();
                Ok(size)
            }
            Err(error) => {
                upload.abort().await;
                self.noted(Err(error))
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

    /// What is known to be in vain is not tried: those who wait learn it at once, and a prefix of somebody else's is not
    /// written to.
    fn require_reach(&self) -> Result<(), ArtifactError> {
        if self.is_reachable() { Ok(()) } else { Err(ArtifactError::Unreachable("the storage cannot be used".into())) }
    }

    /// A bucket that has just failed is looked at again soon.
    fn noted<T>(&self, done: Result<T, ArtifactError>) -> Result<T, ArtifactError> {
        if let (Err(error @ ArtifactError::Unreachable(_)), Some(bucket)) = (&done, &self.bucket) {
            bucket.doubt(error);
        }
        done
    }

    async fn delete(&self, path: &ObjectPath) -> Result<(), ArtifactError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn names(&self, folder: &str) -> Result<Vec<String>, ArtifactError> {
        let folder = ObjectPath::from(folder);
        let files: Vec<_> = self.objects.list(Some(&folder)).try_collect().await?;
        let name = |file: object_store::ObjectMeta| {
            let mut below = file.location.prefix_match(&folder)?;
            let name = below.next()?.as_ref().to_owned();
            below.next().is_none().then_some(name)
        };
        Ok(files.into_iter().filter_map(name).collect())
    }
}

fn at(folder: &str, name: &str) -> ObjectPath {
    ObjectPath::from_iter([folder, name])
}

#[cfg(test)]
mod tests;
