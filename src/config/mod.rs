//! What the operator decided: the configuration as it is meant, after everything that was typed has been checked.
//!
//! `raw` is what can be typed, `defaults` what holds otherwise, `load` merges file, environment and command line and
//! holds them against the keys that there are (`shape`; `tables` for the sections that operators name), `meaning` turns
//! what was typed into the [`Config`] below and refuses what cannot be, each refusal under the path of its key. `secret`
//! and `dev_key` read keys and never repeat them. Parts of satforge are handed their own section and nothing else.

mod defaults;
mod dev_key;
mod environment;
mod error;
pub mod keys;
mod lightning;
mod load;
mod meaning;
mod mismatch;
mod providers;
mod raw;
mod refunds;
mod secret;
mod shape;
mod storage;
mod tables;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{Msat, ServiceId};
pub use dev_key::create as create_key_file;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors};
pub use keys::{GatewayKey, KeyRing};
pub use lightning::*;
pub use load::DevOptions;
pub(crate) use meaning::is_near;
pub use providers::*;
pub use refunds::{RefundMode, RefundsConfig};
pub use secret::SecretRef;
pub use storage::{S3Config, StorageConfig};

/// Everything that a running gateway was told.
#[derive(Debug)]
pub struct Config {
    /// Where callers connect.
    pub server: ServerConfig,
    /// Where Prometheus reads; `None` switches the listener off.
    pub metrics_listen: Option<SocketAddr>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// How log lines look.
    pub log: LogConfig,
    /// The gateway's secrets.
    pub keys: KeyRing,
    /// Where each of them is kept.
    pub key_places: Vec<SecretRef>,
    /// Who makes invoices.
    pub lightning: LightningConfig,
    /// How long invoices and payments are good.
    pub paywall: PaywallConfig,
    /// Whether nothing is sold but to this machine: payments are worth nothing, or work is simulated.
    pub local_only: bool,
    /// How money is given back.
    pub refunds: RefundsConfig,
    /// What is sold, in the order of [`ServiceId::ALL`].
    pub services: Vec<ServiceConfig>,
    /// Budgets against abuse.
    pub limits: LimitsConfig,
    /// How long answers are waited for.
    pub waiting: WaitingConfig,
    /// The job engine.
    pub jobs: JobsConfig,
    /// Where results are kept, and for how long.
    pub artifacts: ArtifactsConfig,
    /// What callers are told of at URLs of their own.
    pub callbacks: CallbacksConfig,
    /// The simulated providers.
    pub sandbox: SandboxConfig,
    /// The accounts with providers, by name.
    pub providers: Vec<ProviderConfig>,
    /// The ways to do each service's work, in the order in which they are tried. The providers that they name exist.
    pub routes: Vec<RouteConfig>,
    /// Services that are not sold, because nobody would do their work but the simulated providers.
    pub unsold: Vec<ServiceId>,
}

/// The listener for callers.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The URL that callers see, without a slash at its end; `None`: the address that was listened on.
    pub public_url: Option<String>,
    /// Certificate and key, if the gateway speaks TLS itself.
    pub tls: Option<TlsConfig>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections that are served at once; more wait to be accepted.
    pub max_connections: usize,
    /// Those of one client address; `None`: no limit. Trusted proxies have none.
    pub max_connections_per_address: Option<usize>,
    /// Those of one client network; `None`: no limit.
    pub max_connections_per_network: Option<usize>,
    /// The time a client has to send a request's head.
    pub header_timeout: Duration,
    /// The longest pause within a body.
    pub body_idle_timeout: Duration,
    /// The time a client has to send a whole body.
    pub body_timeout: Duration,
    /// How long a client may take nothing of what there is to send.
    pub write_timeout: Duration,
    /// The time that running requests get when the gateway stops.
    pub shutdown_grace: Duration,
}

/// Files for the TLS listener.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub private_key: PathBuf,
}

/// How log lines look.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// Which lines, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event.
    Pretty,
    /// One JSON object an event.
    Json,
}

