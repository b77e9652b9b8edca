//! The loop that finds due callbacks, and one try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::signed_millis;
use crate::domain::JobId;
use crate::domain::standard_webhooks::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use crate::egress::host_of;
use crate::shutdown::Shutdown;
use crate::store::{Delivered, DueCallback, StoreError};

use super::{Callbacks, judge};

/// Tries at once.
const AT_ONCE: usize = 8;
/// Tries at once with one host: a slow one must not keep the others waiting.
const AT_ONCE_PER_HOST: usize = 2;
/// The pause between the starts of two tries with one host, once it has had [`BURST`] of them: jobs that cost their
/// buyer little must not add up to much for whoever is called.
const PAUSE_PER_HOST: Duration = Duration::from_millis(200);
/// Tries with one host that may follow each other without a pause.
const BURST: u32 = 20;
/// Rows that are read at once.
const PAGE: i64 = 64;
/// The longest pause between two looks at the outbox.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// The tries under way, and their hosts.
#[derive(Default)]
struct UnderWay {
    tries: Mutex<HashMap<JobId, String>>,
    /// When each host that was called lately counts as never called again.
    rested_at: Mutex<HashMap<String, Instant>>,
    /// A try has ended.
    ended: Notify,
}

/// One of the places for tries; it is free again when this is dropped.
struct Place {
    under_way: Arc<UnderWay>,
    id: JobId,
}

/// Whether a try may begin.
enum Turn {
    Now(Place),
    /// This one not, but perhaps another.
    NotThis,
    /// This one after that time.
    Later(Duration),
    /// No other either.
    Full,
}

impl UnderWay {
    fn enter(self: &Arc<Self>, id: JobId, host: String) -> Turn {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= AT_ONCE {
            return Turn::Full;
        }
        let of_host = tries.values().filter(|other| **other == host).count();
        if tries.contains_key(&id) || of_host >= AT_ONCE_PER_HOST {
            return Turn::NotThis;
        }
        if let Err(wait) = self.pace(&host) {
            return Turn::Later(wait);
        }
        tries.insert(id, host);
        Turn::Now(Place { under_way: self.clone(), id })
    }
}

impl UnderWay {
    /// Charges a try to `host`, or says when it may be called again.
    fn pace(&self, host: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut rested_at = self.rested_at.lock().unwrap_or_else(PoisonError::into_inner);
        rested_at.retain(|_, at| *at > now);
        let at = rested_at.get(host).copied().unwrap_or(now);
        let wait = at.saturating_duration_since(now).saturating_sub(PAUSE_PER_HOST * (BURST - 1));
        if !wait.is_zero() {
            return Err(wait);
        }
        rested_at.insert(host.to_owned(), at + PAUSE_PER_HOST);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.under_way.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.under_way.ended.notify_one();
    }
}

