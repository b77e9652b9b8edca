//! A gateway on a free port of its own.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use satforge::app::{App, Backends};
use satforge::clock::{Clock, ManualClock, SystemClock};
use satforge::config::{Config, DevOptions, Environment, RouteConfig};
use satforge::domain::ServiceId;
use satforge::providers::{Account, Provider, Providers, Route};
use tempfile::TempDir;

use super::{Answer, FakeLightning, FakeProvider, client};

/// The instant at which manual clocks start: 2027-01-15T08:00:00Z.
pub const START: u64 = 1_800_000_000;

/// Times that make tests short, and a memory that fits a test machine.
const DEFAULTS: [(&str, &str); 8] = [
    ("SATFORGE_METRICS__LISTEN", "off"),
    ("SATFORGE_SANDBOX__GENERATION_SECONDS", "0"),
    ("SATFORGE_JOBS__POLL_INTERVAL_SECONDS", "0.01"),
    ("SATFORGE_JOBS__BACKOFF_BASE_SECONDS", "0.01"),
    ("SATFORGE_JOBS__BACKOFF_MAX_SECONDS", "0.02"),
    ("SATFORGE_ARTIFACTS__SWEEP_EVERY_SECONDS", "86400"),
    ("SATFORGE_WAITING__KEEPALIVE_AFTER_SECONDS", "60"),
    ("SATFORGE_SERVER__SHUTDOWN_GRACE_SECONDS", "5"),
];

/// How a gateway is to be started.
pub struct Setup {
    settings: Vec<(String, String)>,
    unsold: Vec<ServiceId>,
    time: Time,
    work: Work,
    dir: TempDir,
    provider: Arc<FakeProvider>,
}

/// What time it is for a gateway.
#[derive(Clone)]
enum Time {
    /// It stands still until a test moves it.
    Manual(Arc<ManualClock>),
    /// It flows: needed where the gateway waits for a later time by itself.
    System,
}

/// Who generates.
enum Work {
    Fake,
    /// The fake one, along these routes.
    Routes(Vec<RouteConfig>),
    Sandbox,
    Nobody,
}

/// A running gateway. It has to be stopped, so that what goes wrong while stopping fails a test.
pub struct TestApp {
    app: Option<App>,
    setup: Option<Setup>,
    client: Client,
    /// What generates, unless the sandbox does.
    pub provider: Arc<FakeProvider>,
    /// What makes the invoices.
    pub lightning: Arc<FakeLightning>,
}

impl Setup {
    pub fn new() -> Self {
        Self {
            settings: DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            unsold: Vec::new(),
            time: Time::Manual(Arc::new(ManualClock::new(START * 1_000))),
            work: Work::Fake,
            dir: tempfile::tempdir().expect("a temporary directory"),
            provider: Arc::default(),
        }
    }

