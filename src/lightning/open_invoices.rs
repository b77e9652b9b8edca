//! How many unpaid invoices there may be at once, and who may hold how many of them.
//!
//! An unpaid challenge costs its caller nothing and the backend an invoice, so there is a ceiling, and nobody may reach
//! it alone: a network may hold a third of the places that are still free, which is a quarter of all for one that is
//! alone, and the less the more others hold. An address may hold half of what its network may, so a flood leaves room
//! for its neighbours, too. The gateway's own shelves count as one more network.
//!
//! What is counted is this process's memory. A place is taken before the backend is asked, and is free again when its
//! invoice expires, is paid, or was not made.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use metrics::Gauge;

use crate::clock::Clock;
use crate::domain::{Caller, Invoice, PaymentHash};

/// What a caller is told to wait at least and at most: places come free when invoices are paid, too.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);
/// One in so many of the places that are free is for one network.
const SHARE: usize = 3;

/// For whom an invoice is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The gateway's own shelves.
    Shelves,
    /// Somebody who has asked for it.
    Caller(Caller),
}

/// The places for unpaid invoices.
pub(super) struct OpenInvoices {
    ceiling: usize,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Inner {
    /// Places taken: for invoices that are open, and for those that are being made.
    taken: usize,
    shelved: usize,
    networks: HashMap<IpNet, usize>,
    addresses: HashMap<IpNet, usize>,
    /// Who holds each invoice, and until when, in monotonic time: a clock that is set must not keep places taken.
    open: HashMap<PaymentHash, (Holder, Duration)>,
    /// The same by the time of their end.
    ends: BTreeSet<(Duration, PaymentHash)>,
}

/// A place for an invoice that is to be made; dropping it gives it back.
pub(super) struct Place {
    places: Arc<OpenInvoices>,
    holder: Holder,
    is_kept: bool,
}

impl OpenInvoices {
    /// `ceiling` places.
    pub(super) fn new(ceiling: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        let gauge = metrics::gauge!("satforge_open_invoices");
        gauge.set(0.0);
        Arc::new(Self { ceiling, clock, inner: Mutex::default(), gauge })
    }

    /// Takes a place, or says when to come back.
    pub(super) fn take(self: &Arc<Self>, holder: Holder) -> Result<Place, Duration> {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        inner.sweep(now);
        if !inner.has_room_for(holder, self.ceiling) {
            return Err(inner.wait(now));
        }
        inner.add(holder);
        self.show(&inner);
        Ok(Place { places: self.clone(), holder, is_kept: false })
    }

    /// When to come back, if [`OpenInvoices::take`] would refuse now.
    pub(super) fn refuses(&self, holder: Holder) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        inner.sweep(now);
        (!inner.has_room_for(holder, self.ceiling)).then(|| inner.wait(now))
    }

    /// The invoice was paid, or will never be.
    pub(super) fn close(&self, hash: &PaymentHash) {
        let mut inner = self.lock();
        inner.close(hash);
        self.show(&inner);
    }

    /// Counts what is open now.
    pub(super) fn tidy(&self) {
        let mut inner = self.lock();
        inner.sweep(self.clock.monotonic());
        self.show(&inner);
    }

    fn show(&self, inner: &Inner) {
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a gauge needs no more")]
        self.gauge.set(inner.taken as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps the place for `invoice` until its expiry. One that lay on a shelf gives the shelf's place back.
    pub(super) fn keep(mut self, invoice: &Invoice) {
        let now = self.places.clock.monotonic();
        let left = invoice.expires_at.saturating_sub(self.places.clock.unix_seconds());
        let until = now.saturating_add(Duration::from_secs(left));
        let mut inner = self.places.lock();
        inner.close(&invoice.payment_hash);
        inner.open.insert(invoice.payment_hash, (self.holder, until));
        inner.ends.insert((until, invoice.payment_hash));
        self.places.show(&inner);
        drop(inner);
        self.is_kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            let mut inner = self.places.lock();
            inner.remove(self.holder);
            self.places.show(&inner);
        }
    }
}

impl Inner {
    fn has_room_for(&self, holder: Holder, ceiling: usize) -> bool {
        let free = ceiling.saturating_sub(self.taken);
        let held = match holder {
            Holder::Shelves => self.shelved,
            Holder::Caller(caller) => {
                let of = |held: &HashMap<IpNet, usize>, whose| held.get(&whose).copied().unwrap_or_default();
                of(&self.networks, caller.network()).saturating_add(of(&self.addresses, caller.address()))
            }
        };
        held.saturating_mul(SHARE) < free
    }

    fn add(&mut self, holder: Holder) {
        self.taken = self.taken.saturating_add(1);
        match holder {
            Holder::Shelves => self.shelved = self.shelved.saturating_add(1),
            Holder::Caller(caller) => {
                for held in [
                    self.networks.entry(caller.network()).or_default(),
                    self.addresses.entry(caller.address()).or_default(),
                ] {
                    *held = held.saturating_add(1);
                }
            }
        }
    }

    fn remove(&mut self, holder: Holder) {
        self.taken = self.taken.saturating_sub(1);
        match holder {
            Holder::Shelves => self.shelved = self.shelved.saturating_sub(1),
            Holder::Caller(caller) => {
                remove_one(&mut self.networks, caller.network());
                remove_one(&mut self.addresses, caller.address());
            }
        }
    }

    fn close(&mut self, hash: &PaymentHash) {
        if let Some((holder, until)) = self.open.remove(hash) {
            self.ends.remove(&(until, *hash));
            self.remove(holder);
        }
    }

    fn sweep(&mut self, now: Duration) {
        while let Some((until, hash)) = self.ends.first().copied()
            && until <= now
        {
            self.close(&hash);
        }
    }

    fn wait(&self, now: Duration) -> Duration {
        let next = self.ends.first().map_or(SOONEST, |(until, _)| until.saturating_sub(now));
        next.clamp(SOONEST, LATEST)
    }
}

fn remove_one(held: &mut HashMap<IpNet, usize>, whose: IpNet) {
    if let Some(count) = held.get_mut(&whose) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            held.remove(&whose);
        }
    }
}

#[cfg(test)]
mod tests;