pub(super) async fn run(callbacks: Arc<Callbacks>, shutdown: Shutdown) {
    let under_way = Arc::new(UnderWay::default());
    while !shutdown.is_soft() {
        let sleep = begin_due(&callbacks, &under_way, &shutdown).await.unwrap_or_else(|error| {
            tracing::error!(%error, "reading the callbacks that are due failed");
            MAX_SLEEP
        });
        tokio::select! {
            () = shutdown.soft() => {}
            () = callbacks.parts.ended.notified() => {}
            () = under_way.ended.notified() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// Begins what is due and has a place, and returns how long to sleep.
async fn begin_due(
    callbacks: &Arc<Callbacks>,
    under_way: &Arc<UnderWay>,
    shutdown: &Shutdown,
) -> Result<Duration, StoreError> {
    let mut after = (i64::MIN, String::new());
    let mut sleep = MAX_SLEEP;
    loop {
        let page = callbacks.parts.store.due_callbacks(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(sleep) };
        after = (last.due_at, last.job.id.to_string());
        let now = callbacks.now();
        for due in page {
            if due.due_at > now {
                let wait = u64::try_from(due.due_at.saturating_sub(now)).unwrap_or(u64::MAX);
                return Ok(Duration::from_millis(wait).min(sleep));
            }
            match under_way.enter(due.job.id, host_of(&due.callback.url)) {
                Turn::Now(place) => {
                    shutdown.spawn(attempt(callbacks.clone(), due, place, shutdown.clone()));
                }
                Turn::NotThis => {}
                Turn::Later(wait) => sleep = sleep.min(wait),
                // A try that ends wakes the loop.
                Turn::Full => return Ok(sleep),
            }
        }
    }
}

/// A gateway that stops does not wait for receivers: without a note the try is made again after the next start.
async fn attempt(callbacks: Arc<Callbacks>, due: DueCallback, place: Place, shutdown: Shutdown) {
    tokio::select! {
        () = callbacks.attempt(&due) => {}
        () = shutdown.soft() => {}
    }
    drop(place);
}

impl Callbacks {
    async fn attempt(&self, due: &DueCallback) {
        let id = due.job.id;
        let status = match self.post(due).await {
            Ok(status) => Some(status),
            Err(error) => {
                tracing::debug!(job.id = %id, %error, "a callback did not arrive");
                None
            }
        };
        let delivered = judge(status, due.tries, self.now());
        let outcome = match delivered {
            Delivered::Yes => "delivered",
            Delivered::Gone => "gone",
            Delivered::GivenUp => "given_up",
            Delivered::Later(_) => "retry",
        };
        metrics::counter!("satforge_callbacks_total", "outcome" => outcome).increment(1);
        tracing::info!(job.id = %id, callback.outcome = outcome, callback.tries = due.tries.saturating_add(1),
            http.status = status.unwrap_or_default(), "callback tried");
        if let Err(error) = self.parts.store.note_callback(id, delivered).await {
            tracing::error!(job.id = %id, %error, "noting a callback failed; it is made again");
        }
    }

    /// The receiver's status.
    async fn post(&self, due: &DueCallback) -> Result<u16, crate::egress::EgressError> {
        let mut document = (self.parts.document)(&due.job);
        if let Some(id) = &due.callback.id {
            document.insert("callback_id".into(), Value::from(id.clone()));
        }
        let body = Bytes::from(Value::Object(document).to_string());
        let at = self.parts.clock.unix_seconds();
        let signature = sign(&due.secret, &due.delivery_id, at, &body);
        let headers = [
            (ID_HEADER, due.delivery_id.as_str()),
            (TIMESTAMP_HEADER, &at.to_string()),
            (SIGNATURE_HEADER, signature.as_str()),
        ];
        self.client.post_json(&due.callback.url, headers, body).await
    }

    fn now(&self) -> i64 {
        signed_millis(self.parts.clock.unix_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> JobId {
        JobId::new(1, [n; 10])
    }

    fn begin(under_way: &Arc<UnderWay>, n: u8, host: &str) -> Option<Place> {
        match under_way.enter(id(n), host.to_owned()) {
            Turn::Now(place) => Some(place),
            Turn::NotThis | Turn::Later(_) | Turn::Full => None,
        }
    }

    #[test]
    fn a_host_gets_two_tries_at_once_and_a_job_one() {
        let under_way = Arc::new(UnderWay::default());
        let first = begin(&under_way, 1, "a.example");
        assert!(first.is_some());
        assert!(begin(&under_way, 1, "a.example").is_none(), "this one is under way");
        let second = begin(&under_way, 2, "a.example");
        assert!(second.is_some());
        assert!(matches!(under_way.enter(id(3), "a.example".into()), Turn::NotThis));
        assert!(begin(&under_way, 3, "b.example").is_some(), "another host does not wait");
        drop(first);
        assert!(begin(&under_way, 3, "a.example").is_some());
    }

    /// Whoever buys many cheap jobs has them all call one host.
    #[tokio::test(start_paused = true)]
    async fn a_host_is_called_so_often_and_no_oftener() {
        let under_way = Arc::new(UnderWay::default());
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < Duration::from_secs(20) {
            match under_way.enter(id(1), "victim.example".into()) {
                Turn::Now(place) => {
                    calls += 1;
                    drop(place);
                }
                Turn::Later(wait) => {
                    assert!(begin(&under_way, 2, "other.example").is_some(), "another host does not wait");
                    tokio::time::advance(wait).await;
                }
                Turn::NotThis | Turn::Full => panic!("there is a place"),
            }
        }
        assert!((115..=120).contains(&calls), "20 at once and 5 a second: {calls}");
        tokio::time::advance(Duration::from_mins(1)).await;
        drop(begin(&under_way, 1, "next.example"));
        assert_eq!(under_way.rested_at.lock().unwrap().len(), 1, "who was not called lately is forgotten");
    }

    #[test]
    fn so_many_tries_are_under_way_at_once_and_no_more() {
        let under_way = Arc::new(UnderWay::default());
        let hosts = (0..).map(|n: u8| (n, format!("{n}.example")));
        let places: Vec<_> = hosts.map_while(|(n, host)| begin(&under_way, n, &host)).collect();
        assert_eq!(places.len(), AT_ONCE);
        assert!(matches!(under_way.enter(id(99), "z.example".into()), Turn::Full));
    }
}
