//! Reading rows for the operator.

use sqlx::any::AnyRow;
use sqlx::{Row as _, query};

use crate::domain::JobId;

use super::records::{CallbackRecord, CreateRecord, JobRecord, MintingKey, RefundRecord, Wanted};
use super::{Store, StoreError};

/// The columns that [`read_record`] reads.
macro_rules! record_columns {
    () => {
        "jobs.id AS id, jobs.payment_hash AS payment_hash, service, state, jobs.amount_msat AS amount_msat, provider, \
         failure, jobs.created_at AS created_at, finished_at, deadline_at, run_after, lease_until, attempt, dispatches, \
         failures, retried_at, expires_at, swept_at, refunds.status AS refund, \
         CAST(EXISTS (SELECT 1 FROM job_inputs WHERE job_inputs.job_id = jobs.id) AS BIGINT) AS has_input \
         FROM jobs LEFT JOIN refunds ON refunds.job_id = jobs.id"
    };
}

/// The columns that [`read_owed`] reads.
macro_rules! owed_columns {
    () => {
        "refunds.job_id AS job_id, refunds.payment_hash AS payment_hash, service, refunds.amount_msat AS amount_msat, \
         status, refunds.created_at AS created_at, claims, payer, COALESCE(invoice, destination) AS pay_to, claimed_at, \
         paid_at, fee_msat, note FROM refunds JOIN jobs ON jobs.id = refunds.job_id"
    };
}

impl Store {
    /// Jobs, newest first.
    pub async fn list_jobs(&self, wanted: &Wanted) -> Result<Vec<JobRecord>, StoreError> {
        let rows = query(concat!(
            "SELECT ",
            record_columns!(),
            " WHERE (CAST($1 AS TEXT) IS NULL OR state = $1 OR ($1 = 'open' AND state NOT IN ('succeeded', 'failed'))) ",
            "AND (CAST($2 AS TEXT) IS NULL OR service = $2) AND (CAST($3 AS TEXT) IS NULL OR jobs.id < $3) ",
            "ORDER BY jobs.id DESC LIMIT $4",
        ))
        .bind(wanted.state.clone())
        .bind(wanted.service.clone())
        .bind(wanted.before.map(|id| id.to_string()))
        .bind(wanted.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_record).collect()
    }

    /// A job.
    pub async fn job_record(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let row = query(concat!("SELECT ", record_columns!(), " WHERE jobs.id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_record).transpose()
    }

    /// The creates of a job, in their order.
    pub async fn creates(&self, id: JobId) -> Result<Vec<CreateRecord>, StoreError> {
        let rows = query(
            "SELECT seq, route, account, sent_at, upstream_id, charged_micros, cost_msat FROM dispatches \
             WHERE job_id = $1 ORDER BY seq",
        )
        .bind(id.to_string())
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &AnyRow| -> Result<CreateRecord, StoreError> {
            Ok(CreateRecord {
                seq: row.try_get("seq")?,
                route: row.try_get("route")?,
                account: row.try_get("account")?,
                sent_at: row.try_get("sent_at")?,
                upstream_id: row.try_get("upstream_id")?,
                charged_micros: row.try_get("charged_micros")?,
                cost_msat: row.try_get("cost_msat")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The callback of a job, if its caller has asked for one.
    pub async fn callback_record(&self, id: JobId) -> Result<Option<CallbackRecord>, StoreError> {
        let row = query("SELECT tries, due_at, outcome FROM callbacks WHERE job_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(CallbackRecord {
            tries: row.try_get("tries")?,
            due_at: row.try_get("due_at")?,
            outcome: row.try_get("outcome")?,
        }))
    }

    /// Refunds, those of the newest jobs first.
    pub async fn list_refunds(&self, wanted: &Wanted) -> Result<Vec<RefundRecord>, StoreError> {
        let rows = query(concat!(
            "SELECT ",
            owed_columns!(),
            " WHERE (CAST($1 AS TEXT) IS NULL OR status = $1 OR ($1 = 'due' AND status IN ('available', 'claiming'))) ",
            "AND (CAST($2 AS TEXT) IS NULL OR service = $2) AND (CAST($3 AS TEXT) IS NULL OR refunds.job_id < $3) ",
            "ORDER BY refunds.job_id DESC LIMIT $4",
        ))
        .bind(wanted.state.clone())
        .bind(wanted.service.clone())
        .bind(wanted.before.map(|id| id.to_string()))
        .bind(wanted.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_owed).collect()
    }

    /// The refund of a job, if one was ever owed.
    pub async fn refund_record(&self, job: JobId) -> Result<Option<RefundRecord>, StoreError> {
        let row = query(concat!("SELECT ", owed_columns!(), " WHERE refunds.job_id = $1"))
            .bind(job.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_owed).transpose()
    }

    /// Every secret that has minted macaroons.
    pub async fn minting_keys(&self) -> Result<Vec<MintingKey>, StoreError> {
        let rows =
            query("SELECT fingerprint, last_used FROM minting_keys ORDER BY first_used").fetch_all(&self.readers);
        let rows = rows.await?;
        rows.iter()
            .map(|row| {
                Ok(MintingKey { fingerprint: row.try_get("fingerprint")?, last_used: row.try_get("last_used")? })
            })
            .collect()
    }

    /// The files that rows name: inputs of jobs, and results that were not deleted.
    pub async fn named_files(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let inputs = query("SELECT file FROM job_inputs WHERE file IS NOT NULL").fetch_all(&self.readers).await?;
        let results = query("SELECT artifact FROM jobs WHERE artifact IS NOT NULL AND swept_at IS NULL");
        let results = results.fetch_all(&self.readers).await?;
        let names = |rows: &[AnyRow], column| -> Result<Vec<String>, StoreError> {
            rows.iter().map(|row| Ok(row.try_get(column)?)).collect()
        };
        Ok((names(&inputs, "file")?, names(&results, "artifact")?))
    }
}

fn read_record(row: &AnyRow) -> Result<JobRecord, StoreError> {
    Ok(JobRecord {
        id: row.try_get("id")?,
        payment_hash: row.try_get("payment_hash")?,
        service: row.try_get("service")?,
        state: row.try_get("state")?,
        amount_msat: row.try_get("amount_msat")?,
        route: row.try_get("provider")?,
        failure: row.try_get("failure")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
        deadline_at: row.try_get("deadline_at")?,
        run_after: row.try_get("run_after")?,
        is_leased: row.try_get::<i64, _>("lease_until")? > 0,
        attempt: row.try_get("attempt")?,
        dispatches: row.try_get("dispatches")?,
        failures: row.try_get("failures")?,
        retried_at: row.try_get("retried_at")?,
        expires_at: row.try_get("expires_at")?,
        swept_at: row.try_get("swept_at")?,
        refund: row.try_get("refund")?,
        has_input: row.try_get::<i64, _>("has_input")? != 0,
    })
}

fn read_owed(row: &AnyRow) -> Result<RefundRecord, StoreError> {
    Ok(RefundRecord {
        job: row.try_get("job_id")?,
        payment_hash: row.try_get("payment_hash")?,
        service: row.try_get("service")?,
        amount_msat: row.try_get("amount_msat")?,
        status: row.try_get("status")?,
        created_at: row.try_get("created_at")?,
        claims: row.try_get("claims")?,
        payer: row.try_get("payer")?,
        pay_to: row.try_get("pay_to")?,
        claimed_at: row.try_get("claimed_at")?,
        paid_at: row.try_get("paid_at")?,
        fee_msat: row.try_get("fee_msat")?,
        note: row.try_get("note")?,
    })
}
