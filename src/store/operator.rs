//! What the operator does by hand, beside a gateway that may be at work.
//!
//! Crash rule: as for the gateway itself. Each change is one transaction of conditional statements, so that whoever comes
//! second (a claim, a worker, another operator) finds nothing left to change.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::job::{Failed, Job};
use crate::domain::{JobId, JobState};

use super::callbacks;
use super::finish::owe;
use super::progress::exactly_one_or_lost;
use super::row::{job_columns, read_job};
use super::writer::Write;
use super::{Store, StoreError};

/// What became of the wish to have a job run once more.
#[derive(Debug)]
pub enum Retried {
    /// It waits to be taken up.
    Queued(Box<Job>),
    /// It has not failed; the name of its state.
    NotFailed(&'static str),
    /// Its refund is being paid, or was; the refund's status.
    Claimed(String),
    /// What it needs to run was deleted, or never kept.
    NoInput,
    /// There is no such job.
    Unknown,
}

/// What became of the wish to end a job.
#[derive(Debug)]
pub enum Failing {
    /// It has failed now, and is owed back.
    Failed(Box<Job>),
    /// It had ended before; the name of its state.
    Ended(&'static str),
    /// There is no such job.
    Unknown,
}

/// What became of a word of the operator's on a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It is written down.
    Done,
    /// It is being paid by this payer, who alone knows what became of that.
    PaidBy(String),
    /// Its status does not allow it.
    Status(String),
    /// Nothing is owed for that job.
    NothingOwed,
}

impl Store {
    /// Puts a failed job whose refund is available back into the queue at `now` and cancels the refund, in one
    /// transaction. It has `time` milliseconds from then on; `None`: as many as it had.
    pub async fn retry_job(&self, id: JobId, now: i64, time: Option<i64>) -> Result<Retried, StoreError> {
        self.writer.write(Retry { id, now, time }).await
    }

    /// Ends an open job as failed and owed back, whoever works on it: their lease ends with it.
    pub async fn fail_job(&self, id: JobId, failed: Failed) -> Result<Failing, StoreError> {
        self.writer.write(Fail { id, failed }).await
    }

    /// Writes down that the operator, who is called `by_hand` among payers, has paid a refund at `at` (Unix milliseconds).
    /// One that another payer was told to pay is left alone, unless `force` is set.
    pub async fn settle_refund(
        &self,
        job: JobId,
        by_hand: &str,
        at: i64,
        note: &str,
        force: bool,
    ) -> Result<Settling, StoreError> {
        let word = Word::Paid { at, note: note.to_owned() };
        self.writer.write(Settle { job, by_hand: by_hand.to_owned(), force, word }).await
    }

