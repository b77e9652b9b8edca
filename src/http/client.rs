//! Whose request it is: the peer's address, or what a trusted proxy says about it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::domain::Caller;

use super::gateway::Gateway;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The networks that the operator's proxies are in.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The address that a request is charged to.
    ///
    /// The header is read from its end, because a client can write anything at its beginning: the first address that
    /// is no proxy of ours is what our own proxy saw.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.0.is_empty() {
            return client;
        }
        let forwarded: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        let mut hops = forwarded.iter().flat_map(|value| value.split(',')).rev();
        while self.trusts(client) {
            match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
                Some(Ok(hop)) => client = hop.to_canonical(),
                // Nothing more, or nothing readable: whoever wrote it is the last that is known.
                Some(Err(_)) | None => break,
            }
        }
        client
    }

    /// Whether `address` is a proxy's.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Gateway {
    /// Whom a request with this head is charged to.
    #[must_use]
    pub fn caller(&self, parts: &Parts) -> Caller {
        let peer = parts.extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |Peer(address)| address.ip());
        Caller::at(self.proxies.client(peer, &parts.headers))
    }
}

impl FromRequestParts<Arc<Gateway>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Infallible> {
        Ok(gateway.caller(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(trusted.iter().map(|net| net.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_his_address() {
        assert_eq!(client(&[], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&[], "::ffff:203.0.113.9", &[]), "203.0.113.9");
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "[ -~]{0,100}") {
            client(&["0.0.0.0/1"], "10.0.0.1", &[&value]);
        }
    }
}
