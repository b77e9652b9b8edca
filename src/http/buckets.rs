//! So many in a minute for each of many payers, in memory that is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;

use crate::config::RateLimit;
use crate::domain::Caller;

/// Payers that are told apart. Beyond it whole providers' networks share a bucket, so that memory stays bounded and
/// nobody who is far from a flood pays for it.
const MAX_PAYERS: usize = 100_000;

/// A bucket for each payer, from which one is taken for each charge and to which `per_minute` come back.
pub struct Buckets {
    /// The time in which one comes back.
    interval: Duration,
    /// How far a bucket's time may be ahead of now for one more to be taken.
    ahead: Duration,
    /// Which part of a caller's address pays.
    payer: fn(Caller) -> IpNet,
    /// When each bucket that is not full will be full again.
    full_at: Mutex<HashMap<IpNet, Instant>>,
}

impl Buckets {
    /// Buckets with the size and the flow of `limit`; `None` where it allows nothing, which stands for no limit.
    #[must_use]
    pub fn new(limit: RateLimit, payer: fn(Caller) -> IpNet) -> Option<Self> {
        let interval = Duration::from_mins(1).checked_div(limit.per_minute)?;
        let ahead = interval.saturating_mul(limit.burst.checked_sub(1)?);
        Some(Self { interval, ahead, payer, full_at: Mutex::default() })
    }

    /// Takes one; refused with the time until there is one again.
    pub fn charge(&self, caller: Caller) -> Result<(), Duration> {
        let now = Instant::now();
        let mut full_at = self.lock();
        let payer = self.payer_of(caller, &full_at);
        let at = full_at.get(&payer).copied().unwrap_or(now).max(now);
        self.wait_for(at, now).map_or(Ok(()), Err)?;
        full_at.insert(payer, at + self.interval);
        Ok(())
    }

    /// Whether [`Buckets::charge`] would refuse, and for how long. Nothing is taken.
    #[must_use]
    pub fn wait(&self, caller: Caller) -> Option<Duration> {
        let full_at = self.lock();
        let at = full_at.get(&self.payer_of(caller, &full_at)).copied()?;
        self.wait_for(at, Instant::now())
    }

    /// Forgets buckets that are full again. Called now and then.
    pub fn tidy(&self) {
        let now = Instant::now();
        let mut full_at = self.lock();
        full_at.retain(|_, at| *at > now);
        full_at.shrink_to_fit();
    }

    fn wait_for(&self, full_at: Instant, now: Instant) -> Option<Duration> {
        let wait = full_at.saturating_duration_since(now).saturating_sub(self.ahead);
        (!wait.is_zero()).then_some(wait)
    }

    fn payer_of(&self, caller: Caller, known: &HashMap<IpNet, Instant>) -> IpNet {
        let payer = (self.payer)(caller);
        if known.len() < MAX_PAYERS || known.contains_key(&payer) { payer } else { caller.provider() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpNet, Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn buckets(per_minute: u32, burst: u32) -> Buckets {
        Buckets::new(RateLimit { per_minute, burst }, Caller::address).unwrap()
    }

    fn caller(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_allowed_and_then_so_many_a_minute() {
        let buckets = buckets(30, 3);
        let one = caller("203.0.113.9");
        for _ in 0..3 {
            assert_eq!(buckets.wait(one), None);
            buckets.charge(one).unwrap();
        }
        assert_eq!(buckets.wait(one), Some(Duration::from_secs(2)));
        assert_eq!(buckets.charge(one), Err(Duration::from_secs(2)));
        assert!(buckets.charge(caller("203.0.113.10")).is_ok());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(buckets.charge(one).is_ok());
        assert_eq!(buckets.charge(one), Err(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_mins(1)).await;
        let burst = (0..10).filter(|_| buckets.charge(one).is_ok()).count();
        assert_eq!(burst, 3, "what nobody takes does not pile up");
    }

    #[test]
    fn a_network_of_64_bits_is_one_payer() {
        let buckets = buckets(1, 1);
        assert!(buckets.charge(caller("2001:db8:1:2::1")).is_ok());
        assert!(buckets.charge(caller("2001:db8:1:2:ffff::9")).is_err());
        assert!(buckets.charge(caller("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_is_charged_by_the_provider_and_leaves_others_alone() {
        let buckets = buckets(1, 2);
        let flood = |n: u64| Caller::at(IpAddr::from((u128::from(n) << 64 | 0x2001_0db8 << 96).to_be_bytes()));
        for n in 0..MAX_PAYERS as u64 {
            assert!(buckets.charge(flood(n)).is_ok());
        }
        let later: Vec<bool> = (0..4).map(|n| buckets.charge(flood(MAX_PAYERS as u64 + n)).is_ok()).collect();
        assert_eq!(later, [true, true, false, false], "one bucket for the whole provider");
        assert!(buckets.charge(flood(7)).is_ok(), "who came before keeps a bucket");
        assert!(buckets.lock().len() <= MAX_PAYERS + 1, "memory is bounded");
        assert!(buckets.charge(caller("203.0.113.9")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn full_buckets_are_forgotten() {
        let buckets = buckets(60, 2);
        buckets.charge(caller("203.0.113.9")).unwrap();
        buckets.tidy();
        assert_eq!(buckets.lock().len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        buckets.tidy();
        assert_eq!(buckets.lock().len(), 0);
    }

    #[test]
    fn nothing_allowed_is_no_limit() {
        assert!(Buckets::new(RateLimit { per_minute: 0, burst: 1 }, Caller::address).is_none());
    }
}
