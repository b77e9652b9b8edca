//! Money back: claims of refunds, and their payment.
//!
//! - `claim`: from an invoice or a Lightning address to a claim that is on disk. - `payer`: pays it, once, and finds out
//!   what became of it. - `limits`: how often one refund may be tried.
//!
//! Crash rule: a claim is written down before anything is paid, together with who was told to pay. Whatever stops the
//! process in between, and whatever a backend leaves open, the backend is asked what it knows and nothing is ordered on a
//! guess ([`crate::lightning::pay()`]). A claim that another backend was told to pay waits for the operator.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod claim;
mod limits;
mod payer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore};

use crate::clock::{Clock, signed_millis};
use crate::config::{RefundMode, RefundsConfig};
use crate::domain::{JobId, Refund};
use crate::lightning::LightningBackend;
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};

pub use claim::{ClaimError, Destination};
#[cfg(any(test, fuzzing))]
pub(crate) use claim::{payable, plausible_address};

use limits::Tries;
use payer::Look;

/// Who pays where the operator does it by hand.
pub const BY_HAND: &str = "operator";
/// Payments at once: a burst of claims must not take all of a node's attention, and a few that hang must not keep all others
/// waiting.
const PAYMENTS: usize = 32;

/// Refunds, and who pays them; cloning it is cheap.
#[derive(Clone)]
pub struct Refunds {
    desk: Arc<Desk>,
}

/// What refunds are paid with.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Who pays.
    pub backend: Arc<dyn LightningBackend>,
    /// Which backend that is: a name that changes with the node, the wallet or the account.
    pub payer: String,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

struct Desk {
    store: Store,
    backend: Arc<dyn LightningBackend>,
    payer: String,
    clock: Arc<dyn Clock>,
    config: RefundsConfig,
    shutdown: Shutdown,
    tries: Tries,
    /// Claims that are being paid or asked about at this moment, and when the others are looked at again.
    looks: Mutex<HashMap<JobId, Look>>,
    payments: Semaphore,
    /// A claim has ended.
    changed: Notify,
}

impl Refunds {
    /// Refunds that are paid as `config` says, in tasks of `shutdown`.
    #[must_use]
    pub fn new(parts: Parts, config: RefundsConfig, shutdown: &Shutdown) -> Self {
        let Parts { store, backend, payer, clock } = parts;
        Self {
            desk: Arc::new(Desk {
                store,
                backend,
                payer,
                clock,
                config,
                shutdown: shutdown.clone(),
                tries: Tries::default(),
                looks: Mutex::default(),
                payments: Semaphore::new(PAYMENTS),
                changed: Notify::new(),
            }),
        }
    }

    /// Takes up the claims that an earlier process, or a backend, left open, until shutdown.
    pub fn start(&self) {
        let desk = self.desk.clone();
        self.desk.shutdown.spawn(async move { desk.watch().await });
    }

    /// What is owed for a job; `None`: nothing ever was.
    pub async fn of(&self, job: JobId) -> Result<Option<Refund>, StoreError> {
        self.desk.store.refund(job).await
    }

    /// How a refund is paid, and how long a link to claim it is good.
    #[must_use]
    pub fn config(&self) -> &RefundsConfig {
        &self.desk.config
    }
}

impl Desk {
    fn now(&self) -> i64 {
        signed_millis(self.clock.unix_millis())
    }

    fn is_by_hand(&self) -> bool {
        self.config.mode == RefundMode::Manual
    }
}

#[cfg(test)]
mod tests;
