//! Where files may be fetched from.

use std::fmt;

use url::{Host, Url};

use super::DownloadError;
use crate::egress::Reach;

/// A host, or everything below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: HostName,
    /// `None`: the usual port of the scheme.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    Exactly(Host<String>),
    /// What stands below this domain, which is not in it itself.
    Below(String),
}

/// Text that is no pattern of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Neither a name nor an address.
    #[error(
        "it is no host: write files.example.com, *.example.com, 192.0.2.1 or [2001:db8::1], each with or without :port"
    )]
    NoHost,
    /// A part of a name, or the end of all names.
    #[error("a * stands for what is below a domain of two parts or more, as in *.example.com")]
    Wildcard,
    /// Not a number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
}

/// Where files may be fetched from: from these hosts and no others, over redirects as well.
#[derive(Clone, Debug)]
pub struct Places {
    hosts: Vec<HostPattern>,
    private: bool,
}

impl HostPattern {
    /// Reads `files.example.com`, `*.example.com` (everything below it, but not `example.com`), or an address, each with
    /// a port or without. Without one, it is the usual port of the URL's scheme.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let (host, port) = split_port(text)?;
        let name = match host.strip_prefix("*.") {
            None => HostName::Exactly(parse_host(host).ok_or(HostError::NoHost)?),
            Some(rest) => match parse_host(rest) {
                Some(Host::Domain(domain)) if domain.contains('.') => HostName::Below(domain),
                _ => return Err(HostError::Wildcard),
            },
        };
        Ok(Self { name, port })
    }

    /// The host and the port of `url`; `None` when it has no host.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self { name: HostName::Exactly(normal(url.host()?.to_owned())), port: url.port() })
    }

    fn admits(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let host = normal(host.to_owned());
        let is_named = match (&self.name, &host) {
            (HostName::Exactly(own), host) => own == host,
            (HostName::Below(domain), Host::Domain(name)) => {
                name.strip_suffix(domain.as_str()).and_then(|below| below.strip_suffix('.')).is_some_and(is_name)
            }
            (HostName::Below(_), _) => false,
        };
        // `Url::port` is `None` for the usual port, whether or not it was written.
        let usual = url.port().is_none();
        is_named && self.port.map_or(usual, |port| url.port_or_known_default() == Some(port))
    }
}

/// As it is written in a configuration.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            HostName::Exactly(host) => write!(f, "{host}")?,
            HostName::Below(domain) => write!(f, "*.{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Places {
    /// Hosts of the open internet: over `https`, and never at a private address.
    #[must_use]
    pub const fn public(hosts: Vec<HostPattern>) -> Self {
        Self { hosts, private: false }
    }

    /// Hosts of the operator's own, which may be in a private network; there they may do without TLS.
    #[must_use]
    pub const fn private(hosts: Vec<HostPattern>) -> Self {
        Self { hosts, private: true }
    }

    /// By which kind of client `url` is fetched; errors when it must not be.
    pub(super) fn reach(&self, url: &Url) -> Result<Reach, DownloadError> {
        let reach = match (url.scheme(), self.private) {
            ("https", true) => Reach::Own,
            ("http", true) => Reach::Near,
            ("https", false) => Reach::Public,
            (_, true) => return Err(DownloadError::Forbidden("it is neither https nor http")),
            (_, false) => return Err(DownloadError::Forbidden("it is not https")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DownloadError::Forbidden("it holds a user name or a password"));
        }
        if !self.hosts.iter().any(|pattern| pattern.admits(url)) {
            return Err(DownloadError::Forbidden("its host is not on the list"));
        }
        reach.require(url)?;
        Ok(reach)
    }

    /// Whether hosts in private networks are among them.
    pub(super) const fn is_private(&self) -> bool {
        self.private
    }
}

/// The colons of an address in brackets are not those of a port.
fn split_port(text: &str) -> Result<(&str, Option<u16>), HostError> {
    let end = text.rfind(']').map_or(0, |at| at + 1);
    let Some(at) = text[end..].find(':').map(|at| end + at) else { return Ok((text, None)) };
    let digits = &text[at + 1..];
    let port = digits.parse().ok().filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    Ok((&text[..at], Some(port.ok_or(HostError::Port)?)))
}