/// How long payments are good.
#[derive(Clone, Debug)]
pub struct PaywallConfig {
    /// How long after its invoice's expiry a payment still buys a job.
    pub redeem_window: Duration,
}

/// A service on sale.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Which one.
    pub id: ServiceId,
    /// What it costs.
    pub price: PriceRule,
    /// The largest body in bytes.
    pub body_limit: usize,
    /// How long a job may take from redemption to result.
    pub deadline: Duration,
    /// The largest result in bytes.
    pub result_limit: u64,
    /// Whether callbacks may go over `http` and to private addresses.
    pub private_callbacks: bool,
    /// What is particular to the service.
    pub kind: ServiceKind,
}

/// What is particular to a service.
#[derive(Clone, Debug)]
pub enum ServiceKind {
    /// Text to video.
    Video {
        /// Accepted values of `model`.
        models: Vec<String>,
        /// The longest prompt in Unicode scalars, after trimming.
        max_prompt_chars: usize,
    },
    /// Image to 3D model.
    Model3d {
        /// The largest width and height in pixels.
        max_side: u32,
        /// The most pixels.
        max_pixels: u64,
        /// The most bytes that decoding may allocate.
        max_alloc: u64,
        /// What the routes take: an image that none of them takes is not sold. Empty: every image within the limits is.
        routes: Vec<ImageBounds>,
    },
}

/// What a service costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceRule {
    /// The same for every request.
    Fixed(Msat),
    /// For each second of the result.
    PerSecond(Msat),
}

/// Budgets against abuse.
#[derive(Clone, Debug)]
pub struct LimitsConfig {
    /// Challenges that one client address may ask for; `None`: no limit.
    pub challenges: Option<RateLimit>,
    /// Challenges that one client network may ask for; `None`: no limit.
    pub network_challenges: Option<RateLimit>,
    /// Invoices that may be unpaid at once; `None`: no limit.
    pub open_invoices: Option<usize>,
    /// Jobs and results that do not exist which one client address may ask for; `None`: no limit.
    pub misses: Option<RateLimit>,
    /// Images decoded at once for callers who have not paid.
    pub decoders: usize,
    /// Bytes of request bodies over 64 KiB held at once for callers who have not paid.
    pub body_memory: usize,
}

/// So many of something, for one client address or network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many come back in a minute.
    pub per_minute: u32,
    /// How many may come at once.
    pub burst: u32,
}

/// How long answers are waited for.
#[derive(Clone, Debug)]
pub struct WaitingConfig {
    /// Silence before the keep-alive begins; `None`: no keep-alive.
    pub keepalive_after: Option<Duration>,
    /// The pause between two spaces.
    pub keepalive_every: Duration,
    /// The longest wait of one request.
    pub hold: Duration,
    /// What pollers are told to wait between two looks.
    pub poll_interval: Duration,
}

/// The job engine.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// Jobs that are worked on at once.
    pub concurrency: usize,
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// The first pause after a transient failure; it doubles.
    pub backoff_base: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// The pause between two looks at a provider's job.
    pub poll_interval: Duration,
    /// The time that a provider has for one answer.
    pub provider_timeout: Duration,
}

/// Where results are kept, and for how long.
#[derive(Clone, Debug)]
pub struct ArtifactsConfig {
    /// Where.
    pub storage: StorageConfig,
    /// From the end of the job to deletion.
    pub retention: Duration,
    /// The pause between two sweeps.
    pub sweep_every: Duration,
}

/// What callers are told of at URLs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbacksConfig {
    /// Whether callbacks may go over `http` and to private addresses.
    pub allow_private: bool,
}

/// The simulated providers.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Whether sandbox payments may be reachable from other machines.
    pub public: bool,
    /// Whether simulated work may be sold, on this machine alone, for invoices that may be worth something.
    pub rehearsal: bool,
    /// How long a simulated generation takes at least.
    pub generation_time: Duration,
}

impl Config {
    /// The settings of `id`.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&ServiceConfig> {
        self.services.iter().find(|service| service.id == id)
    }
}
