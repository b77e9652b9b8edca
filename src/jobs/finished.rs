//! Outcomes in memory: a finished purchase that is presented again costs no query.

use quick_cache::sync::Cache;

use crate::domain::job::Job;
use crate::domain::{JobState, PaymentHash};

/// Outcomes that are remembered; the oldest unused ones go first. About 5 MB.
const CAPACITY: usize = 10_000;

/// Jobs that were delivered. That never changes, so none ever has to be taken back; a refund goes on after a failure.
pub(super) struct Finished(Cache<PaymentHash, Job>);

impl Finished {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn get(&self, hash: &PaymentHash) -> Option<Job> {
        self.0.get(hash)
    }

    /// Remembers a job if it was delivered.
    pub(super) fn remember(&self, job: &Job) {
        if matches!(job.state, JobState::Succeeded(_)) {
            self.0.insert(job.payment_hash, job.clone());
        }
    }
}
