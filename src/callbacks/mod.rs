//! Telling callers of a job's end at a URL of theirs.
//!
//! The outbox in the database is written with the redemption and becomes due with the job's end, so a callback is lost
//! by no crash. A crash between a delivery and its note delivers twice, under the same id.
//!
//! URLs are strangers' choice: they are called through [`Client::to_stranger`], a few at once, fewer still of one host,
//! and nothing of an answer but its status is looked at. Redirects are not followed.

mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::CallbacksConfig;
use crate::domain::job::Job;
use crate::egress::{Client, TrustError};
use crate::shutdown::Shutdown;
use crate::store::{Delivered, Store};

/// The time that a receiver has for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses between a job's end and the first try, and between each try and the next.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
];
/// What the receiver answers that wants no callback any more.
const GONE: u16 = 410;

/// Renders a job as whoever knows its public id may see it.
pub type Document = Arc<dyn Fn(&Job) -> Map<String, Value> + Send + Sync>;

/// What callbacks are made with.
pub struct Parts {
    /// The outbox.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is posted.
    pub document: Document,
    /// Notified when a job ends whose caller wants to be called back.
    pub ended: Arc<Notify>,
}

/// Makes callbacks.
pub struct Callbacks {
    parts: Parts,
    client: Client,
}

impl Callbacks {
    /// Callbacks that stand still until [`Callbacks::start`]. Fails when no certificates can be trusted.
    pub fn new(parts: Parts, config: CallbacksConfig) -> Result<Self, TrustError> {
        let client = if config.allow_private { Client::to_own(None, TIMEOUT)? } else { Client::to_stranger(TIMEOUT)? };
        Ok(Self { parts, client })
    }

    /// Works until `shutdown`, beginning with what an earlier process left behind.
    pub fn start(self, shutdown: &Shutdown) {
        shutdown.spawn(worker::run(Arc::new(self), shutdown.clone()));
    }
}

/// What the answer to the try number `tries` (from 0) comes to at `now`, in Unix milliseconds; no status: no answer.
fn judge(status: Option<u16>, tries: i64, now: i64) -> Delivered {
    match status {
        Some(200..=299) => Delivered::Yes,
        Some(GONE) => Delivered::Gone,
        Some(_) | None => {
            let next = usize::try_from(tries).ok().and_then(|tries| PAUSES.get(tries.saturating_add(1)));
            next.map_or(Delivered::GivenUp, |pause| Delivered::Later(now.saturating_add(millis(*pause))))
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_and_410_end_it_before_the_schedule_does() {
        for status in [200, 202, 204, 299] {
            assert_eq!(judge(Some(status), 0, 1_000), Delivered::Yes, "{status}");
        }
        assert_eq!(judge(Some(410), 0, 1_000), Delivered::Gone);
        for status in [None, Some(301), Some(308), Some(400), Some(401), Some(404), Some(429), Some(500), Some(503)] {
            assert_eq!(judge(status, 0, 1_000), Delivered::Later(6_000), "{status:?}");
        }
    }

    #[test]
    fn the_schedule_is_six_tries_long() {
        let later = |seconds: i64| Delivered::Later(seconds * 1_000);
        let judged: Vec<_> = (0..6).map(|tries| judge(None, tries, 0)).collect();
        assert_eq!(judged, [later(5), later(60), later(600), later(3_600), later(21_600), Delivered::GivenUp]);
    }
}
