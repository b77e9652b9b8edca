//! A try of the bucket: what a job will do to it, with a file of two parts.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::GetRange;

use crate::domain::ServiceId;

use super::s3::{Bucket, PART};
use super::{ArtifactError, ArtifactName, ArtifactStore, ByteStream};

/// The shortest beginning of a film.
const FILM: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0";

impl ArtifactStore {
    /// Writes a file of 5 MiB, reads it and parts of it, finds it in the list, deletes it, and gives an upload up. Does
    /// nothing to a disk, of which a start says all there is to say.
    ///
    /// Errors, before anything is written, when the prefix is another gateway's, and with a sentence that names the key
    /// of the configuration to look at.
    pub async fn try_out(&self, random: [u8; 16]) -> Result<Option<&'static str>, ArtifactError> {
        let Some(bucket) = &self.bucket else { return Ok(None) };
        bucket.is_ours().await?;
        let name = ArtifactName::new(ServiceId::Video, random);
        let film = Bytes::from([FILM, &vec![0; PART]].concat());
        let tried = self.try_file(&name, &film).await;
        let deleted = self.delete_result(name.as_str()).await;
        tried?;
        deleted?;
        self.try_giving_up(bucket, &name, film).await?;
        Ok(Some("The storage takes, lists, hands out and deletes files."))
    }

    async fn try_file(&self, name: &ArtifactName, film: &Bytes) -> Result<(), ArtifactError> {
        let wrong = |what: &str| Err(ArtifactError::Unreachable(format!("artifacts.url: {what}")));
        self.write_result(name, stream::iter([Ok(film.clone())]).boxed(), u64::MAX).await?;
        if self.read_whole(name, None).await? != *film {
            return wrong("the storage hands out something else than was written");
        }
        // The second is where one part of the upload meets the next.
        for (from, to) in [(4, 8), (PART - 1, PART + 1)] {
            let part = self.read_whole(name, Some(GetRange::Bounded(from as u64..to as u64))).await?;
            if part != film[from..to] {
                return wrong("the storage does not hand out parts of files, which players ask for");
            }
        }
        if !self.names(super::RESULTS).await?.iter().any(|found| found == name.as_str()) {
            return wrong("the storage does not list what was written");
        }
        Ok(())
    }

    /// Begins an upload, and ends it as a job does whose provider's line breaks.
    async fn try_giving_up(&self, bucket: &Bucket, name: &ArtifactName, film: Bytes) -> Result<(), ArtifactError> {
        let broken: ByteStream = stream::iter([Ok(film), Err("it is only a try".into())]).boxed();
        match self.write_result(name, broken, u64::MAX).await {
            Err(ArtifactError::Source(_)) => bucket.clear_strays().await,
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    async fn read_whole(&self, name: &ArtifactName, range: Option<GetRange>) -> Result<Vec<u8>, ArtifactError> {
        let chunks: Vec<Bytes> = self.result(name, range).await?.stream.try_collect().await?;
        Ok(chunks.concat())
    }
}
