//! The steps of a job between queue and end. Every write is fenced by the lease's number.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use crate::domain::job::Job;
use crate::domain::{JobId, JobState};

use super::writer::Write;
use super::{Store, StoreError};

impl Store {
    /// Writes an open state down. `false`: the lease was lost, and nothing was written.
    pub async fn save_state(&self, id: JobId, attempt: i64, state: JobState) -> Result<bool, StoreError> {
        self.writer.write(SaveState { id, attempt, state }).await
    }

    /// Puts a job back in `state` for `run_after` (Unix milliseconds), with its count of dispatches, and ends its lease.
    /// A failure counts: the next pause is longer. `false`: the lease was lost.
    pub async fn requeue(
        &self,
        job: &Job,
        state: JobState,
        run_after: i64,
        is_failure: bool,
    ) -> Result<bool, StoreError> {
        let Job { id, attempt, dispatches, .. } = *job;
        let failures = i64::from(is_failure);
        self.writer.write(Requeue { id, attempt, dispatches, state, run_after, failures }).await
    }

    /// Lets a job that rests while a provider works be taken up at `now` (Unix milliseconds).
    pub async fn hasten(&self, id: JobId, now: i64) -> Result<(), StoreError> {
        self.writer.write(Hasten { id, now }).await
    }

    /// Ends a lease until `run_after` (Unix milliseconds) and leaves the state alone: whoever comes next goes on from
    /// it.
    pub async fn postpone(&self, id: JobId, attempt: i64, run_after: i64) -> Result<(), StoreError> {
        self.writer.write(Postpone { id, attempt, run_after }).await
    }
}

struct SaveState {
    id: JobId,
    attempt: i64,
    state: JobState,
}

struct Requeue {
    id: JobId,
    attempt: i64,
    dispatches: i64,
    state: JobState,
    run_after: i64,
    failures: i64,
}

struct Hasten {
    id: JobId,
    now: i64,
}

struct Postpone {
    id: JobId,
    attempt: i64,
    run_after: i64,
}

#[async_trait]
impl Write for SaveState {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let (provider, upstream_id, seq) = match &self.state {
            JobState::Dispatching { seq, provider } => (Some(provider.clone()), None, Some(*seq)),
            JobState::Running(upstream) | JobState::Storing(upstream) => {
                (Some(upstream.provider.clone()), Some(upstream.id.clone()), None)
            }
            JobState::Queued | JobState::Succeeded(_) | JobState::Failed(_) => (None, None, None),
        };
        let done = query(
            "UPDATE jobs SET state = $1, provider = $2, upstream_id = $3, dispatches = COALESCE($4, dispatches) \
             WHERE id = $5 AND attempt = $6 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(self.state.name())
        .bind(provider)
        .bind(upstream_id)
        .bind(seq)
        .bind(self.id.to_string())
        .bind(self.attempt)
        .execute(connection)
        .await?;
        exactly_one_or_lost("save_state", done.rows_affected())
    }
}

#[async_trait]
impl Write for Requeue {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let (provider, upstream_id) = match &self.state {
            JobState::Dispatching { provider, .. } => (Some(provider.clone()), None),
            JobState::Running(upstream) | JobState::Storing(upstream) => {
                (Some(upstream.provider.clone()), Some(upstream.id.clone()))
            }
            JobState::Queued | JobState::Succeeded(_) | JobState::Failed(_) => (None, None),
        };
        let done = query(
            "UPDATE jobs SET state = $1, provider = $2, upstream_id = $3, run_after = $4, lease_until = 0, \
             failures = failures + $8, dispatches = $5 \
             WHERE id = $6 AND attempt = $7 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(self.state.name())
        .bind(provider)
        .bind(upstream_id)
        .bind(self.run_after)
        .bind(self.dispatches)
        .bind(self.id.to_string())
        .bind(self.attempt)
        .bind(self.failures)
        .execute(connection)
        .await?;
        exactly_one_or_lost("requeue", done.rows_affected())
    }
}

#[async_trait]
impl Write for Postpone {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query(
            "UPDATE jobs SET lease_until = 0, run_after = $1, failures = failures + 1 \
             WHERE id = $2 AND attempt = $3 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(self.run_after)
        .bind(self.id.to_string())
        .bind(self.attempt)
        .execute(connection)
        .await?;
        Ok(())
    }
}

#[async_trait]
impl Write for Hasten {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query(
            "UPDATE jobs SET run_after = $1 WHERE id = $2 AND lease_until = 0 AND run_after > $1 \
             AND state IN ('dispatching', 'running', 'storing')",
        )
        .bind(self.now)
        .bind(self.id.to_string())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// No row: another lease has begun. More than one is impossible, and therefore an error.
pub(super) fn exactly_one_or_lost(statement: &'static str, rows: u64) -> Result<bool, StoreError> {
    match rows {
        0 => Ok(false),
        1 => Ok(true),
        rows => Err(StoreError::RowCount { statement, rows }),
    }
}
