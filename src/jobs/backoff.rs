//! How long to wait after a failure.

use std::time::Duration;

/// The pause before try number `failures` + 1: it doubles up to `max`, and `jitter` (0 to 1) takes up to half of it
/// away, so that jobs that failed together do not come back together.
#[must_use]
pub fn pause(failures: u32, base: Duration, max: Duration, jitter: f64) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    doubled.min(max).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pause_grows_up_to_its_maximum(failures in 0..100_u32, jitter in 0.0..1.0_f64) {
            let (base, max) = (Duration::from_millis(500), Duration::from_secs(30));
            let pause = pause(failures, base, max, jitter);
            prop_assert!(pause >= base / 2 && pause <= max);
            prop_assert!(super::pause(failures + 1, base, max, jitter) >= pause);
        }
    }
}
