//! How many challenges one client address may ask for.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};

use crate::config::ChallengeLimit;

/// Addresses that are told apart. Beyond it whole networks share a budget, so that memory stays bounded and nobody who
/// is far from a flood pays for it.
const MAX_ADDRESSES: usize = 100_000;

/// A budget for each client address.
pub struct Budget(Option<Limiter>);

struct Limiter {
    limiter: RateLimiter<Payer, governor::state::keyed::DashMapStateStore<Payer>, DefaultClock>,
    clock: DefaultClock,
}

/// What is charged: one IPv4 address or one IPv6 network of 64 bits (a household or a machine); in a flood of addresses,
/// an IPv4 network of 16 bits or an IPv6 network of 32 bits (a provider).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    V4(u32),
    V6(u64),
    WideV4(u32),
    WideV6(u128),
}

impl Budget {
    /// A budget of `limit` for each address; without a limit nothing is counted.
    #[must_use]
    pub fn new(limit: Option<ChallengeLimit>) -> Self {
        let quota = limit.and_then(|limit| {
            Some(Quota::per_minute(NonZeroU32::new(limit.per_minute)?).allow_burst(NonZeroU32::new(limit.burst)?))
        });
        Self(quota.map(|quota| Limiter { limiter: RateLimiter::dashmap(quota), clock: DefaultClock::default() }))
    }

    /// Charges one challenge to `client`; refused with the time until the next one.
    pub fn charge(&self, client: IpAddr) -> Result<(), Duration> {
        let Some(Limiter { limiter, clock }) = &self.0 else { return Ok(()) };
        let payer = if limiter.len() < MAX_ADDRESSES { Payer::of(client) } else { Payer::wide(client) };
        limiter.check_key(&payer).map_err(|refused| refused.wait_time_from(clock.now()))
    }

    /// Forgets addresses whose budget is full again. Called now and then.
    pub fn tidy(&self) {
        if let Some(Limiter { limiter, .. }) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Payer {
    fn of(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }

    fn wide(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::WideV4(address.to_bits() >> 16),
            IpAddr::V6(address) => Self::WideV6(address.to_bits() >> 96),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_refused() {
        let budget = Budget::new(Some(ChallengeLimit { per_minute: 30, burst: 3 }));
        let client = "203.0.113.9".parse().unwrap();
        for _ in 0..3 {
            assert!(budget.charge(client).is_ok());
        }
        let wait = budget.charge(client).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2), "{wait:?}");
        assert!(budget.charge("203.0.113.10".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_network_of_64_bits_is_one_payer() {
        let budget = Budget::new(Some(ChallengeLimit { per_minute: 1, burst: 1 }));
        assert!(budget.charge("2001:db8:1:2::1".parse().unwrap()).is_ok());
        assert!(budget.charge("2001:db8:1:2:ffff::9".parse().unwrap()).is_err());
        assert!(budget.charge("2001:db8:1:3::1".parse().unwrap()).is_ok());
        assert!(budget.charge("::ffff:203.0.113.9".parse().unwrap()).is_ok());
        assert!(budget.charge("203.0.113.9".parse().unwrap()).is_err(), "one address in two spellings");
    }

    #[test]
    fn a_flood_of_addresses_is_charged_by_the_network_and_leaves_others_alone() {
        let budget = Budget::new(Some(ChallengeLimit { per_minute: 1, burst: 2 }));
        let flood = |n: u64| IpAddr::from((u128::from(n) << 64 | 0x2001_0db8 << 96).to_be_bytes());
        for n in 0..MAX_ADDRESSES as u64 {
            assert!(budget.charge(flood(n)).is_ok());
        }
        let later: Vec<bool> = (0..4).map(|n| budget.charge(flood(MAX_ADDRESSES as u64 + n)).is_ok()).collect();
        assert_eq!(later, [true, true, false, false], "one budget for the whole network");
        let Some(Limiter { limiter, .. }) = &budget.0 else { panic!("there is a limit") };
        assert!(limiter.len() <= MAX_ADDRESSES + 1, "memory is bounded");
        assert!(budget.charge("203.0.113.9".parse().unwrap()).is_ok());
    }

    #[test]
    fn without_a_limit_nothing_is_refused() {
        let budget = Budget::new(None);
        let client = "203.0.113.9".parse().unwrap();
        assert!((0..10_000).all(|_| budget.charge(client).is_ok()));
    }
}
