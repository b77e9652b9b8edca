//! Which way a job goes: the routes of each service, in the order in which they are tried.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::circuit::{Circuit, Open, Pauses};
use crate::config::{Ambiguous, CostRule, ImageBounds, RouteConfig};
use crate::domain::{InputTemplate, JobSpec, ServiceId};

use super::seats::Seats;
use super::{Provider, ProviderError};

/// Creates in a row that came to nothing before a route is rested.
const THRESHOLD: u32 = 3;
/// A probe costs nothing, and a vendor's outage lasts minutes; an empty account may stay empty for days.
const PAUSES: Pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_mins(15) };

/// Results in a row that are none before a route is closed.
const SPOILED: usize = 3;

/// One way to do a service's work.
pub struct Route {
    settings: RouteConfig,
    provider: Arc<dyn Provider>,
    account: Account,
    circuit: Circuit,
    seats: Seats,
    /// Results in a row that were none.
    spoiled: AtomicUsize,
    /// Why the route is closed by the operator's own account; `None`: it is not.
    fault: Mutex<Option<String>>,
}

/// Whether a route can be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Open,
    /// Not for now: the provider does not take creates.
    Resting(Open),
    /// Not until the operator has mended their account or their configuration.
    Faulty(String),
}

/// What the routes of one account have in common.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The pause between two looks at a generation; `None`: the engine's own.
    pub poll_interval: Option<Duration>,
    /// Where the provider reaches this gateway; `None`: at the public URL.
    pub gateway_url: Option<String>,
    /// The time that one call may take with all that belongs to it; `None`: the engine's own.
    pub time_limit: Option<Duration>,
    /// Whether the provider is out in the internet, where it reaches no `http` URL of this machine.
    pub is_far: bool,
}

/// The routes of all services; cloning it is cheap.
#[derive(Clone)]
pub struct Providers {
    routes: Arc<[Arc<Route>]>,
}

impl Route {
    /// The way that `settings` describe.
    #[must_use]
    pub fn new(settings: RouteConfig, provider: Arc<dyn Provider>, account: Account) -> Self {
        Self {
            seats: Seats::new(settings.concurrency),
            settings,
            provider,
            account,
            circuit: Circuit::new(THRESHOLD, PAUSES),
            spoiled: AtomicUsize::new(0),
            fault: Mutex::new(None),
        }
    }

    /// A route of the provider's own name, without a model or bounds.
    #[must_use]
    pub fn plain(service: ServiceId, provider: Arc<dyn Provider>) -> Self {
        let settings = RouteConfig {
            name: provider.name().to_owned(),
            service,
            provider: provider.name().to_owned(),
            model: String::new(),
            input: InputTemplate::default(),
            result: String::new(),
            image: ImageBounds::default(),
            deadline: None,
            price_factor: 1.0,
            concurrency: usize::MAX,
            ambiguous: Ambiguous::default(),
            cost: CostRule::default(),
        };
        Self::new(settings, provider, Account::default())
    }

    /// The name in the database, logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What the operator has decided about it.
    #[must_use]
    pub const fn settings(&self) -> &RouteConfig {
        &self.settings
    }

    /// The pause between two looks at a generation; `None`: the engine's own.
    #[must_use]
    pub const fn poll_interval(&self) -> Option<Duration> {
        self.account.poll_interval
    }

    /// The time that one call may take; `None`: the engine's own.
    #[must_use]
    pub const fn time_limit(&self) -> Option<Duration> {
        self.account.time_limit
    }

    /// Whether the provider can reach a gateway at `base`, as far as that shows.
    #[must_use]
    pub fn reaches(&self, base: &str) -> bool {
        !self.account.is_far || base.starts_with("https://")
    }

    /// Where the provider reaches this gateway; `None`: at the public URL.
    #[must_use]
    pub fn gateway_url(&self) -> Option<&str> {
        self.account.gateway_url.as_deref()
    }

    /// Whether the model takes what is asked for.
    #[must_use]
    pub fn takes(&self, spec: &JobSpec) -> bool {
        match spec {
            JobSpec::Video(_) => true,
            JobSpec::Model3d(model) => self.settings.image.admits(&model.image),
        }
    }

    /// The places for generations.
    #[must_use]
    pub const fn seats(&self) -> &Seats {
        &self.seats
    }

