//! Whom a request is charged to.

use std::net::IpAddr;

use ipnet::IpNet;

/// The address that a request came from, and the networks around it. An IPv4 address in the clothes of IPv6 is the
/// IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(IpAddr);

impl Caller {
    /// Whoever is at `address`.
    #[must_use]
    pub const fn at(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// One IPv4 address, or one IPv6 network of 64 bits: a machine or a household.
    #[must_use]
    pub fn address(self) -> IpNet {
        self.block(32, 64)
    }

    /// An IPv4 network of 24 bits or an IPv6 network of 48 bits: what one customer of a provider can have.
    #[must_use]
    pub fn network(self) -> IpNet {
        self.block(24, 48)
    }

    /// An IPv4 network of 16 bits or an IPv6 network of 32 bits: a provider.
    #[must_use]
    pub fn provider(self) -> IpNet {
        self.block(16, 32)
    }

    fn block(self, v4: u8, v6: u8) -> IpNet {
        let bits = if self.0.is_ipv4() { v4 } else { v6 };
        // Neither length is beyond its family's.
        IpNet::new(self.0, bits).map_or_else(|_| self.0.into(), |block| block.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(address: &str) -> [String; 3] {
        let caller = Caller::at(address.parse().unwrap());
        [caller.address(), caller.network(), caller.provider()].map(|block| block.to_string())
    }

    #[test]
    fn an_address_stands_in_its_networks() {
        assert_eq!(blocks("203.0.113.9"), ["203.0.113.9/32", "203.0.113.0/24", "203.0.0.0/16"]);
        assert_eq!(blocks("::ffff:203.0.113.9"), blocks("203.0.113.9"), "one address in two spellings");
        assert_eq!(blocks("2001:db8:1:2:3::4"), ["2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"]);
    }
}
