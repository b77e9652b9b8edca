//! Model providers: who does the work.
//!
//! One trait, one adapter a file; the sandbox is one of them. An adapter classifies what happened ([`ProviderError`]);
//! what follows from it (retry, look up, give up) is the job engine's decision alone.

pub mod sandbox;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::artifacts::ByteStream;
use crate::domain::{JobSpec, ServiceId};

/// An upstream that generates results.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The name in the database, logs and metrics.
    fn name(&self) -> &'static str;

    /// Starts a generation and returns the provider's id for it.
    ///
    /// `key` is the idempotency key: a provider that takes one answers a repetition with the id of the first.
    async fn submit(&self, key: &str, spec: &JobSpec) -> Result<String, ProviderError>;

    /// Looks for what an earlier `submit` with `key` may have started.
    async fn find(&self, key: &str) -> Result<Found, ProviderError>;

    /// How far a generation is.
    async fn poll(&self, upstream_id: &str) -> Result<Poll, ProviderError>;

    /// The finished file.
    async fn fetch(&self, upstream_id: &str) -> Result<ByteStream, ProviderError>;

    /// Stops a generation whose result nobody waits for, or lets the provider forget one that was fetched.
    async fn discard(&self, upstream_id: &str) -> Result<(), ProviderError>;
}

/// What a look-up by idempotency key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The submit had arrived.
    Started(String),
    /// It had surely not.
    Nothing,
}

/// The state of a generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// Under way; `progress` from 0 to 1 where the provider tells it.
    Pending {
        /// How far.
        progress: Option<f32>,
    },
    /// The file can be fetched.
    Ready,
    /// It ended without a result.
    Failed(Ending),
}

/// How a generation ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another attempt may succeed.
    Transient,
    /// The model cannot do this.
    Failed,
    /// The provider's rules refuse the content.
    Rejected,
}

/// What went wrong with a call to a provider. The texts are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Surely nothing was started.
    #[error("not started: {message}")]
    NotStarted {
        /// What happened.
        message: String,
        /// What the provider asked to wait.
        retry_after: Option<Duration>,
    },
    /// Perhaps something was started.
    #[error("ambiguous: {0}")]
    Ambiguous(String),
    /// A call that can be repeated failed.
    #[error("transient: {0}")]
    Transient(String),
    /// The provider does not know the id.
    #[error("the provider does not know this generation")]
    Unknown,
    /// The request was refused for good.
    #[error("refused")]
    Refused(Ending),
    /// The provider refuses the operator's account.
    #[error("the operator's account: {0}")]
    OperatorFault(String),
}

/// Chooses the provider of a service; cloning it is cheap.
#[derive(Clone)]
pub struct Providers {
    routes: Arc<[Route]>,
}

/// Who works for a service, and whether that is being sold.
struct Route {
    service: ServiceId,
    provider: Arc<dyn Provider>,
    /// Unix milliseconds until which nothing is sold.
    closed_until: AtomicI64,
}

impl Providers {
    /// One provider for each service.
    #[must_use]
    pub fn new(routes: Vec<(ServiceId, Arc<dyn Provider>)>) -> Self {
        let route = |(service, provider)| Route { service, provider, closed_until: AtomicI64::new(0) };
        Self { routes: routes.into_iter().map(route).collect() }
    }

    /// Who works for `service`; `None`: nobody.
    #[must_use]
    pub fn for_service(&self, service: ServiceId) -> Option<&Arc<dyn Provider>> {
        self.route(service).map(|route| &route.provider)
    }

    /// The provider of that name that works for `service`.
    #[must_use]
    pub fn by_name(&self, service: ServiceId, name: &str) -> Option<&Arc<dyn Provider>> {
        self.for_service(service).filter(|provider| provider.name() == name)
    }

    /// Whether `service` may be sold at `now`, in Unix milliseconds.
    #[must_use]
    pub fn sells(&self, service: ServiceId, now: i64) -> bool {
        self.route(service).is_some_and(|route| now >= route.closed_until.load(Ordering::Relaxed))
    }

    /// Stops the sale of `service` until `until`, in Unix milliseconds: its provider refuses the operator's account.
    /// What is paid by then is still tried.
    pub fn close(&self, service: ServiceId, until: i64) {
        if let Some(route) = self.route(service) {
            route.closed_until.store(until, Ordering::Relaxed);
        }
    }

    fn route(&self, service: ServiceId) -> Option<&Route> {
        self.routes.iter().find(|route| route.service == service)
    }
}
