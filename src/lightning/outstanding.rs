//! Invoices that were handed out and of which it is not known yet what became of them.
//!
//! Nothing rests on this list: payments are proven by their preimage. It is what the books are kept from.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::domain::PaymentHash;

/// A bounded list; when it is full, the oldest of those that nobody has looked at is forgotten, or else the one whose
/// turn is furthest off.
#[derive(Debug)]
pub struct Outstanding {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    invoices: HashMap<PaymentHash, Tracked>,
    /// Those that have not been looked at, oldest first: under a flood of challenges nothing is cheaper than a queue.
    fresh: VecDeque<PaymentHash>,
    /// The others, by the time of the next look.
    due: BTreeSet<(u64, PaymentHash)>,
}

/// An invoice that is being watched. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The hash.
    pub payment_hash: PaymentHash,
    /// When the challenge went out.
    pub challenged_at: u64,
    /// When it can no longer be paid.
    pub expires_at: u64,
    /// Whether its preimage was presented, so that it surely was paid.
    pub presented: bool,
    /// When to look next.
    look_at: u64,
}

/// The time that a payer needs at least, and the pause between two looks at first.
const FIRST_LOOK: u64 = 5_000;
/// The pause after the invoice's expiry: a payment may be on its last metres.
const AFTER_EXPIRY: u64 = 10_000;
/// How long it is looked for what cannot be found out, after the expiry.
const GIVE_UP_AFTER: u64 = 24 * 60 * 60 * 1_000;

impl Outstanding {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    /// A challenge went out at `now`.
    pub(super) fn add(&self, payment_hash: PaymentHash, now: u64, expires_at: u64) {
        let look_at = now.saturating_add(FIRST_LOOK);
        let tracked = Tracked { payment_hash, challenged_at: now, expires_at, presented: false, look_at };
        let mut inner = self.lock();
        if inner.invoices.len() >= self.capacity {
            inner.forget_one();
        }
        if inner.fresh.len() >= self.capacity.saturating_mul(2) {
            // What was closed without a look: a backend that cannot tell is never asked.
            let Inner { invoices, fresh, .. } = &mut *inner;
            fresh.retain(|hash| invoices.contains_key(hash));
        }
        inner.invoices.insert(payment_hash, tracked);
        inner.fresh.push_back(payment_hash);
    }

    /// Its preimage was presented at `now`; true if that is news.
    pub(super) fn presented(&self, hash: &PaymentHash, now: u64) -> Option<Tracked> {
        let mut inner = self.lock();
        let tracked = inner.take(hash)?;
        if tracked.presented {
            inner.put(tracked);
            return None;
        }
        let tracked = Tracked { presented: true, look_at: now, ..tracked };
        inner.put(tracked);
        Some(tracked)
    }

    /// One that should be looked at by `now`. It stays on the list, until it is closed or postponed.
    #[must_use]
    pub fn next_due(&self, now: u64) -> Option<Tracked> {
        let mut inner = self.lock();
        let postponed = inner.due.first().filter(|(at, _)| *at <= now).map(|(_, hash)| *hash);
        let hash = match postponed {
            Some(hash) => hash,
            None => inner.oldest_fresh().filter(|hash| inner.invoices[hash].look_at <= now)?,
        };
        inner.invoices.get(&hash).copied()
    }

    /// It is known what became of `tracked`. Returns it as it was on the list by now: its preimage may have been
    /// presented while the backend was asked.
    pub fn close(&self, tracked: &Tracked) -> Option<Tracked> {
        self.lock().take(&tracked.payment_hash)
    }

    /// It is not known yet at `now`: it is looked at again later, or given up for good.
    pub fn postpone(&self, tracked: &Tracked, now: u64) {
        let mut inner = self.lock();
        let Some(current) = inner.take(&tracked.payment_hash) else { return };
        if now > tracked.expires_at.saturating_add(GIVE_UP_AFTER) {
            return;
        }
        // Twice as late each time, and once right after the expiry.
        let age = now.saturating_sub(tracked.challenged_at).max(FIRST_LOOK);
        let at_the_end = tracked.expires_at.saturating_add(AFTER_EXPIRY);
        let next = now.saturating_add(age);
        let look_at = if now < at_the_end { next.min(at_the_end) } else { next };
        inner.put(Tracked { look_at, ..current });
    }

