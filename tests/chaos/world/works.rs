//! What the providers have made, and for which purchase: every create that arrived.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use satforge::clock::{Clock as _, SystemClock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::dice::Dice;
use crate::plan::Fate;

/// How a generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Result,
    /// A file that is none.
    BadFile,
    Failure,
    Rejection,
    /// It may be tried again.
    Interruption,
}

/// Where a generation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    Running(f64),
    Cancelled,
    Over(End),
}

#[derive(Clone, Debug)]
pub struct Work {
    pub id: String,
    /// The number of the purchase.
    pub job: u64,
    /// The how manieth create for it, from 0.
    pub nth: u64,
    pub begun: Instant,
    /// Unix milliseconds.
    pub begun_at: i64,
    takes: Duration,
    pub end: End,
    pub cancelled: bool,
    /// The provider has forgotten it.
    pub lost: bool,
    /// Whether its end was told and taken, where it is told once.
    pub told: bool,
    pub looks: u32,
    pub input: Value,
    pub webhook: String,
}

impl Work {
    pub fn stage(&self) -> Stage {
        let past = self.begun.elapsed();
        if self.cancelled {
            Stage::Cancelled
        } else if past < self.takes {
            Stage::Running(past.as_secs_f64() / self.takes.as_secs_f64())
        } else {
            Stage::Over(self.end)
        }
    }

    /// When it is over.
    pub fn over_at(&self) -> Instant {
        self.begun + self.takes
    }
}

/// All that one provider has made.
pub struct Works {
    seed: u64,
    kind: &'static str,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    all: Vec<Work>,
    by_id: HashMap<String, usize>,
    creates: HashMap<u64, u64>,
}

impl Works {
    pub fn new(seed: u64, kind: &'static str) -> Self {
        Self { seed, kind, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A create has arrived. With the same `id` again, it is the same.
    pub fn begin(&self, job: u64, id: Option<String>, input: Value, webhook: String) -> Work {
        let mut inner = self.lock();
        if let Some(at) = id.as_ref().and_then(|id| inner.by_id.get(id)) {
            return inner.all[*at].clone();
        }
        let creates = inner.creates.entry(job).or_default();
        let nth = *creates;
        *creates += 1;
        let mut dice = Dice::of(self.seed, self.kind, job, nth);
        let fate = Fate::of(self.seed, job);
        let id = id.unwrap_or_else(|| format!("w{job}x{nth}"));
        let work = Work {
            id: id.clone(),
            job,
            nth,
            begun: Instant::now(),
            begun_at: i64::try_from(SystemClock.unix_millis()).unwrap(),
            takes: if dice.thousandths(700) { dice.millis(50, 400) } else { dice.millis(400, 3_000) },
            end: fate.end(nth),
            cancelled: false,
            lost: false,
            told: false,
            looks: 0,
            input,
            webhook,
        };
        let at = inner.all.len();
        inner.by_id.insert(id, at);
        inner.all.push(work.clone());
        work
    }

    pub fn get(&self, id: &str) -> Option<Work> {
        let inner = self.lock();
        inner.by_id.get(id).map(|at| inner.all[*at].clone())
    }

    pub fn change(&self, id: &str, change: impl FnOnce(&mut Work)) {
        let mut inner = self.lock();
        if let Some(at) = inner.by_id.get(id).copied() {
            change(&mut inner.all[at]);
        }
    }

    /// Everything that is still remembered, the newest first.
    pub fn newest_first(&self, since: i64) -> Vec<Work> {
        let inner = self.lock();
        inner.all.iter().rev().filter(|work| !work.lost && work.begun_at >= since).cloned().collect()
    }

    /// By purchase, for one look at everything.
    pub fn by_job(&self) -> HashMap<u64, Vec<Work>> {
        let mut by_job: HashMap<u64, Vec<Work>> = HashMap::new();
        for work in &self.lock().all {
            by_job.entry(work.job).or_default().push(work.clone());
        }
        by_job
    }

    /// Everything that has not been told of is forgotten.
    pub fn forget_untold(&self) -> usize {
        let mut inner = self.lock();
        let untold = inner.all.iter_mut().filter(|work| !work.told && !work.lost && !work.cancelled);
        untold.map(|work| work.lost = true).count()
    }

    /// The file of a work: its kind's first bytes, and whose it is.
    pub fn file(&self, work: &Work) -> Vec<u8> {
        if work.end == End::BadFile {
            return b"<html>The file is on its way</html>".to_vec();
        }
        let mut file = match self.kind {
            "film" => b"\0\0\0\x18ftypisom\0\0\0\0isomavc1".to_vec(),
            _ => b"glTF\x02\0\0\0\0\0\0\0".to_vec(),
        };
        file.extend_from_slice(format!("\nwork {} of {}\n", work.id, work.job).as_bytes());
        let noise = Sha256::digest(work.id.as_bytes());
        (0..16).for_each(|_| file.extend_from_slice(&noise));
        file
    }
}
