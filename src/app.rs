//! The composition root: from a [`Config`] to a running gateway. The only file that names concrete backends.

mod check;
mod lightning;
mod models;
mod preconditions;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Semaphore;

use crate::artifacts::ArtifactStore;
use crate::callbacks::{self, Callbacks};
use crate::catalog::Catalog;
use crate::clock::{Clock, signed_millis};
use crate::config::{CallbacksConfig, Config, RouteConfig};
use crate::domain::ServiceId;
use crate::http::body::BodyReader;
use crate::http::budget::Budget;
use crate::http::client::TrustedProxies;
use crate::http::gateway::Gateway;
use crate::http::misses::Misses;
use crate::http::server::{self, Server};
use crate::http::site::{self, Simulated};
use crate::http::storefront::Storefront;
use crate::http::tarpit::Tarpit;
use crate::http::{answer, metrics_page, routes};
use crate::jobs::{self, Jobs, Links};
use crate::lightning::sandbox::SandboxLightning;
use crate::lightning::{Guarded, Invoices, LightningBackend};
use crate::paywall::Paywall;
use crate::providers::Providers;
use crate::refunds::{self, Refunds};
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::telemetry;

pub use check::{check, check_live};
pub use preconditions::Refused;
use preconditions::{lock_data_dir, refuse_dropped_keys, tls_acceptor};

/// The pause between two rounds of housekeeping in memory.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// The pause between two looks at a database that could not be written to.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// The metrics listener serves an operator's scraper and nobody else.
const METRICS_CONNECTIONS: usize = 16;

/// A running gateway.
pub struct App {
    /// Where callers connect.
    pub address: SocketAddr,
    /// The URL that callers see.
    pub public_url: String,
    /// Where Prometheus reads.
    pub metrics_address: Option<SocketAddr>,
    /// The job engine.
    pub jobs: Jobs,
    /// The edge.
    pub gateway: Arc<Gateway>,
    store: Store,
    shutdown: Shutdown,
    grace: Duration,
    // Held until the end: one process owns a data directory.
    _lock: File,
}

/// The adapters that the configuration chose.
pub struct Backends {
    /// Who makes invoices.
    pub lightning: Arc<dyn LightningBackend>,
    /// The sandbox's wallet, where payments are simulated.
    pub sandbox: Option<Arc<SandboxLightning>>,
    /// Who does the work.
    pub providers: Providers,
    /// Services whose work is simulated.
    pub simulated_models: Vec<ServiceId>,
}

impl Backends {
    /// Builds what `config` names.
    pub fn choose(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let (lightning, sandbox) = lightning::choose(config, clock)?;
        Ok(Self {
            lightning,
            sandbox,
            providers: models::choose(config, clock)?,
            simulated_models: ServiceId::ALL.into_iter().filter(|service| config.simulated(*service)).collect(),
        })
    }
}

impl App {
    /// Starts a gateway with the backends that `config` names.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let lock = lock_data_dir(&config.data_dir)?;
        let backends = Backends::choose(&config, &clock)?;
        Self::start_locked(config, clock, backends, lock).await
    }

    /// Starts a gateway with other backends.
    pub async fn start_with(config: Config, clock: Arc<dyn Clock>, backends: Backends) -> anyhow::Result<Self> {
        let lock = lock_data_dir(&config.data_dir)?;
        Self::start_locked(config, clock, backends, lock).await
    }

    async fn start_locked(
        config: Config,
        clock: Arc<dyn Clock>,
        backends: Backends,
        lock: File,
    ) -> anyhow::Result<Self> {
        let tls = config.server.tls.as_ref().map(tls_acceptor).transpose()?;
        let store = Store::open(&config.data_dir).await.context("cannot open the database")?;
        refuse_dropped_keys(&config, &store, &*clock).await?;
        let now = signed_millis(clock.unix_millis());
        store.note_minting_key(config.keys.newest().fingerprint(), now).await?;

        let listener = server::bind(config.server.listen).await?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let public_url =
            config.server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", reachable(address)));
        let limits = config.server.clone();
        let (grace, metrics_listen) = (config.server.shutdown_grace, config.metrics_listen);

        let allowed = config.callbacks;
        let lookups = config.lightning.settlement_lookups_per_second;
        let shutdown = Shutdown::default();
        let gateway = build(config, clock.clone(), backends, &store, &public_url, &shutdown)?;
        let metrics_address = match metrics_listen {
            Some(address) => Some(serve_metrics(address, &gateway, &shutdown).await?),
            None => None,
        };
        // Before anything is sold: a bucket that is away now must not cost anybody money.
        gateway.artifacts.look_first().await.map_err(|error| Refused(error.to_string()))?;
        let router = routes::router(gateway.clone())?;
        let callbacks = callbacks(&gateway, allowed)?;
        gateway.jobs.start(&shutdown).await?;
        callbacks.start(&shutdown);
        gateway.refunds.start();
        shutdown.spawn(tidy(gateway.clone(), shutdown.clone()));
        shutdown.spawn(probe_database(gateway.clone(), shutdown.clone()));
        let (files, stop) = (gateway.artifacts.clone(), shutdown.clone());
        shutdown.spawn(async move { files.watch(stop.soft()).await });
        lightning::start(&gateway, lookups, &shutdown);
        let server = Server::for_callers(listener, router, tls, &limits);
        shutdown.spawn(server.run(shutdown.clone()));
        let jobs = gateway.jobs.clone();
        Ok(Self { address, public_url, metrics_address, jobs, gateway, store, shutdown, grace, _lock: lock })
    }

    /// Stops in two stages and closes the database.
    pub async fn stop(self) {
        self.shutdown.stop(self.grace).await;
        self.store.close().await;
    }
}

