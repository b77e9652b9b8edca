//! Outcomes in memory: a finished purchase that is presented again costs no query.

use quick_cache::sync::Cache;

use crate::domain::PaymentHash;
use crate::domain::job::Job;

/// Outcomes that are remembered; the oldest unused ones go first. About 5 MB.
const CAPACITY: usize = 10_000;

/// Jobs that have ended. An outcome never changes, so none ever has to be taken back.
pub(super) struct Finished(Cache<PaymentHash, Job>);

impl Finished {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn get(&self, hash: &PaymentHash) -> Option<Job> {
        self.0.get(hash)
    }

    /// Remembers a job if it has ended.
    pub(super) fn remember(&self, job: &Job) {
        if job.state.is_terminal() {
            self.0.insert(job.payment_hash, job.clone());
        }
    }
}
