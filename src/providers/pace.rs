//! Not asking a provider more often than it likes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Turns at even distances, whoever takes them.
#[derive(Debug)]
pub(super) struct Pace {
    distance: Duration,
    /// When the next turn is.
    next: Mutex<Instant>,
}

impl Pace {
    /// So many turns in a second at the most.
    pub(super) fn new(per_second: f64) -> Self {
        let distance = Duration::try_from_secs_f64(per_second.recip()).unwrap_or_default();
        Self { distance, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn. Errors at once with the wait if that is longer than `patience`; nobody's turn is lost then.
    pub(super) async fn turn(&self, patience: Duration) -> Result<(), Duration> {
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(Instant::now());
            let wait = at.saturating_duration_since(Instant::now());
            if wait > patience {
                return Err(wait);
            }
            *next = at + self.distance;
            at
        };
        tokio::time::sleep_until(at).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_even_distances_and_whoever_would_wait_too_long_is_told() {
        let pace = Pace::new(2.0);
        let began = Instant::now();
        for turn in 0..3_u32 {
            pace.turn(Duration::from_secs(1)).await.unwrap();
            assert_eq!(began.elapsed(), turn * Duration::from_millis(500));
        }
        let (first, second) = (pace.turn(Duration::from_secs(1)), pace.turn(Duration::from_millis(600)));
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_ok());
        assert_eq!(second, Err(Duration::from_secs(1)));
    }
}
