//! Unpaid invoices kept ready, so that a challenge need not wait for the node.
//!
//! What binds a payment to its request is the macaroon, which is minted when the challenge is; the invoice is only an
//! amount and a hash. So one that was made a minute ago does as well as a new one. Each is handed out once, and never
//! after half its life. They are this process's memory: a restart forgets them, and nobody can have seen them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::Invoice;

use super::InvoiceRequest;

/// Shelves of invoices, one for each thing that is sold at a fixed price.
#[derive(Debug)]
pub(super) struct Pool {
    shelves: Vec<Shelf>,
    size: usize,
    max_age: Duration,
    /// Somebody has taken one.
    taken: Notify,
}

#[derive(Debug)]
struct Shelf {
    request: InvoiceRequest,
    inner: Mutex<Stock>,
}

#[derive(Debug, Default)]
struct Stock {
    ready: VecDeque<Ready>,
    /// Invoices that are being made.
    coming: usize,
    /// When somebody last wanted one, in Unix milliseconds.
    wanted_at: u64,
}

#[derive(Debug)]
struct Ready {
    invoice: Invoice,
    /// Unix milliseconds.
    made_at: u64,
}

impl Pool {
    /// Shelves for `requests`, each asking for so long an expiry that half of it is `max_age` at least. They count as
    /// wanted at `now` (Unix milliseconds), so that a gateway that has just started is quick from the first call.
    pub(super) fn new(requests: Vec<InvoiceRequest>, size: usize, max_age: Duration, now: u64) -> Self {
        let stock = || Mutex::new(Stock { wanted_at: now, ..Stock::default() });
        let shelves = requests.into_iter().map(|request| Shelf { request, inner: stock() }).collect();
        Self { shelves, size, max_age, taken: Notify::new() }
    }

    /// An invoice for `request` that is still fresh at `now` (Unix milliseconds), if one is ready.
    pub(super) fn take(&self, request: &InvoiceRequest, now: u64) -> Option<Invoice> {
        let place = self.shelf(request)?;
        let taken = {
            let mut kept = place.lock();
            kept.wanted_at = now;
            kept.drop_stale(now, self.max_age);
            kept.ready.pop_front()
        };
        self.taken.notify_one();
        Some(taken?.invoice)
    }

    /// What should be made now. It counts as being made until [`Pool::put`] or [`Pool::give_up`] is called.
    ///
    /// A shelf that nobody has wanted anything from for as long as its invoices stay fresh runs out: an idle gateway
    /// does not fill the node's database.
    pub(super) fn next_missing(&self, now: u64) -> Option<InvoiceRequest> {
        self.shelves.iter().find_map(|shelf| {
            let mut stock = shelf.lock();
            stock.drop_stale(now, self.max_age);
            let idle = now.saturating_sub(stock.wanted_at) >= millis(self.max_age);
            if idle || stock.ready.len().saturating_add(stock.coming) >= self.size {
                return None;
            }
            stock.coming = stock.coming.saturating_add(1);
            Some(shelf.request.clone())
        })
    }

    /// Puts an invoice on its shelf that was asked for at `asked_at` (Unix milliseconds).
    pub(super) fn put(&self, request: &InvoiceRequest, invoice: Invoice, asked_at: u64) {
        self.settle(request, Some(Ready { invoice, made_at: asked_at }));
    }

    /// An invoice could not be made.
    pub(super) fn give_up(&self, request: &InvoiceRequest) {
        self.settle(request, None);
    }

    /// Returns when something was taken.
    pub(super) async fn taken(&self) {
        self.taken.notified().await;
    }

    /// How many are ready.
    pub(super) fn ready(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.lock().ready.len()).sum()
    }

    fn shelf(&self, request: &InvoiceRequest) -> Option<&Shelf> {
        self.shelves.iter().find(|known| known.request == *request)
    }

    fn settle(&self, request: &InvoiceRequest, ready: Option<Ready>) {
        let Some(place) = self.shelf(request) else { return };
        let mut kept = place.lock();
        kept.coming = kept.coming.saturating_sub(1);
        kept.ready.extend(ready);
    }
}

impl Shelf {
    fn lock(&self) -> std::sync::MutexGuard<'_, Stock> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    /// What is over half its life is never handed out, whatever freshness was configured.
    fn drop_stale(&mut self, now: u64, max_age: Duration) {
        self.ready.retain(|ready| {
            let expires_at = ready.invoice.expires_at.saturating_mul(1_000);
            let half_life = expires_at.saturating_sub(ready.made_at) / 2;
            now.saturating_sub(ready.made_at) < millis(max_age).min(half_life)
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Msat, PaymentHash};

    const NOW: u64 = 1_000_000;

    fn request(sat: u64) -> InvoiceRequest {
        let amount = Msat::from_sat(sat).unwrap();
        InvoiceRequest { amount, description: "x".into(), expiry: Duration::from_mins(10) }
    }

    fn invoice(n: u8, expires_at: u64) -> Invoice {
        let payment_hash = PaymentHash::from_bytes([n; 32]);
        Invoice { bolt11: String::new(), payment_hash, amount: Msat::ZERO, expires_at }
    }

    fn pool() -> Pool {
        Pool::new(vec![request(1), request(2)], 2, Duration::from_mins(4), NOW)
    }

    fn fill(pool: &Pool, now: u64) -> usize {
        let mut made = 0;
        while let Some(request) = pool.next_missing(now) {
            made += 1;
            pool.put(&request, invoice(made, now / 1_000 + 600), now);
        }
        usize::from(made)
    }

    #[test]
    fn each_invoice_is_handed_out_once() {
        let pool = pool();
        assert_eq!(pool.take(&request(1), NOW).map(|i| i.payment_hash), None);
        assert_eq!(fill(&pool, NOW), 4);
        let mut taken: Vec<_> = (0..2).map(|_| pool.take(&request(1), NOW).unwrap().payment_hash).collect();
        assert!(pool.take(&request(1), NOW).is_none());
        assert!(pool.take(&request(3), NOW).is_none(), "nothing is kept for other amounts");
        taken.dedup();
        assert_eq!(taken.len(), 2);
        assert_eq!(fill(&pool, NOW), 2, "what was taken is made again");
    }

    #[test]
    fn no_more_are_made_than_fit() {
        let pool = pool();
        let asked: Vec<_> = std::iter::from_fn(|| pool.next_missing(NOW)).collect();
        assert_eq!(asked.len(), 4, "those that are being made count");
        pool.give_up(&asked[0]);
        assert_eq!(pool.next_missing(NOW), Some(asked[0].clone()));
    }

    #[test]
    fn nothing_is_handed_out_that_is_stale_or_over_half_its_life() {
        let pool = pool();
        fill(&pool, NOW);
        assert!(pool.take(&request(1), NOW + 239_999).is_some());
        assert!(pool.take(&request(1), NOW + 240_000).is_none());
        let wanted = pool.next_missing(NOW + 240_000).unwrap();
        pool.put(&wanted, invoice(9, (NOW + 240_000) / 1_000 + 60), NOW + 240_000);
        assert!(pool.take(&wanted, NOW + 270_000).is_none(), "half of a minute has passed");
    }

    #[test]
    fn a_shelf_that_nobody_wants_runs_out() {
        let pool = pool();
        fill(&pool, NOW);
        let later = NOW + 300_000;
        assert_eq!(pool.next_missing(later), None);
        assert_eq!(pool.ready(), 0);
        assert!(pool.take(&request(2), later).is_none());
        assert_eq!(fill(&pool, later), 2, "of that amount alone");
    }
}
