//! What every handler works with.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use tokio::sync::Semaphore;

use crate::artifacts::ArtifactStore;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::WaitingConfig;
use crate::domain::ServiceId;
use crate::jobs::Jobs;
use crate::lightning::Invoices;
use crate::lightning::sandbox::SandboxLightning;
use crate::paywall::Paywall;
use crate::providers::Providers;
use crate::refunds::Refunds;
use crate::shutdown::Shutdown;
use crate::store::Store;

use super::body::BodyReader;
use super::budget::Budget;
use super::client::TrustedProxies;
use super::misses::Misses;
use super::pages::{ErrorDoc, Site};
use super::problem::Problem;
use super::storefront::Storefront;
use super::tarpit::Tarpit;

/// The parts that a running gateway consists of, as the edge sees them.
pub struct Gateway {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// Challenges and credentials.
    pub paywall: Paywall,
    /// Redemption and waiting.
    pub jobs: Jobs,
    /// Money back.
    pub refunds: Refunds,
    /// Results.
    pub artifacts: ArtifactStore,
    /// For the readiness probe.
    pub store: Store,
    /// For the readiness probe, and for payments that the node must confirm.
    pub invoices: Arc<Invoices>,
    /// For the readiness probe and for what is on sale.
    pub providers: Providers,
    /// The wallet of the sandbox; `None` with real Lightning.
    pub sandbox: Option<Arc<SandboxLightning>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long answers are waited for.
    pub waiting: WaitingConfig,
    /// Challenges per client address and network.
    pub budget: Budget,
    /// What was not found, per client address.
    pub misses: Misses,
    /// What whoever is over a limit gets.
    pub tarpit: Tarpit,
    /// Whether nothing is sold but to this machine.
    pub local_only: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: TrustedProxies,
    /// Bodies.
    pub bodies: BodyReader,
    /// Images decoded at once for callers who have not paid.
    pub decoders: Arc<Semaphore>,
    /// Whether the gateway stops.
    pub shutdown: Shutdown,
    /// What the pages tell about this instance, at the prices that were configured.
    pub site: Site,
    /// The pages and documents.
    pub storefront: Storefront,
}

impl Gateway {
    /// The URL that callers see, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.site.public_url
    }

    /// Whether somebody can do the work of `service` at the moment; [`Gateway::offer`] says whether it is for sale.
    #[must_use]
    pub fn sells(&self, service: ServiceId) -> bool {
        self.providers.sells(service)
    }

    /// An error's response.
    #[must_use]
    pub fn refuse(&self, problem: &Problem) -> Response<Body> {
        problem.response(self.public_url())
    }

    /// The error table as the pages show it.
    #[must_use]
    pub fn error_docs() -> Vec<ErrorDoc> {
        super::error::TABLE
            .iter()
            .map(|entry| ErrorDoc {
                code: entry.name.to_owned(),
                status: entry.status.as_u16(),
                title: entry.title.to_owned(),
                meaning: entry.meaning.to_owned(),
                suggestion: entry.suggestion.to_owned(),
            })
            .collect()
    }
}
