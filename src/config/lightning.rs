//! `[lightning]` as it is meant. Secrets are shown by no `Debug` output.

use std::path::PathBuf;
use std::time::Duration;

use bitcoin::secp256k1::PublicKey;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::domain::Network;

/// Who makes invoices.
#[derive(Clone, Debug)]
pub struct LightningConfig {
    /// The backend and its settings.
    pub backend: LightningBackendConfig,
    /// The chain that invoices must be for.
    pub network: Network,
    /// The key that must have signed every invoice, if it is pinned.
    pub payee: Option<PublicKey>,
    /// How long a new invoice can be paid.
    pub invoice_expiry: Duration,
    /// The time the backend has to make one, the wait for its turn included.
    pub invoice_timeout: Duration,
    /// Requests to the backend at once.
    pub concurrency: usize,
    /// Whether a payment counts only when the backend confirms it.
    pub require_settled: bool,
    /// Looks at invoices that are out, for the books, in a second; 0: none.
    pub settlement_lookups_per_second: f64,
    /// Invoices that are kept ready.
    pub pool: PoolConfig,
}

/// Invoices that are kept ready.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolConfig {
    /// How many for each price; `None`: as many as suit the backend.
    pub size: Option<usize>,
    /// How old one may be when it is handed out.
    pub max_age: Duration,
    /// How many are made in a second at the most.
    pub refill_per_second: f64,
}

/// The backends that there are.
#[derive(Clone, Debug)]
pub enum LightningBackendConfig {
    /// Simulated payments on regtest.
    Sandbox,
    /// LND over REST.
    Lnd(LndConfig),
    /// Core Lightning over clnrest.
    Cln(ClnConfig),
    /// phoenixd.
    Phoenixd(PhoenixdConfig),
    /// `LNbits`.
    Lnbits(LnbitsConfig),
    /// Blink.
    Blink(BlinkConfig),
    /// `OpenNode`.
    OpenNode(OpenNodeConfig),
    /// Nostr Wallet Connect (NIP-47).
    Nwc(NwcConfig),
    /// A Lightning address (LUD-16), which can only receive.
    LightningAddress(LightningAddressConfig),
}

/// LND over REST.
#[derive(Clone, Debug)]
pub struct LndConfig {
    /// Where `restlisten` listens.
    pub url: Url,
    /// The macaroon, in hexadecimal.
    pub macaroon: SecretString,
    /// PEM file of the certificate that LND must show; `None`: one that this machine trusts.
    pub tls_certificate: Option<PathBuf>,
}

/// Core Lightning over clnrest.
#[derive(Clone, Debug)]
pub struct ClnConfig {
    /// Where clnrest listens.
    pub url: Url,
    /// The rune.
    pub rune: SecretString,
    /// PEM file of the certificate that clnrest must show; `None`: one that this machine trusts.
    pub tls_certificate: Option<PathBuf>,
}

/// phoenixd.
#[derive(Clone, Debug)]
pub struct PhoenixdConfig {
    /// Where its API listens.
    pub url: Url,
    /// One of its two passwords.
    pub password: SecretString,
    /// Whether it is the one that may also pay.
    pub may_pay: bool,
}

/// `LNbits`.
#[derive(Clone, Debug)]
pub struct LnbitsConfig {
    /// Where it is served.
    pub url: Url,
    /// The wallet's invoice/read key.
    pub invoice_key: SecretString,
    /// The wallet's admin key, without which nothing is paid out.
    pub admin_key: Option<SecretString>,
}

/// Blink.
#[derive(Clone, Debug)]
pub struct BlinkConfig {
    /// The GraphQL endpoint.
    pub url: Url,
    /// The API key.
    pub api_key: SecretString,
    /// The BTC wallet; `None`: the account's own.
    pub wallet_id: Option<String>,
}

/// `OpenNode`.
#[derive(Clone, Debug)]
pub struct OpenNodeConfig {
    /// The API's URL.
    pub url: Url,
    /// An API key that may make invoices.
    pub api_key: SecretString,
}

/// Nostr Wallet Connect.
#[derive(Clone, Debug)]
pub struct NwcConfig {
    /// The connection string, `nostr+walletconnect://…`, which holds the connection's secret.
    pub uri: SecretString,
}

/// A Lightning address.
#[derive(Clone, Debug)]
pub struct LightningAddressConfig {
    /// `user@host`, the host with a port perhaps.
    pub address: String,
    /// Whether the host, and what it refers to, may be in a private network and without TLS.
    pub allow_private_hosts: bool,
}

impl PoolConfig {
    /// Invoices to keep for each price where the backend charges nothing for them.
    const USUAL_SIZE: usize = 8;

    /// How many are kept for each price at a backend whose unpaid invoices are `free`.
    #[must_use]
    pub fn size_for(&self, free: bool) -> usize {
        self.size.unwrap_or(if free { Self::USUAL_SIZE } else { 0 })
    }
}

impl LightningBackendConfig {
    /// Whom payments are ordered from: the backend's name, and a fingerprint of what makes it this node, wallet or account
    /// and no other. What another one does not know of a payment says nothing about it.
    #[must_use]
    pub fn payer(&self) -> String {
        let (name, identity) = match self {
            Self::Sandbox => ("sandbox", String::new()),
            // Another node may come to stand behind the same URL, and has other credentials then.
            Self::Lnd(lnd) => ("lnd", format!("{} {}", lnd.url, lnd.macaroon.expose_secret())),
            Self::Cln(cln) => ("cln", format!("{} {}", cln.url, cln.rune.expose_secret())),
            Self::Phoenixd(phoenixd) => ("phoenixd", format!("{} {}", phoenixd.url, phoenixd.password.expose_secret())),
            Self::Lnbits(lnbits) => {
                let key = lnbits.admin_key.as_ref().unwrap_or(&lnbits.invoice_key);
                ("lnbits", format!("{} {}", lnbits.url, key.expose_secret()))
            }
            Self::Blink(blink) => {
                let wallet = blink.wallet_id.as_deref().unwrap_or_default();
                ("blink", format!("{} {} {wallet}", blink.url, blink.api_key.expose_secret()))
            }
            Self::OpenNode(opennode) => ("opennode", format!("{} {}", opennode.url, opennode.api_key.expose_secret())),
            Self::Nwc(nwc) => ("nwc", nwc.uri.expose_secret().to_owned()),
            Self::LightningAddress(address) => ("lightning_address", address.address.clone()),
        };
        let fingerprint = Sha256::digest(format!("satforge payer {name} {identity}"));
        format!("{name} {}", hex::encode(&fingerprint[..8]))
    }
}

impl LightningConfig {
    /// Whether what is paid may be worth something.
    #[must_use]
    pub fn is_real_money(&self) -> bool {
        self.network == Network::Bitcoin
    }
}
