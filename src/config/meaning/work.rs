//! Limits, waiting and jobs.

use std::time::Duration;

use super::allowed::{DAY, HOUR, MINUTE};
use crate::config::error::Problems;
use crate::config::raw::{RawJobs, RawLimits, RawPaywall, RawWaiting};
use crate::config::{ChallengeLimit, JobsConfig, LimitsConfig, PaywallConfig, ServiceConfig, WaitingConfig};

/// Pauses shorter than this are busy loops.
pub(super) const SHORTEST_PAUSE: f64 = 0.01;

pub(super) fn paywall(raw: &RawPaywall, p: &mut Problems) -> PaywallConfig {
    // Whoever pays in an invoice's last second needs time to come back.
    PaywallConfig {
        redeem_window: p.seconds("paywall.redeem_window_seconds", raw.redeem_window_seconds, MINUTE..=366.0 * DAY),
    }
}

pub(super) fn limits(raw: &RawLimits, services: &[ServiceConfig], p: &mut Problems) -> LimitsConfig {
    let challenges = match raw.challenges_per_minute {
        0 => None,
        per_minute => Some(ChallengeLimit { per_minute, burst: raw.challenge_burst }),
    };
    if challenges.is_some_and(|limit| limit.burst == 0) {
        p.add(
            "limits.challenge_burst",
            "with 0 nobody ever gets a challenge; limits.challenges_per_minute = 0 switches the limit off",
        );
    }
    let largest_body = services.iter().map(|service| service.body_limit).max().unwrap_or_default();
    if raw.body_memory_bytes < largest_body {
        p.add(
            "limits.body_memory_bytes",
            format!(
                "{} bytes cannot hold the largest body that a service takes, {largest_body}",
                raw.body_memory_bytes
            ),
        );
    }
    LimitsConfig {
        challenges,
        decoders: p.number("limits.decoders", raw.decoders, 1..=1_024, ""),
        body_memory: raw.body_memory_bytes,
    }
}

pub(super) fn waiting(raw: &RawWaiting, p: &mut Problems) -> WaitingConfig {
    let after = p.seconds("waiting.keepalive_after_seconds", raw.keepalive_after_seconds, 0.0..=HOUR);
    let hold = p.seconds("waiting.hold_seconds", raw.hold_seconds, 0.1..=DAY);
    if hold < after {
        p.add(
            "waiting.hold_seconds",
            "this ends before waiting.keepalive_after_seconds begins; 0 switches the keep-alive off",
        );
    }
    WaitingConfig {
        keepalive_after: Some(after).filter(|after| *after > Duration::ZERO),
        keepalive_every: p.seconds(
            "waiting.keepalive_every_seconds",
            raw.keepalive_every_seconds,
            SHORTEST_PAUSE..=HOUR,
        ),
        hold,
        poll_interval: p.seconds("waiting.poll_interval_seconds", raw.poll_interval_seconds, SHORTEST_PAUSE..=HOUR),
    }
}

pub(super) fn jobs(raw: &RawJobs, p: &mut Problems) -> JobsConfig {
    let backoff_base = p.seconds("jobs.backoff_base_seconds", raw.backoff_base_seconds, SHORTEST_PAUSE..=HOUR);
    let backoff_max = p.seconds("jobs.backoff_max_seconds", raw.backoff_max_seconds, SHORTEST_PAUSE..=HOUR);
    if backoff_max < backoff_base {
        p.add("jobs.backoff_max_seconds", "the longest pause is shorter than the first, jobs.backoff_base_seconds");
    }
    JobsConfig {
        concurrency: p.number("jobs.concurrency", raw.concurrency, 1..=10_000, ""),
        // A shorter lease would be lost whenever the disk is slow for a moment.
        lease: p.seconds("jobs.lease_seconds", raw.lease_seconds, 1.0..=HOUR),
        backoff_base,
        backoff_max,
        poll_interval: p.seconds("jobs.poll_interval_seconds", raw.poll_interval_seconds, SHORTEST_PAUSE..=HOUR),
        provider_timeout: p.seconds("jobs.provider_timeout_seconds", raw.provider_timeout_seconds, 0.1..=HOUR),
    }
}