    /// Ends the claim of a refund that the operator, who is called `by_hand` among payers, was to pay and has not: it can be
    /// claimed again. One that another payer was told to pay is left alone, unless `force` is set.
    pub async fn release_refund(&self, job: JobId, by_hand: &str, force: bool) -> Result<Settling, StoreError> {
        self.writer.write(Settle { job, by_hand: by_hand.to_owned(), force, word: Word::Released }).await
    }
}

struct Retry {
    id: JobId,
    now: i64,
    time: Option<i64>,
}

struct Fail {
    id: JobId,
    failed: Failed,
}

enum Word {
    Paid { at: i64, note: String },
    Released,
}

struct Settle {
    job: JobId,
    by_hand: String,
    force: bool,
    word: Word,
}

#[async_trait]
impl Write for Retry {
    type Output = Retried;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Retried, StoreError> {
        let cancelled = query(
            "UPDATE refunds SET status = 'cancelled' WHERE job_id = $1 AND status = 'available' AND EXISTS \
             (SELECT 1 FROM jobs JOIN job_inputs ON job_inputs.job_id = jobs.id \
             WHERE jobs.id = refunds.job_id AND jobs.state = 'failed')",
        )
        .bind(self.id.to_string())
        .execute(&mut *connection)
        .await?;
        if !exactly_one_or_lost("retry_job", cancelled.rows_affected())? {
            return why_not(connection, self.id).await;
        }
        let row = query(concat!(
            "UPDATE jobs SET state = 'queued', attempt = attempt + 1, run_after = $1, lease_until = 0, failures = 0, ",
            "deadline_at = $1 + COALESCE($2, deadline_at - COALESCE(retried_at, created_at)), retried_at = $1, ",
            "earlier_dispatches = dispatches, provider = NULL, upstream_id = NULL, failure = NULL, finished_at = NULL ",
            "WHERE id = $3 AND state = 'failed' RETURNING ",
            job_columns!(),
        ))
        .bind(self.now)
        .bind(self.time)
        .bind(self.id.to_string())
        .fetch_one(&mut *connection)
        .await?;
        callbacks::suspend(connection, self.id).await?;
        Ok(Retried::Queued(Box::new(read_job(&row)?)))
    }
}

/// Why nothing was cancelled.
async fn why_not(connection: &mut AnyConnection, id: JobId) -> Result<Retried, StoreError> {
    let Some(job) = job(connection, id).await? else { return Ok(Retried::Unknown) };
    if !matches!(job.state, JobState::Failed(_)) {
        return Ok(Retried::NotFailed(job.state.name()));
    }
    match status(connection, id).await? {
        Some((status, _)) if status != "available" => Ok(Retried::Claimed(status)),
        _ => Ok(Retried::NoInput),
    }
}

async fn job(connection: &mut AnyConnection, id: JobId) -> Result<Option<Job>, StoreError> {
    let row = query(concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1"))
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read_job).transpose()
}

/// The status of a refund, and who was told to pay it.
async fn status(connection: &mut AnyConnection, job: JobId) -> Result<Option<(String, Option<String>)>, StoreError> {
    let row = query("SELECT status, payer FROM refunds WHERE job_id = $1")
        .bind(job.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((row.try_get("status")?, row.try_get("payer")?))).transpose()
}

#[async_trait]
impl Write for Fail {
    type Output = Failing;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Failing, StoreError> {
        let Failed { failure, finished_at } = self.failed;
        let row = query(concat!(
            "UPDATE jobs SET state = 'failed', failure = $1, finished_at = $2, attempt = attempt + 1, lease_until = 0 ",
            "WHERE id = $3 AND state NOT IN ('succeeded', 'failed') RETURNING ",
            job_columns!(),
        ))
        .bind(failure.name())
        .bind(finished_at)
        .bind(self.id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else {
            let found = job(connection, self.id).await?;
            return Ok(found.map_or(Failing::Unknown, |job| Failing::Ended(job.state.name())));
        };
        let job = read_job(&row)?;
        owe(connection, job.id, job.payment_hash, job.amount, finished_at).await?;
        callbacks::make_due(connection, job.id, finished_at).await?;
        Ok(Failing::Failed(Box::new(job)))
    }
}

#[async_trait]
impl Write for Settle {
    type Output = Settling;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Settling, StoreError> {
        let Some((status, payer)) = status(connection, self.job).await? else { return Ok(Settling::NothingOwed) };
        match (status.as_str(), payer, &self.word) {
            ("claiming", Some(payer), _) if payer != self.by_hand && !self.force => return Ok(Settling::PaidBy(payer)),
            ("claiming", ..) | ("available", _, Word::Paid { .. }) => {}
            _ => return Ok(Settling::Status(status)),
        }
        let statement = match &self.word {
            // The hash of a claim stays, or the same invoice could be offered for another refund.
            Word::Paid { at, note } => query(
                "UPDATE refunds SET status = 'paid', paid_at = $2, note = $3, payer = COALESCE(payer, $4), \
                 invoice = NULL, destination = NULL WHERE job_id = $1 AND status IN ('available', 'claiming')",
            )
            .bind(self.job.to_string())
            .bind(*at)
            .bind(note.clone())
            .bind(self.by_hand.clone()),
            Word::Released => query(
                "UPDATE refunds SET status = 'available', invoice_hash = NULL, invoice = NULL, destination = NULL, \
                 payer = NULL, claimed_at = NULL WHERE job_id = $1 AND status = 'claiming'",
            )
            .bind(self.job.to_string()),
        };
        let done = statement.execute(connection).await?;
        Ok(if exactly_one_or_lost("settle_refund", done.rows_affected())? {
            Settling::Done
        } else {
            Settling::Status(status)
        })
    }
}
