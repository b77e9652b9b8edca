//! `[lightning]` as it is typed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RawSecret;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawLightning {
    pub backend: RawLightningBackend,
    pub network: Option<RawNetwork>,
    pub payee: Option<String>,
    pub invoice_expiry_seconds: f64,
    pub invoice_timeout_seconds: f64,
    pub concurrency: usize,
    pub require_settled: Option<bool>,
    pub settlement_lookups_per_second: f64,
    pub pool: RawPool,
    pub lnd: RawLnd,
    pub cln: RawCln,
    pub phoenixd: RawPhoenixd,
    pub lnbits: RawLnbits,
    pub blink: RawBlink,
    pub opennode: RawOpenNode,
    pub nwc: RawNwc,
    pub lightning_address: RawLightningAddress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawLightningBackend {
    Sandbox,
    Lnd,
    Cln,
    Phoenixd,
    Lnbits,
    Blink,
    #[serde(rename = "opennode")]
    OpenNode,
    Nwc,
    LightningAddress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawNetwork {
    Bitcoin,
    Testnet,
    Signet,
    Regtest,
    Simnet,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawPool {
    pub size: Option<usize>,
    pub max_age_seconds: Option<f64>,
    pub refill_per_second: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawLnd {
    pub url: Option<String>,
    pub macaroon: Option<RawSecret>,
    pub tls_certificate: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawCln {
    pub url: Option<String>,
    pub rune: Option<RawSecret>,
    pub tls_certificate: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawPhoenixd {
    pub url: Option<String>,
    pub password: Option<RawSecret>,
    pub limited_password: Option<RawSecret>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawLnbits {
    pub url: Option<String>,
    pub invoice_key: Option<RawSecret>,
    pub admin_key: Option<RawSecret>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawBlink {
    pub url: String,
    pub api_key: Option<RawSecret>,
    pub wallet_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawOpenNode {
    pub url: String,
    pub api_key: Option<RawSecret>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawNwc {
    pub uri: Option<RawSecret>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawLightningAddress {
    pub address: Option<String>,
    pub allow_private_hosts: bool,
}

impl RawLightning {
    /// Every secret that is referred to, for whichever backend.
    pub(in crate::config) fn secrets(&self) -> impl Iterator<Item = &RawSecret> {
        [
            &self.lnd.macaroon,
            &self.cln.rune,
            &self.phoenixd.password,
            &self.phoenixd.limited_password,
            &self.lnbits.invoice_key,
            &self.lnbits.admin_key,
            &self.blink.api_key,
            &self.opennode.api_key,
            &self.nwc.uri,
        ]
        .into_iter()
        .flatten()
    }
}
