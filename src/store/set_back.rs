//! The clock was set back: what was written by the wrong time lies in the future, and would be waited for.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use super::writer::Write;
use super::{Store, StoreError};

impl Store {
    /// Sets right what has happened and lies behind `now` all the same, and lets no open job rest beyond `latest`; both
    /// are Unix milliseconds. `by` is how many milliseconds the clock was set back, 0 if nobody knows.
    pub async fn set_back(&self, now: i64, by: i64, latest: i64) -> Result<(), StoreError> {
        self.writer.write(SetBack { now, by, latest }).await
    }
}

struct SetBack {
    now: i64,
    by: i64,
    latest: i64,
}

/// What moves by `$1`, or to `$2` where that is not enough.
const MOVES: [&str; 3] = [
    // What was paid for has its time from now on, and not from an hour that was none. A create that is looked for has the
    // deadline in its words.
    // One that was run once more has its time from then on.
    "UPDATE jobs SET \
     deadline_at = deadline_at - CASE WHEN COALESCE(retried_at, created_at) <= $2 THEN 0 \
     WHEN COALESCE(retried_at, created_at) - $1 > $2 THEN COALESCE(retried_at, created_at) - $2 ELSE $1 END, \
     retried_at = CASE WHEN retried_at <= $2 THEN retried_at WHEN retried_at - $1 > $2 THEN $2 ELSE retried_at - $1 END, \
     created_at = CASE WHEN created_at <= $2 THEN created_at WHEN created_at - $1 > $2 THEN $2 ELSE created_at - $1 END \
     WHERE (created_at > $2 OR retried_at > $2) AND state NOT IN ('dispatching', 'succeeded', 'failed')",
    // By this a create is looked for.
    "UPDATE dispatches SET sent_at = CASE WHEN sent_at - $1 > $2 THEN $2 ELSE sent_at - $1 END WHERE sent_at > $2",
    // The pauses between tries may be long: without a measure they are left alone.
    "UPDATE callbacks SET due_at = CASE WHEN due_at - $1 > $2 THEN due_at - $1 ELSE $2 END WHERE due_at > $2 AND $1 > 0",
];

#[async_trait]
impl Write for SetBack {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for moves in MOVES {
            query(moves).bind(self.by).bind(self.now).execute(&mut *connection).await?;
        }
        // A lease is renewed by whoever holds it.
        query(
            "UPDATE jobs SET run_after = $1 \
             WHERE run_after > $1 AND lease_until = 0 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(self.latest)
        .execute(connection)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobState;
    use crate::store::tests::{new_job, open};
    use crate::store::{Inserted, NewDispatch, NewJob};

    const HOUR: i64 = 3_600_000;
    const NOW: i64 = 10 * HOUR;

    async fn redeemed_at(store: &Store, n: u8, at: i64) -> crate::domain::job::Job {
        let job = NewJob { created_at: at, deadline_at: at + 600_000, ..new_job(n) };
        let Ok(Inserted::New(job)) = store.insert_job(job).await else { panic!("it is new") };
        job
    }

    async fn found(store: &Store, n: u8) -> crate::domain::job::Job {
        store.job_by_payment(new_job(n).payment_hash).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_was_written_an_hour_too_late_moves_by_an_hour() {
        let (store, _dir) = open().await;
        redeemed_at(&store, 1, NOW + HOUR - 5_000).await;
        redeemed_at(&store, 2, NOW - 5_000).await;
        store.set_back(NOW, HOUR, NOW).await.unwrap();
        for n in [1, 2] {
            let job = found(&store, n).await;
            assert_eq!((job.created_at, job.deadline_at), (NOW - 5_000, NOW + 595_000), "job {n}");
        }
    }

    /// Its deadline is counted from then, whatever was wrong with the clock when it was made.
    #[tokio::test]
    async fn a_job_that_was_run_once_more_has_its_time_from_then_on() {
        for (made, retried, back) in
            [(NOW + HOUR, NOW - 5_000, NOW - 5_000), (NOW - HOUR, NOW + HOUR - 5_000, NOW - 5_000)]
        {
            let (store, _dir) = open().await;
            redeemed_at(&store, 1, made).await;
            sqlx::query("UPDATE jobs SET retried_at = $1, deadline_at = $2")
                .bind(retried)
                .bind(retried + 600_000)
                .execute(&store.readers)
                .await
                .unwrap();
            store.set_back(NOW, HOUR, NOW).await.unwrap();
            let job = found(&store, 1).await;
            assert!(job.created_at <= NOW);
            assert_eq!(job.deadline_at, back + 600_000, "made at {made}");
        }
    }

    #[tokio::test]
    async fn where_nobody_knows_by_how_much_it_was_late_it_happened_now() {
        let (store, _dir) = open().await;
        redeemed_at(&store, 1, NOW + HOUR).await;
        store.set_back(NOW, 0, NOW + 60_000).await.unwrap();
        let job = found(&store, 1).await;
        assert_eq!((job.created_at, job.deadline_at), (NOW, NOW + 600_000));
        assert!(store.claim_jobs(NOW + 59_999, NOW + 90_000, 1).await.unwrap().is_empty());
        assert_eq!(store.claim_jobs(NOW + 60_000, NOW + 90_000, 1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_create_that_is_looked_for_was_sent_by_the_right_time_in_the_words_it_was_sent_in() {
        let (store, _dir) = open().await;
        redeemed_at(&store, 1, NOW + HOUR).await;
        let job = store.claim_jobs(NOW + HOUR, NOW + HOUR + 30_000, 1).await.unwrap().remove(0).job;
        let new = NewDispatch {
            seq: 1,
            route: "r".into(),
            account: "a".into(),
            sent_at: NOW + HOUR + 1_000,
            words: String::new(),
        };
        assert!(store.begin_dispatch(job.id, job.attempt, new).await.unwrap());
        let state = JobState::Dispatching { seq: 1, provider: "r".into() };
        let job = crate::domain::job::Job { dispatches: 1, ..job };
        assert!(store.requeue(&job, state, NOW + 2 * HOUR, true).await.unwrap());

        store.set_back(NOW + 2_000, HOUR, NOW + 2_000).await.unwrap();
        assert_eq!(store.dispatch(job.id, 1).await.unwrap().unwrap().sent_at, NOW + 1_000);
        assert_eq!(found(&store, 1).await.deadline_at, job.deadline_at, "its words hold the deadline");
        assert_eq!(store.claim_jobs(NOW + 2_000, NOW + 32_000, 1).await.unwrap().len(), 1, "it rests no longer");
    }
}
