//! Whether an invoice was paid, as the node sees it.

use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::{Msat, PaymentHash};

use super::{Guarded, InvoiceState, NodeError};

/// Payments that the node has confirmed, so that it is asked once about each.
const CONFIRMED: usize = 10_000;
/// How long a refusal is repeated instead of asking again: somebody may present one credential again and again.
const REFUSED_FOR: Duration = Duration::from_secs(2);
const REFUSED: usize = 1_000;
/// Questions about one payment wait for each other in one of these.
const STRIPES: usize = 64;

/// Confirmations, remembered.
#[derive(Debug)]
pub(super) struct Settlements {
    confirmed: Cache<PaymentHash, Msat>,
    refused: Cache<PaymentHash, (Instant, Unconfirmed)>,
    stripes: Vec<Mutex<()>>,
}

/// A payment that the node has not confirmed. It stands: its holder may present it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// The node could not be asked.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node says something else.
    #[error("the node says that the invoice is {0:?}")]
    Otherwise(InvoiceState),
}

impl Default for Settlements {
    fn default() -> Self {
        let stripes = std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        Self { confirmed: Cache::new(CONFIRMED), refused: Cache::new(REFUSED), stripes }
    }
}

impl Settlements {
    pub(super) async fn confirm(&self, node: &Guarded, hash: &PaymentHash, amount: Msat) -> Result<(), Unconfirmed> {
        // A payment hash is as random as a stripe has to be.
        let stripe = usize::from(hash.as_bytes()[0]) % STRIPES;
        let _turn = self.stripes[stripe].lock().await;
        if self.confirmed.get(hash).is_some_and(|arrived| arrived >= amount) {
            return Ok(());
        }
        if let Some((_, refusal)) = self.refused.get(hash).filter(|(at, _)| at.elapsed() < REFUSED_FOR) {
            return Err(refusal);
        }
        let refusal = match node.lookup(hash).await {
            Ok(InvoiceState::Settled { amount: arrived, .. }) if arrived >= amount => {
                self.confirmed.insert(*hash, arrived);
                return Ok(());
            }
            Ok(state) => Unconfirmed::Otherwise(state),
            Err(error) => error.into(),
        };
        self.refused.insert(*hash, (Instant::now(), refusal.clone()));
        Err(refusal)
    }
}

/// Counts a payment that arrived `millis` after its challenge.
pub fn count(millis: u64) {
    metrics::counter!("satforge_invoices_settled_total").increment(1);
    metrics::histogram!("satforge_settlement_seconds").record(Duration::from_millis(millis).as_secs_f64());
}
