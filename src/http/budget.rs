//! How many challenges one client address may ask for, and how many the network around it.

use std::time::Duration;

use crate::config::LimitsConfig;
use crate::domain::Caller;

use super::buckets::Buckets;

/// A budget of challenges for each address and one for each network.
pub struct Budget {
    addresses: Option<Buckets>,
    networks: Option<Buckets>,
}

/// Whose budget is spent, and when there is some of it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The address's own.
    Address(Duration),
    /// That of the network around it.
    Network(Duration),
}

impl Budget {
    /// The budgets of `limits`; without a limit nothing is counted.
    #[must_use]
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            addresses: limits.challenges.and_then(|limit| Buckets::new(limit, Caller::address)),
            networks: limits.network_challenges.and_then(|limit| Buckets::new(limit, Caller::network)),
        }
    }

    /// Charges one challenge to `caller`. An address that is over its own budget takes nothing of its network's.
    pub fn charge(&self, caller: Caller) -> Result<(), Spent> {
        if let Some(addresses) = &self.addresses {
            addresses.charge(caller).map_err(Spent::Address)?;
        }
        self.networks.as_ref().map_or(Ok(()), |networks| networks.charge(caller)).map_err(Spent::Network)
    }

    /// Forgets who has a full budget again. Called now and then.
    pub fn tidy(&self) {
        [&self.addresses, &self.networks].into_iter().flatten().for_each(Buckets::tidy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RateLimit;

    fn budget(address: Option<u32>, network: Option<u32>) -> Budget {
        let limit = |burst| RateLimit { per_minute: 1, burst };
        Budget::new(&LimitsConfig {
            challenges: address.map(limit),
            network_challenges: network.map(limit),
            open_invoices: None,
            misses: None,
            decoders: 1,
            body_memory: 1,
        })
    }

    fn charge(budget: &Budget, address: &str) -> &'static str {
        match budget.charge(Caller::at(address.parse().unwrap())) {
            Ok(()) => "taken",
            Err(Spent::Address(_)) => "address",
            Err(Spent::Network(_)) => "network",
        }
    }

    #[test]
    fn a_network_is_charged_for_all_of_its_addresses() {
        let budget = budget(Some(2), Some(5));
        let asked: Vec<_> = (0..5).map(|_| charge(&budget, "203.0.113.1")).collect();
        assert_eq!(asked, ["taken", "taken", "address", "address", "address"]);
        let neighbours: Vec<_> = (2..7).map(|n| charge(&budget, &format!("203.0.113.{n}"))).collect();
        assert_eq!(neighbours, ["taken", "taken", "taken", "network", "network"], "refusals cost the network nothing");
        assert_eq!(charge(&budget, "203.0.114.1"), "taken");
        assert_eq!(charge(&budget, "2001:db8:1:1::1"), "taken");
    }

    #[test]
    fn each_limit_can_be_off() {
        let none = budget(None, None);
        assert!((0..10_000).all(|_| charge(&none, "203.0.113.9") == "taken"));
        let networks = budget(None, Some(2));
        let asked: Vec<_> = (0..3).map(|_| charge(&networks, "2001:db8:1::1")).collect();
        assert_eq!(asked, ["taken", "taken", "network"]);
    }
}
