//! What several suites share: waiting for a condition, buying something, and running the real binary.

pub mod buyer;
pub mod client;
pub mod process;
pub mod quick;
pub mod rows;

use std::time::Duration;

/// The longest that a condition is waited for. Debug builds on a busy machine render slowly.
pub const PATIENCE: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until there is something to see, and fails with `what` when patience ends.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let seen = tokio::time::timeout(PATIENCE, async {
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    });
    seen.await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
