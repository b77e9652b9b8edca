//! The books: which of the invoices that were handed out have been paid.
//!
//! Callers prove their payments by themselves; nothing waits for this. A background reader asks the Lightning backend
//! about invoices that are out, a few a second, and enters what has arrived. So an operator learns also of a payment
//! that was never redeemed.
//!
//! Architecture invariant: an invoice that nobody has paid leaves no trace in the database but in the sums of an hour.

mod tallies;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, signed_millis};
use crate::lightning::{InvoiceState, Invoices, NodeError, Outstanding, Tracked, settlement};
use crate::store::{Settlement, Store};

pub use tallies::keep_tallies;

/// The pause after the backend could not be asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Milliseconds after its expiry for which a payment may still be arriving in parts.
const GRACE: u64 = 10 * 60 * 1_000;

/// Reads what became of invoices and enters what was paid.
pub struct Books {
    invoices: Arc<Invoices>,
    store: Store,
    clock: Arc<dyn Clock>,
    /// The pause between two questions.
    every: Duration,
}

impl Books {
    /// Books on `invoices`, with so many looks in a second; `None`: nobody wants any, or the backend cannot tell.
    #[must_use]
    pub fn new(invoices: Arc<Invoices>, store: Store, clock: Arc<dyn Clock>, lookups_per_second: f64) -> Option<Self> {
        let every = Duration::try_from_secs_f64(1.0 / lookups_per_second).ok()?;
        invoices.outstanding()?;
        Some(Self { invoices, store, clock, every })
    }

    /// Reads until `stopped`.
    pub async fn keep(&self, stopped: impl Future<Output = ()>) {
        let Some(outstanding) = self.invoices.outstanding() else { return };
        tokio::pin!(stopped);
        loop {
            let pause = self.look(outstanding).await;
            if tokio::time::timeout(pause, &mut stopped).await.is_ok() {
                return;
            }
        }
    }

    /// Looks at one invoice, if it is time for one. Returns how long to wait for the next.
    pub async fn look(&self, outstanding: &Outstanding) -> Duration {
        let now = self.clock.unix_millis();
        // A Lightning address may be able to tell, which shows only with its first invoice.
        if !self.invoices.node().capabilities().lookup {
            return PATIENCE;
        }
        let Some(tracked) = outstanding.next_due(now) else { return self.every };
        match self.invoices.node().lookup(&tracked.payment_hash).await {
            Ok(state) => self.enter(outstanding, &tracked, state, now).await,
            Err(NodeError::Down(open)) => return open.retry_after,
            Err(error) => {
                tracing::debug!(%error, "an invoice could not be looked up");
                outstanding.postpone(&tracked, now);
                return PATIENCE.min(self.every.saturating_mul(10));
            }
        }
        self.every
    }

    async fn enter(&self, outstanding: &Outstanding, tracked: &Tracked, state: InvoiceState, now: u64) {
        match state {
            InvoiceState::Settled { amount, at } => {
                // A backend that counts in whole seconds would have some paid before they were asked for.
                let settled_at = at.map_or(now, |seconds| seconds.saturating_mul(1_000)).max(tracked.challenged_at);
                let settlement = Settlement {
                    payment_hash: tracked.payment_hash,
                    amount,
                    challenged_at: signed_millis(tracked.challenged_at),
                    settled_at: signed_millis(settled_at),
                };
                if let Err(error) = self.store.note_settlement(settlement).await {
                    tracing::error!(%error, "a payment could not be entered in the books");
                    return outstanding.postpone(tracked, now);
                }
                self.invoices.ended(&tracked.payment_hash);
                if outstanding.close(tracked).is_some_and(|current| !current.presented) {
                    settlement::count(settled_at.saturating_sub(tracked.challenged_at));
                }
            }
            InvoiceState::Expired | InvoiceState::Cancelled => {
                self.invoices.ended(&tracked.payment_hash);
                metrics::counter!("satforge_invoices_expired_total").increment(1);
                outstanding.close(tracked);
            }
            // Where a backend does not say "expired", an invoice that is still open long after its time is.
            InvoiceState::Open | InvoiceState::NotFound if now > tracked.expires_at + GRACE && !tracked.presented => {
                metrics::counter!("satforge_invoices_expired_total").increment(1);
                outstanding.close(tracked);
            }
            InvoiceState::Open | InvoiceState::NotFound => outstanding.postpone(tracked, now),
        }
    }
}
