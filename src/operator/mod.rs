//! What the operator does at a command line, beside a gateway that may be at work on the same data directory.
//!
//! - `jobs`, `refunds`: looking, and deciding what the gateway cannot. - `report`: the books, and whether they balance.
//! - `keys`: a new secret. - `backup`: a copy of everything. - `said`, `time`: how it is said.
//!
//! Architecture invariants: nothing here takes the lock of a data directory or changes its schema; every change is one
//! conditional transaction of the store's, so that a gateway at work and an operator never both have their way. No prompt,
//! image, preimage, macaroon or public id is in anything that is said.

mod backup;
mod jobs;
mod keys;
mod refunds;
mod report;
mod said;
mod time;

use std::path::Path;

use crate::clock::{Clock, signed_millis};
use crate::domain::{JobId, PaymentHash, PublicJobId};
use crate::store::{Store, StoreError};

pub use backup::backup;
pub use keys::rotate;
pub use report::NotBalanced;
pub use said::Said;
pub use time::{moment, seconds};

/// A wish that cannot be granted as things stand. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// It is refused, and why.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
}

/// A hand in the database of a data directory.
#[derive(Debug)]
pub struct Operator {
    store: Store,
    now: i64,
}

impl Operator {
    /// Opens the database in `data_dir` as it is.
    ///
    /// Errors when there is none, or when its schema is another version's.
    pub async fn open(data_dir: &Path, clock: &dyn Clock) -> Result<Self, OperatorError> {
        Ok(Self { store: Store::open_beside(data_dir).await?, now: signed_millis(clock.unix_millis()) })
    }

    /// Waits for what was written and closes the database.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The job that is meant by its internal id, by the id that its caller knows, or by its payment hash.
    async fn find(&self, named: &str) -> Result<JobId, OperatorError> {
        let named = named.trim().to_ascii_lowercase();
        let found = if let Ok(hash) = PaymentHash::from_hex(&named) {
            self.store.job_by_payment(hash).await?
        } else if let Ok(public) = PublicJobId::parse(&named) {
            self.store.job_by_public_id(&public).await?
        } else if let Ok(id) = JobId::parse(&named) {
            self.store.job(id).await?
        } else {
            // Not repeated: it may be anything, a credential even.
            let what = "a job is named by its id (of the log), its caller's job id, or its payment hash";
            return Err(OperatorError::Refused(what.into()));
        };
        found.map(|job| job.id).ok_or_else(|| OperatorError::Refused("there is no such job".into()))
    }
}
