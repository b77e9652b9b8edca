//! Play money is for this machine alone: whether a request comes from it, as far as that can be seen.
//!
//! The listener is on loopback then, but a proxy or a tunnel on this machine makes it public. It gives itself away by
//! the headers that it adds, or by the name that its own callers used. One that does neither cannot be seen.

use axum::http::header::{FORWARDED, HOST, VIA};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;

/// What proxies and tunnels add, besides the two that have a standard.
const ADDED: [&str; 7] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
];

impl Gateway {
    /// Refuses what comes from elsewhere, where nothing is sold but to this machine.
    pub fn require_locality(&self, parts: &Parts) -> Result<(), Problem> {
        if self.local_only && !is_local(parts) {
            metrics::counter!("satforge_refused_total", "limit" => "local_only").increment(1);
            return Err(Problem::new(ErrorCode::LocalOnly));
        }
        Ok(())
    }
}

fn is_local(parts: &Parts) -> bool {
    let headers = &parts.headers;
    let is_forwarded = [FORWARDED, VIA].iter().any(|name| headers.contains_key(name))
        || ADDED.iter().any(|name| headers.contains_key(*name));
    let names_us = |host: &[u8]| Authority::try_from(host).is_ok_and(|authority| is_loopback(authority.host()));
    // Without a name, as HTTP/1.0 allows, there is none that could be somebody else's.
    let mut hosts = headers.get_all(HOST).iter().map(axum::http::HeaderValue::as_bytes).filter(|host| !host.is_empty());
    !is_forwarded && hosts.all(names_us) && parts.uri.host().is_none_or(is_loopback)
}

/// A browser resolves every name under `localhost` to this machine, whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn judged(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_local(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn this_machine_is_told_by_its_names() {
        for host in ["127.0.0.1:4020", "127.1.2.3", "localhost", "LOCALHOST.:4020", "shop.localhost", "[::1]:4020", ""]
        {
            assert!(judged("/x", &[("host", host)]), "{host}");
        }
        for host in [
            "shop.example",
            "localhost.example:4020",
            "notlocalhost",
            "192.168.1.7:4020",
            "0.0.0.0",
            "[2001:db8::1]",
            "a b",
            "127.0.0.1.example",
        ] {
            assert!(!judged("/x", &[("host", host)]), "{host}");
        }
        assert!(judged("/x", &[]));
        assert!(judged("http://127.0.0.1/x", &[]) && !judged("http://shop.example/x", &[("host", "localhost")]));
        assert!(!judged("/x", &[("host", "localhost"), ("host", "shop.example")]));
    }

    #[test]
    fn whoever_forwards_says_so() {
        for name in ADDED.into_iter().chain(["forwarded", "via"]) {
            assert!(!judged("/x", &[("host", "127.0.0.1"), (name, "127.0.0.1")]), "{name}");
        }
    }
}
