//! The public URL: a scheme, a host, perhaps a port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

use super::is_near;

/// A URL that callers can use, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin<'t> {
    /// `https` rather than `http`.
    pub https: bool,
    /// A name or an address, without brackets.
    pub host: &'t str,
}

/// Takes `text` apart, or says what is wrong with it without quoting it: it may hold a password.
pub(super) fn parse(text: &str) -> Result<Origin<'_>, &'static str> {
    let (https, authority) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err("this must begin with https:// or http://"),
    };
    if authority.contains(['/', '?', '#']) {
        return Err("this must end after its host or port: no path, no query and no slash at the end");
    }
    if authority.contains('@') {
        return Err("this must not hold a user name or a password");
    }
    let (host, port) = split_port(authority)?;
    // Not `parse` alone, which takes a plus sign.
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|n| n > 0);
    if port.is_some_and(|port| !is_port(port)) {
        return Err("the port must be a number from 1 to 65535");
    }
    if host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
        return Err("nobody can connect to this address; give the one that callers use");
    }
    Ok(Origin { https, host })
}

/// Whether a provider on the internet may be told to come to `url`: over TLS, and not into a private network. Where
/// there is no URL, callers come to the address that is listened on.
pub(super) fn is_public(url: Option<&str>) -> bool {
    let url = url.and_then(|url| Url::parse(url).ok());
    url.is_some_and(|url| url.scheme() == "https" && url.host().is_some_and(|host| !is_near(&host)))
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    const NO_HOST: &str = "this has no host that there can be";
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(NO_HOST)?;
        address.parse::<Ipv6Addr>().map_err(|_| NO_HOST)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(NO_HOST),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if is_name(host) || host.parse::<Ipv4Addr>().is_ok() { Ok((host, port)) } else { Err(NO_HOST) }
}

/// A host name in ASCII, as DNS has it, and underscores. One that ends in a number would be read as an address.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = host.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 253 && host.split('.').all(is_label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_callers_can_use_are_taken_apart() {
        for (text, https, host) in [
            ("https://api.example.com", true, "api.example.com"),
            ("http://localhost:4020", false, "localhost"),
            ("http://127.0.0.1:65535", false, "127.0.0.1"),
            ("https://[2001:db8::1]:1", true, "2001:db8::1"),
            ("http://[::1]", false, "::1"),
            ("https://xn--bcher-kva.example", true, "xn--bcher-kva.example"),
        ] {
            assert_eq!(parse(text), Ok(Origin { https, host }), "{text}");
        }
    }

    #[test]
    fn what_the_internet_can_reach_is_told_from_what_it_cannot() {
        for url in ["https://api.example.com", "https://203.0.113.7:8443", "https://[2001:db8::1]"] {
            assert!(is_public(Some(url)), "{url}");
        }
        for url in ["http://api.example.com", "https://localhost", "https://10.0.0.7", "https://[::1]", "https://a.lan"]
        {
            assert!(!is_public(Some(url)), "{url}");
        }
        assert!(!is_public(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "api.example.com",
            "ftp://example.com",
            "HTTPS://example.com",
            "https://",
            "https://example.com/",
            "https://example.com/x",
            "https://example.com?x",
            "https://example.com#x",
            "https://a@example.com",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:65536",
            "https://example.com:1:2",
            "https://example.com:+80",
            "https://exa mple.com",
            "https://example..com",
            "https://-a.com",
            "https://1.2.3",
            "https://1.2.3.256",
            "https://[::1",
            "https://[1.2.3.4]",
            "https://::1",
            "https://[::1]x",
            "http://0.0.0.0:4020",
            "http://[::]",
            "https://bücher.example",
            "https://a.com\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
