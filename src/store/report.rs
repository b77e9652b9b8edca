//! The books in figures, and what must hold between them.

use std::collections::HashMap;

use sqlx::{Row as _, query};

use super::{Store, StoreError};

/// Objections of one kind that are named; more of them say nothing more.
const NAMED: i64 = 100;

/// From when, and until when: Unix milliseconds, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The beginning.
    pub since: i64,
    /// The end.
    pub until: i64,
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: i64,
    /// How much, in msat.
    pub msat: i64,
}

/// The figures of a period, taken at one moment. All but the last four are about the payments that were redeemed within
/// it, whatever became of them since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Payments that were redeemed.
    pub redeemed: Sum,
    /// Those whose result was delivered: what was earned.
    pub delivered: Sum,
    /// Those whose job has not ended.
    pub open: Sum,
    /// Those whose job has failed.
    pub failed: Sum,
    /// Refunds that nobody has claimed.
    pub available: Sum,
    /// Refunds that are being paid.
    pub claiming: Sum,
    /// Refunds that were paid.
    pub paid: Sum,
    /// Refunds that ended because the operator had the job run once more.
    pub cancelled: Sum,
    /// What routing refunds has cost, as far as it is known.
    pub fees: Sum,
    /// What creates have cost, as far as it is known.
    pub costs: Sum,
    /// Creates of which that is not known.
    pub costs_unknown: Sum,
    /// Challenges that were handed out in the period's hours.
    pub issued: Sum,
    /// Of those, the ones about which the backend could be asked.
    pub watched: Sum,
    /// Payments that the backend says have arrived within the period.
    pub settled: Sum,
    /// Of those, the ones that were not redeemed.
    pub unredeemed: Sum,
}

/// A payment that has arrived and was not redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unredeemed {
    /// Its hash, in hexadecimal.
    pub payment_hash: String,
    /// What arrived.
    pub amount_msat: i64,
    /// Unix milliseconds.
    pub settled_at: i64,
}

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// A name for machines.
    pub check: &'static str,
    /// What is wrong.
    pub says: String,
    /// The internal ids of the jobs that it is about, up to a hundred.
    pub jobs: Vec<String>,
}

/// What must not be found among the jobs of a period: a name, a sentence, and the condition on `jobs` and `refunds`.
const CHECKS: [(&str, &str, &str); 7] = [
    (
        "failed_without_refund",
        "jobs have failed and nothing is owed for them",
        "jobs.state = 'failed' AND (refunds.job_id IS NULL OR refunds.status = 'cancelled')",
    ),
    (
        "refund_without_failure",
        "jobs were delivered, or are open, and are owed back all the same",
        "jobs.state <> 'failed' AND refunds.status <> 'cancelled'",
    ),
    ("refund_amount", "refunds are not over what was paid", "refunds.amount_msat <> jobs.amount_msat"),
    ("refund_payment", "refunds are of another payment than their job", "refunds.payment_hash <> jobs.payment_hash"),
    (
        "invoice_of_two_refunds",
        "refunds share one invoice",
        "refunds.invoice_hash IS NOT NULL AND (SELECT COUNT(*) FROM refunds AS twin \
         WHERE twin.invoice_hash = refunds.invoice_hash) > 1",
    ),
    (
        "delivered_without_result",
        "jobs were delivered without a result",
        "jobs.state = 'succeeded' AND jobs.artifact IS NULL",
    ),
    (
        "open_without_input",
        "open jobs lack what they need to run",
        "jobs.state NOT IN ('succeeded', 'failed') AND NOT EXISTS \
         (SELECT 1 FROM job_inputs WHERE job_inputs.job_id = jobs.id)",
    ),
];

/// One statement, so that all figures are of one moment.
const FIGURES: &str = "\
    WITH ours AS (SELECT * FROM jobs WHERE created_at >= $1 AND created_at < $2), \
    owed AS (SELECT refunds.* FROM refunds JOIN ours ON ours.id = refunds.job_id), \
    sent AS (SELECT dispatches.* FROM dispatches JOIN ours ON ours.id = dispatches.job_id), \
    arrived AS (SELECT * FROM settlements WHERE settled_at >= $1 AND settled_at < $2), \
    handed_out AS (SELECT * FROM tallies WHERE hour > $1 - 3600000 AND hour < $2), \
    figures AS (\
    SELECT 'redeemed' AS name, COUNT(*) AS n, SUM(amount_msat) AS msat FROM ours \
    UNION ALL SELECT CASE WHEN state = 'succeeded' THEN 'delivered' WHEN state = 'failed' THEN 'failed' ELSE 'open' END, \
    COUNT(*), SUM(amount_msat) FROM ours GROUP BY 1 \
    UNION ALL SELECT status, COUNT(*), SUM(amount_msat) FROM owed GROUP BY status \
    UNION ALL SELECT 'fees', COUNT(fee_msat), SUM(fee_msat) FROM owed WHERE status = 'paid' \
    UNION ALL SELECT 'costs', COUNT(cost_msat), SUM(cost_msat) FROM sent \
    UNION ALL SELECT 'costs_unknown', COUNT(*), 0 FROM sent WHERE cost_msat IS NULL \
    UNION ALL SELECT 'issued', SUM(issued), SUM(amount_msat) FROM handed_out \
    UNION ALL SELECT 'watched', SUM(watched), 0 FROM handed_out \
    UNION ALL SELECT 'settled', COUNT(*), SUM(amount_msat) FROM arrived \
    UNION ALL SELECT 'unredeemed', COUNT(*), SUM(amount_msat) FROM arrived \
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.payment_hash = arrived.payment_hash)) \
    SELECT name, CAST(COALESCE(n, 0) AS BIGINT) AS n, CAST(COALESCE(msat, 0) AS BIGINT) AS msat FROM figures";

