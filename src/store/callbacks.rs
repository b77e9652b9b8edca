//! The outbox of callbacks: written with the redemption, due with the job's end, emptied when it is over.

use std::fmt;

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::{Callback, JobId, WebhookSecret};

use super::row::{job_columns, read_job};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::job::Job;

/// A callback to make when the job has ended.
#[derive(Debug)]
pub struct NewCallback {
    /// Where, and the caller's own word for it.
    pub callback: Callback,
    /// The id that every try bears.
    pub delivery_id: String,
    /// What it is signed with.
    pub secret: WebhookSecret,
}

/// A callback whose time has come.
pub struct DueCallback {
    /// The job that has ended.
    pub job: Job,
    /// Where, and the caller's own word for it.
    pub callback: Callback,
    /// The id that every try bears.
    pub delivery_id: String,
    /// What it is signed with.
    pub secret: WebhookSecret,
    /// How often it was tried.
    pub tries: i64,
    /// Unix milliseconds.
    pub due_at: i64,
}

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The receiver has it.
    Yes,
    /// The receiver wants nothing any more.
    Gone,
    /// The last try has failed.
    GivenUp,
    /// It is to be tried again at this time, in Unix milliseconds.
    Later(i64),
}

impl fmt::Debug for DueCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DueCallback({}, {} tries)", self.job.id, self.tries)
    }
}

