//! The listener for callers.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;

use super::allowed::{HOUR, MINUTE};
use super::{Mode, url};
use crate::config::error::Problems;
use crate::config::raw::RawServer;
use crate::config::{ServerConfig, TlsConfig};

/// Stands in for an address that could not be read; on loopback, so that no second problem follows from it.
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(super) fn server(raw: &RawServer, mode: Mode, problems: &mut Problems) -> ServerConfig {
    let listen = raw.listen.parse().unwrap_or_else(|_| {
        problems.add("server.listen", "this must be an address and a port, such as 127.0.0.1:4020 or [::]:4020");
        NO_ADDRESS
    });
    let tls = tls(raw, problems);
    check_public_url(raw.public_url.as_deref(), tls.is_some(), problems);
    if raw.public_url.is_none() && mode == Mode::Serve && !listen.ip().is_loopback() {
        problems.add(
            "server.public_url",
            format!(
                "this is needed when listening on {listen}: the URL that callers see, such as https://api.example.com"
            ),
        );
    }
    let p = problems;
    ServerConfig {
        listen,
        public_url: raw.public_url.clone(),
        tls,
        trusted_proxies: trusted_proxies(&raw.trusted_proxies, p),
        max_connections: p.number("server.max_connections", raw.max_connections, 1..=1_000_000, ""),
        max_connections_per_address: limit_of(raw.max_connections_per_address),
        max_connections_per_network: limit_of(raw.max_connections_per_network),
        header_timeout: p.seconds("server.header_timeout_seconds", raw.header_timeout_seconds, 0.1..=HOUR),
        body_idle_timeout: p.seconds("server.body_idle_timeout_seconds", raw.body_idle_timeout_seconds, 0.1..=HOUR),
        body_timeout: p.seconds("server.body_timeout_seconds", raw.body_timeout_seconds, 0.1..=HOUR),
        write_timeout: p.seconds("server.write_timeout_seconds", raw.write_timeout_seconds, 0.1..=HOUR),
        // None at all is a decision, too.
        shutdown_grace: p.seconds("server.shutdown_grace_seconds", raw.shutdown_grace_seconds, 0.0..=10.0 * MINUTE),
    }
}

/// 0 is no limit.
fn limit_of(typed: usize) -> Option<usize> {
    (typed > 0).then_some(typed)
}

fn check_public_url(typed: Option<&str>, tls: bool, problems: &mut Problems) {
    const PATH: &str = "server.public_url";
    match typed.map(url::parse) {
        Some(Err(message)) => problems.add(PATH, message),
        Some(Ok(origin)) if tls && !origin.https => {
            problems
                .add(PATH, "this must begin with https://, because server.tls_certificate makes the gateway speak TLS");
        }
        Some(Ok(_)) | None => {}
    }
}

fn tls(raw: &RawServer, problems: &mut Problems) -> Option<TlsConfig> {
    match (&raw.tls_certificate, &raw.tls_private_key) {
        (Some(certificate), Some(private_key)) => {
            check_readable("server.tls_certificate", certificate, problems);
            check_readable("server.tls_private_key", private_key, problems);
            Some(TlsConfig { certificate: certificate.clone(), private_key: private_key.clone() })
        }
        (Some(_), None) => {
            problems.add("server.tls_private_key", "this is missing: server.tls_certificate is of no use without it");
            None
        }
        (None, Some(_)) => {
            problems.add("server.tls_certificate", "this is missing: server.tls_private_key is of no use without it");
            None
        }
        (None, None) => None,
    }
}

pub(super) fn check_readable(key: &str, path: &Path, problems: &mut Problems) {
    let opened = path.metadata().and_then(|metadata| {
        if metadata.is_file() { File::open(path).map(drop) } else { Err(io::Error::other("it is not a file")) }
    });
    if let Err(error) = opened {
        problems.add(key, format!("{} cannot be read: {error}", path.display()));
    }
}

fn trusted_proxies(typed: &[String], problems: &mut Problems) -> Vec<IpNet> {
    let mut proxies = Vec::new();
    for (index, text) in typed.iter().enumerate() {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let path = || format!("server.trusted_proxies[{index}]");
        match network {
            Ok(network) if network.prefix_len() == 0 => {
                problems.add(path(), "this would believe what every client says about its own address");
            }
            Ok(network) => proxies.push(network.trunc()),
            Err(_) => problems.add(path(), "this must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8"),
        }
    }
    proxies
}
