//! The database of a gateway, seen from outside.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _, query};

use super::until;

/// A connection beside the gateway's own.
pub struct Rows(SqliteConnection);

/// A row of `jobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    pub id: String,
    pub state: String,
    pub upstream_id: Option<String>,
    pub attempt: i64,
    pub lease_until: i64,
    pub dispatches: i64,
    pub failures: i64,
}

impl Rows {
    /// Opens the database that a gateway has made in `data_dir`.
    pub async fn open(data_dir: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(data_dir.join("satforge.db")).disable_statement_logging();
        Self(options.busy_timeout(super::PATIENCE).connect().await.unwrap())
    }

    /// Every job.
    pub async fn jobs(&mut self) -> Vec<JobRow> {
        let rows =
            query("SELECT id, state, upstream_id, attempt, lease_until, dispatches, failures FROM jobs ORDER BY id");
        let rows = rows.fetch_all(&mut self.0).await.unwrap();
        let read = |row: &sqlx::sqlite::SqliteRow| JobRow {
            id: row.get("id"),
            state: row.get("state"),
            upstream_id: row.get("upstream_id"),
            attempt: row.get("attempt"),
            lease_until: row.get("lease_until"),
            dispatches: row.get("dispatches"),
            failures: row.get("failures"),
        };
        rows.iter().map(read).collect()
    }

    /// Forgets which secrets have signed, as an operator does whose secret has leaked.
    pub async fn forget_keys(&mut self) {
        query("DELETE FROM minting_keys").execute(&mut self.0).await.unwrap();
    }

    /// What each create was charged, in millionths of the provider's unit, and what that is in msat.
    pub async fn costs(&mut self) -> Vec<(Option<i64>, Option<i64>)> {
        let rows = query("SELECT charged_micros, cost_msat FROM dispatches ORDER BY job_id, seq");
        let rows = rows.fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get("charged_micros"), row.get("cost_msat"))).collect()
    }

    /// The only job there is.
    pub async fn job(&mut self) -> JobRow {
        let mut jobs = self.jobs().await;
        assert_eq!(jobs.len(), 1, "one payment buys one job: {jobs:?}");
        jobs.remove(0)
    }

    /// Waits until the only job is in `state`.
    pub async fn wait_for(&mut self, state: &str) -> JobRow {
        until(&format!("the job is {state}"), async || self.jobs().await.into_iter().find(|job| job.state == state))
            .await
    }

    /// What is owed, in msat.
    pub async fn refunds(&mut self) -> Vec<i64> {
        let rows =
            query("SELECT amount_msat FROM refunds WHERE status = 'available'").fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| row.get("amount_msat")).collect()
    }

    /// Puts the only job back to what a crash in that step would have left: the lease still stands.
    pub async fn rewind(&mut self, state: &str, provider: Option<&str>, upstream_id: Option<&str>, dispatches: i64) {
        let changed = query(
            "UPDATE jobs SET state = $1, provider = $2, upstream_id = $3, dispatches = $4, \
             run_after = run_after + 86400000, lease_until = run_after + 86400000 WHERE state NOT IN ('succeeded', 'failed')",
        )
        .bind(state)
        .bind(provider)
        .bind(upstream_id)
        .bind(dispatches)
        .execute(&mut self.0)
        .await
        .unwrap();
        assert_eq!(changed.rows_affected(), 1);
        // What finds a generation again stands with its create, too.
        query("DELETE FROM dispatches WHERE seq > $1").bind(dispatches).execute(&mut self.0).await.unwrap();
        query("UPDATE dispatches SET upstream_id = $1 WHERE seq = $2")
            .bind(upstream_id)
            .bind(dispatches)
            .execute(&mut self.0)
            .await
            .unwrap();
    }
}
