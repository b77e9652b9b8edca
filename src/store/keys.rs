//! Which secrets have minted macaroons.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use super::writer::Write;
use super::{Store, StoreError};

/// A secret that is missing from the configuration although its macaroons can still be presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedKey {
    /// The secret's fingerprint.
    pub fingerprint: String,
    /// Unix milliseconds when it stopped minting; `None`: it minted until the last stop.
    pub last_used: Option<i64>,
}

impl Store {
    /// The secrets that are not among `configured` although they have minted since `since` (Unix milliseconds), or
    /// although refunds are due that only their credentials can claim.
    pub async fn dropped_keys(&self, configured: &[String], since: i64) -> Result<Vec<DroppedKey>, StoreError> {
        let rows = query(
            "SELECT fingerprint, last_used FROM minting_keys WHERE last_used IS NULL OR last_used > $1 \
             OR EXISTS (SELECT 1 FROM refunds WHERE refunds.status IN ('available', 'claiming') \
             AND refunds.created_at >= minting_keys.first_used)",
        )
        .bind(since)
        .fetch_all(&self.readers)
        .await?;
        let known = rows
            .iter()
            .map(|row| {
                Ok(DroppedKey { fingerprint: row.try_get("fingerprint")?, last_used: row.try_get("last_used")? })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(known.into_iter().filter(|key| !configured.contains(&key.fingerprint)).collect())
    }

    /// Notes that `fingerprint` mints from `now` (Unix milliseconds) on, and all others have stopped.
    pub async fn note_minting_key(&self, fingerprint: String, now: i64) -> Result<(), StoreError> {
        self.writer.write(NoteMintingKey { fingerprint, now }).await
    }
}

struct NoteMintingKey {
    fingerprint: String,
    now: i64,
}

#[async_trait]
impl Write for NoteMintingKey {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query("UPDATE minting_keys SET last_used = $1 WHERE last_used IS NULL AND fingerprint <> $2")
            .bind(self.now)
            .bind(self.fingerprint.clone())
            .execute(&mut *connection)
            .await?;
        query(
            "INSERT INTO minting_keys (fingerprint, first_used) VALUES ($1, $2) \
             ON CONFLICT (fingerprint) DO UPDATE SET last_used = NULL",
        )
        .bind(self.fingerprint.clone())
        .bind(self.now)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Commits a page that says what it said before.
pub(super) struct Probe;

#[async_trait]
impl Write for Probe {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query("UPDATE minting_keys SET first_used = first_used").execute(connection).await?;
        Ok(())
    }
}
