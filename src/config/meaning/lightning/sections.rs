//! One section for each backend.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::{Host, Url};

use crate::config::environment::Environment;
use crate::config::error::Problems;
use crate::config::raw::{RawLightning, RawLightningBackend, RawSecret};
use crate::config::{
    BlinkConfig, ClnConfig, LightningAddressConfig, LightningBackendConfig, LnbitsConfig, LndConfig, NwcConfig,
    OpenNodeConfig, PhoenixdConfig, secret,
};

/// Stands in for a URL that could not be read; the configuration is refused anyway.
const NO_URL: &str = "http://127.0.0.1/";

pub(super) struct Sections<'a> {
    pub raw: &'a RawLightning,
    pub environment: &'a Environment,
}

impl Sections<'_> {
    /// The backend that was chosen, with what its section says.
    pub(super) fn chosen(&self, p: &mut Problems) -> LightningBackendConfig {
        match self.raw.backend {
            RawLightningBackend::Sandbox => LightningBackendConfig::Sandbox,
            RawLightningBackend::Lnd => self.lnd(p),
            RawLightningBackend::Cln => self.cln(p),
            RawLightningBackend::Phoenixd => self.phoenixd(p),
            RawLightningBackend::Lnbits => self.lnbits(p),
            RawLightningBackend::Blink => self.blink(p),
            RawLightningBackend::OpenNode => self.opennode(p),
            RawLightningBackend::Nwc => self.nwc(p),
            RawLightningBackend::LightningAddress => self.lightning_address(p),
        }
    }

    fn lnd(&self, p: &mut Problems) -> LightningBackendConfig {
        let raw = &self.raw.lnd;
        LightningBackendConfig::Lnd(LndConfig {
            url: url("lightning.lnd.url", raw.url.as_deref(), p),
            macaroon: self.needed("lightning.lnd.macaroon", raw.macaroon.as_ref(), p),
            tls_certificate: certificate("lightning.lnd.tls_certificate", raw.tls_certificate.as_deref(), p),
        })
    }

    fn cln(&self, p: &mut Problems) -> LightningBackendConfig {
        let raw = &self.raw.cln;
        LightningBackendConfig::Cln(ClnConfig {
            url: url("lightning.cln.url", raw.url.as_deref(), p),
            rune: self.needed("lightning.cln.rune", raw.rune.as_ref(), p),
            tls_certificate: certificate("lightning.cln.tls_certificate", raw.tls_certificate.as_deref(), p),
        })
    }

    fn phoenixd(&self, p: &mut Problems) -> LightningBackendConfig {
        const PASSWORD: &str = "lightning.phoenixd.password";
        let raw = &self.raw.phoenixd;
        let password = match (&raw.password, &raw.limited_password) {
            (Some(_), Some(_)) => {
                p.add(PASSWORD, "give either this or lightning.phoenixd.limited_password, not both");
                SecretString::default()
            }
            (None, Some(limited)) => self.needed("lightning.phoenixd.limited_password", Some(limited), p),
            (password, None) => self.needed(PASSWORD, password.as_ref(), p),
        };
        let url = url("lightning.phoenixd.url", raw.url.as_deref(), p);
        LightningBackendConfig::Phoenixd(PhoenixdConfig { url, password, may_pay: raw.password.is_some() })
    }

    fn lnbits(&self, p: &mut Problems) -> LightningBackendConfig {
        let raw = &self.raw.lnbits;
        LightningBackendConfig::Lnbits(LnbitsConfig {
            url: url("lightning.lnbits.url", raw.url.as_deref(), p),
            invoice_key: self.needed("lightning.lnbits.invoice_key", raw.invoice_key.as_ref(), p),
            admin_key: self.optional("lightning.lnbits.admin_key", raw.admin_key.as_ref(), p),
        })
    }

    fn blink(&self, p: &mut Problems) -> LightningBackendConfig {
        let raw = &self.raw.blink;
        LightningBackendConfig::Blink(BlinkConfig {
            url: url("lightning.blink.url", Some(&raw.url), p),
            api_key: self.needed("lightning.blink.api_key", raw.api_key.as_ref(), p),
            wallet_id: raw.wallet_id.clone(),
        })
    }

    fn opennode(&self, p: &mut Problems) -> LightningBackendConfig {
        let raw = &self.raw.opennode;
        LightningBackendConfig::OpenNode(OpenNodeConfig {
            url: url("lightning.opennode.url", Some(&raw.url), p),
            api_key: self.needed("lightning.opennode.api_key", raw.api_key.as_ref(), p),
        })
    }

    fn nwc(&self, p: &mut Problems) -> LightningBackendConfig {
        LightningBackendConfig::Nwc(NwcConfig { uri: self.needed("lightning.nwc.uri", self.raw.nwc.uri.as_ref(), p) })
    }

    fn lightning_address(&self, p: &mut Problems) -> LightningBackendConfig {
        const ADDRESS: &str = "lightning.lightning_address.address";
        let raw = &self.raw.lightning_address;
        let address = raw.address.clone().unwrap_or_default().trim().to_ascii_lowercase();
        let whole = address.split_once('@').is_some_and(|(user, host)| {
            let is_user = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
            !user.is_empty()
                && user.bytes().all(is_user)
                && Url::parse(&format!("https://{host}/")).is_ok()
                && !host.contains(['/', '@', '?', '#'])
        });
        if raw.address.is_none() {
            p.add(ADDRESS, "this is missing: the address of your wallet, such as you@example.com");
        } else if !whole {
            p.add(ADDRESS, "this must be a Lightning address, such as you@example.com");
        }
        LightningBackendConfig::LightningAddress(LightningAddressConfig {
            address,
            allow_private_hosts: raw.allow_private_hosts,
        })
    }

    fn needed(&self, path: &str, raw: Option<&RawSecret>, p: &mut Problems) -> SecretString {
        if raw.is_none() {
            p.add(path, "this is missing: `env:NAME` or `file:/path`, where it is kept");
        }
        self.optional(path, raw, p).unwrap_or_default()
    }

    fn optional(&self, path: &str, raw: Option<&RawSecret>, p: &mut Problems) -> Option<SecretString> {
        secret::credential(path, raw?, self.environment, p)
    }
}