    /// How many are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().invoices.len()
    }

    /// Whether none is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps `tracked`, which is not on the list, for a look at its time.
    fn put(&mut self, tracked: Tracked) {
        self.invoices.insert(tracked.payment_hash, tracked);
        self.due.insert((tracked.look_at, tracked.payment_hash));
    }

    fn take(&mut self, hash: &PaymentHash) -> Option<Tracked> {
        let tracked = self.invoices.remove(hash)?;
        // One that is fresh stays in its queue, where it is skipped when its turn comes.
        self.due.remove(&(tracked.look_at, tracked.payment_hash));
        Some(tracked)
    }

    fn forget_one(&mut self) {
        if let Some(hash) = self.oldest_fresh() {
            self.fresh.pop_front();
            self.invoices.remove(&hash);
        } else if let Some((_, hash)) = self.due.pop_last() {
            self.invoices.remove(&hash);
        }
    }

    /// The first of the queue that is still fresh; those in front of it are dropped.
    fn oldest_fresh(&mut self) -> Option<PaymentHash> {
        while let Some(hash) = self.fresh.front().copied() {
            let is_fresh = |tracked: &Tracked| !self.due.contains(&(tracked.look_at, hash));
            if self.invoices.get(&hash).is_some_and(is_fresh) {
                return Some(hash);
            }
            self.fresh.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: u64 = 600_000;

    fn hash(n: u8) -> PaymentHash {
        PaymentHash::from_bytes([n; 32])
    }

    #[test]
    fn an_invoice_is_looked_at_ever_more_rarely_and_right_after_its_expiry() {
        let list = Outstanding::new(10);
        list.add(hash(1), 0, EXPIRY);
        let (mut now, mut looks) = (0, Vec::new());
        while now <= EXPIRY + AFTER_EXPIRY {
            if let Some(tracked) = list.next_due(now) {
                looks.push(now);
                list.postpone(&tracked, now);
            }
            now += 1_000;
        }
        assert_eq!(looks, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 610_000]);
        list.close(&list.next_due(u64::MAX).unwrap());
        assert!(list.is_empty() && list.lock().due.is_empty() && list.lock().fresh.is_empty());
    }

    #[test]
    fn a_payment_that_was_presented_is_looked_at_at_once_and_said_once() {
        let list = Outstanding::new(10);
        list.add(hash(1), 0, EXPIRY);
        assert!(list.presented(&hash(1), 700).unwrap().presented);
        assert!(list.presented(&hash(1), 800).is_none());
        assert!(list.presented(&hash(2), 800).is_none());
        assert!(list.next_due(700).unwrap().presented);
    }

    /// It is counted as settled when it is presented, and must not be counted again.
    #[test]
    fn a_preimage_that_comes_while_the_backend_is_asked_is_not_overlooked() {
        let list = Outstanding::new(10);
        list.add(hash(1), 0, EXPIRY);
        let asked_about = list.next_due(FIRST_LOOK).unwrap();
        list.presented(&hash(1), FIRST_LOOK).unwrap();
        assert!(!asked_about.presented);
        assert!(list.close(&asked_about).unwrap().presented);
        assert_eq!(list.close(&asked_about), None);
    }

    #[test]
    fn the_list_does_not_grow_and_what_cannot_be_found_out_is_given_up() {
        let list = Outstanding::new(3);
        (1..100).for_each(|n| list.add(hash(n), u64::from(n), EXPIRY));
        assert_eq!((list.len(), list.lock().fresh.len()), (3, 3));
        let tracked = list.next_due(u64::MAX).unwrap();
        assert_eq!(tracked.payment_hash, hash(97), "the oldest are forgotten");
        list.postpone(&tracked, EXPIRY + GIVE_UP_AFTER + 1);
        assert_eq!(list.len(), 2);
        // Presented ones are kept while others are forgotten.
        list.presented(&hash(98), 1_000).unwrap();
        (100..200).for_each(|n| list.add(hash(n), u64::from(n), EXPIRY));
        for n in 200..250 {
            list.add(hash(n), u64::from(n), EXPIRY);
            let paid = list.presented(&hash(n), u64::from(n)).unwrap();
            list.close(&paid);
        }
        assert!(list.lock().invoices.contains_key(&hash(98)));
        let inner = list.lock();
        assert!(inner.invoices.len() <= 3 && inner.fresh.len() <= 6 && inner.due.len() == 1, "{inner:?}");
    }
}