impl Store {
    /// Up to `limit` callbacks in the order in which they are or become due, those behind `after` alone: a time in Unix
    /// milliseconds and the id of a job.
    pub async fn due_callbacks(&self, after: (i64, String), limit: i64) -> Result<Vec<DueCallback>, StoreError> {
        let (due_at, job_id) = after;
        let rows = query(concat!(
            "SELECT ",
            job_columns!(),
            ", delivery_id, url, caller_id, secret, tries, due_at FROM callbacks JOIN jobs ON id = job_id ",
            "WHERE due_at IS NOT NULL AND state IN ('succeeded', 'failed') AND (due_at > $1 OR (due_at = $1 AND job_id > $2)) ",
            "ORDER BY due_at, job_id LIMIT $3",
        ))
        .bind(due_at)
        .bind(job_id)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// Writes down what a try came to.
    pub async fn note_callback(&self, id: JobId, delivered: Delivered) -> Result<(), StoreError> {
        self.writer.write(Note { id, delivered }).await
    }
}

/// One row that cannot be read must not stop all the others.
fn readable(row: &sqlx::any::AnyRow) -> Option<DueCallback> {
    read_due(row).inspect_err(|error| tracing::error!(%error, "a callback cannot be read; it is left alone")).ok()
}

fn read_due(row: &sqlx::any::AnyRow) -> Result<DueCallback, StoreError> {
    let secret: String = row.try_get("secret")?;
    let secret = WebhookSecret::parse(&secret).map_err(|_| StoreError::Unreadable {
        table: "callbacks",
        column: "secret",
        value: format!("{} characters", secret.len()),
    })?;
    Ok(DueCallback {
        job: read_job(row)?,
        callback: Callback { url: row.try_get("url")?, id: row.try_get("caller_id")? },
        delivery_id: row.try_get("delivery_id")?,
        secret,
        tries: row.try_get("tries")?,
        due_at: row.try_get("due_at")?,
    })
}

/// Writes a callback down, in the transaction that inserts the job; due at once where the job has ended with it.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    id: JobId,
    new: &NewCallback,
    due_at: Option<i64>,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO callbacks (job_id, delivery_id, url, caller_id, secret, due_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(new.delivery_id.clone())
    .bind(new.callback.url.clone())
    .bind(new.callback.id.clone())
    .bind(new.secret.reveal())
    .bind(due_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The job has ended: in the same transaction, so that a crash cannot come between.
pub(super) async fn make_due(connection: &mut AnyConnection, id: JobId, now: i64) -> Result<(), StoreError> {
    query("UPDATE callbacks SET due_at = $1 WHERE job_id = $2 AND outcome IS NULL")
        .bind(now)
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// A job that has ended runs once more: what was not told yet waits for the new end.
pub(super) async fn suspend(connection: &mut AnyConnection, id: JobId) -> Result<(), StoreError> {
    query("UPDATE callbacks SET due_at = NULL WHERE job_id = $1 AND outcome IS NULL")
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

struct Note {
    id: JobId,
    delivered: Delivered,
}

#[async_trait]
impl Write for Note {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let outcome = match self.delivered {
            Delivered::Yes => "delivered",
            Delivered::Gone => "gone",
            Delivered::GivenUp => "given_up",
            Delivered::Later(due_at) => {
                query("UPDATE callbacks SET tries = tries + 1, due_at = $1 WHERE job_id = $2 AND outcome IS NULL")
                    .bind(due_at)
                    .bind(self.id.to_string())
                    .execute(connection)
                    .await?;
                return Ok(());
            }
        };
        query(
            "UPDATE callbacks SET tries = tries + 1, outcome = $1, due_at = NULL, url = NULL, caller_id = NULL, \
             secret = NULL WHERE job_id = $2 AND outcome IS NULL",
        )
        .bind(outcome)
        .bind(self.id.to_string())
        .execute(connection)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Failure;
    use crate::domain::job::Failed;
    use crate::store::tests::{new_job, open};
    use crate::store::{NewJob, Outcome};

    const EVER: (i64, String) = (i64::MIN, String::new());

    fn asked(n: u8) -> NewJob {
        let callback = Callback { url: format!("https://{n}.example/"), id: None };
        let new = NewCallback { callback, delivery_id: format!("msg_{n}"), secret: WebhookSecret::from_key([n; 32]) };
        NewJob { callback: Some(new), ..new_job(n) }
    }

    async fn due(store: &Store) -> Vec<String> {
        store.due_callbacks(EVER, 9).await.unwrap().into_iter().map(|due| due.delivery_id).collect()
    }

    #[tokio::test]
    async fn a_callback_is_due_with_the_end_of_its_job_and_not_without() {
        let (store, _dir) = open().await;
        store.insert_job(asked(1)).await.unwrap();
        store.insert_job(asked(2)).await.unwrap();
        let job = store.claim_jobs(2_000, 3_000, 1).await.unwrap().pop().unwrap().job;
        assert!(due(&store).await.is_empty(), "nothing has ended");

        let failed = Failed { failure: Failure::GenerationFailed, finished_at: 5_000 };
        let owed = Outcome::Owed { failed, payment_hash: job.payment_hash, amount: job.amount };
        assert!(!store.finish(job.id, job.attempt + 1, owed.clone()).await.unwrap());
        assert!(due(&store).await.is_empty(), "whoever has lost the lease ends nothing");

        assert!(store.finish(job.id, job.attempt, owed).await.unwrap());
        let found = store.due_callbacks(EVER, 9).await.unwrap();
        assert_eq!(found.iter().map(|due| (due.job.id, due.due_at)).collect::<Vec<_>>(), [(job.id, 5_000)]);
    }

    #[tokio::test]
    async fn a_job_that_is_born_failed_is_told_at_once() {
        let (store, _dir) = open().await;
        let failed = Failed { failure: Failure::RedemptionExpired, finished_at: 1_000 };
        store.insert_job(NewJob { input: Err(failed), ..asked(1) }).await.unwrap();
        assert_eq!(due(&store).await, ["msg_1"]);
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_stops_no_other() {
        let (store, _dir) = open().await;
        for n in [1, 2] {
            let failed = Failed { failure: Failure::NotRunnable, finished_at: 1_000 };
            store.insert_job(NewJob { input: Err(failed), ..asked(n) }).await.unwrap();
        }
        query("UPDATE callbacks SET secret = 'no secret' WHERE delivery_id = 'msg_1'")
            .execute(&store.readers)
            .await
            .unwrap();
        assert_eq!(due(&store).await, ["msg_2"]);
    }
}
