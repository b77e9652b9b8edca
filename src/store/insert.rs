//! The redemption: one insert, and whoever comes second finds what the first made.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::job::{Failed, Job};
use crate::domain::{JobId, JobState, Msat, PaymentHash, PublicJobId, RequestBinding};

use crate::planted::{self, Bug};

use super::callbacks::{self, NewCallback};
use super::finish::owe;
use super::row::{job_columns, read_job};
use super::writer::Write;
use super::{Store, StoreError};

/// A job to make.
#[derive(Debug)]
pub struct NewJob {
    /// The internal id.
    pub id: JobId,
    /// The callers' id.
    pub public_id: PublicJobId,
    /// The payment.
    pub payment_hash: PaymentHash,
    /// What it was for.
    pub binding: RequestBinding,
    /// How much it was.
    pub amount: Msat,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub deadline_at: i64,
    /// What it needs to run, or why it cannot.
    pub input: Result<StoredInput, Failed>,
    /// Whom to tell of its end.
    pub callback: Option<NewCallback>,
}

/// What a job needs to run.
#[derive(Clone)]
pub struct StoredInput {
    /// The parameters as JSON.
    pub params: String,
    /// An input of up to 64 KiB.
    pub bytes: Option<Vec<u8>>,
    /// The name of the file with a larger one.
    pub file: Option<String>,
}

// Prompts and images must not reach a log.
impl std::fmt::Debug for StoredInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredInput(redacted)")
    }
}

/// What became of an insert.
#[derive(Debug)]
pub enum Inserted {
    /// The payment bought this job just now.
    New(Job),
    /// The payment had bought this job before.
    Existing(Job),
}

impl Store {
    /// Redeems a payment: makes its job, durably, unless it has one.
    pub async fn insert_job(&self, job: NewJob) -> Result<Inserted, StoreError> {
        if planted::is(Bug::LostRedemption) {
            return Ok(Inserted::New(self.insert_some_time(job)));
        }
        self.writer.write(Insert(job)).await
    }

    /// The planted bug: what is on disk some time later is answered for now.
    fn insert_some_time(&self, job: NewJob) -> Job {
        let state = job.input.as_ref().map_or_else(|failed| JobState::Failed(*failed), |_| JobState::Queued);
        let answered = Job {
            id: job.id,
            public_id: job.public_id.clone(),
            payment_hash: job.payment_hash,
            binding: job.binding,
            amount: job.amount,
            state,
            attempt: 0,
            dispatches: 0,
            earlier_dispatches: 0,
            created_at: job.created_at,
            deadline_at: job.deadline_at,
            calls_back: job.callback.is_some(),
        };
        self.writer.write_behind(Insert(job));
        answered
    }

    /// What a job needs to run; `None` when it has ended.
    pub async fn job_input(&self, id: JobId) -> Result<Option<StoredInput>, StoreError> {
        let row = query("SELECT params, bytes, file FROM job_inputs WHERE job_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredInput {
            params: row.try_get("params")?,
            bytes: row.try_get("bytes")?,
            file: row.try_get("file")?,
        }))
    }
}

struct Insert(NewJob);

#[async_trait]
impl Write for Insert {
    type Output = Inserted;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Inserted, StoreError> {
        let job = &self.0;
        let state = job.input.as_ref().map_or_else(|failed| JobState::Failed(*failed), |_| JobState::Queued);
        let failed = job.input.as_ref().err();
        let inserted = query(concat!(
            "INSERT INTO jobs (id, public_id, payment_hash, service, body_sha256, amount_msat, state, run_after, ",
            "deadline_at, created_at, failure, finished_at, calls_back) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11, $12) ",
            "ON CONFLICT (payment_hash) DO NOTHING RETURNING ",
            job_columns!(),
        ))
        .bind(job.id.to_string())
        .bind(job.public_id.as_str())
        .bind(job.payment_hash.to_hex())
        .bind(job.binding.service.name())
        .bind(hex::encode(job.binding.body_sha256))
        .bind(i64::try_from(job.amount.msat()).unwrap_or(i64::MAX))
        .bind(state.name())
        .bind(job.created_at)
        .bind(job.deadline_at)
        .bind(failed.map(|failed| failed.failure.name()))
        .bind(failed.map(|failed| failed.finished_at))
        .bind(i64::from(job.callback.is_some()))
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = inserted else { return Ok(Inserted::Existing(existing(connection, job.payment_hash).await?)) };
        if let Some(callback) = &job.callback {
            callbacks::insert(connection, job.id, callback, failed.map(|failed| failed.finished_at)).await?;
        }
        match &job.input {
            Ok(input) => insert_input(connection, job.id, input).await?,
            // The crash rule: a job that fails and what is owed for it are one write.
            Err(failed) => owe(connection, job.id, job.payment_hash, job.amount, failed.finished_at).await?,
        }
        Ok(Inserted::New(read_job(&row)?))
    }
}

async fn existing(connection: &mut AnyConnection, hash: PaymentHash) -> Result<Job, StoreError> {
    let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE payment_hash = $1"))
        .bind(hash.to_hex())
        .fetch_one(connection)
        .await?;
    read_job(&row)
}

async fn insert_input(connection: &mut AnyConnection, id: JobId, input: &StoredInput) -> Result<(), StoreError> {
    query("INSERT INTO job_inputs (job_id, params, bytes, file) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(input.params.clone())
        .bind(input.bytes.clone())
        .bind(input.file.clone())
        .execute(connection)
        .await?;
    Ok(())
}
