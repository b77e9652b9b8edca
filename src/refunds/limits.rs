//! How often one refund may be tried: each try costs the operator's node a payment attempt, or a stranger's server two
//! requests.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::JobId;

/// Tries at once, and how many come back in an hour.
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const PER_HOUR: NonZeroU32 = NonZeroU32::new(12).unwrap();

/// A budget of tries for each refund. It holds only refunds whose owner has tried lately.
pub(super) struct Tries {
    limiter: RateLimiter<JobId, DashMapStateStore<JobId>, DefaultClock>,
    clock: DefaultClock,
}

impl Default for Tries {
    fn default() -> Self {
        let quota = Quota::per_hour(PER_HOUR).allow_burst(BURST);
        Self { limiter: RateLimiter::dashmap(quota), clock: DefaultClock::default() }
    }
}

impl Tries {
    /// Charges one try; refused with the time until the next one.
    pub(super) fn charge(&self, job: JobId) -> Result<(), Duration> {
        self.limiter.check_key(&job).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Forgets refunds whose budget is full again.
    pub(super) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}