fn build(
    config: Config,
    clock: Arc<dyn Clock>,
    backends: Backends,
    store: &Store,
    public_url: &str,
    shutdown: &Shutdown,
) -> anyhow::Result<Arc<Gateway>> {
    let artifacts = ArtifactStore::open(&config.artifacts.storage).context("cannot open where artifacts are kept")?;
    let catalog = Arc::new(catalog(&config, backends.providers.all().map(|route| route.settings()))?);
    let parts = jobs::Parts {
        store: store.clone(),
        artifacts: artifacts.clone(),
        providers: backends.providers.clone(),
        catalog: catalog.clone(),
        clock: clock.clone(),
        links: Links::new(&config.keys),
        public_url: public_url.to_owned(),
    };
    let payouts = refunds::Parts {
        store: store.clone(),
        backend: backends.lightning.clone(),
        payer: config.lightning.backend.payer(),
        clock: clock.clone(),
    };
    let simulated = Simulated { payments: backends.sandbox.is_some(), models: backends.simulated_models };
    let site = site::describe(&config, &catalog, public_url.to_owned(), &simulated);
    let node = Arc::new(Guarded::new(backends.lightning, &config.lightning));
    let sold = catalog.quotes().into_iter().map(|quote| (quote.amount, quote.description)).collect();
    let invoices = Invoices::new(node, clock.clone(), &config.lightning, sold);
    let invoices = Arc::new(invoices.with_ceiling(config.limits.open_invoices));
    Ok(Arc::new(Gateway {
        catalog,
        jobs: Jobs::new(parts, config.jobs, &config.artifacts),
        refunds: Refunds::new(payouts, config.refunds, shutdown),
        paywall: Paywall::new(config.keys, invoices.clone(), clock.clone(), &config.paywall),
        artifacts,
        store: store.clone(),
        invoices,
        providers: backends.providers,
        sandbox: backends.sandbox,
        clock,
        waiting: config.waiting,
        budget: Budget::new(&config.limits),
        misses: Misses::new(config.limits.misses),
        tarpit: Tarpit::new(shutdown.clone()),
        local_only: config.local_only,
        proxies: TrustedProxies::new(config.server.trusted_proxies),
        bodies: BodyReader::new(config.limits.body_memory, config.server.body_idle_timeout, config.server.body_timeout),
        decoders: Arc::new(Semaphore::new(config.limits.decoders)),
        shutdown: shutdown.clone(),
        site,
        storefront: Storefront::default(),
    }))
}

/// What is sold along `routes`. A service that nobody does the work of is not mentioned anywhere.
fn catalog<'a>(config: &Config, routes: impl IntoIterator<Item = &'a RouteConfig>) -> Result<Catalog, Refused> {
    let sold = config.services.iter().filter(|service| !config.unsold.contains(&service.id));
    Catalog::of_routes(sold.cloned().collect(), routes).map_err(|error| Refused(error.to_string()))
}

/// What is posted is what whoever knows the job's public id may read.
fn callbacks(gateway: &Arc<Gateway>, config: CallbacksConfig) -> anyhow::Result<Callbacks> {
    let edge = gateway.clone();
    let parts = callbacks::Parts {
        store: gateway.store.clone(),
        clock: gateway.clock.clone(),
        document: Arc::new(move |job| answer::job_document(&edge, job)),
        ended: gateway.jobs.calls_back(),
    };
    Callbacks::new(parts, config).context("callbacks cannot be made")
}

/// Where this machine reaches a listener on all its addresses: `0.0.0.0` is none that a URL can name.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn serve_metrics(address: SocketAddr, gateway: &Arc<Gateway>, shutdown: &Shutdown) -> anyhow::Result<SocketAddr> {
    let listener = server::bind(address).await?;
    let address = listener.local_addr()?;
    let handle = telemetry::metrics()?;
    let mut providers: Vec<String> = gateway.providers.all().map(|route| route.name().to_owned()).collect();
    providers.sort_unstable();
    providers.dedup();
    let router = metrics_page::router(handle, gateway.store.clone(), gateway.clock.clone(), providers);
    let server = Server {
        listener,
        router,
        tls: None,
        max_connections: METRICS_CONNECTIONS,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        crowd: None,
    };
    shutdown.spawn(server.run(shutdown.clone()));
    Ok(address)
}

async fn tidy(gateway: Arc<Gateway>, shutdown: Shutdown) {
    while tokio::time::timeout(TIDY_EVERY, shutdown.soft()).await.is_err() {
        gateway.budget.tidy();
        gateway.misses.tidy();
        gateway.tarpit.tidy();
        gateway.invoices.tidy();
        telemetry::tidy();
    }
}

/// While the database cannot be written to, nothing is sold, so nothing would notice that it can be again.
async fn probe_database(gateway: Arc<Gateway>, shutdown: Shutdown) {
    while tokio::time::timeout(PROBE_EVERY, shutdown.soft()).await.is_err() {
        if !gateway.store.is_writable() && gateway.store.probe().await.is_ok() {
            tracing::info!("the database can be written to again");
        }
    }
}
