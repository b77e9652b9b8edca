//! From a row of `jobs` to a [`Job`].

use sqlx::any::AnyRow;
use sqlx::{ColumnIndex, Decode, Row as _, Type};

use crate::domain::job::{Delivery, Failed, Job, Upstream};
use crate::domain::{Failure, JobId, JobState, Msat, PaymentHash, PublicJobId, RequestBinding, ServiceId};

use super::StoreError;

const TABLE: &str = "jobs";

/// The columns that [`read_job`] reads.
macro_rules! job_columns {
    () => {
        "id, public_id, payment_hash, service, body_sha256, amount_msat, state, attempt, deadline_at, dispatches, \
         earlier_dispatches, provider, upstream_id, artifact, failure, created_at, finished_at, expires_at, calls_back"
    };
}
pub(super) use job_columns;

pub(super) fn read_job(row: &AnyRow) -> Result<Job, StoreError> {
    let id = parsed(row, "id", |text| JobId::parse(text).ok())?;
    let service = parsed(row, "service", |text| ServiceId::from_name(text).ok())?;
    let body_sha256 = parsed(row, "body_sha256", |text| PaymentHash::from_hex(text).ok())?;
    let amount: i64 = row.try_get("amount_msat")?;
    Ok(Job {
        id,
        public_id: parsed(row, "public_id", |text| PublicJobId::parse(text).ok())?,
        payment_hash: parsed(row, "payment_hash", |text| PaymentHash::from_hex(text).ok())?,
        binding: RequestBinding { service, body_sha256: *body_sha256.as_bytes() },
        amount: read_amount(amount)?,
        state: read_state(row)?,
        attempt: row.try_get("attempt")?,
        dispatches: row.try_get("dispatches")?,
        earlier_dispatches: row.try_get("earlier_dispatches")?,
        created_at: row.try_get("created_at")?,
        deadline_at: row.try_get("deadline_at")?,
        calls_back: row.try_get::<i64, _>("calls_back")? != 0,
    })
}

pub(super) fn read_amount(msat: i64) -> Result<Msat, StoreError> {
    let amount = u64::try_from(msat).ok().and_then(|msat| Msat::new(msat).ok());
    amount.ok_or_else(|| unreadable("amount_msat", &msat.to_string()))
}

fn read_state(row: &AnyRow) -> Result<JobState, StoreError> {
    let state: String = row.try_get("state")?;
    let upstream = || -> Result<Upstream, StoreError> {
        Ok(Upstream { provider: present(row, "provider")?, id: present(row, "upstream_id")? })
    };
    match state.as_str() {
        "queued" => Ok(JobState::Queued),
        "dispatching" => {
            Ok(JobState::Dispatching { seq: row.try_get("dispatches")?, provider: present(row, "provider")? })
        }
        "running" => Ok(JobState::Running(upstream()?)),
        "storing" => Ok(JobState::Storing(upstream()?)),
        "succeeded" => Ok(JobState::Succeeded(Delivery {
            artifact: present(row, "artifact")?,
            finished_at: present(row, "finished_at")?,
            expires_at: present(row, "expires_at")?,
        })),
        "failed" => Ok(JobState::Failed(Failed {
            failure: parsed(row, "failure", Failure::from_name)?,
            finished_at: present(row, "finished_at")?,
        })),
        other => Err(unreadable("state", other)),
    }
}

fn present<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, sqlx::Any> + Type<sqlx::Any>,
    &'static str: ColumnIndex<AnyRow>,
{
    row.try_get::<Option<T>, _>(column)?.ok_or_else(|| unreadable(column, "NULL"))
}

fn parsed<T>(row: &AnyRow, column: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = present(row, column)?;
    // The values of ids and hashes are capabilities or identify a purchase; their lengths tell enough.
    parse(&text).ok_or_else(|| unreadable(column, &format!("{} characters", text.len())))
}

fn unreadable(column: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable { table: TABLE, column, value: value.to_owned() }
}
