//! Limits, waiting and jobs.

use std::time::Duration;

use super::allowed::{DAY, HOUR, MINUTE};
use crate::config::error::Problems;
use crate::config::raw::{RawJobs, RawLimits, RawPaywall, RawWaiting};
use crate::config::{JobsConfig, LimitsConfig, PaywallConfig, RateLimit, ServiceConfig, WaitingConfig};

/// A quarter of it must still be some.
const FEWEST_INVOICES: usize = 16;
/// What is remembered of each is about 250 bytes.
const MOST_INVOICES: usize = 1_000_000;

/// Pauses shorter than this are busy loops.
pub(super) const SHORTEST_PAUSE: f64 = 0.01;

pub(super) fn paywall(raw: &RawPaywall, p: &mut Problems) -> PaywallConfig {
    // Whoever pays in an invoice's last second needs time to come back.
    PaywallConfig {
        redeem_window: p.seconds("paywall.redeem_window_seconds", raw.redeem_window_seconds, MINUTE..=366.0 * DAY),
    }
}

pub(super) fn limits(raw: &RawLimits, services: &[ServiceConfig], p: &mut Problems) -> LimitsConfig {
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
    if (1..FEWEST_INVOICES).contains(&raw.open_invoices) || raw.open_invoices > MOST_INVOICES {
        p.add(
            "limits.open_invoices",
            format!(
                "this must be 0 for no limit, or lie between {FEWEST_INVOICES} and {MOST_INVOICES}, but is {}",
                raw.open_invoices
            ),
        );
    }
    LimitsConfig {
        challenges: rate(
            raw.challenges_per_minute,
            ("challenge_burst", raw.challenge_burst),
            "challenges_per_minute",
            p,
        ),
        network_challenges: rate(
            raw.network_challenges_per_minute,
            ("network_challenge_burst", raw.network_challenge_burst),
            "network_challenges_per_minute",
            p,
        ),
        open_invoices: Some(raw.open_invoices).filter(|ceiling| *ceiling > 0),
        misses: rate(raw.misses_per_minute, ("miss_burst", raw.miss_burst), "misses_per_minute", p),
        decoders: p.number("limits.decoders", raw.decoders, 1..=1_024, ""),
        body_memory: raw.body_memory_bytes,
    }
}

/// So many a minute and so many at once; 0 a minute is no limit.
fn rate(per_minute: u32, (burst_key, burst): (&str, u32), key: &str, p: &mut Problems) -> Option<RateLimit> {
    if per_minute > 0 && burst == 0 {
        p.add(
            format!("limits.{burst_key}"),
            format!("with 0 there is never any; limits.{key} = 0 switches the limit off"),
        );
    }
    (per_minute > 0).then_some(RateLimit { per_minute, burst })
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
