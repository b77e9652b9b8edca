//! How many challenges were handed out, in memory, as sums by the hour: what nobody pays leaves no other trace.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{Msat, ServiceId};

/// An hour in milliseconds.
const HOUR: u64 = 60 * 60 * 1_000;
/// Sums that are kept while they cannot be written down: a month of two services. The oldest go first.
const KEPT: usize = 1_500;

/// Challenges that were counted and not taken yet.
#[derive(Debug, Default)]
pub struct Issued(Mutex<BTreeMap<(u64, &'static str), IssuedSum>>);

/// Challenges for a service within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedSum {
    /// Unix milliseconds of the hour's beginning.
    pub hour: u64,
    /// What they were for.
    pub service: ServiceId,
    /// How many.
    pub issued: u64,
    /// Over how many msat together.
    pub amount_msat: u64,
    /// Of those, the ones about which the backend can be asked.
    pub watched: u64,
}

impl Issued {
    /// Counts one at `now`, in Unix milliseconds.
    pub(super) fn count(&self, now: u64, service: ServiceId, amount: Msat, is_watched: bool) {
        let hour = now - now % HOUR;
        self.add([IssuedSum { hour, service, issued: 1, amount_msat: amount.msat(), watched: u64::from(is_watched) }]);
    }

    /// Takes all sums away.
    pub fn take(&self) -> Vec<IssuedSum> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    /// Adds sums, such as those that were taken and could not be written down.
    pub fn add(&self, sums: impl IntoIterator<Item = IssuedSum>) {
        let mut kept = self.lock();
        for sum in sums {
            let place = kept.entry((sum.hour, sum.service.name()));
            let added = place.or_insert(IssuedSum { issued: 0, amount_msat: 0, watched: 0, ..sum });
            added.issued = added.issued.saturating_add(sum.issued);
            added.amount_msat = added.amount_msat.saturating_add(sum.amount_msat);
            added.watched = added.watched.saturating_add(sum.watched);
        }
        while kept.len() > KEPT {
            kept.pop_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u64, &'static str), IssuedSum>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_summed_by_hour_and_service() {
        let issued = Issued::default();
        let sat = |n| Msat::from_sat(n).unwrap();
        issued.count(HOUR, ServiceId::Video, sat(5), true);
        issued.count(2 * HOUR - 1, ServiceId::Video, sat(7), false);
        issued.count(2 * HOUR, ServiceId::Video, sat(1), true);
        issued.count(HOUR, ServiceId::Model3d, sat(2), true);
        let sums = issued.take();
        assert_eq!(sums.iter().map(|sum| sum.issued).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!((sums[1].amount_msat, sums[1].watched, sums[1].hour), (12_000, 1, HOUR));
        assert!(issued.take().is_empty());
        issued.add(sums.clone());
        issued.add(sums);
        assert_eq!(issued.take()[1].issued, 4, "what could not be written down counts on");
    }

    #[test]
    fn what_cannot_be_written_down_does_not_grow() {
        let issued = Issued::default();
        (0..2_000).for_each(|n| issued.count(n * HOUR, ServiceId::Video, Msat::ZERO, false));
        let sums = issued.take();
        assert_eq!((sums.len(), sums[0].hour), (KEPT, 500 * HOUR));
    }
}
