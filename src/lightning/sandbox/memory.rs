//! What the sandbox remembers of its invoices: as much as answers questions about the last ones, in bounded memory.

use std::fmt;

use quick_cache::sync::Cache;

use crate::domain::{Msat, PaymentHash, Preimage};
use crate::lightning::InvoiceState;

/// Invoices that can be looked up.
const OPEN: usize = 50_000;
/// Payments that a repeated call is answered for even after the invoice's expiry.
const SETTLED: usize = 10_000;

pub(super) struct Memory {
    /// When each expires, in Unix seconds.
    open: Cache<PaymentHash, u64>,
    settled: Cache<PaymentHash, (Msat, u64)>,
    sent: Cache<PaymentHash, Preimage>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { open: Cache::new(OPEN), settled: Cache::new(SETTLED), sent: Cache::new(SETTLED) }
    }
}

impl Memory {
    pub(super) fn open(&self, hash: PaymentHash, expires_at: u64) {
        self.open.insert(hash, expires_at);
    }

    /// `now` is in Unix seconds; the first payment is the one that counts.
    pub(super) fn settle(&self, hash: PaymentHash, amount: Msat, now: u64) {
        if !self.is_settled(&hash) {
            self.settled.insert(hash, (amount, now));
        }
    }

    pub(super) fn is_settled(&self, hash: &PaymentHash) -> bool {
        self.settled.peek(hash).is_some()
    }

    pub(super) fn state(&self, hash: &PaymentHash, now: u64) -> InvoiceState {
        if let Some((amount, at)) = self.settled.get(hash) {
            return InvoiceState::Settled { amount, at: Some(at) };
        }
        match self.open.get(hash) {
            Some(expires_at) if expires_at < now => InvoiceState::Expired,
            Some(_) => InvoiceState::Open,
            None => InvoiceState::NotFound,
        }
    }

    pub(super) fn send(&self, hash: PaymentHash, preimage: Preimage) {
        self.sent.insert(hash, preimage);
    }

    pub(super) fn sent(&self, hash: &PaymentHash) -> Option<Preimage> {
        self.sent.get(hash)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
