//! Refunds: claimed before they are paid, and paid once.
//!
//! Crash rule: every change is one conditional statement, so that of two that race one finds nothing left to change. The
//! claim's number fences what is written about it: a late word on an earlier claim changes nothing.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::{Claim, ClaimedInvoice, JobId, Msat, PaymentHash, Refund, RefundState, Repaid};

use super::progress::exactly_one_or_lost;
use super::row::read_amount;
use super::writer::Write;
use super::{Store, StoreError};

/// The columns that [`read_refund`] reads.
macro_rules! refund_columns {
    () => {
        "job_id, payment_hash, amount_msat, status, created_at, claims, invoice_hash, invoice, destination, payer, \
         claimed_at, paid_at, fee_msat"
    };
}

/// A claim to write down.
#[derive(Clone, Debug)]
pub struct NewClaim {
    /// The job that failed.
    pub job: JobId,
    /// What is to be paid; `None`: the operator pays to `destination`.
    pub invoice: Option<ClaimedInvoice>,
    /// A Lightning address, where the operator is to pay by hand.
    pub destination: Option<String>,
    /// Who is told to pay.
    pub payer: String,
    /// Unix milliseconds.
    pub claimed_at: i64,
}

/// What became of a claim's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claiming {
    /// It is on disk under this number, and may be paid.
    Begun(i64),
    /// The refund cannot be claimed at the moment.
    NotAvailable,
    /// The invoice is, or was, paid for another refund.
    InvoiceTaken,
}

impl Store {
    /// What is owed for a job; `None`: nothing ever was.
    pub async fn refund(&self, job: JobId) -> Result<Option<Refund>, StoreError> {
        let row = query(concat!("SELECT ", refund_columns!(), " FROM refunds WHERE job_id = $1"))
            .bind(job.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_refund).transpose()
    }

    /// Up to `limit` refunds that `payer` was told to pay and of which nobody knows what became, the oldest claims first.
    pub async fn open_claims(&self, payer: &str, limit: i64) -> Result<Vec<Refund>, StoreError> {
        let rows = query(concat!(
            "SELECT ",
            refund_columns!(),
            " FROM refunds WHERE status = 'claiming' AND payer = $1 AND invoice IS NOT NULL ",
            "ORDER BY claimed_at, job_id LIMIT $2",
        ))
        .bind(payer.to_owned())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_refund).collect()
    }

    /// How many refunds are being claimed that none of the two `payers` was told to pay.
    pub async fn claims_of_others(&self, payers: &[&str; 2]) -> Result<i64, StoreError> {
        let row = query(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM refunds \
             WHERE status = 'claiming' AND payer <> $1 AND payer <> $2",
        )
        .bind(payers[0].to_owned())
        .bind(payers[1].to_owned())
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get("n")?)
    }

    /// Claims a refund: `available` becomes `claiming`, durably, before anything is paid.
    pub async fn claim_refund(&self, claim: NewClaim) -> Result<Claiming, StoreError> {
        self.writer.write(Begin(claim)).await
    }

    /// The claim was paid. `false`: it is not the open one, and nothing was written.
    pub async fn refund_paid(&self, job: JobId, claim: i64, at: i64, fee: Option<Msat>) -> Result<bool, StoreError> {
        self.writer.write(Paid { job, claim, at, fee }).await
    }

    /// The claim has failed for good: the refund can be claimed again. `false`: it is not the open one, and nothing was
    /// written.
    pub async fn release_claim(&self, job: JobId, claim: i64) -> Result<bool, StoreError> {
        self.writer.write(Release { job, claim }).await
    }
}

struct Begin(NewClaim);

struct Paid {
    job: JobId,
    claim: i64,
    at: i64,
    fee: Option<Msat>,
}

struct Release {
    job: JobId,
    claim: i64,
}

