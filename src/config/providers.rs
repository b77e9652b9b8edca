//! `[providers.*]` as it is meant. Secrets are shown by no `Debug` output.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Config;
use crate::domain::{InputTemplate, Msat, ServiceId};

/// An account with a provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Its name: the part after `providers.`.
    pub name: String,
    /// Which provider, and what is particular to it.
    pub kind: ProviderKind,
    /// Where its API is.
    pub url: Url,
    /// Requests in a second at the most.
    pub requests_per_second: f64,
    /// The time that it has for one answer.
    pub timeout: Duration,
    /// The pause between two looks at a generation.
    pub poll_interval: Duration,
    /// Hosts that results are fetched from, as `host`, `host:port` or `*.domain`.
    pub result_hosts: Vec<String>,
    /// Whether it runs on this machine or in its private network: results may come from there, and plain `http` will do.
    pub near: bool,
    /// Where the provider reaches this gateway; `None`: at the public URL.
    pub gateway_url: Option<String>,
}

/// The providers that there are.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// Replicate.
    Replicate {
        /// The API token.
        api_key: SecretString,
        /// The secret that webhooks are signed with, `whsec_…`; `None`: they are not asked for.
        webhook_secret: Option<SecretString>,
    },
    /// fal's queue.
    Fal {
        /// `id:secret`.
        api_key: SecretString,
        /// Where the keys stand that webhooks are signed with.
        jwks_url: Url,
        /// The API that tells of models and requests.
        platform_url: Url,
    },
    /// `OpenRouter`'s flavour of `/v1/videos`: JSON.
    OpenRouter {
        /// The API key.
        api_key: SecretString,
        /// The secret that webhooks are signed with; `None`: they are not asked for.
        webhook_secret: Option<SecretString>,
    },
    /// The flavour of `vLLM-Omni` and `LiteLLM`: multipart.
    Videos {
        /// The API key; servers of one's own may need none.
        api_key: Option<SecretString>,
    },
    /// cog, self-hosted.
    Cog {
        /// What cog sends with its webhooks: its `WEBHOOK_AUTH_TOKEN`.
        webhook_secret: SecretString,
    },
    /// Meshy.
    Meshy {
        /// The API key.
        api_key: SecretString,
    },
    /// Tripo.
    Tripo {
        /// The API key.
        api_key: SecretString,
    },
}

impl ProviderConfig {
    /// Whether what it does costs the operator money.
    #[must_use]
    pub const fn bills(&self) -> bool {
        match self.kind {
            ProviderKind::Cog { .. } => false,
            ProviderKind::Videos { .. } => !self.near,
            _ => true,
        }
    }
}

impl ProviderKind {
    /// The name in `kind`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Replicate { .. } => "replicate",
            Self::Fal { .. } => "fal",
            Self::OpenRouter { .. } => "openrouter",
            Self::Videos { .. } => "videos",
            Self::Cog { .. } => "cog",
            Self::Meshy { .. } => "meshy",
            Self::Tripo { .. } => "tripo",
        }
    }

    /// Whether it can do the work of `service`.
    #[must_use]
    pub const fn does(&self, service: ServiceId) -> bool {
        match self {
            Self::Replicate { .. } | Self::Fal { .. } | Self::Cog { .. } => true,
            Self::OpenRouter { .. } | Self::Videos { .. } => matches!(service, ServiceId::Video),
            Self::Meshy { .. } | Self::Tripo { .. } => matches!(service, ServiceId::Model3d),
        }
    }
}

impl Config {
    /// The account of that name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&ProviderConfig> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The routes of `service`, in the order in which they are tried.
    pub fn routes_of(&self, service: ServiceId) -> impl Iterator<Item = &RouteConfig> {
        self.routes.iter().filter(move |route| route.service == service)
    }

    /// Whether the simulated provider does the work of `service`.
    #[must_use]
    pub fn simulated(&self, service: ServiceId) -> bool {
        self.routes_of(service).next().is_none() && !self.unsold.contains(&service)
    }
}

/// One way to do a service's work.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// Its name in the database, logs and metrics; unique within its service.
    pub name: String,
    /// The service.
    pub service: ServiceId,
    /// The account's name.
    pub provider: String,
    /// The model, in the provider's own words; may be empty.
    pub model: String,
    /// How our parameters are said to the model.
    pub input: InputTemplate,
    /// Where the result's URL stands in the model's output, as a JSON pointer; empty: it is the output.
    pub result: String,
    /// Images that the model takes.
    pub image: ImageBounds,
    /// How long one generation may take; `None`: as long as the service's deadline allows.
    pub deadline: Option<Duration>,
    /// What the service's price is multiplied by while this is the route that sells.
    pub price_factor: f64,
    /// Generations at once.
    pub concurrency: usize,
    /// What happens when nobody can say whether a create has arrived.
    pub ambiguous: Ambiguous,
    /// What a generation costs the operator.
    pub cost: CostRule,
}

/// Images that a model takes; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageBounds {
    /// Bytes of the file.
    pub max_bytes: Option<u64>,
    /// Pixels of the shorter side.
    pub min_side: Option<u32>,
    /// Pixels of the longer side.
    pub max_side: Option<u32>,
    /// Width times height.
    pub max_pixels: Option<u64>,
}

impl ImageBounds {
    /// Whether a model with these bounds takes the image file. One whose size cannot be read is taken: it was decoded
    /// before it was paid for.
    #[must_use]
    pub fn admits(&self, image: &[u8]) -> bool {
        let size = image::ImageReader::new(std::io::Cursor::new(image)).with_guessed_format();
        let size = size.ok().and_then(|reader| reader.into_dimensions().ok());
        let bytes = u64::try_from(image.len()).unwrap_or(u64::MAX);
        self.max_bytes.is_none_or(|max| bytes <= max)
            && size.is_none_or(|(width, height)| self.admits_size(width, height))
    }

    /// Whether a model with these bounds takes an image of this size in pixels.
    #[must_use]
    pub fn admits_size(&self, width: u32, height: u32) -> bool {
        self.min_side.is_none_or(|min| width.min(height) >= min)
            && self.max_side.is_none_or(|max| width.max(height) <= max)
            && self.max_pixels.is_none_or(|max| u64::from(width) * u64::from(height) <= max)
    }
}

/// What happens when nobody can say whether a create has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ambiguous {
    /// It is sent once more, at the operator's cost.
    #[default]
    Again,
    /// The job fails and is owed back.
    Refund,
}

/// What a generation costs the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CostRule {
    /// Nobody knows.
    #[default]
    Unknown,
    /// The same every time, whatever the provider reports.
    Fixed(Msat),
    /// So many sats for each unit that the provider reports.
    PerUnit(f64),
}