    /// A result arrived whole.
    pub fn delivered(&self) {
        self.spoiled.store(0, Ordering::Release);
    }

    /// A generation ended with something that is no result. Once may be the model's whim; again and again, the route is
    /// configured wrongly, and nobody else shall pay for that.
    pub fn spoiled(&self, reason: &str) {
        if self.spoiled.fetch_add(1, Ordering::AcqRel).saturating_add(1) >= SPOILED {
            self.refused(reason);
        }
    }

    /// Who works.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// Whether this route can be sold.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.circuit.admit(Instant::now()) {
            Ok(()) => Health::Open,
            Err(open) => self.fault().clone().map_or(Health::Resting(open), Health::Faulty),
        }
    }

    /// A create was taken: whatever was wrong is mended.
    pub fn took(&self) {
        if self.fault().take().is_some() {
            self.circuit.probed(Instant::now(), Ok(()));
        }
        self.circuit.succeeded();
    }

    /// A create came to nothing, and not for what it asked for. How generations end does not count: callers have a hand
    /// in that, and could close the shop.
    pub fn stumbled(&self, reason: &str) {
        self.circuit.failed(Instant::now(), reason, None);
    }

    /// The provider refuses the operator's account: nothing is sold until a probe succeeds.
    pub fn refused(&self, reason: &str) {
        *self.fault() = Some(reason.to_owned());
        self.circuit.failed(Instant::now(), reason, Some(Duration::ZERO));
    }

    /// Looks after the route: probes it while it is closed. Ends with `stopped`.
    pub async fn watch(&self, timeout: Duration, stopped: impl Future<Output = ()>) {
        self.tell(0.0);
        tokio::select! {
            () = stopped => {}
            () = self.probe_while_closed(timeout) => {}
        }
    }

    async fn probe_while_closed(&self, timeout: Duration) {
        loop {
            self.circuit.opened().await;
            self.tell(1.0);
            if let Health::Resting(Open { reason, .. }) | Health::Faulty(reason) = self.health() {
                tracing::error!(
                    route = self.name(),
                    reason,
                    "the route is closed; it is not sold until a probe succeeds"
                );
            }
            while let Some(at) = self.circuit.next_probe() {
                tokio::time::sleep_until(at).await;
                self.probe(timeout).await;
            }
            self.tell(0.0);
            tracing::info!(route = self.name(), "the route is open again");
        }
    }

    async fn probe(&self, timeout: Duration) {
        let answer = tokio::time::timeout(timeout, self.provider.probe(&self.settings.model)).await;
        let outcome = match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(ProviderError::OperatorFault(reason))) => {
                *self.fault() = Some(reason.clone());
                Err(reason)
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within the timeout".to_owned()),
        };
        if outcome.is_ok() {
            *self.fault() = None;
        }
        self.circuit.probed(Instant::now(), outcome.as_ref().copied().map_err(String::as_str));
    }

    fn tell(&self, closed: f64) {
        metrics::gauge!("satforge_route_circuit_open", "route" => self.name().to_owned(), "service" => self.settings.service.name())
            .set(closed);
    }

    fn fault(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Providers {
    /// One provider for each service.
    #[must_use]
    pub fn new(providers: Vec<(ServiceId, Arc<dyn Provider>)>) -> Self {
        Self::of(providers.into_iter().map(|(service, provider)| Route::plain(service, provider)).collect())
    }

    /// Several routes a service, in the order in which they are tried.
    #[must_use]
    pub fn of(routes: Vec<Route>) -> Self {
        Self { routes: routes.into_iter().map(Arc::new).collect() }
    }

    /// Every route.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter()
    }

    /// The routes of `service`, in the order in which they are tried.
    pub fn for_service(&self, service: ServiceId) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter().filter(move |route| route.settings.service == service)
    }

    /// The route of that name that works for `service`.
    #[must_use]
    pub fn by_name(&self, service: ServiceId, name: &str) -> Option<&Arc<Route>> {
        self.for_service(service).find(|route| route.name() == name)
    }

    /// Whether `service` may be sold: one of its routes is open.
    #[must_use]
    pub fn sells(&self, service: ServiceId) -> bool {
        self.for_service(service).any(|route| route.health() == Health::Open)
    }
}
