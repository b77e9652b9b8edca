//! Which addresses are public: the others may be this machine, its neighbours, or a cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether `address` is one of the open internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = matches!(
        (a, b, c),
        // "This network", carrier-grade NAT, protocol assignments, 6to4 relays, benchmarks, and everything from
        // multicast upwards.
        (0 | 224..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _)
    );
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_unspecified())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only 2000::/3 has been given out to be routed. What stands for an IPv4 address is judged as that address.
    if let Some(inner) = embedded_v4(address) {
        return is_public_v4(inner);
    }
    let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8 || segments[0] == 0x3fff;
    // Protocol assignments, Teredo among them.
    let special = segments[0] == 0x2001 && segments[1] < 0x0200;
    (0x2000..=0x3fff).contains(&segments[0]) && !documentation && !special
}

/// The IPv4 address that a mapped, NAT64 or 6to4 address leads to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

/// A resolver that knows no private addresses. The connection is made to what it returns: nothing is resolved a second
/// time in between, when the answer may have changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicOnly;

/// A resolver that knows nothing but addresses of this machine and of private networks.
#[derive(Clone, Copy, Debug)]
pub(super) struct NearOnly;

/// A name that leads nowhere but to where it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongPlace {
    /// To a private one, which a stranger must not lead us to.
    #[error("its host leads to a private address")]
    Private,
    /// To a public one, where what is sent could be read on the way.
    #[error("it is not encrypted, and its host leads to a public address")]
    Public,
}

impl WrongPlace {
    /// What is said of the URL.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Private => "its host leads to a private address",
            Self::Public => "it is not encrypted, and its host leads to a public address",
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { resolve(&name, is_public, WrongPlace::Private).await })
    }
}

impl Resolve for NearOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { resolve(&name, |address| !is_public(address), WrongPlace::Public).await })
    }
}

async fn resolve(
    name: &Name,
    allowed: impl Fn(IpAddr) -> bool,
    otherwise: WrongPlace,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
    let allowed: Vec<_> = found.filter(|address| allowed(address.ip())).collect();
    if allowed.is_empty() {
        return Err(otherwise.into());
    }
    Ok(Box::new(allowed.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_internet_is_public() {
        for text in ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.1.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::7f00:1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        let error = resolved.err().unwrap();
        assert_eq!(error.downcast_ref(), Some(&WrongPlace::Private), "{error}");
        assert!(NearOnly.resolve("localhost".parse().unwrap()).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_out_is_not_resolved_without_encryption() {
        // A numeric name stands in for one of the internet, which tests must not ask about.
        let resolved = NearOnly.resolve("1.1.1.1".parse().unwrap()).await;
        assert_eq!(resolved.err().unwrap().downcast_ref(), Some(&WrongPlace::Public));
    }
}
