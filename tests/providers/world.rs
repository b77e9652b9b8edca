//! A gateway that sells what a vendor's stub makes, and a buyer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use satforge::app::{App, Backends};
use satforge::clock::{Clock, SystemClock};
use satforge::config::{Ambiguous, CostRule, ImageBounds, ProviderConfig, RouteConfig};
use satforge::domain::{InputTemplate, ServiceId};
use satforge::providers::{Account, Providers, Route};
use serde_json::Value;

use crate::kit::buyer::{Answer, Buyer, MODEL, Purchase, VIDEO, model, video};
use crate::kit::quick::config;
use crate::kit::rows::Rows;
use crate::kit::until;
use crate::serve::{self, Closed};
use crate::upstream::Upstream;
use crate::vendor::{Errand, Vendor};

/// Long enough for a stub on this machine, short enough to wait for in a test.
pub const TIMEOUT: Duration = Duration::from_millis(700);
/// The largest result in bytes.
pub const RESULT_LIMIT: u64 = 4096;
pub const PROMPT: &str = "a lighthouse that only its keeper should know of";
/// The time that a job may take.
pub const DEADLINE: Duration = Duration::from_mins(10);

/// The operating system's clock, from now on or later.
#[derive(Default)]
pub struct Shifted(AtomicU64);

impl Shifted {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn unix_millis(&self) -> u64 {
        SystemClock.unix_millis() + self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What a test may want to be otherwise.
#[derive(Clone, Copy, Default)]
pub struct Wish {
    pub ambiguous: Ambiguous,
    /// The vendor does not answer before [`World::open`].
    pub closed: bool,
}

pub struct World {
    pub app: App,
    pub buyer: Buyer,
    pub upstream: Arc<Upstream>,
    pub clock: Arc<Shifted>,
    folder: tempfile::TempDir,
    closed: Option<Closed>,
    expected: Option<&'static str>,
}

/// The account, at the stub.
fn account<V: Vendor>(upstream: &Upstream) -> ProviderConfig {
    ProviderConfig {
        name: "vendor".to_owned(),
        kind: V::kind(&upstream.url),
        url: V::base(&upstream.url),
        requests_per_second: 10_000.0,
        timeout: TIMEOUT,
        poll_interval: Duration::from_millis(5),
        result_hosts: vec![upstream.delivery.authority().to_owned()],
        near: true,
        gateway_url: None,
    }
}

fn route<V: Vendor>(ambiguous: Ambiguous) -> RouteConfig {
    let Value::Object(input) = V::input() else { panic!("a template is an object") };
    RouteConfig {
        name: "vendor".to_owned(),
        service: V::SERVICE,
        provider: "vendor".to_owned(),
        model: V::MODEL.to_owned(),
        input: InputTemplate::parse(&input, V::SERVICE).unwrap(),
        result: V::RESULT.to_owned(),
        image: ImageBounds::default(),
        deadline: None,
        price_factor: 1.0,
        concurrency: 20,
        ambiguous,
        cost: CostRule::default(),
    }
}

impl World {
    pub async fn new<V: Vendor>() -> Self {
        Self::with::<V>(Wish::default()).await
    }

