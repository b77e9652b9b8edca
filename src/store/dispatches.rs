//! Creates: written down before they go out, and with what finds them again afterwards.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row as _, query};

use crate::domain::JobId;
use crate::domain::job::Upstream;

use super::progress::exactly_one_or_lost;
use super::writer::Write;
use super::{Store, StoreError};

/// A create that is about to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDispatch {
    /// Its number, from 1.
    pub seq: i64,
    /// The route's name.
    pub route: String,
    /// The account's name.
    pub account: String,
    /// Now, in Unix milliseconds.
    pub sent_at: i64,
    /// A hash of what it can be looked for by.
    pub words: String,
}

/// A create that has gone out, perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The route's name.
    pub route: String,
    /// Unix milliseconds of the intent.
    pub sent_at: i64,
    /// A hash of what it can be looked for by; `None`: that was not written down yet then.
    pub words: Option<String>,
    /// What finds the generation again, if that is known.
    pub upstream_id: Option<String>,
}

/// What a generation has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Millionths of the provider's own unit.
    pub charged_micros: Option<i64>,
    /// What that is to the operator, if they have said so.
    pub cost_msat: Option<i64>,
}

impl Store {
    /// Writes the intent down and makes the job `dispatching`. `false`: the lease was lost, and nothing was written.
    pub async fn begin_dispatch(&self, id: JobId, attempt: i64, new: NewDispatch) -> Result<bool, StoreError> {
        self.writer.write(Begin { id, attempt, new }).await
    }

    /// Writes down what finds the generation of the create number `seq` again and makes the job `running`. `false`: the
    /// lease was lost, and nothing was written. Errors when another create has started that generation.
    pub async fn note_started(
        &self,
        id: JobId,
        attempt: i64,
        seq: i64,
        upstream: Upstream,
    ) -> Result<bool, StoreError> {
        self.writer.write(Started { id, attempt, seq, upstream }).await
    }

    /// Writes down what a webhook tells of a create whose answer has not come. An id that is known already stays.
    pub async fn hint_upstream(&self, id: JobId, seq: i64, upstream_id: String) -> Result<(), StoreError> {
        self.writer.write(Hint { id, seq, upstream_id }).await
    }

    /// Writes down what a generation has cost.
    pub async fn note_cost(&self, id: JobId, seq: i64, cost: Cost) -> Result<(), StoreError> {
        self.writer.write(NoteCost { id, seq, cost }).await
    }

    /// A create by its number.
    pub async fn dispatch(&self, id: JobId, seq: i64) -> Result<Option<Dispatch>, StoreError> {
        let row = query("SELECT route, sent_at, words, upstream_id FROM dispatches WHERE job_id = $1 AND seq = $2")
            .bind(id.to_string())
            .bind(seq)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Dispatch {
            route: row.try_get("route")?,
            sent_at: row.try_get("sent_at")?,
            words: row.try_get("words")?,
            upstream_id: row.try_get("upstream_id")?,
        }))
    }

    /// Whether a create is known to have started this generation.
    pub async fn is_upstream_taken(&self, account: &str, upstream_id: &str) -> Result<bool, StoreError> {
        let found = query("SELECT seq FROM dispatches WHERE account = $1 AND upstream_id = $2")
            .bind(account.to_owned())
            .bind(upstream_id.to_owned())
            .fetch_optional(&self.readers)
            .await?;
        Ok(found.is_some())
    }
}

struct Begin {
    id: JobId,
    attempt: i64,
    new: NewDispatch,
}

struct Started {
    id: JobId,
    attempt: i64,
    seq: i64,
    upstream: Upstream,
}

struct Hint {
    id: JobId,
    seq: i64,
    upstream_id: String,
}

struct NoteCost {
    id: JobId,
    seq: i64,
    cost: Cost,
}

#[async_trait]
impl Write for Begin {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let NewDispatch { seq, route, account, sent_at, words } = &self.new;
        let done = query(
            "UPDATE jobs SET state = 'dispatching', provider = $1, upstream_id = NULL, dispatches = $2 \
             WHERE id = $3 AND attempt = $4 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(route.clone())
        .bind(*seq)
        .bind(self.id.to_string())
        .bind(self.attempt)
        .execute(&mut *connection)
        .await?;
        if !exactly_one_or_lost("begin_dispatch", done.rows_affected())? {
            return Ok(false);
        }
        query(
            "INSERT INTO dispatches (job_id, seq, route, account, sent_at, words) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (job_id, seq) DO UPDATE SET route = excluded.route, account = excluded.account, \
             sent_at = excluded.sent_at, words = excluded.words, upstream_id = NULL, charged_micros = NULL, cost_msat = NULL",
        )
        .bind(self.id.to_string())
        .bind(*seq)
        .bind(route.clone())
        .bind(account.clone())
        .bind(*sent_at)
        .bind(words.clone())
        .execute(connection)
        .await?;
        Ok(true)
    }
}

#[async_trait]
impl Write for Started {
    type Output = bool;

