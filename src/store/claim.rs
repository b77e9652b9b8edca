//! Leases: who works on a job, and until when nobody else may.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::JobId;
use crate::domain::job::Job;

use super::row::{job_columns, read_job};
use super::writer::Write;
use super::{Store, StoreError};

/// A job with a lease on it.
#[derive(Debug)]
pub struct Claimed {
    /// The job; its `attempt` is the lease's number.
    pub job: Job,
    /// How many attempts ended without an outcome.
    pub failures: i64,
}

impl Store {
    /// Leases up to `limit` jobs that are due at `now` until `lease_until`, both Unix milliseconds, oldest first.
    pub async fn claim_jobs(&self, now: i64, lease_until: i64, limit: i64) -> Result<Vec<Claimed>, StoreError> {
        self.writer.write(Claim { now, lease_until, limit }).await
    }

    /// When the next job is due, in Unix milliseconds; `None` when all have ended.
    pub async fn next_due(&self) -> Result<Option<i64>, StoreError> {
        let row =
            query("SELECT run_after FROM jobs WHERE state NOT IN ('succeeded', 'failed') ORDER BY run_after LIMIT 1")
                .fetch_optional(&self.readers)
                .await?;
        Ok(row.map(|row| row.try_get("run_after")).transpose()?)
    }

    /// Extends the leases of `jobs`, given with the numbers of their leases. A lease that was lost stays lost.
    pub async fn renew_leases(&self, jobs: Vec<(JobId, i64)>, lease_until: i64) -> Result<(), StoreError> {
        self.writer.write(Renew { jobs, lease_until }).await
    }

    /// Ends every lease. For the one process that owns the database, at its start: the leases are its predecessor's.
    pub async fn release_all_leases(&self) -> Result<u64, StoreError> {
        self.writer.write(ReleaseAll).await
    }
}

/// One row that cannot be read must not stop all the others: it keeps its lease and is reported each time it runs out.
fn readable(row: &AnyRow) -> Option<Claimed> {
    let claimed = read_job(row).and_then(|job| Ok(Claimed { failures: row.try_get("failures")?, job }));
    claimed.inspect_err(|error| tracing::error!(%error, "an open job cannot be read; it is left alone")).ok()
}

struct Claim {
    now: i64,
    lease_until: i64,
    limit: i64,
}

struct Renew {
    jobs: Vec<(JobId, i64)>,
    lease_until: i64,
}

struct ReleaseAll;

#[async_trait]
impl Write for Claim {
    type Output = Vec<Claimed>;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Vec<Claimed>, StoreError> {
        let rows = query(concat!(
            "UPDATE jobs SET run_after = $1, lease_until = $1, attempt = attempt + 1 WHERE id IN (SELECT id FROM jobs ",
            "WHERE state NOT IN ('succeeded', 'failed') AND run_after <= $2 ORDER BY run_after, id LIMIT $3) ",
            "RETURNING failures, ",
            job_columns!(),
        ))
        .bind(self.lease_until)
        .bind(self.now)
        .bind(self.limit)
        .fetch_all(connection)
        .await?;
        Ok(rows.iter().filter_map(readable).collect())
    }
}

#[async_trait]
impl Write for Renew {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for (id, attempt) in &self.jobs {
            query("UPDATE jobs SET run_after = $1, lease_until = $1 WHERE id = $2 AND attempt = $3")
                .bind(self.lease_until)
                .bind(id.to_string())
                .bind(*attempt)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Write for ReleaseAll {
    type Output = u64;

    async fn run(&self, connection: &mut AnyConnection) -> Result<u64, StoreError> {
        let done = query(
            "UPDATE jobs SET run_after = 0, lease_until = 0 \
             WHERE lease_until > 0 AND state NOT IN ('succeeded', 'failed')",
        )
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }
}
