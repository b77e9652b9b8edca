//! A fuse between callers and a server that does not answer.
//!
//! After a few failures in a row nobody asks the server any more: callers are refused at once instead of waiting for a
//! timeout each, and a server that is just starting is not buried under requests. One probe at a time, further and
//! further apart, finds out when it is back. Then a single failure is enough to open the circuit again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A server may ask for a pause, and not for a holiday.
pub const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// The fuse. Callers ask [`Circuit::admit`] first, and say afterwards how it went.
#[derive(Debug)]
pub struct Circuit {
    threshold: u32,
    pauses: Pauses,
    inner: Mutex<Inner>,
    /// Whether the circuit is open, for those who wait.
    open: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inner {
    failures: u32,
    pause: Duration,
    /// When the next probe is due; `None`: the circuit is closed.
    next_probe: Option<Instant>,
    reason: String,
}

/// The pauses between two probes: they double, from the first to the longest.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After the failure that opened the circuit.
    pub first: Duration,
    /// However long it lasts.
    pub longest: Duration,
}

/// The circuit is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// When it makes sense to come back.
    pub retry_after: Duration,
    /// The failure that opened it, for the log.
    pub reason: String,
}

impl Circuit {
    /// A closed circuit that opens after `threshold` failures in a row.
    #[must_use]
    pub fn new(threshold: u32, pauses: Pauses) -> Self {
        let inner = Inner { failures: 0, pause: pauses.first, next_probe: None, reason: String::new() };
        Self { threshold, pauses, inner: Mutex::new(inner), open: watch::Sender::new(false) }
    }

    /// Whether the server may be asked.
    pub fn admit(&self, now: Instant) -> Result<(), Open> {
        let inner = self.lock();
        match inner.next_probe {
            None => Ok(()),
            Some(at) => {
                let retry_after = at.saturating_duration_since(now).max(Duration::from_secs(1));
                Err(Open { retry_after, reason: inner.reason.clone() })
            }
        }
    }

    /// Returns when the circuit is open.
    pub async fn opened(&self) {
        // The sender lives as long as this circuit.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Whether the circuit is open, for whoever wants to know when that is said anew.
    pub fn news(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    /// A request went well: failures are counted anew.
    pub fn succeeded(&self) {
        let mut inner = self.lock();
        inner.failures = 0;
        inner.pause = self.pauses.first;
    }

    /// A request failed. `at_least`: the pause that the server has asked for, which opens the circuit at once.
    pub fn failed(&self, now: Instant, reason: &str, at_least: Option<Duration>) {
        let mut inner = self.lock();
        if inner.next_probe.is_some() {
            // Requests that were under way when it opened fail one after the other; they say nothing new.
            return;
        }
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures < self.threshold && at_least.is_none() {
            return;
        }
        let asked = at_least.unwrap_or_default().min(LONGEST_ASKED);
        inner.next_probe = Some(now + inner.pause.max(asked));
        inner.pause = inner.pause.saturating_mul(2).min(self.pauses.longest);
        reason.clone_into(&mut inner.reason);
        self.open.send_replace(true);
    }

    /// Opens the circuit for `pause` at least, whatever requests and probes say meanwhile.
    pub fn rest(&self, now: Instant, reason: &str, pause: Duration) {
        let mut inner = self.lock();
        let until = now + pause;
        inner.next_probe = Some(inner.next_probe.map_or(until, |at| at.max(until)));
        reason.clone_into(&mut inner.reason);
        self.open.send_replace(true);
    }

    /// When the next probe is due; `None` while the circuit is closed.
    pub fn next_probe(&self) -> Option<Instant> {
        self.lock().next_probe
    }

    /// What a probe found out; true if that has closed the circuit.
    pub fn probed(&self, now: Instant, outcome: Result<(), &str>) -> bool {
        let mut inner = self.lock();
        match outcome {
            Ok(()) => {
                inner.next_probe = None;
                // A server that answers probes and nothing else opens it again with the next request.
                inner.failures = self.threshold.saturating_sub(1);
                self.open.send_replace(false);
                true
            }
            Err(reason) => {
                inner.next_probe = Some(now + inner.pause);
                inner.pause = inner.pause.saturating_mul(2).min(self.pauses.longest);
                reason.clone_into(&mut inner.reason);
                false
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const THRESHOLD: u32 = 3;
    const PAUSES: Pauses = Pauses { first: SECOND, longest: Duration::from_secs(15) };

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_three_failures_in_a_row_and_closes_when_a_probe_succeeds() {
        let (circuit, now) = (Circuit::new(THRESHOLD, PAUSES), Instant::now());
        for _ in 0..THRESHOLD - 1 {
            circuit.failed(now, "down", None);
        }
        circuit.succeeded();
        for _ in 0..THRESHOLD - 1 {
            circuit.failed(now, "down", None);
        }
        assert!(circuit.admit(now).is_ok(), "a success in between starts the count anew");
        circuit.failed(now, "down", None);
        let open = circuit.admit(now).unwrap_err();
        assert_eq!(open, Open { retry_after: SECOND, reason: "down".into() });
        circuit.opened().await;
        assert!(!circuit.probed(now, Err("still down")));
        assert_eq!(circuit.admit(now).unwrap_err().retry_after, 2 * SECOND);
        assert!(circuit.probed(now, Ok(())));
        assert!(circuit.admit(now).is_ok());
        circuit.failed(now, "down again", None);
        assert!(circuit.admit(now).is_err(), "one failure right after a probe is enough");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_a_limit_and_start_anew_after_a_success() {
        let (circuit, now) = (Circuit::new(THRESHOLD, PAUSES), Instant::now());
        (0..THRESHOLD).for_each(|_| circuit.failed(now, "down", None));
        for _ in 0..10 {
            circuit.probed(now, Err("down"));
        }
        assert_eq!(circuit.next_probe(), Some(now + PAUSES.longest));
        circuit.probed(now, Ok(()));
        circuit.succeeded();
        (0..THRESHOLD).for_each(|_| circuit.failed(now, "down", None));
        assert_eq!(circuit.next_probe(), Some(now + SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_asks_for_a_pause_gets_it() {
        let (circuit, now) = (Circuit::new(THRESHOLD, PAUSES), Instant::now());
        circuit.failed(now, "too many requests", Some(40 * SECOND));
        assert_eq!(circuit.admit(now).unwrap_err().retry_after, 40 * SECOND);
    }
}