    async fn run(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let done = query(
            "UPDATE jobs SET state = 'running', provider = $1, upstream_id = $2 \
             WHERE id = $3 AND attempt = $4 AND state NOT IN ('succeeded', 'failed')",
        )
        .bind(self.upstream.provider.clone())
        .bind(self.upstream.id.clone())
        .bind(self.id.to_string())
        .bind(self.attempt)
        .execute(&mut *connection)
        .await?;
        if !exactly_one_or_lost("note_started", done.rows_affected())? {
            return Ok(false);
        }
        query("UPDATE dispatches SET upstream_id = $1 WHERE job_id = $2 AND seq = $3")
            .bind(self.upstream.id.clone())
            .bind(self.id.to_string())
            .bind(self.seq)
            .execute(connection)
            .await?;
        Ok(true)
    }
}

#[async_trait]
impl Write for Hint {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query("UPDATE dispatches SET upstream_id = $1 WHERE job_id = $2 AND seq = $3 AND upstream_id IS NULL")
            .bind(self.upstream_id.clone())
            .bind(self.id.to_string())
            .bind(self.seq)
            .execute(connection)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Write for NoteCost {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query("UPDATE dispatches SET charged_micros = $1, cost_msat = $2 WHERE job_id = $3 AND seq = $4")
            .bind(self.cost.charged_micros)
            .bind(self.cost.cost_msat)
            .bind(self.id.to_string())
            .bind(self.seq)
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

    fn new(seq: i64) -> NewDispatch {
        NewDispatch { seq, route: "first".into(), account: "acme".into(), sent_at: 2_000 + seq, words: "said".into() }
    }

    fn upstream(id: &str) -> Upstream {
        Upstream { provider: "first".into(), id: id.into() }
    }

    async fn claimed(store: &Store, n: u8) -> crate::domain::job::Job {
        store.insert_job(new_job(n)).await.unwrap();
        store.claim_jobs(2_000, 3_000, 1).await.unwrap().pop().unwrap().job
    }

    #[tokio::test]
    async fn an_intent_and_the_state_of_its_job_are_one_write() {
        let (store, _dir) = open().await;
        let job = claimed(&store, 1).await;
        assert!(!store.begin_dispatch(job.id, job.attempt + 1, new(1)).await.unwrap());
        assert_eq!(store.dispatch(job.id, 1).await.unwrap(), None, "whoever has lost the lease sends nothing");
        assert!(store.begin_dispatch(job.id, job.attempt, new(1)).await.unwrap());
        let words = Some("said".into());
        let intent = Dispatch { route: "first".into(), sent_at: 2_001, words, upstream_id: None };
        assert_eq!(store.dispatch(job.id, 1).await.unwrap(), Some(intent.clone()));
        let read = store.job_by_payment(job.payment_hash).await.unwrap().unwrap();
        assert_eq!(read.state, JobState::Dispatching { seq: 1, provider: "first".into() });

        assert!(!store.note_started(job.id, job.attempt + 1, 1, upstream("u")).await.unwrap());
        assert!(store.note_started(job.id, job.attempt, 1, upstream("u")).await.unwrap());
        let started = Dispatch { upstream_id: Some("u".into()), ..intent };
        assert_eq!(store.dispatch(job.id, 1).await.unwrap(), Some(started));
        let read = store.job_by_payment(job.payment_hash).await.unwrap().unwrap();
        assert_eq!(read.state, JobState::Running(upstream("u")));
    }

    #[tokio::test]
    async fn a_number_that_was_not_used_up_begins_anew() {
        let (store, _dir) = open().await;
        let job = claimed(&store, 1).await;
        store.begin_dispatch(job.id, job.attempt, new(1)).await.unwrap();
        store.hint_upstream(job.id, 1, "late".into()).await.unwrap();
        let again = NewDispatch { route: "second".into(), sent_at: 9_000, words: "otherwise".into(), ..new(1) };
        store.begin_dispatch(job.id, job.attempt, again).await.unwrap();
        let words = Some("otherwise".into());
        let expected = Dispatch { route: "second".into(), sent_at: 9_000, words, upstream_id: None };
        assert_eq!(store.dispatch(job.id, 1).await.unwrap(), Some(expected));
    }

    #[tokio::test]
    async fn a_generation_belongs_to_one_create() {
        let (store, _dir) = open().await;
        let (first, second) = (claimed(&store, 1).await, claimed(&store, 2).await);
        for job in [&first, &second] {
            store.begin_dispatch(job.id, job.attempt, new(1)).await.unwrap();
        }
        assert!(!store.is_upstream_taken("acme", "u").await.unwrap());
        assert!(store.note_started(first.id, first.attempt, 1, upstream("u")).await.unwrap());
        assert!(store.is_upstream_taken("acme", "u").await.unwrap());
        assert!(!store.is_upstream_taken("other", "u").await.unwrap());
        assert!(store.note_started(second.id, second.attempt, 1, upstream("u")).await.is_err());
        let read = store.job_by_payment(second.payment_hash).await.unwrap().unwrap();
        assert_eq!(read.state.name(), "dispatching", "all of the write or nothing");
    }

    #[tokio::test]
    async fn a_hint_does_not_overrule_what_is_known() {
        let (store, _dir) = open().await;
        let job = claimed(&store, 1).await;
        store.begin_dispatch(job.id, job.attempt, new(1)).await.unwrap();
        for hint in ["first", "second"] {
            store.hint_upstream(job.id, 1, hint.into()).await.unwrap();
        }
        assert_eq!(store.dispatch(job.id, 1).await.unwrap().unwrap().upstream_id.as_deref(), Some("first"));
    }
}
