//! How often one client address may ask for what does not exist.
//!
//! Ids of jobs and names of results cannot be guessed; what a guess costs is a look into the database. So they are counted,
//! and whoever is over the budget is refused without a look. Credentials that are refused are counted, too, once they were
//! judged. What was found is not counted, and whoever asks for what was found or handed out lately is let through whatever
//! others at the same address do.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use axum::http::HeaderMap;
use quick_cache::sync::Cache;

use crate::config::RateLimit;
use crate::domain::Caller;

use super::buckets::Buckets;
use super::gateway::Gateway;
use super::problem::Problem;
use super::tarpit::Limit;

/// Names that are remembered as good.
const KNOWN: usize = 20_000;

/// A budget of misses for each client address.
pub struct Misses {
    budget: Option<Buckets>,
    /// Hashes of names that were found lately: strangers cannot fill it, because they know none.
    known: Cache<u64, ()>,
    hasher: RandomState,
}

impl Misses {
    /// A budget of `limit` for each address; without a limit nothing is counted.
    #[must_use]
    pub fn new(limit: Option<RateLimit>) -> Self {
        let budget = limit.and_then(|limit| Buckets::new(limit, Caller::address));
        Self { budget, known: Cache::new(KNOWN), hasher: RandomState::new() }
    }

    /// How long `caller` must wait before `name` is looked for; `None`: it may be.
    #[must_use]
    pub fn wait(&self, caller: Caller, name: &str) -> Option<Duration> {
        let wait = self.budget.as_ref()?.wait(caller)?;
        self.known.get(&self.hasher.hash_one(name)).is_none().then_some(wait)
    }

    /// Notes that there is something of that name.
    pub fn found(&self, name: &str) {
        if self.budget.is_some() {
            self.known.insert(self.hasher.hash_one(name), ());
        }
    }

    /// Charges one miss to `caller`; refused with the time to wait when the budget was spent before.
    pub fn charge(&self, caller: Caller) -> Result<(), Duration> {
        self.budget.as_ref().map_or(Ok(()), |budget| budget.charge(caller))
    }

    /// Forgets who has a full budget again. Called now and then.
    pub fn tidy(&self) {
        self.budget.iter().for_each(Buckets::tidy);
    }
}

impl Gateway {
    /// Lets `caller` look for `name`, or refuses with 429: to be called before the look.
    pub async fn may_look(&self, caller: Caller, headers: &HeaderMap, name: &str) -> Result<(), Problem> {
        match self.misses.wait(caller, name) {
            Some(wait) => Err(self.tarpit.refuse(caller, headers, Limit::Misses, wait).await),
            None => Ok(()),
        }
    }

    /// What `caller` is told who has asked for what is not there, or not theirs: `problem`, or 429 over the budget.
    pub async fn missed(&self, caller: Caller, headers: &HeaderMap, problem: Problem) -> Problem {
        match self.misses.charge(caller) {
            Ok(()) => problem,
            Err(wait) => self.tarpit.refuse(caller, headers, Limit::Misses, wait).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_counted_and_what_was_found_is_let_through() {
        let misses = Misses::new(Some(RateLimit { per_minute: 1, burst: 2 }));
        let [one, other] = [1, 2].map(|n| Caller::at(std::net::IpAddr::from([203, 0, 113, n])));
        misses.found("there");
        for _ in 0..2 {
            assert_eq!(misses.wait(one, "nowhere"), None);
            misses.charge(one).unwrap();
        }
        assert!(misses.wait(one, "nowhere").is_some() && misses.charge(one).is_err());
        assert_eq!(misses.wait(one, "there"), None);
        assert_eq!(misses.wait(other, "nowhere"), None);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let misses = Misses::new(None);
        let one = Caller::at(std::net::IpAddr::from([203, 0, 113, 1]));
        assert!((0..10_000).all(|_| misses.charge(one).is_ok() && misses.wait(one, "nowhere").is_none()));
    }
}
