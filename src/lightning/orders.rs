//! Payments that may be under way although a backend does not show them, and how long that can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::PaymentHash;

use super::{BackendError, OutgoingState};

/// Payments at once; a gateway pays a few back in a day.
const CAPACITY: usize = 1_000;

/// What was ordered, for as long as it may be under way unseen.
///
/// For that long after its start, too, nothing is said not to have been made: a process before this one may have
/// ordered it. Time is the monotonic one, because a jump of the clock must not end the wait early.
pub(super) struct Orders {
    clock: Arc<dyn Clock>,
    /// How long an order may be under way unseen.
    settled_after: Duration,
    /// Until then an earlier process may have ordered anything.
    unsettled_until: Duration,
    /// Until when each may be under way.
    open: Mutex<HashMap<PaymentHash, Duration>>,
}

impl Orders {
    /// Orders to a backend that shows each of them `settled_after` it was sent, at the latest.
    pub(super) fn new(clock: Arc<dyn Clock>, settled_after: Duration) -> Self {
        let unsettled_until = clock.monotonic().saturating_add(settled_after);
        Self { clock, settled_after, unsettled_until, open: Mutex::default() }
    }

    /// Notes that `hash` is being ordered. `false`: it must not be.
    pub(super) fn begin(&self, hash: PaymentHash) -> bool {
        let now = self.clock.monotonic();
        let mut open = self.lock();
        open.retain(|_, until| *until > now);
        if now < self.unsettled_until || open.contains_key(&hash) || open.len() >= CAPACITY {
            return false;
        }
        open.insert(hash, now.saturating_add(self.settled_after));
        true
    }

    /// What the backend says of `hash` is the truth from now on.
    pub(super) fn end(&self, hash: &PaymentHash) {
        self.lock().remove(hash);
    }

    pub(super) fn may_be_under_way(&self, hash: &PaymentHash) -> bool {
        let now = self.clock.monotonic();
        now < self.unsettled_until || self.lock().get(hash).is_some_and(|until| now < *until)
    }

    /// What the backend says of `hash`, as far as it can be the truth yet.
    pub(super) async fn vouch(
        &self,
        hash: &PaymentHash,
        looked_up: impl Future<Output = Result<OutgoingState, BackendError>>,
    ) -> Result<OutgoingState, BackendError> {
        // Asked before as well: what the backend says is from before an order that has ended since.
        let may_be_under_way = self.may_be_under_way(hash);
        match looked_up.await? {
            OutgoingState::Failed | OutgoingState::NotFound if may_be_under_way || self.may_be_under_way(hash) => {
                Ok(OutgoingState::InFlight)
            }
            state => Ok(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PaymentHash, Duration>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const SETTLED_AFTER: Duration = Duration::from_mins(1);

    fn hash(n: u64) -> PaymentHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        PaymentHash::from_bytes(bytes)
    }

    fn orders() -> (Orders, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(1_000_000));
        (Orders::new(clock.clone(), SETTLED_AFTER), clock)
    }

    #[test]
    fn an_order_is_open_until_it_ends_or_its_time_is_over() {
        let (orders, clock) = orders();
        assert!(orders.may_be_under_way(&hash(1)), "an earlier process may have ordered it");
        assert!(!orders.begin(hash(1)));
        clock.advance(SETTLED_AFTER);
        assert!(!orders.may_be_under_way(&hash(1)));
        assert!(orders.begin(hash(1)) && orders.begin(hash(2)));
        assert!(!orders.begin(hash(1)), "not twice");
        orders.end(&hash(1));
        assert!(!orders.may_be_under_way(&hash(1)) && orders.may_be_under_way(&hash(2)));
        clock.advance(SETTLED_AFTER);
        assert!(!orders.may_be_under_way(&hash(2)));
    }

    #[test]
    fn a_clock_that_is_set_ends_no_wait() {
        let (orders, clock) = orders();
        clock.set(2_000_000_000_000);
        assert!(orders.may_be_under_way(&hash(1)) && !orders.begin(hash(1)));
        clock.advance(SETTLED_AFTER);
        assert!(orders.begin(hash(1)));
        for unix_millis in [4_000_000_000_000, 0] {
            clock.set(unix_millis);
            assert!(orders.may_be_under_way(&hash(1)));
        }
        clock.advance(SETTLED_AFTER);
        assert!(!orders.may_be_under_way(&hash(1)), "nor does it prolong one");
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let (orders, clock) = orders();
        clock.advance(SETTLED_AFTER);
        let begun = (0..2_000).filter(|n| orders.begin(hash(*n))).count();
        assert_eq!(begun, CAPACITY);
        clock.advance(SETTLED_AFTER);
        assert!(orders.begin(hash(5_000)));
        assert_eq!(orders.lock().len(), 1);
    }

    #[tokio::test]
    async fn what_is_not_settled_is_on_its_way() {
        let (orders, clock) = orders();
        let said = async |state| orders.vouch(&hash(1), async { Ok(state) }).await.unwrap();
        assert!(matches!(said(OutgoingState::NotFound).await, OutgoingState::InFlight));
        assert!(matches!(said(OutgoingState::Failed).await, OutgoingState::InFlight));
        clock.advance(SETTLED_AFTER);
        assert!(matches!(said(OutgoingState::NotFound).await, OutgoingState::NotFound));
        // It was under way when the backend was asked, and has ended since.
        assert!(orders.begin(hash(1)));
        let ends = async {
            orders.end(&hash(1));
            Ok(OutgoingState::NotFound)
        };
        assert!(matches!(orders.vouch(&hash(1), ends).await.unwrap(), OutgoingState::InFlight));
    }
}