#[async_trait]
impl Write for Begin {
    type Output = Claiming;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Claiming, StoreError> {
        let claim = &self.0;
        let hash = claim.invoice.as_ref().map(|invoice| invoice.payment_hash.to_hex());
        // The index would refuse it, too, but an error would fail what others write at the same time.
        let taken = query("SELECT job_id FROM refunds WHERE invoice_hash = $1 AND job_id <> $2")
            .bind(hash.clone())
            .bind(claim.job.to_string())
            .fetch_optional(&mut *connection)
            .await?;
        if taken.is_some() {
            return Ok(Claiming::InvoiceTaken);
        }
        let begun = query(
            "UPDATE refunds SET status = 'claiming', claims = claims + 1, invoice_hash = $1, invoice = $2, \
             destination = $3, payer = $4, claimed_at = $5 WHERE job_id = $6 AND status = 'available' RETURNING claims",
        )
        .bind(hash)
        .bind(claim.invoice.as_ref().map(|invoice| invoice.bolt11.clone()))
        .bind(claim.destination.clone())
        .bind(claim.payer.clone())
        .bind(claim.claimed_at)
        .bind(claim.job.to_string())
        .fetch_optional(connection)
        .await?;
        let Some(row) = begun else { return Ok(Claiming::NotAvailable) };
        Ok(Claiming::Begun(row.try_get("claims")?))
    }
}

#[async_trait]
impl Write for Paid {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        // The hash stays, or the same invoice could be offered for another refund.
        let done = query(
            "UPDATE refunds SET status = 'paid', paid_at = $1, fee_msat = $2, invoice = NULL, destination = NULL \
             WHERE job_id = $3 AND claims = $4 AND status = 'claiming'",
        )
        .bind(self.at)
        .bind(self.fee.map(|fee| i64::try_from(fee.msat()).unwrap_or(i64::MAX)))
        .bind(self.job.to_string())
        .bind(self.claim)
        .execute(connection)
        .await?;
        exactly_one_or_lost("refund_paid", done.rows_affected())
    }
}

#[async_trait]
impl Write for Release {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let done = query(
            "UPDATE refunds SET status = 'available', invoice_hash = NULL, invoice = NULL, destination = NULL, \
             payer = NULL, claimed_at = NULL WHERE job_id = $1 AND claims = $2 AND status = 'claiming'",
        )
        .bind(self.job.to_string())
        .bind(self.claim)
        .execute(connection)
        .await?;
        exactly_one_or_lost("release_claim", done.rows_affected())
    }
}

pub(super) fn read_refund(row: &AnyRow) -> Result<Refund, StoreError> {
    let job: String = row.try_get("job_id")?;
    let payment_hash: String = row.try_get("payment_hash")?;
    let claims: i64 = row.try_get("claims")?;
    let invoice_hash: Option<String> = row.try_get("invoice_hash")?;
    let invoice_hash =
        invoice_hash.map(|hex| PaymentHash::from_hex(&hex).map_err(|_| unreadable("invoice_hash", &hex)));
    let invoice_hash = invoice_hash.transpose()?;
    let status: String = row.try_get("status")?;
    let fee: Option<i64> = row.try_get("fee_msat")?;
    let state = match status.as_str() {
        "available" => RefundState::Available,
        "claiming" => {
            let bolt11: Option<String> = row.try_get("invoice")?;
            RefundState::Claiming(Claim {
                number: claims,
                invoice: bolt11.zip(invoice_hash).map(|(bolt11, payment_hash)| ClaimedInvoice { bolt11, payment_hash }),
                destination: row.try_get("destination")?,
                payer: row.try_get::<Option<String>, _>("payer")?.unwrap_or_default(),
                claimed_at: row.try_get("claimed_at")?,
            })
        }
        "paid" => RefundState::Paid(Repaid {
            paid_at: row.try_get("paid_at")?,
            invoice_hash,
            fee: fee.map(read_amount).transpose()?,
        }),
        "cancelled" => RefundState::Cancelled,
        other => return Err(unreadable("status", other)),
    };
    Ok(Refund {
        job: JobId::parse(&job).map_err(|_| unreadable("job_id", &job))?,
        payment_hash: PaymentHash::from_hex(&payment_hash).map_err(|_| unreadable("payment_hash", &payment_hash))?,
        amount: read_amount(row.try_get("amount_msat")?)?,
        created_at: row.try_get("created_at")?,
        claims,
        state,
    })
}

fn unreadable(column: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable { table: "refunds", column, value: format!("{} characters", value.len()) }
}
