//! Finding jobs.

use sqlx::query;

use crate::domain::job::Job;
use crate::domain::{JobId, PaymentHash, PublicJobId};

use super::row::{job_columns, read_job};
use super::{Store, StoreError};

impl Store {
    /// The job that a payment bought.
    pub async fn job_by_payment(&self, hash: PaymentHash) -> Result<Option<Job>, StoreError> {
        let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE payment_hash = $1"))
            .bind(hash.to_hex())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_job).transpose()
    }

    /// A job.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_job).transpose()
    }

    /// The job with the id that callers see.
    pub async fn job_by_public_id(&self, id: &PublicJobId) -> Result<Option<Job>, StoreError> {
        let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE public_id = $1"))
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_job).transpose()
    }

    /// The job whose result has that name.
    pub async fn job_by_artifact(&self, artifact: &str) -> Result<Option<Job>, StoreError> {
        let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE artifact = $1"))
            .bind(artifact)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_job).transpose()
    }
}
