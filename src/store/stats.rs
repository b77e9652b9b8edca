//! Figures for the metrics.

use sqlx::{Row as _, query};

use super::{Store, StoreError};

/// What the database holds at the moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Open jobs by state and, once one was chosen, provider.
    pub open: Vec<(String, Option<String>, i64)>,
    /// Unix milliseconds of the oldest job that waits to be taken up.
    pub oldest_queued: Option<i64>,
    /// Refunds that have not been paid: how many, and their sum in msat.
    pub refunds_due: (i64, i64),
}

impl Store {
    /// Counts open jobs and what is owed. It does not look at jobs that have ended, so it does not grow with them.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let open = query(
            "SELECT state, provider, CAST(COUNT(*) AS BIGINT) AS n FROM jobs \
             WHERE state NOT IN ('succeeded', 'failed') GROUP BY state, provider",
        )
        .fetch_all(&self.readers)
        .await?;
        let open = open
            .iter()
            .map(|row| Ok((row.try_get("state")?, row.try_get("provider")?, row.try_get("n")?)))
            .collect::<Result<_, StoreError>>()?;
        let oldest = query(
            "SELECT created_at FROM jobs WHERE state NOT IN ('succeeded', 'failed') AND state = 'queued' \
             ORDER BY created_at LIMIT 1",
        )
        .fetch_optional(&self.readers)
        .await?;
        let due = query(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n, CAST(COALESCE(SUM(amount_msat), 0) AS BIGINT) AS msat \
             FROM refunds WHERE status IN ('available', 'claiming')",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(Stats {
            open,
            oldest_queued: oldest.map(|row| row.try_get("created_at")).transpose()?,
            refunds_due: (due.try_get("n")?, due.try_get("msat")?),
        })
    }
}