impl Store {
    /// The figures of `period`.
    pub async fn sums(&self, period: Period) -> Result<Sums, StoreError> {
        let rows = query(FIGURES).bind(period.since).bind(period.until).fetch_all(&self.readers).await?;
        let mut found = HashMap::new();
        for row in &rows {
            let name: String = row.try_get("name")?;
            found.insert(name, Sum { count: row.try_get("n")?, msat: row.try_get("msat")? });
        }
        let sum = |name: &str| found.get(name).copied().unwrap_or_default();
        Ok(Sums {
            redeemed: sum("redeemed"),
            delivered: sum("delivered"),
            open: sum("open"),
            failed: sum("failed"),
            available: sum("available"),
            claiming: sum("claiming"),
            paid: sum("paid"),
            cancelled: sum("cancelled"),
            fees: sum("fees"),
            costs: sum("costs"),
            costs_unknown: sum("costs_unknown"),
            issued: sum("issued"),
            watched: sum("watched"),
            settled: sum("settled"),
            unredeemed: sum("unredeemed"),
        })
    }

    /// Payments that have arrived within `period` and were not redeemed, up to `limit` of them, oldest first.
    pub async fn unredeemed(&self, period: Period, limit: i64) -> Result<Vec<Unredeemed>, StoreError> {
        let rows = query(
            "SELECT payment_hash, amount_msat, settled_at FROM settlements WHERE settled_at >= $1 AND settled_at < $2 \
             AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.payment_hash = settlements.payment_hash) \
             ORDER BY settled_at, payment_hash LIMIT $3",
        )
        .bind(period.since)
        .bind(period.until)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<Unredeemed, StoreError> {
            Ok(Unredeemed {
                payment_hash: row.try_get("payment_hash")?,
                amount_msat: row.try_get("amount_msat")?,
                settled_at: row.try_get("settled_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// What does not hold among the payments that were redeemed within `period`.
    pub async fn objections(&self, period: Period) -> Result<Vec<Objection>, StoreError> {
        let mut objections = Vec::new();
        for (check, says, condition) in CHECKS {
            let text = format!(
                "SELECT jobs.id AS id FROM jobs LEFT JOIN refunds ON refunds.job_id = jobs.id \
                 WHERE jobs.created_at >= $1 AND jobs.created_at < $2 AND ({condition}) ORDER BY jobs.id LIMIT {NAMED}"
            );
            // Put together from the constants above and nothing else.
            let rows = query(sqlx::AssertSqlSafe(text)).bind(period.since).bind(period.until);
            let rows = rows.fetch_all(&self.readers).await?;
            let jobs = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<String>, _>>()?;
            if !jobs.is_empty() {
                objections.push(Objection { check, says: says.to_owned(), jobs });
            }
        }
        Ok(objections)
    }
}

impl Sums {
    /// What does not add up.
    #[must_use]
    pub fn objections(&self) -> Vec<Objection> {
        let sides = [
            (
                "redeemed",
                "what was redeemed is not what was delivered, is open and has failed",
                self.redeemed,
                [self.delivered, self.open, self.failed],
            ),
            (
                "owed",
                "what has failed is not what is available, is being claimed and was paid back",
                self.failed,
                [self.available, self.claiming, self.paid],
            ),
        ];
        let uneven = sides.into_iter().filter_map(|(check, says, whole, parts)| {
            let count = parts.iter().map(|part| part.count).sum::<i64>();
            let msat = parts.iter().map(|part| part.msat).sum::<i64>();
            let says = format!("{says}: {} over {} msat, and {count} over {msat} msat", whole.count, whole.msat);
            (whole != Sum { count, msat }).then_some(Objection { check, says, jobs: Vec::new() })
        });
        uneven.collect()
    }
}
