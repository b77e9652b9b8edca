//! What holds for each kind of provider unless something else is typed, as its documentation has it.

use crate::config::raw::RawProviderKind;

/// Where fal publishes the keys that it signs webhooks with.
pub(super) const FAL_JWKS: &str = "https://rest.alpha.fal.ai/.well-known/jwks.json";
/// fal's API about models and requests.
pub(super) const FAL_PLATFORM: &str = "https://api.fal.ai/v1";

/// What holds for a kind of provider.
pub(super) struct Usual {
    /// Where its API is; `None`: wherever the operator runs it.
    pub url: Option<&'static str>,
    /// Requests in a second at the most.
    pub requests_per_second: f64,
    /// Seconds between two looks at a generation.
    pub poll_interval_seconds: f64,
    /// Those of the keys that not all kinds have which it has.
    pub keys: &'static [&'static str],
}

impl Usual {
    pub(super) const fn of(kind: RawProviderKind) -> Self {
        match kind {
            RawProviderKind::Replicate => Self {
                url: Some("https://api.replicate.com/v1"),
                requests_per_second: 20.0,
                poll_interval_seconds: 3.0,
                keys: &["api_key", "webhook_secret", "gateway_url"],
            },
            RawProviderKind::Fal => Self {
                url: Some("https://queue.fal.run"),
                requests_per_second: 10.0,
                poll_interval_seconds: 2.0,
                keys: &["api_key", "gateway_url", "jwks_url", "platform_url"],
            },
            RawProviderKind::OpenRouter => Self {
                url: Some("https://openrouter.ai/api/v1"),
                requests_per_second: 5.0,
                poll_interval_seconds: 15.0,
                keys: &["api_key", "webhook_secret", "gateway_url"],
            },
            RawProviderKind::Videos => {
                Self { url: None, requests_per_second: 20.0, poll_interval_seconds: 2.0, keys: &["api_key"] }
            }
            RawProviderKind::Cog => Self {
                url: None,
                requests_per_second: 50.0,
                poll_interval_seconds: 1.0,
                keys: &["webhook_secret", "gateway_url"],
            },
            RawProviderKind::Meshy => Self {
                url: Some("https://api.meshy.ai"),
                requests_per_second: 10.0,
                poll_interval_seconds: 5.0,
                keys: &["api_key", "gateway_url"],
            },
            RawProviderKind::Tripo => Self {
                url: Some("https://openapi.tripo3d.ai"),
                requests_per_second: 10.0,
                poll_interval_seconds: 3.0,
                keys: &["api_key"],
            },
        }
    }
}
