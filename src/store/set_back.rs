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
    "UPDATE jobs SET \
     deadline_at = deadline_at - CASE WHEN created_at - $1 > $2 THEN created_at - $2 ELSE $1 END, \
     created_at = CASE WHEN created_at - $1 > $2 THEN $2 ELSE created_at - $1 END \
     WHERE created_at > $2 AND state NOT IN ('dispatching', 'succeeded', 'failed')",
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