/// A host as URLs have it: in lower case, and names of other alphabets in theirs of ASCII.
fn parse_host(text: &str) -> Option<Host<String>> {
    let host = normal(Host::parse(text).ok()?);
    match &host {
        Host::Domain(name) => is_name(name).then_some(host),
        Host::Ipv4(_) | Host::Ipv6(_) => Some(host),
    }
}

fn is_name(name: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    name.split('.').all(is_label)
}

/// A dot at the end says only that the name is whole.
fn normal(host: Host<String>) -> Host<String> {
    match host {
        Host::Domain(name) => Host::Domain(name.strip_suffix('.').map(str::to_owned).unwrap_or(name)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(pattern: &str, url: &str) -> bool {
        HostPattern::parse(pattern).unwrap().admits(&url.parse().unwrap())
    }

    #[test]
    fn a_name_is_that_host_and_no_other() {
        for url in [
            "https://files.example/a",
            "https://FILES.Example/a",
            "https://files.example./a",
            "https://files.example:443/a",
            "https://files%2Eexample/a",
            "https://files。example/a",
        ] {
            assert!(admits("Files.example", url), "{url}");
        }
        for url in [
            "https://www.files.example/",
            "https://files.example.attacker.example/",
            "https://attackerfiles.example/",
            "https://files.example..//",
            "https://files.example:8443/",
            "https://files.example@attacker.example/",
            "https://attacker.example/?files.example",
            "https://files.exam\u{440}le/",
        ] {
            assert!(!admits("files.example", url), "{url}");
        }
        assert!(admits("files.example.", "https://files.example/"));
    }

    #[test]
    fn a_star_is_what_is_below_a_domain() {
        for url in ["https://v3.media.example/", "https://a.b.MEDIA.example./", "https://x_y-1.media.example/"] {
            assert!(admits("*.media.example", url), "{url}");
        }
        for url in [
            "https://media.example/",
            "https://evilmedia.example/",
            "https://.media.example/",
            "https://a..media.example/",
            "https://media.example.attacker.example/",
            "https://127.0.0.1/",
        ] {
            assert!(!admits("*.media.example", url), "{url}");
        }
    }

    #[test]
    fn names_of_other_alphabets_are_compared_in_ascii() {
        assert!(admits("bücher.example", "https://xn--bcher-kva.example/"));
        assert!(admits("*.xn--bcher-kva.example", "https://a.BÜCHER.example/"));
        assert!(!admits("bücher.example", "https://bucher.example/"));
    }

    #[test]
    fn addresses_and_ports_are_compared_as_such() {
        assert!(admits("127.0.0.1:5301", "http://127.0.0.1:5301/"));
        assert!(admits("127.0.0.1", "http://0x7f.1/"));
        assert!(admits("[::1]", "http://[0:0::1]/"));
        assert!(admits("[::1]:8080", "http://[::1]:8080/"));
        assert!(admits("files.example:443", "https://files.example/"));
        assert!(admits("*.media.example:8443", "https://a.media.example:8443/"));
        assert!(!admits("127.0.0.1:5301", "http://127.0.0.1/"));
        assert!(!admits("127.0.0.1", "http://127.0.0.1:5301/"));
        assert!(!admits("127.0.0.1", "http://[::ffff:127.0.0.1]/"));
        assert!(!admits("files.example:443", "http://files.example/"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let bad = [
            ("", HostError::NoHost),
            (".", HostError::NoHost),
            ("a..b", HostError::NoHost),
            ("https://files.example", HostError::Port),
            ("files.example/path", HostError::NoHost),
            ("a b", HostError::NoHost),
            ("files.*.example", HostError::NoHost),
            ("*", HostError::NoHost),
            ("[]", HostError::NoHost),
            ("::1", HostError::Port),
            ("[::1", HostError::Port),
            ("*.com", HostError::Wildcard),
            ("*.", HostError::Wildcard),
            ("*.com.", HostError::Wildcard),
            ("*.10.0.0.1", HostError::Wildcard),
            ("*.*.example.com", HostError::Wildcard),
            ("files.example:0", HostError::Port),
            ("files.example:+1", HostError::Port),
            ("files.example:", HostError::Port),
            ("files.example:65536", HostError::Port),
        ];
        for (text, error) in bad {
            assert_eq!(HostPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for text in ["files.example", "*.media.example:8443", "[::1]:80", "10.0.0.1"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
        let url = "https://files.example.:8443/secret".parse().unwrap();
        assert_eq!(HostPattern::of(&url).unwrap(), HostPattern::parse("files.example:8443").unwrap());
    }
}
