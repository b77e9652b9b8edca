//! Limits: what a zero means, and what nobody could meet.

use super::refusals::paths;
use super::*;

#[test]
fn a_zero_is_refused_wherever_it_means_nothing() {
    let meaningful = [
        "lightning.settlement_lookups_per_second",
        "limits.challenges_per_minute",
        "limits.misses_per_minute",
        "limits.network_challenges_per_minute",
        "limits.open_invoices",
        "payouts.max_fee_floor_sats",
        "payouts.max_fee_percent",
        "sandbox.generation_seconds",
        "server.max_connections_per_address",
        "server.max_connections_per_network",
        "server.shutdown_grace_seconds",
        "waiting.keepalive_after_seconds",
    ];
    for key in shape().keys() {
        if shape().default_of(&key).is_none_or(|default| default.to_num().is_none()) {
            continue;
        }
        let loaded = load(KEYS, &[(&environment::variable_name(&key), "0")]);
        if meaningful.contains(&key.as_str()) {
            assert!(loaded.is_ok(), "{key}\n{}", loaded.unwrap_err());
        } else {
            assert!(paths(&loaded.unwrap_err()).contains(&key.as_str()), "{key}");
        }
    }
}

#[test]
fn limits_that_nobody_can_meet_are_refused() {
    for (section, path) in [
        ("challenge_burst = 0", "limits.challenge_burst"),
        ("network_challenge_burst = 0", "limits.network_challenge_burst"),
        ("miss_burst = 0", "limits.miss_burst"),
        ("open_invoices = 15", "limits.open_invoices"),
        ("open_invoices = 1000001", "limits.open_invoices"),
    ] {
        let errors = load(&format!("{KEYS}\n[limits]\n{section}\n"), &[]).unwrap_err();
        assert_eq!(paths(&errors), [path]);
    }
    let off = "network_challenges_per_minute = 0\nnetwork_challenge_burst = 0\nmisses_per_minute = 0\nmiss_burst = 0";
    let config = load(&format!("{KEYS}\n[limits]\n{off}\nopen_invoices = 0\n"), &[]).unwrap();
    assert!(config.limits.network_challenges.is_none() && config.limits.misses.is_none());
    assert_eq!(config.limits.open_invoices, None);
}
