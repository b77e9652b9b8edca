//! Which way a job goes: the routes of each service, in the order in which they are tried.

mod probing;
mod waiting;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::circuit::{Circuit, Open, Pauses};
use crate::config::{Ambiguous, CostRule, ImageBounds, RouteConfig};
use crate::domain::{InputTemplate, JobSpec, ServiceId};

use super::Provider;
use super::seats::Seats;
use waiting::NotBefore;

/// Creates in a row that came to nothing before a route is rested.
const THRESHOLD: u32 = 3;
/// A probe costs nothing, and a vendor's outage lasts minutes; an empty account may stay empty for days.
const PAUSES: Pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_mins(15) };

/// Results in a row that are none before a route is closed.
const SPOILED: u32 = 3;
/// When a route whose results were none is tried again, at a buyer's patience: twice as long each time.
const TRIAL_AFTER: Duration = Duration::from_mins(5);
const LONGEST_TRIAL_AFTER: Duration = Duration::from_hours(6);
/// Creates in a row that found no room, or were kept waiting, before a route is rested.
const NO_ROOM: u32 = 10;

/// One way to do a service's work.
pub struct Route {
    settings: RouteConfig,
    provider: Arc<dyn Provider>,
    account: Account,
    circuit: Circuit,
    seats: Seats,
    /// Results in a row that were none.
    spoiled: AtomicU32,
    is_plain: bool,
    /// Creates in a row that found no room.
    no_room: AtomicU32,
    /// Why the route is closed by the operator's own account; `None`: it is not.
    fault: Mutex<Option<String>>,
    not_before: NotBefore,
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
    /// Whether a look that goes wrong closes the route: the server is the operator's own, and the look says how it is.
    pub is_own: bool,
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
            spoiled: AtomicU32::new(0),
            is_plain: false,
            no_room: AtomicU32::new(0),
            fault: Mutex::new(None),
            not_before: NotBefore::default(),
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
        Self { is_plain: true, ..Self::new(settings, provider, Account::default()) }
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
        // What was under way when it was closed says nothing new.
        if self.circuit.next_probe().is_some() {
            return;
        }
        let spoiled = self.spoiled.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        self.rest_after(spoiled, reason);
    }

    /// A create was taken, and then the operator's account or configuration refused: no free call shows that.
    pub fn misled(&self, reason: &str) {
        if self.circuit.next_probe().is_some() {
            return;
        }
        let worse = |spoiled: u32| Some(spoiled.saturating_add(1).max(SPOILED));
        let before = self.spoiled.fetch_update(Ordering::AcqRel, Ordering::Acquire, worse);
        self.rest_after(before.unwrap_or(SPOILED).saturating_add(1).max(SPOILED), reason);
    }

    /// Neither a probe nor a create that is taken shows such a fault, so only time opens the route again, for a trial.
    fn rest_after(&self, spoiled: u32, reason: &str) {
        // Nothing about a route that nobody has configured can be configured wrongly.
        if self.is_plain {
            return;
        }
        let Some(again) = spoiled.checked_sub(SPOILED) else { return };
        let pause = TRIAL_AFTER.saturating_mul(2_u32.saturating_pow(again)).min(LONGEST_TRIAL_AFTER);
        self.circuit.rest(Instant::now(), reason, pause);
    }

    /// The provider had no room, or wants to be left alone. Again and again, without a create in between, it is not to be sold for now.
    pub fn had_no_room(&self, retry_after: Option<Duration>) {
        if self.no_room.fetch_add(1, Ordering::AcqRel).saturating_add(1) >= NO_ROOM {
            self.circuit.failed(Instant::now(), "the provider has no room", Some(retry_after.unwrap_or_default()));
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
        self.no_room.store(0, Ordering::Release);
        self.circuit.succeeded();
    }

    /// A create came to nothing, and not for what it asked for. How generations end does not count: callers have a hand
    /// in that, and could close the shop.
    pub fn stumbled(&self, reason: &str) {
        self.circuit.failed(Instant::now(), reason, None);
    }

    /// The provider refuses the operator's account: nothing is sold until a probe succeeds.
    pub fn refused(&self, reason: &str) {
        let mut fault = self.fault();
        // A route that rests for another reason stays closed as long as that wants: a fault would be over with the next
        // create that is taken.
        if fault.is_none() && self.circuit.next_probe().is_some() {
            return;
        }
        *fault = Some(reason.to_owned());
        drop(fault);
        self.circuit.failed(Instant::now(), reason, Some(Duration::ZERO));
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
