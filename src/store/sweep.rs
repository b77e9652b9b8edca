//! What retention deletes. Rows stay; only files and inputs go.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use super::writer::Write;
use super::{Store, StoreError};

/// Inputs of jobs that will not run again.
macro_rules! spent {
    () => {
        "FROM job_inputs WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_inputs.job_id AND jobs.state = 'failed' \
         AND (jobs.finished_at <= $1 OR EXISTS \
         (SELECT 1 FROM refunds WHERE refunds.job_id = jobs.id AND refunds.status = 'paid')))"
    };
}

/// A result whose time is over.
#[derive(Clone)]
pub struct ExpiredResult {
    /// The job's internal id, as text.
    pub job_id: String,
    /// The file's name.
    pub artifact: String,
}

impl Store {
    /// Up to `limit` results that expired before `now` (Unix milliseconds) and have not been swept.
    pub async fn expired_results(&self, now: i64, limit: i64) -> Result<Vec<ExpiredResult>, StoreError> {
        let rows = query(
            "SELECT id, artifact FROM jobs WHERE artifact IS NOT NULL AND swept_at IS NULL AND expires_at <= $1 \
             ORDER BY expires_at LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok(ExpiredResult { job_id: row.try_get("id")?, artifact: row.try_get("artifact")? }))
            .collect()
    }

    /// Notes that the files of `jobs` are gone.
    pub async fn mark_swept(&self, jobs: Vec<String>, now: i64) -> Result<(), StoreError> {
        self.writer.write(MarkSwept { jobs, now }).await
    }

    /// Up to `limit` failed jobs whose inputs nobody needs any more, each with the file of a large one: those that ended
    /// before `ended_before` (Unix milliseconds), and those whose refund was paid. Their rows of `job_inputs` are gone when
    /// this returns.
    pub async fn drop_spent_inputs(
        &self,
        ended_before: i64,
        limit: i64,
    ) -> Result<Vec<(String, Option<String>)>, StoreError> {
        // Looking first costs no flush to disk.
        let spent = query(concat!("SELECT job_id ", spent!(), " LIMIT 1"))
            .bind(ended_before)
            .fetch_optional(&self.readers)
            .await?;
        if spent.is_none() {
            return Ok(Vec::new());
        }
        self.writer.write(DropInputs { ended_before, limit }).await
    }

    /// The input files that open jobs need, or failed ones to be run once more; every other one is left over.
    pub async fn needed_input_files(&self) -> Result<HashSet<String>, StoreError> {
        let rows = query("SELECT file FROM job_inputs WHERE file IS NOT NULL").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get("file")?)).collect()
    }

    /// Whether a result of that name belongs to a job.
    pub async fn is_artifact_known(&self, artifact: &str) -> Result<bool, StoreError> {
        let row = query("SELECT id FROM jobs WHERE artifact = $1").bind(artifact).fetch_optional(&self.readers).await?;
        Ok(row.is_some())
    }
}

struct DropInputs {
    ended_before: i64,
    limit: i64,
}

#[async_trait]
impl Write for DropInputs {
    type Output = Vec<(String, Option<String>)>;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Self::Output, StoreError> {
        let rows = query(concat!(
            "DELETE FROM job_inputs WHERE job_id IN (SELECT job_id ",
            spent!(),
            " LIMIT $2) RETURNING job_id, file"
        ))
        .bind(self.ended_before)
        .bind(self.limit)
        .fetch_all(connection)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("job_id")?, row.try_get("file")?))).collect()
    }
}

struct MarkSwept {
    jobs: Vec<String>,
    now: i64,
}

#[async_trait]
impl Write for MarkSwept {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for job in &self.jobs {
            query("UPDATE jobs SET swept_at = $1 WHERE id = $2")
                .bind(self.now)
                .bind(job.clone())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}
