//! `[providers.NAME]` and `[[services.NAME.routes]]` as they are typed. What holds without a key depends on the kind of
//! provider, so nothing has a default here.

use figment::value::Dict;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::RawSecret;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawProvider {
    pub kind: Option<RawProviderKind>,
    pub api_key: Option<RawSecret>,
    pub webhook_secret: Option<RawSecret>,
    pub url: Option<String>,
    pub requests_per_second: Option<f64>,
    pub timeout_seconds: Option<f64>,
    pub poll_interval_seconds: Option<f64>,
    pub result_hosts: Option<Vec<String>>,
    pub gateway_url: Option<String>,
    pub jwks_url: Option<String>,
    pub platform_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawProviderKind {
    Replicate,
    Fal,
    OpenRouter,
    Videos,
    Cog,
    Meshy,
    Tripo,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawRoute {
    pub name: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Held against no shape: it is the model's.
    pub input: Option<Dict>,
    pub result: Option<String>,
    #[serde(default)]
    pub image: RawImage,
    pub deadline_seconds: Option<f64>,
    pub price_factor: Option<f64>,
    pub concurrency: Option<usize>,
    pub ambiguous: Option<RawAmbiguous>,
    #[serde(default)]
    pub cost: RawCost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::config) struct RawImage {
    pub max_bytes: Option<u64>,
    pub min_side: Option<u32>,
    pub max_side: Option<u32>,
    pub max_pixels: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawAmbiguous {
    Again,
    Refund,
}

/// At most one of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::config) struct RawCost {
    pub fixed_sats: Option<u64>,
    pub per_unit_sats: Option<f64>,
}

impl RawProvider {
    pub(in crate::config) fn secrets(&self) -> impl Iterator<Item = &RawSecret> {
        self.api_key.iter().chain(&self.webhook_secret)
    }
}

/// Shows tables that the operator names or counts as a section in which there are no keys yet.
pub(super) fn as_empty_section<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_map(Some(0))?.end()
}
