//! Rows as the operator sees them: no prompt, no image, no id that opens anything.

use sqlx::any::AnyRow;
use sqlx::{Row as _, query};

use crate::domain::JobId;

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

/// A job. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// The internal id.
    pub id: String,
    /// The payment, in hexadecimal.
    pub payment_hash: String,
    /// What was bought.
    pub service: String,
    /// Where it stands.
    pub state: String,
    /// What was paid.
    pub amount_msat: i64,
    /// The route that works on it, or did last.
    pub route: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was redeemed.
    pub created_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When it fails if it has not ended.
    pub deadline_at: i64,
    /// When it is due: after a pause, or when the lease on it runs out.
    pub run_after: i64,
    /// Whether somebody works on it.
    pub is_leased: bool,
    /// The number of the last lease.
    pub attempt: i64,
    /// Creates that went out.
    pub dispatches: i64,
    /// Attempts of this run that ended without an outcome.
    pub failures: i64,
    /// When the operator last had it run once more.
    pub retried_at: Option<i64>,
    /// When its result is deleted.
    pub expires_at: Option<i64>,
    /// When its result was deleted.
    pub swept_at: Option<i64>,
    /// What became of its refund.
    pub refund: Option<String>,
    /// Whether what it needs to run is there.
    pub has_input: bool,
}

/// A create.
#[derive(Clone, Debug)]
pub struct CreateRecord {
    /// Its number.
    pub seq: i64,
    /// The route's name.
    pub route: String,
    /// The account's name.
    pub account: String,
    /// Unix milliseconds.
    pub sent_at: i64,
    /// The provider's id of the generation.
    pub upstream_id: Option<String>,
    /// Millionths of the provider's own unit.
    pub charged_micros: Option<i64>,
    /// What that is to the operator.
    pub cost_msat: Option<i64>,
}

/// A callback.
#[derive(Clone, Debug)]
pub struct CallbackRecord {
    /// How often it was tried.
    pub tries: i64,
    /// Unix milliseconds of the next try.
    pub due_at: Option<i64>,
    /// What it came to; `None` while there is something to do.
    pub outcome: Option<String>,
}

/// A refund. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct RefundRecord {
    /// The job that failed: its internal id.
    pub job: String,
    /// The payment, in hexadecimal.
    pub payment_hash: String,
    /// What was bought.
    pub service: String,
    /// What is owed.
    pub amount_msat: i64,
    /// What became of it.
    pub status: String,
    /// Since when it is owed.
    pub created_at: i64,
    /// How often it was claimed.
    pub claims: i64,
    /// Who was told to pay it.
    pub payer: Option<String>,
    /// The invoice or the Lightning address that it is to be paid to, while a claim is open.
    pub pay_to: Option<String>,
    /// When it was claimed last.
    pub claimed_at: Option<i64>,
    /// When it was paid.
    pub paid_at: Option<i64>,
    /// What routing has cost, where it is known.
    pub fee_msat: Option<i64>,
    /// What the operator said who paid it by hand.
    pub note: Option<String>,
}

/// Which rows, newest first.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The state of a job or the status of a refund; `None`: any. `open` stands for every state of a job before its end,
    /// and `due` for a refund that was not paid.
    pub state: Option<String>,
    /// The name of a service; `None`: any.
    pub service: Option<String>,
    /// Those before this job alone; `None`: from the newest on.
    pub before: Option<JobId>,
    /// The most of them.
    pub limit: i64,
}

/// A secret that has minted macaroons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintingKey {
    /// The secret's fingerprint.
    pub fingerprint: String,
    /// Unix milliseconds when it stopped; `None`: it mints now.
    pub last_used: Option<i64>,
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
