//! Writing a result, and what is checked on the way.

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, PutMultipartOptions, WriteMultipart};

use crate::domain::ServiceId;

use super::{ArtifactError, ByteStream, s3};

/// Chunks under way to the disk while more arrive.
const CONCURRENT_CHUNKS: usize = 4;

/// A file on its way to where it is kept. One that is dropped unfinished leaves nothing behind that can be read.
pub(super) enum Upload {
    /// The disk; what was not finished is deleted with the writer.
    Disk(WriteMultipart),
    /// A bucket.
    Bucket(s3::Upload),
}

impl Upload {
    pub(super) async fn to_disk(objects: &dyn ObjectStore, path: &ObjectPath) -> Result<Self, ArtifactError> {
        Ok(Self::Disk(WriteMultipart::new(objects.put_multipart_opts(path, PutMultipartOptions::default()).await?)))
    }

    async fn put(&mut self, chunk: Bytes) -> Result<(), ArtifactError> {
        match self {
            Self::Disk(writer) => {
                writer.wait_for_capacity(CONCURRENT_CHUNKS).await?;
                writer.put(chunk);
                Ok(())
            }
            Self::Bucket(upload) => upload.put(chunk).await,
        }
    }

    /// Makes the file visible.
    pub(super) async fn finish(self) -> Result<(), ArtifactError> {
        match self {
            Self::Disk(writer) => {
                writer.finish().await?;
                Ok(())
            }
            Self::Bucket(upload) => upload.finish().await,
        }
    }

    /// Deletes what was written so far.
    pub(super) async fn abort(self) {
        match self {
            // The half-written file is swept at the next start if this fails as well.
            Self::Disk(writer) => drop(writer.abort().await),
            Self::Bucket(upload) => drop(upload),
        }
    }

    /// Writes `source`; errors when it is larger than `limit` bytes, does not begin like a file of `service`, or fails.
    pub(super) async fn copy(
        &mut self,
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
            self.put(chunk).await?;
        }
        if head.len() < 12 {
            return Err(ArtifactError::WrongKind);
        }
        Ok(size)
    }
}

fn begins_like(service: ServiceId, head: &[u8]) -> bool {
    match service {
        ServiceId::Video => &head[4..8] == b"ftyp",
        ServiceId::Model3d => &head[..4] == b"glTF",
    }
}
