//! The end of a job, and what is owed for a failed one: one transaction.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use crate::domain::job::{Delivery, Failed};
use crate::domain::{Failure, JobId, Msat, PaymentHash};

use crate::planted::{self, Bug};

use super::callbacks;
use super::progress::exactly_one_or_lost;
use super::writer::Write;
use super::{Store, StoreError};

/// How a job ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With a result.
    Delivered(Delivery),
    /// Without one: `amount` is owed to whoever holds the credential of `payment_hash`.
    Owed {
        /// Why.
        failed: Failed,
        /// The payment.
        payment_hash: PaymentHash,
        /// What was paid.
        amount: Msat,
    },
}

impl Outcome {
    /// Whether the job could be run once more, so that what it needs is kept for a while.
    #[must_use]
    pub const fn keeps_input(&self) -> bool {
        match self {
            Self::Delivered(_) => false,
            Self::Owed { failed, .. } => !matches!(failed.failure, Failure::NotRunnable | Failure::RedemptionExpired),
        }
    }
}

impl Store {
    /// Ends a job and deletes what it needed to run, unless the operator may want it run once more. `false`: the lease was
    /// lost, and nothing was written.
    pub async fn finish(&self, id: JobId, attempt: i64, outcome: Outcome) -> Result<bool, StoreError> {
        self.writer.write(Finish { id, attempt, outcome }).await
    }
}

struct Finish {
    id: JobId,
    attempt: i64,
    outcome: Outcome,
}

#[async_trait]
impl Write for Finish {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let (state, finished_at, delivery, failure) = match &self.outcome {
            Outcome::Delivered(delivery) => ("succeeded", delivery.finished_at, Some(delivery), None),
            Outcome::Owed { failed, .. } => ("failed", failed.finished_at, None, Some(failed.failure.name())),
        };
        let done = query(
            "UPDATE jobs SET state = $1, finished_at = $2, artifact = $3, expires_at = $4, failure = $5, \
             lease_until = 0 WHERE id = $6 AND attempt = $7 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(state)
        .bind(finished_at)
        .bind(delivery.map(|delivery| delivery.artifact.clone()))
        .bind(delivery.map(|delivery| delivery.expires_at))
        .bind(failure)
        .bind(self.id.to_string())
        .bind(self.attempt)
        .execute(&mut *connection)
        .await?;
        if !exactly_one_or_lost("finish", done.rows_affected())? {
            return self.is_done_already(connection).await;
        }
        if let Outcome::Owed { failed, payment_hash, amount } = &self.outcome {
            owe(connection, self.id, *payment_hash, *amount, failed.finished_at).await?;
        }
        if planted::is(Bug::RefundDelivered) && delivery.is_some() {
            owe_as_well(connection, self.id, finished_at).await?;
        }
        callbacks::make_due(connection, self.id, finished_at).await?;
        if !self.outcome.keeps_input() {
            query("DELETE FROM job_inputs WHERE job_id = $1").bind(self.id.to_string()).execute(connection).await?;
        }
        Ok(true)
    }
}

impl Finish {
    /// A commit may have worked although it reported an error; then this very end stands in the row.
    async fn is_done_already(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let (artifact, failure) = match &self.outcome {
            Outcome::Delivered(delivery) => (Some(delivery.artifact.clone()), None),
            Outcome::Owed { failed, .. } => (None, Some(failed.failure.name())),
        };
        let found = query(
            "SELECT id FROM jobs WHERE id = $1 AND attempt = $2 \
             AND COALESCE(artifact, '') = COALESCE($3, '') AND COALESCE(failure, '') = COALESCE($4, '') \
             AND state IN ('succeeded', 'failed')",
        )
        .bind(self.id.to_string())
        .bind(self.attempt)
        .bind(artifact)
        .bind(failure)
        .fetch_optional(connection)
        .await?;
        Ok(found.is_some())
    }
}

/// The planted bug.
async fn owe_as_well(connection: &mut AnyConnection, id: JobId, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO refunds (id, job_id, payment_hash, amount_msat, status, created_at) \
         SELECT id, id, payment_hash, amount_msat, 'available', $2 FROM jobs WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Records what is owed. It must stand in the transaction that fails the job: a crash between the two would keep the
/// money of somebody who got nothing.
pub(super) async fn owe(
    connection: &mut AnyConnection,
    id: JobId,
    payment_hash: PaymentHash,
    amount: Msat,
    now: i64,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO refunds (id, job_id, payment_hash, amount_msat, status, created_at) \
         VALUES ($1, $1, $2, $3, 'available', $4) \
         ON CONFLICT (job_id) DO UPDATE SET status = 'available' WHERE refunds.status = 'cancelled'",
    )
    .bind(id.to_string())
    .bind(payment_hash.to_hex())
    .bind(i64::try_from(amount.msat()).unwrap_or(i64::MAX))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