    pub async fn with<V: Vendor>(wish: Wish) -> Self {
        let clock = Arc::new(Shifted::default());
        let (upstream, closed) = serve::vendor::<V>(clock.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        // The clock is moved over deadlines, which leases must outlive.
        config.jobs.lease = Duration::from_hours(24);
        for service in &mut config.services {
            (service.result_limit, service.deadline) = (RESULT_LIMIT, DEADLINE);
        }

        let account = account::<V>(&upstream);
        let provider = V::build_in(&account, clock.clone(), &folder.path().join("vendor")).unwrap();
        let terms = Account { poll_interval: Some(account.poll_interval), ..Account::default() };
        let route = Route::new(route::<V>(wish.ambiguous), provider, terms);
        let clock_of_app: Arc<dyn Clock> = clock.clone();
        let mut backends = Backends::choose(&config, &clock_of_app).unwrap();
        backends.providers = Providers::of(vec![route]);
        let app = App::start_with(config, clock_of_app, backends).await.unwrap();
        let mut world = Self {
            app,
            buyer: Buyer::new(),
            upstream,
            clock,
            folder,
            closed: Some(closed),
            expected: V::AUTHORIZATION,
        };
        if !wish.closed {
            world.open();
        }
        world
    }

    /// The vendor answers from now on.
    pub fn open(&mut self) {
        self.closed.take().unwrap().open();
    }

    fn url(&self) -> &str {
        &self.app.public_url
    }

    fn request(&self) -> (&'static str, Vec<u8>) {
        match self.upstream.service {
            ServiceId::Video => (VIDEO, video(PROMPT)),
            ServiceId::Model3d => (MODEL, model(64)),
        }
    }

    /// What it costs, in sats.
    pub fn price(&self) -> u64 {
        match self.upstream.service {
            ServiceId::Video => 500,
            ServiceId::Model3d => 350,
        }
    }

    pub async fn rows(&self) -> Rows {
        Rows::open(self.folder.path()).await
    }

    /// Buys something and does not wait for it.
    pub async fn order(&self) -> Purchase {
        let (path, body) = self.request();
        let purchase = self.buyer.pay(self.url(), path, body).await;
        let answer = self.buyer.present(self.url(), &purchase, "respond-async").await;
        // It may be over before the answer is written, for better or worse.
        assert!(matches!(answer.status, 200 | 202 | 502), "{}", answer.json);
        purchase
    }

    /// The job's document.
    pub async fn document(&self, purchase: &Purchase) -> Value {
        let answer = self.buyer.begin(self.url(), purchase, "respond-async").await;
        let id = answer.headers()["x-job-id"].to_str().unwrap().to_owned();
        self.buyer.get(&format!("{}/api/l402/jobs/{id}", self.url())).await.json().await.unwrap()
    }

    /// Waits for the outcome.
    pub async fn outcome(&self, purchase: &Purchase) -> Answer {
        self.buyer.present(self.url(), purchase, "wait=120").await
    }

    /// Waits for the outcome and expects the whole result, and nothing owed.
    pub async fn expect_result_of(&self, purchase: &Purchase) {
        let path = self.outcome(purchase).await.result_path();
        let file = self.buyer.get(&format!("{}{path}", self.url())).await.bytes().await.unwrap();
        assert_eq!(file, self.upstream.result());
        assert!(self.rows().await.refunds().await.is_empty());
        self.check_calls();
    }

    /// Waits for the outcome and expects a failure whose price is owed back.
    pub async fn expect_owed_for(&self, purchase: &Purchase, code: &str) {
        self.outcome(purchase).await.owed(502, code, self.price());
        let msat = i64::try_from(self.price() * 1_000).unwrap();
        assert_eq!(self.rows().await.refunds().await, [msat]);
        let document = self.document(purchase).await;
        assert_eq!(document["error_code"], code, "{document}");
        self.check_calls();
    }

    /// Buys, and expects the whole result.
    pub async fn expect_result(&self) {
        self.expect_result_of(&self.order().await).await;
    }

    /// Buys, and expects a failure whose price is owed back.
    pub async fn expect_owed(&self, code: &str) {
        self.expect_owed_for(&self.order().await, code).await;
    }

    /// Whether the service is for sale.
    pub async fn sells(&self) -> bool {
        let (path, body) = self.request();
        let client = crate::kit::client::builder().build().unwrap();
        let asked = client.post(format!("{}{path}", self.url())).header("content-type", "application/json").body(body);
        let answer = asked.send().await.unwrap();
        let (status, json) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        match (status, json["error_code"].as_str()) {
            (402, _) => true,
            (503, Some("UPSTREAM_UNAVAILABLE")) => false,
            _ => panic!("{status}: {json}"),
        }
    }

    /// Waits until `count` requests of this kind have come.
    pub async fn wait_for(&self, errand: Errand, count: usize) {
        until(&format!("{errand:?} came {count} times"), async || (self.upstream.count(errand) >= count).then_some(()))
            .await;
    }

    /// The vendor sees the key in every request to its API, and nobody else ever does.
    fn check_calls(&self) {
        for call in self.upstream.calls() {
            let public = call.errand == Errand::Keys || call.path.starts_with("/files/");
            let expected = if public { None } else { self.expected };
            assert_eq!(call.authorization.as_deref(), expected, "{call:?}");
        }
        assert_eq!(self.upstream.strayed(), 0, "nothing was fetched from where nothing may be");
    }
}
