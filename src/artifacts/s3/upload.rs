//! A result on its way into the bucket: in one request if it is small, in parts otherwise.

use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, MultipartId, ObjectStore as _, PutMultipartOptions, PutOptions, PutPayload, PutPayloadMut,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Bucket;
use super::strays::Stray;
use crate::artifacts::{ArtifactError, ArtifactName, CACHE_CONTROL, RESULTS, media_type};

/// The size in bytes of all parts but the last: the smallest that S3 takes.
pub(in crate::artifacts) const PART: usize = 5 * 1024 * 1024;
/// Bytes that are asked of the memory at once.
const BLOCK: usize = 256 * 1024;
/// Parts of one upload under way at once; each is held in memory, and so is the next one.
const PARTS_AT_ONCE: usize = 2;

/// A file on its way. Nothing can be read under its name before [`Upload::finish`] has succeeded, and one that is dropped
/// before is cleared away.
pub(in crate::artifacts) struct Upload {
    bucket: Arc<Bucket>,
    name: String,
    key: ObjectPath,
    attributes: Attributes,
    buffer: PutPayloadMut,
    parts: Option<Parts>,
    stage: Stage,
}

struct Parts {
    upload: MultipartId,
    begun: usize,
    under_way: JoinSet<Result<(usize, PartId), object_store::Error>>,
    done: Vec<(usize, PartId)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No file can have come of it.
    Open,
    /// The bucket was asked to make it a file.
    Closing,
    /// It is a file.
    Whole,
}

impl Upload {
    /// What is told of the file here is told to whoever is sent to the bucket for it.
    pub(in crate::artifacts) fn new(bucket: Arc<Bucket>, name: &ArtifactName) -> Self {
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, media_type(name.service()).to_owned()),
            (Attribute::ContentDisposition, name.disposition()),
            (Attribute::CacheControl, CACHE_CONTROL.to_owned()),
        ]);
        Self {
            key: bucket.key(&[RESULTS, name.as_str()]),
            bucket,
            name: name.as_str().to_owned(),
            attributes,
            buffer: empty(),
            parts: None,
            stage: Stage::Open,
        }
    }

    /// Takes the next bytes; sends a part when there are enough.
    pub(in crate::artifacts) async fn put(&mut self, mut chunk: Bytes) -> Result<(), ArtifactError> {
        loop {
            let room = PART - self.buffer.content_length();
            if chunk.len() < room {
                // Not pushed: a thousand small chunks would each keep the buffer that they were received in.
                self.buffer.extend_from_slice(&chunk);
                return Ok(());
            }
            self.buffer.extend_from_slice(&chunk.split_to(room));
            self.send_part().await?;
        }
    }

    /// Makes the file visible, whole.
    pub(in crate::artifacts) async fn finish(mut self) -> Result<(), ArtifactError> {
        if self.parts.is_some() && !self.buffer.is_empty() {
            self.send_part().await?;
        }
        let client = self.bucket.client.clone();
        let payload = self.take_buffer();
        match &mut self.parts {
            None => {
                self.stage = Stage::Closing;
                let options = PutOptions { attributes: std::mem::take(&mut self.attributes), ..PutOptions::default() };
                client.put_opts(&self.key, payload, options).await?;
            }
            Some(parts) => {
                parts.wait_for_room(1).await?;
                parts.done.sort_unstable_by_key(|(index, _)| *index);
                let done = std::mem::take(&mut parts.done).into_iter().map(|(_, part)| part).collect();
                self.stage = Stage::Closing;
                client.complete_multipart(&self.key, &parts.upload, done).await?;
                self.bucket.strays.forget(&self.name);
            }
        }
        self.stage = Stage::Whole;
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), ArtifactError> {
        let payload = self.take_buffer();
        if self.parts.is_none() {
            let upload = self.begin().await?;
            self.parts = Some(Parts { upload, begun: 0, under_way: JoinSet::new(), done: Vec::new() });
        }
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.wait_for_room(PARTS_AT_ONCE).await?;
        let (index, client) = (parts.begun, self.bucket.client.clone());
        let (key, upload) = (self.key.clone(), parts.upload.clone());
        parts.begun += 1;
        parts.under_way.spawn(async move { Ok((index, client.put_part(&key, &upload, index, payload).await?)) });
        Ok(())
    }

    /// Begins an upload in parts and notes it. In a task of its own: dropped in the middle, nobody would know what the
    /// bucket has called it.
    async fn begin(&mut self) -> Result<MultipartId, ArtifactError> {
        let attributes = std::mem::take(&mut self.attributes);
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let (bucket, name, key) = (self.bucket.clone(), self.name.clone(), self.key.clone());
        let (tell, told) = oneshot::channel();
        let begin = async move {
            let begun = bucket.client.create_multipart_opts(&key, options).await.map_err(ArtifactError::from);
            let noted = match begun {
                Ok(upload) => match bucket.strays.note(&name, &upload).await {
                    Ok(()) => Ok(upload),
                    Err(error) => {
                        bucket.give_up(Stray::new(name.clone(), Some(upload), false));
                        Err(error)
                    }
                },
                Err(error) => Err(error),
            };
            if let Err(Ok(upload)) = tell.send(noted) {
                bucket.give_up(Stray::new(name, Some(upload), false));
            }
        };
        self.bucket.spawn(begin);
        told.await.unwrap_or_else(|_| Err(ArtifactError::Storage("the upload was interrupted".into())))
    }

    fn take_buffer(&mut self) -> PutPayload {
        std::mem::replace(&mut self.buffer, empty()).freeze()
    }
}

fn empty() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK)
}

impl Parts {
    /// Returns when fewer than `most` are under way.
    async fn wait_for_room(&mut self, most: usize) -> Result<(), ArtifactError> {
        while self.under_way.len() >= most {
            match self.under_way.join_next().await {
                Some(Ok(sent)) => self.done.push(sent?),
                Some(Err(error)) => return Err(ArtifactError::Storage(error.to_string())),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Drop for Upload {
    /// An error, a deadline or a shutdown ends an upload in the middle, and the bucket keeps what it has of it.
    fn drop(&mut self) {
        let upload = self.parts.take().map(|parts| parts.upload);
        let may_be_whole = self.stage == Stage::Closing;
        if self.stage != Stage::Whole && (upload.is_some() || may_be_whole) {
            self.bucket.give_up(Stray::new(std::mem::take(&mut self.name), upload, may_be_whole));
        }
    }
}
