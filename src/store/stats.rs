//! Figures for the metrics.

use sqlx::{Row as _, query};

use super::{Store, StoreError};

/// What the database holds at the moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Jobs by state and service.
    pub jobs: Vec<(String, String, i64)>,
    /// Unix milliseconds of the oldest job that waits.
    pub oldest_queued: Option<i64>,
    /// Refunds that are due: how many, and their sum in msat.
    pub refunds_due: (i64, i64),
}

impl Store {
    /// Counts jobs and refunds.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let jobs = query("SELECT state, service, CAST(COUNT(*) AS BIGINT) AS n FROM jobs GROUP BY state, service")
            .fetch_all(&self.readers)
            .await?;
        let jobs = jobs
            .iter()
            .map(|row| Ok((row.try_get("state")?, row.try_get("service")?, row.try_get("n")?)))
            .collect::<Result<_, StoreError>>()?;
        let oldest = query("SELECT created_at FROM jobs WHERE state = 'queued' ORDER BY created_at LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        let due = query(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n, CAST(COALESCE(SUM(amount_msat), 0) AS BIGINT) AS msat \
             FROM refunds WHERE status = 'due'",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(Stats {
            jobs,
            oldest_queued: oldest.map(|row| row.try_get("created_at")).transpose()?,
            refunds_due: (due.try_get("n")?, due.try_get("msat")?),
        })
    }
}
