//! Generations that a provider says it does not know.
//!
//! What was created a moment ago may not be known yet where it is asked about: one "not found" is not believed. Taking it
//! for a loss would start, and pay for, the same thing again.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clock::Clock;

use super::ProviderError;

/// How long it has to be said.
const LAG: Duration = Duration::from_secs(10);
/// Answers in a row until then, should there be few in that time.
const TIMES: u32 = 3;
/// Generations that are remembered; one that falls out is asked about a little longer.
const CAPACITY: usize = 1_000;

/// What was not found lately.
pub(super) struct Misses {
    clock: Arc<dyn Clock>,
    /// When each id was first not found, and how often since.
    seen: Cache<String, (Duration, u32)>,
}

impl Misses {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, seen: Cache::new(CAPACITY) }
    }

    /// The answer for `id`, in which [`ProviderError::Unknown`] is believed only after a while.
    pub(super) fn judge<T>(&self, id: &str, answer: Result<T, ProviderError>) -> Result<T, ProviderError> {
        match answer {
            Err(ProviderError::Unknown) => Err(self.missed(id)),
            Err(error) => Err(error),
            Ok(found) => {
                self.seen.remove(id);
                Ok(found)
            }
        }
    }

    fn missed(&self, id: &str) -> ProviderError {
        let now = self.clock.monotonic();
        let (since, times) = self.seen.get(id).unwrap_or((now, 0));
        let times = times.saturating_add(1);
        if times >= TIMES && now.saturating_sub(since) >= LAG {
            return ProviderError::Unknown;
        }
        self.seen.insert(id.to_owned(), (since, times));
        ProviderError::Transient("not found; it may be too new to be known".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const MISSED: Result<(), ProviderError> = Err(ProviderError::Unknown);

    #[test]
    fn what_is_not_found_is_lost_only_after_a_while_and_several_answers() {
        let clock = Arc::new(ManualClock::new(0));
        let misses = Misses::new(clock.clone());
        let judged = |id| misses.judge(id, MISSED).unwrap_err();
        assert!(matches!(judged("a"), ProviderError::Transient(_)));
        clock.advance(LAG);
        assert!(matches!(judged("a"), ProviderError::Transient(_)), "two answers are few");
        assert_eq!(judged("a"), ProviderError::Unknown);
        for _ in 0..10 {
            assert!(matches!(judged("b"), ProviderError::Transient(_)), "each has its own time");
        }
    }

    #[test]
    fn what_is_found_after_all_starts_anew() {
        let clock = Arc::new(ManualClock::new(0));
        let misses = Misses::new(clock.clone());
        for _ in 0..2 {
            assert!(misses.judge("a", MISSED).is_err());
            clock.advance(LAG);
        }
        assert_eq!(misses.judge("a", Ok(1)), Ok(1));
        assert!(matches!(misses.judge("a", MISSED), Err(ProviderError::Transient(_))));
    }
}