    /// With `SATFORGE_<name>=<value>`; the last setting of a name counts.
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        let name = format!("SATFORGE_{name}");
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value.to_string()));
        self
    }

    /// With a clock that goes by itself.
    pub fn real_time(self) -> Self {
        Self { time: Time::System, ..self }
    }

    /// With the sandbox's own provider.
    pub fn sandbox_provider(self) -> Self {
        Self { work: Work::Sandbox, ..self }
    }

    /// Without a service that nobody does the work of.
    pub fn unsold(self, service: ServiceId) -> Self {
        Self { unsold: vec![service], ..self }
    }

    /// With these routes to the provider.
    pub fn routes(self, routes: Vec<RouteConfig>) -> Self {
        Self { work: Work::Routes(routes), ..self }
    }

    /// With nobody who generates.
    pub fn no_provider(self) -> Self {
        Self { work: Work::Nobody, ..self }
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration that a start would use.
    pub fn config(&self) -> Config {
        let options = DevOptions {
            listen: Some("127.0.0.1:0".parse().expect("an address")),
            data_dir: Some(self.dir.path().to_owned()),
            ..DevOptions::default()
        };
        let environment: Environment = self.settings.iter().cloned().collect();
        let config = Config::dev_in(options, &environment).expect("a good configuration");
        Config { unsold: self.unsold.clone(), ..config }
    }

    pub async fn start(self) -> TestApp {
        let config = self.config();
        // Some metrics are looked up once in a process, and would stay dumb if that came first.
        satforge::telemetry::metrics().expect("metrics");
        let clock: Arc<dyn Clock> = match &self.time {
            Time::Manual(clock) => clock.clone(),
            Time::System => Arc::new(SystemClock),
        };
        let chosen = Backends::choose(&config, &clock).expect("backends");
        let provider: Arc<dyn Provider> = self.provider.clone();
        let providers = match &self.work {
            Work::Fake => Providers::new(ServiceId::ALL.map(|service| (service, provider.clone())).to_vec()),
            Work::Routes(routes) => {
                let route = |settings: &RouteConfig| Route::new(settings.clone(), provider.clone(), Account::default());
                Providers::of(routes.iter().map(route).collect())
            }
            Work::Sandbox => chosen.providers.clone(),
            Work::Nobody => Providers::new(Vec::new()),
        };
        let lightning = Arc::new(FakeLightning::new(chosen.lightning.clone()));
        let backends = Backends { lightning: lightning.clone(), providers, ..chosen };
        let app = App::start_with(config, clock, backends).await.expect("a gateway that starts");
        // Connections are not kept: a gateway that stops would have to wait until their time is over.
        let client = client::builder().pool_max_idle_per_host(0).timeout(Duration::from_mins(1));
        let client = client.build().expect("a client");
        let provider = self.provider.clone();
        TestApp { app: Some(app), setup: Some(self), client, provider, lightning }
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    fn app(&self) -> &App {
        self.app.as_ref().expect("a gateway that was not stopped")
    }

    fn setup(&self) -> &Setup {
        self.setup.as_ref().expect("a gateway that was not stopped")
    }

    /// The route of that name.
    pub fn route(&self, service: ServiceId, name: &str) -> Arc<Route> {
        self.app().gateway.providers.by_name(service, name).expect("a route of that name").clone()
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.app().address
    }

    pub fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.app().metrics_address
    }

    pub fn public_url(&self) -> &str {
        &self.app().public_url
    }

    pub fn data_dir(&self) -> &Path {
        self.setup().data_dir()
    }

    /// The configuration, with the keys.
    pub fn config(&self) -> Config {
        self.setup().config()
    }

    /// Moves the manual clock, and tells the gateway to look at it.
    pub fn advance(&self, by: Duration) {
        match &self.setup().time {
            Time::Manual(clock) => clock.advance(by),
            Time::System => panic!("nobody moves the system's clock"),
        }
        self.app().jobs.wake();
        self.app().jobs.calls_back().notify_one();
    }

    /// What time it is for the gateway, in Unix seconds.
    pub fn now_seconds(&self) -> u64 {
        match &self.setup().time {
            Time::Manual(clock) => clock.unix_seconds(),
            Time::System => SystemClock.unix_seconds(),
        }
    }

    /// Deletes what retention ends.
    pub async fn sweep(&self) {
        self.app().jobs.sweep().await;
    }

    /// A request to this gateway.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address()))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, path).header("content-type", "application/json").body(body)
    }

    /// The whole answer to a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.expect("a response")).await
    }

    /// The part of one of our own URLs that a request needs.
    pub fn path_of(&self, url: &str) -> String {
        let path = url.strip_prefix(self.public_url());
        path.unwrap_or_else(|| panic!("{url} is not under {}", self.public_url())).to_owned()
    }

    pub async fn stop(self) {
        drop(self.shut_down().await);
    }

    /// Stops, and hands back how it was set up, its data directory included.
    pub async fn shut_down(mut self) -> Setup {
        self.app.take().expect("a gateway that was not stopped").stop().await;
        self.setup.take().expect("a gateway that was not stopped")
    }

    pub async fn restart(self) -> Self {
        self.shut_down().await.start().await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        assert!(self.app.is_none() || std::thread::panicking(), "a test has not stopped its gateway");
    }
}
