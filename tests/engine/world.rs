//! A gateway with a scripted provider, and a buyer.

use std::sync::Arc;

use satforge::app::{App, Backends};
use satforge::clock::{Clock, ManualClock, SystemClock};
use satforge::config::{Config, RouteConfig};
use satforge::domain::ServiceId;
use satforge::providers::{Account, Provider, Providers, Route};

use crate::fake::Fake;
use crate::kit::buyer::{Answer, Buyer, Purchase, VIDEO, video};
pub use crate::kit::quick::config;
use crate::kit::rows::Rows;

/// What a five-second video costs, in sats.
pub const PRICE: u64 = 500;
/// When a manual clock begins, in Unix milliseconds.
pub const EPOCH: u64 = 1_900_000_000_000;

pub struct World {
    pub app: App,
    pub buyer: Buyer,
    pub folder: Arc<tempfile::TempDir>,
}

pub fn providers(fake: &Arc<Fake>) -> Providers {
    let provider: Arc<dyn Provider> = fake.clone();
    Providers::new(ServiceId::ALL.map(|service| (service, provider.clone())).to_vec())
}

impl World {
    pub async fn new(fake: &Arc<Fake>) -> Self {
        Self::with(fake, |_| {}).await
    }

    pub async fn with(fake: &Arc<Fake>, adapt: impl FnOnce(&mut Config)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start(fake, folder, Arc::new(SystemClock), adapt).await
    }

    /// With a clock that the test moves.
    pub async fn by_hand(fake: &Arc<Fake>, adapt: impl FnOnce(&mut Config)) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(EPOCH));
        let folder = Arc::new(tempfile::tempdir().unwrap());
        (Self::start(fake, folder, clock.clone(), adapt).await, clock)
    }

    pub async fn start(
        fake: &Arc<Fake>,
        folder: Arc<tempfile::TempDir>,
        clock: Arc<dyn Clock>,
        adapt: impl FnOnce(&mut Config),
    ) -> Self {
        Self::over(providers(fake), folder, clock, adapt).await
    }

    /// With these for videos, tried in this order.
    pub async fn routed(fakes: &[&Arc<Fake>]) -> Self {
        let route = |fake: &&Arc<Fake>| Route::plain(ServiceId::Video, (*fake).clone());
        let routes = Providers::of(fakes.iter().map(route).collect());
        Self::over(routes, Arc::new(tempfile::tempdir().unwrap()), Arc::new(SystemClock), |_| {}).await
    }

    /// With these routes.
    pub async fn over_routes(routes: Providers) -> Self {
        Self::over(routes, Arc::new(tempfile::tempdir().unwrap()), Arc::new(SystemClock), |_| {}).await
    }

    /// With one route of `service`, with settings of its own.
    pub async fn one_route(
        fake: &Arc<Fake>,
        service: ServiceId,
        adapt: impl FnOnce(&mut RouteConfig),
        account: Account,
    ) -> Self {
        let mut settings = Route::plain(service, fake.clone()).settings().clone();
        adapt(&mut settings);
        let routes = Providers::of(vec![Route::new(settings, fake.clone(), account)]);
        Self::over(routes, Arc::new(tempfile::tempdir().unwrap()), Arc::new(SystemClock), |_| {}).await
    }

    pub async fn over(
        routes: Providers,
        folder: Arc<tempfile::TempDir>,
        clock: Arc<dyn Clock>,
        adapt: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(folder.path());
        adapt(&mut config);
        let mut backends = Backends::choose(&config, &clock).unwrap();
        backends.providers = routes;
        let app = App::start_with(config, clock, backends).await.unwrap();
        Self { app, buyer: Buyer::new(), folder }
    }

    pub fn url(&self) -> &str {
        &self.app.public_url
    }

    pub async fn rows(&self) -> Rows {
        Rows::open(self.folder.path()).await
    }

    /// Pays for a video, without presenting the credential.
    pub async fn pay(&self, prompt: &str) -> Purchase {
        self.buyer.pay(self.url(), VIDEO, video(prompt)).await
    }

    /// Buys a video and does not wait for it.
    pub async fn order(&self) -> Purchase {
        let purchase = self.pay("a lighthouse").await;
        let answer = self.buyer.present(self.url(), &purchase, "respond-async").await;
        assert!(matches!(answer.status, 200 | 202), "{}", answer.json);
        purchase
    }

    /// Waits for the outcome.
    pub async fn outcome(&self, purchase: &Purchase) -> Answer {
        self.buyer.present(self.url(), purchase, "wait=120").await
    }

    /// Buys a video and waits for the outcome.
    pub async fn buy(&self) -> Answer {
        let purchase = self.pay("a lighthouse").await;
        let outcome = self.outcome(&purchase).await;
        let again = self.buyer.present(self.url(), &purchase, "").await;
        assert_eq!((again.status, again.json.to_string()), (outcome.status, outcome.json.to_string()));
        outcome
    }

    /// Buys, and expects the film and nothing owed.
    pub async fn expect_film(&self) {
        let path = self.buy().await.result_path();
        let file = self.buyer.get(&format!("{}{path}", self.url())).await.bytes().await.unwrap();
        assert_eq!(file, crate::fake::FILM);
        assert_eq!(self.files("results").len(), 1, "no other copy is left: {:?}", self.files("results"));
        assert!(self.rows().await.refunds().await.is_empty());
    }

    /// Buys, and expects a failure whose price is owed back.
    pub async fn expect_owed(&self, code: &str) {
        self.buy().await.owed(502, code, PRICE);
        assert_eq!(self.rows().await.refunds().await, [500_000]);
        assert!(self.files("results").is_empty(), "{:?}", self.files("results"));
    }

    /// The names in a folder of the artifacts.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("artifacts").join(folder)) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}
