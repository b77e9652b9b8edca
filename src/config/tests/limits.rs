//! Budgets against abuse.

use super::*;

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
        assert_eq!(errors.0.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), [path]);
    }
    let off = "network_challenges_per_minute = 0\nnetwork_challenge_burst = 0\nmisses_per_minute = 0\nmiss_burst = 0";
    let config = load(&format!("{KEYS}\n[limits]\n{off}\nopen_invoices = 0\n"), &[]).unwrap();
    assert!(config.limits.network_challenges.is_none() && config.limits.misses.is_none());
    assert_eq!(config.limits.open_invoices, None);
}
