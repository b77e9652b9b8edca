//! Whether the bucket can be used: looked at before anything is sold, then every now and then, and at once when a
//! request to it fails.

use std::sync::atomic::Ordering;
use std::time::Duration;

use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::{Bucket, owner};
use crate::artifacts::ArtifactError;

/// The pause between two looks while all is well.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The pause between two looks while the bucket cannot be used.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The time that a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(8);

/// What the last look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has looked.
    Unknown,
    /// Files can be kept there.
    Good,
    /// It does not answer, or refuses.
    Away,
    /// Another gateway keeps its files there.
    Foreign,
}

impl Bucket {
    /// Whether files can be kept, as far as is known.
    pub(in crate::artifacts) fn is_reachable(&self) -> bool {
        *self.standing.borrow() == Standing::Good
    }

    /// Returns once files can be kept.
    pub(in crate::artifacts) async fn wait_until_reachable(&self) {
        // The sender lives as long as the bucket.
        let _ = self.standing.subscribe().wait_for(|standing| *standing == Standing::Good).await;
    }

    /// Looks once. Errors only when the prefix is another gateway's: a bucket that is away may come back.
    pub(in crate::artifacts) async fn look_first(&self) -> Result<(), ArtifactError> {
        let looked = self.look().await;
        self.note(&looked);
        match looked {
            Err(error @ ArtifactError::Foreign(_)) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Looks until `stop`, and clears away what was given up.
    pub(in crate::artifacts) async fn watch(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let round = async {
                // The first look has been taken already.
                let pause = if self.is_reachable() { LOOK_EVERY } else { LOOK_AGAIN };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.look_now.notified(), if self.is_reachable() => {}
                }
                let looked = self.look().await;
                self.note(&looked);
                if looked.is_ok() {
                    // What could not be cleared away is tried again after the next look.
                    let _ = self.clear_strays().await;
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = round => {}
            }
        }
    }

    /// Whether the bucket answers and the prefix is ours. It becomes ours where it is nobody's.
    async fn look(&self) -> Result<(), ArtifactError> {
        let look = async {
            if !self.is_ours().await? {
                self.claim().await?;
            }
            // What every look costs is one read: writing and listing are tried only when there is a reason to.
            if self.doubtful.swap(false, Ordering::Relaxed) {
                let tried = self.try_to_use().await;
                self.doubtful.fetch_or(tried.is_err(), Ordering::Relaxed);
                return tried;
            }
            Ok(())
        };
        tokio::time::timeout(LOOK_TIMEOUT, look).await.unwrap_or_else(|_| {
            self.doubtful.store(true, Ordering::Relaxed);
            Err(ArtifactError::Unreachable("artifacts.endpoint: it took too long to answer".into()))
        })
    }

    /// Whether the prefix is this gateway's; `false` where it is nobody's. Errors where it is another one's.
    pub(in crate::artifacts) async fn is_ours(&self) -> Result<bool, ArtifactError> {
        let key = self.key(&[owner::FILE]);
        let found = match self.client.get(&key).await {
            Ok(found) => found.bytes().await?,
            Err(error) => {
                return match ArtifactError::from(error) {
                    ArtifactError::NotFound => Ok(false),
                    error => Err(error),
                };
            }
        };
        if self.owner.is(&found) { Ok(true) } else { Err(ArtifactError::Foreign(key.to_string())) }
    }

    /// Makes the prefix this gateway's. Of two that try it at once, one finds the other's mark.
    async fn claim(&self) -> Result<(), ArtifactError> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.client.put_opts(&self.key(&[owner::FILE]), self.mark(), create).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => self.is_ours().await.map(drop),
            // Not all who speak the protocol know conditions; what is really wrong comes up again.
            Err(_) => self.write_mark().await,
        }
    }

    async fn write_mark(&self) -> Result<(), ArtifactError> {
        self.client.put(&self.key(&[owner::FILE]), self.mark()).await?;
        Ok(())
    }

    fn mark(&self) -> PutPayload {
        PutPayload::from(self.owner.id().unwrap_or_default().to_owned())
    }

    async fn try_to_use(&self) -> Result<(), ArtifactError> {
        self.write_mark().await?;
        let one = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        self.client.list_paginated(Some(self.prefix.as_ref()), one).await?;
        Ok(())
    }

    fn note(&self, looked: &Result<(), ArtifactError>) {
        match looked {
            Ok(()) => self.settle(Standing::Good, None),
            Err(error @ ArtifactError::Foreign(_)) => self.settle(Standing::Foreign, Some(error)),
            Err(error) => self.settle(Standing::Away, Some(error)),
        }
    }

    /// Says it once when things change.
    pub(super) fn settle(&self, standing: Standing, reason: Option<&ArtifactError>) {
        let before = self.standing.send_replace(standing);
        match reason {
            Some(error) if before != standing => {
                tracing::error!(%error, "the storage cannot be used: nothing is sold until it can");
            }
            None if matches!(before, Standing::Away | Standing::Foreign) => {
                tracing::info!("the storage can be used again");
            }
            Some(_) | None => {}
        }
    }
}
