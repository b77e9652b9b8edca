//! The shape of the configuration as it is typed. What each key means stands in `satforge.example.toml`.
//!
//! Every key is present here, be it as `None`: the serialised defaults are the list of keys that exist, against which
//! files and variables are held. Times are in seconds and may have fractions.

mod lightning;
mod providers;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::ServiceId;
pub(super) use lightning::*;
pub(super) use providers::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawConfig {
    pub data_dir: PathBuf,
    pub refunds: RawRefunds,
    pub server: RawServer,
    pub metrics: RawMetrics,
    pub log: RawLog,
    pub keys: RawKeys,
    pub lightning: RawLightning,
    pub paywall: RawPaywall,
    pub payouts: RawPayouts,
    pub services: RawServices,
    pub limits: RawLimits,
    pub waiting: RawWaiting,
    pub jobs: RawJobs,
    pub artifacts: RawArtifacts,
    pub callbacks: RawCallbacks,
    pub sandbox: RawSandbox,
    /// By their names; read by `tables`.
    #[serde(skip_deserializing, serialize_with = "as_empty_section")]
    pub providers: BTreeMap<String, RawProvider>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawServer {
    pub listen: String,
    pub public_url: Option<String>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_private_key: Option<PathBuf>,
    pub trusted_proxies: Vec<String>,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_connections_per_network: usize,
    pub header_timeout_seconds: f64,
    pub body_idle_timeout_seconds: f64,
    pub body_timeout_seconds: f64,
    pub write_timeout_seconds: f64,
    pub shutdown_grace_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawMetrics {
    pub listen: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawLog {
    pub format: RawLogFormat,
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawLogFormat {
    Pretty,
    Json,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawKeys {
    pub secrets: Vec<RawSecret>,
}

/// A reference to a secret. Somebody may have typed the secret itself, so neither `Debug` nor `Serialize` shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RawSecret(pub String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawPaywall {
    pub redeem_window_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawRefunds {
    Automatic,
    Manual,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawPayouts {
    pub max_fee_percent: f64,
    pub max_fee_floor_sats: u64,
    pub payment_timeout_seconds: f64,
    pub link_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawServices {
    pub video: RawVideo,
    #[serde(rename = "3d-model")]
    pub model_3d: RawModel3d,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawVideo {
    pub price: RawPrice,
    pub models: Vec<String>,
    pub max_prompt_chars: usize,
    pub body_limit_bytes: usize,
    pub deadline_seconds: f64,
    pub result_limit_bytes: u64,
    /// Read by `tables`.
    #[serde(skip_deserializing, serialize_with = "as_empty_section")]
    pub routes: Vec<RawRoute>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawModel3d {
    pub price: RawPrice,
    pub max_side: u32,
    pub max_pixels: u64,
    pub max_alloc_bytes: u64,
    pub body_limit_bytes: usize,
    pub deadline_seconds: f64,
    pub result_limit_bytes: u64,
    /// Read by `tables`.
    #[serde(skip_deserializing, serialize_with = "as_empty_section")]
    pub routes: Vec<RawRoute>,
}

/// Sats; exactly one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RawPrice {
    pub fixed: Option<u64>,
    pub per_second: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawLimits {
    pub challenges_per_minute: u32,
    pub challenge_burst: u32,
    pub network_challenges_per_minute: u32,
    pub network_challenge_burst: u32,
    pub open_invoices: usize,
    pub misses_per_minute: u32,
    pub miss_burst: u32,
    pub decoders: usize,
    pub body_memory_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "a key says its unit")]
pub(super) struct RawWaiting {
    pub keepalive_after_seconds: f64,
    pub keepalive_every_seconds: f64,
    pub hold_seconds: f64,
    pub poll_interval_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawJobs {
    pub concurrency: usize,
    pub lease_seconds: f64,
    pub backoff_base_seconds: f64,
    pub backoff_max_seconds: f64,
    pub poll_interval_seconds: f64,
    pub provider_timeout_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawArtifacts {
    pub url: Option<String>,
    pub endpoint: Option<String>,
    pub region: String,
    pub path_style: bool,
    pub access_key_id: Option<RawSecret>,
    pub secret_access_key: Option<RawSecret>,
    pub serve: RawServe,
    pub redirect_seconds: f64,
    pub retention_days: u32,
    pub sweep_every_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawServe {
    Gateway,
    Redirect,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawCallbacks {
    pub allow_private: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RawSandbox {
    pub public: bool,
    pub rehearsal: bool,
    pub generation_seconds: f64,
}

impl RawConfig {
    /// Every secret that is referred to.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &RawSecret> {
        let storage = [&self.artifacts.access_key_id, &self.artifacts.secret_access_key];
        let providers = self.providers.values().flat_map(RawProvider::secrets);
        self.keys.secrets.iter().chain(self.lightning.secrets()).chain(storage.into_iter().flatten()).chain(providers)
    }
}

impl RawServices {
    /// The routes of `id`, in order.
    pub(super) fn routes(&self, id: ServiceId) -> &[RawRoute] {
        match id {
            ServiceId::Video => &self.video.routes,
            ServiceId::Model3d => &self.model_3d.routes,
        }
    }
}

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSecret(redacted)")
    }
}

impl Serialize for RawSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("redacted")
    }
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_secret_is_shown_neither_by_debug_nor_serialised() {
        let keys = RawKeys { secrets: vec![RawSecret("c0ffee".into())] };
        assert!(!format!("{keys:?}").contains("c0ffee"));
        assert!(!toml::to_string(&keys).unwrap().contains("c0ffee"));
    }
}