fn certificate(path: &str, file: Option<&Path>, p: &mut Problems) -> Option<PathBuf> {
    super::super::server::check_readable(path, file?, p);
    file.map(Path::to_owned)
}

/// What is typed is never quoted: it may hold a password.
pub(in crate::config::meaning) fn url(path: &str, typed: Option<&str>, p: &mut Problems) -> Url {
    let checked = match typed {
        None => Err("this is missing: the URL of its API"),
        Some(typed) => check_url(typed),
    };
    checked.unwrap_or_else(|message| {
        p.add(path, message);
        #[expect(clippy::expect_used, reason = "it is a constant")]
        NO_URL.parse().expect("a URL")
    })
}

pub(in crate::config::meaning) fn check_url(typed: &str) -> Result<Url, &'static str> {
    let url = Url::parse(typed).map_err(|_| "this is no URL: it must begin with https:// or http://")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("this must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("this must not hold a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("this must end after its path: no query and no fragment");
    }
    if url.scheme() == "http" && !url.host().is_some_and(|host| is_near(&host)) {
        return Err("with http:// your key would cross the internet in the clear: use https://");
    }
    Ok(url)
}

/// Whether a host is this machine or in a private network, as far as its name tells.
pub(crate) fn is_near(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let endings = [".local", ".lan", ".internal", ".home.arpa", ".localhost"];
            !name.contains('.') || endings.iter().any(|ending| name.ends_with(ending))
        }
        Host::Ipv4(address) => is_private(*address),
        Host::Ipv6(address) => {
            let unique_or_link_local = matches!(address.segments()[0] & 0xffc0, 0xfc00..=0xfdff | 0xfe80);
            let mapped = address.to_ipv4_mapped().is_some_and(is_private);
            IpAddr::from(*address).is_loopback() || unique_or_link_local || mapped
        }
    }
}

fn is_private(address: Ipv4Addr) -> bool {
    // 100.64.0.0/10 is what virtual private networks give out.
    let shared = address.octets()[0] == 100 && (64..128).contains(&address.octets()[1]);
    address.is_loopback() || address.is_private() || address.is_link_local() || shared
}
