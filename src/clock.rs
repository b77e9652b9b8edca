//! What time it is. Nothing else in satforge asks the operating system.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> u64;

    /// Whole seconds since 1970-01-01T00:00:00Z.
    fn unix_seconds(&self) -> u64 {
        self.unix_millis() / 1_000
    }

    /// The time since a moment of this process that never changes. It does not jump when somebody sets the clock, so it
    /// is what a wait for safety is measured with.
    fn monotonic(&self) -> Duration;
}

/// The moment from which [`SystemClock`] measures.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn unix_millis(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        BEGINNING.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock {
    unix_millis: AtomicU64,
    /// The milliseconds that it was moved forward.
    passed: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `unix_millis`.
    #[must_use]
    pub const fn new(unix_millis: u64) -> Self {
        Self { unix_millis: AtomicU64::new(unix_millis), passed: AtomicU64::new(0) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.unix_millis.fetch_add(millis, Ordering::SeqCst);
        self.passed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the time of day, as somebody does whose clock was wrong: no time passes.
    pub fn set(&self, unix_millis: u64) {
        self.unix_millis.store(unix_millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_millis(&self) -> u64 {
        self.unix_millis.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.passed.load(Ordering::SeqCst))
    }
}

/// Signed milliseconds, the form that the database keeps.
#[must_use]
pub fn signed_millis(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
