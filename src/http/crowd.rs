//! How many connections one address, and the network around it, hold at once: one host must not have all places.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use metrics::Gauge;

use crate::config::ServerConfig;
use crate::domain::Caller;

use super::client::TrustedProxies;

/// Who is connected.
pub struct Crowd {
    per_address: Option<usize>,
    per_network: Option<usize>,
    /// Proxies of ours: behind each are many.
    exempt: TrustedProxies,
    connected: Mutex<HashMap<IpNet, usize>>,
    open: Gauge,
}

/// A connection that is counted; dropping it ends that.
pub struct Member {
    crowd: Arc<Crowd>,
    /// Those that it is counted for.
    blocks: Vec<IpNet>,
}

impl Crowd {
    /// A crowd with the limits of `config`, none of which is more than half of all places.
    #[must_use]
    pub fn new(config: &ServerConfig) -> Self {
        let half = config.max_connections.div_ceil(2);
        let at_most_half = |limit: Option<usize>| limit.map(|limit| limit.min(half));
        let open = metrics::gauge!("satforge_connections_open");
        open.set(0.0);
        Self {
            per_address: at_most_half(config.max_connections_per_address),
            per_network: at_most_half(config.max_connections_per_network),
            exempt: TrustedProxies::new(config.trusted_proxies.clone()),
            connected: Mutex::default(),
            open,
        }
    }

    /// Counts a connection from `peer`; `None`: there are too many of them.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Member> {
        let blocks = self.admit(Caller::at(peer), self.exempt.trusts(peer.to_canonical()));
        if blocks.is_none() {
            metrics::counter!("satforge_refused_total", "limit" => "connections").increment(1);
        }
        let blocks = blocks?;
        self.open.increment(1.0);
        Some(Member { crowd: self.clone(), blocks })
    }

    fn admit(&self, caller: Caller, is_exempt: bool) -> Option<Vec<IpNet>> {
        if is_exempt {
            return Some(Vec::new());
        }
        let limits = [(self.per_address, caller.address()), (self.per_network, caller.network())];
        let limits = limits.into_iter().filter_map(|(limit, block)| Some((limit?, block)));
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |(limit, block)| connected.get(&block).is_some_and(|count| *count >= limit);
        if limits.clone().any(is_full) {
            return None;
        }
        let blocks: Vec<IpNet> = limits.map(|(_, block)| block).collect();
        for block in &blocks {
            let count = connected.entry(*block).or_default();
            *count = count.saturating_add(1);
        }
        Some(blocks)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.open.decrement(1.0);
        let mut connected = self.crowd.connected.lock().unwrap_or_else(PoisonError::into_inner);
        for block in &self.blocks {
            if let Entry::Occupied(mut count) = connected.entry(*block) {
                *count.get_mut() = count.get().saturating_sub(1);
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(per_address: usize, per_network: usize) -> Arc<Crowd> {
        Arc::new(Crowd {
            per_address: (per_address > 0).then_some(per_address),
            per_network: (per_network > 0).then_some(per_network),
            exempt: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
            connected: Mutex::default(),
            open: Gauge::noop(),
        })
    }

    fn enter(crowd: &Arc<Crowd>, count: usize, address: &str) -> Vec<Member> {
        (0..count).filter_map(|_| crowd.enter(address.parse().unwrap())).collect()
    }

    #[test]
    fn an_address_and_a_network_have_so_many_places() {
        let crowd = crowd(3, 5);
        let first = enter(&crowd, 10, "203.0.113.1");
        let neighbours = enter(&crowd, 10, "203.0.113.2");
        let others = enter(&crowd, 10, "198.51.100.1");
        assert_eq!([&first, &neighbours, &others].map(Vec::len), [3, 2, 3]);
        assert_eq!(enter(&crowd, 10, "::ffff:203.0.113.1").len(), 0, "the same address");
        drop(first);
        assert_eq!(enter(&crowd, 10, "203.0.113.2").len(), 1, "one more of this address");
        drop((neighbours, others));
        assert!(crowd.connected.lock().unwrap().is_empty(), "nothing is left behind");
    }

    #[test]
    fn proxies_of_ours_are_not_counted() {
        let crowd = crowd(1, 1);
        assert_eq!(enter(&crowd, 10, "10.0.0.7").len(), 10);
        assert_eq!(enter(&crowd, 10, "::ffff:10.0.0.7").len(), 10);
        assert_eq!(enter(&crowd, 10, "11.0.0.7").len(), 1);
    }

    #[test]
    fn each_limit_can_be_off() {
        assert_eq!(enter(&crowd(0, 0), 10, "203.0.113.1").len(), 10);
        assert_eq!(enter(&crowd(0, 4), 10, "203.0.113.1").len(), 4);
        assert_eq!(enter(&crowd(4, 0), 10, "203.0.113.1").len(), 4);
    }
}
