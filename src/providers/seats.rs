//! How many generations are under way at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places of a route.
#[derive(Debug)]
pub struct Seats {
    limit: usize,
    taken: Arc<AtomicUsize>,
}

/// A generation's place; dropping it gives the place up.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seats {
    /// So many places.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: Arc::default() }
    }

    /// A place for one more generation, if there is one.
    #[must_use]
    pub fn take(&self) -> Option<Seat> {
        let more = |taken: usize| (taken < self.limit).then(|| taken.saturating_add(1));
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Seat(self.taken.clone()))
    }

    /// Whether there is no place now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.limit
    }

    /// A place for a generation that is under way already, whether or not there is one.
    #[must_use]
    pub fn take_anyway(&self) -> Seat {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Seat(self.taken.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_up_and_what_runs_already_has_one_in_any_case() {
        let seats = Seats::new(1);
        let first = seats.take();
        assert!(first.is_some() && seats.take().is_none());
        let older = seats.take_anyway();
        drop(first);
        assert!(seats.take().is_none());
        drop(older);
        assert!(seats.take().is_some());
    }
}
