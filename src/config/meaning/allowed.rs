//! Ranges: what a number may be.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::error::Problems;

/// Seconds in a minute.
pub(super) const MINUTE: f64 = 60.0;
/// Seconds in an hour.
pub(super) const HOUR: f64 = 3_600.0;
/// Seconds in a day.
pub(super) const DAY: f64 = 86_400.0;

impl Problems {
    /// `typed` seconds, which must lie in `allowed`.
    pub(super) fn seconds(&mut self, path: &str, typed: f64, allowed: RangeInclusive<f64>) -> Duration {
        // Infinities and NaN lie in no range. What `try_from` could then still refuse does not exist.
        let typed = self.number(path, typed, allowed, " seconds");
        Duration::try_from_secs_f64(typed).unwrap_or_default()
    }

    /// `typed`, which must lie in `allowed`; `unit` follows the numbers in what is said otherwise.
    pub(super) fn number<N>(&mut self, path: &str, typed: N, allowed: RangeInclusive<N>, unit: &str) -> N
    where
        N: Copy + Display + PartialOrd,
    {
        if !allowed.contains(&typed) {
            let (least, most) = allowed.into_inner();
            self.add(path, format!("this must lie between {least} and {most}{unit}, but is {typed}"));
        }
        typed
    }
}
