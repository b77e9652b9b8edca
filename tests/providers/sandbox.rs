//! The sandbox's adapter, held through the whole gateway to the same as the others, as far as it can do it: it has no
//! network, so nothing breaks off, and what is ambiguous to it is what `tests/crash` leaves behind.

use std::sync::Arc;
use std::time::Duration;

use satforge::app::App;
use satforge::clock::SystemClock;
use satforge::config::Config;

use crate::kit::buyer::{Answer, Buyer, Purchase, VIDEO, video};
use crate::kit::quick::config;
use crate::kit::rows::Rows;
use crate::kit::until;

const PRICE: u64 = 500;

struct World {
    app: App,
    buyer: Buyer,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(adapt: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.sandbox.generation_time = Duration::ZERO;
        adapt(&mut config);
        let app = App::start(config, Arc::new(SystemClock)).await.unwrap();
        Self { app, buyer: Buyer::new(), folder }
    }

    async fn order(&self, prompt: &str) -> Purchase {
        let purchase = self.buyer.pay(&self.app.public_url, VIDEO, video(prompt)).await;
        self.buyer.present(&self.app.public_url, &purchase, "respond-async").await;
        purchase
    }

    async fn outcome(&self, purchase: &Purchase) -> Answer {
        self.buyer.present(&self.app.public_url, purchase, "wait=120").await
    }

    async fn buy(&self, prompt: &str) -> Answer {
        self.outcome(&self.order(prompt).await).await
    }

    async fn dispatches(&self) -> i64 {
        Rows::open(self.folder.path()).await.job().await.dispatches
    }

    async fn expect_owed(&self, prompt: &str, code: &str) {
        self.buy(prompt).await.owed(502, code, PRICE);
        self.nothing_is_left_upstream().await;
    }

    async fn nothing_is_left_upstream(&self) {
        let folder = self.folder.path().join("sandbox");
        let is_empty = || std::fs::read_dir(&folder).unwrap().next().is_none().then_some(());
        until("it was forgotten upstream", async || is_empty()).await;
    }
}

#[tokio::test]
async fn a_purchase_is_one_create_and_a_film() {
    let world = World::new(|_| {}).await;
    let path = world.buy("a lighthouse").await.result_path();
    let film = world.buyer.get(&format!("{}{path}", world.app.public_url)).await.bytes().await.unwrap();
    assert_eq!(&film[4..8], b"ftyp");
    assert_eq!(world.dispatches().await, 1);
    world.nothing_is_left_upstream().await;
}

#[tokio::test]
async fn how_far_it_is_reaches_the_caller() {
    let world = World::new(|config| config.sandbox.generation_time = Duration::from_secs(2)).await;
    let order = world.order("a lighthouse").await;
    let accepted = world.buyer.present(&world.app.public_url, &order, "respond-async").await;
    let url = accepted.json["poll_url"].as_str().unwrap().to_owned();
    until("progress", async || {
        let document: serde_json::Value = world.buyer.get(&url).await.json().await.unwrap();
        document["progress"].as_f64().filter(|progress| (0.01..1.0).contains(progress))
    })
    .await;
    world.outcome(&order).await.result_path();
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let world = World::new(|_| {}).await;
    world.buy("sandbox:flaky").await.result_path();
    assert_eq!(world.dispatches().await, 3);
    world.nothing_is_left_upstream().await;
}

#[tokio::test]
async fn rejected_content_and_failures_are_owed_back() {
    World::new(|_| {}).await.expect_owed("sandbox:reject", "CONTENT_REJECTED").await;
    World::new(|_| {}).await.expect_owed("sandbox:fail", "GENERATION_FAILED").await;
}

#[tokio::test]
async fn what_is_slow_is_waited_for_and_stopped_at_the_deadline() {
    World::new(|_| {}).await.buy("sandbox:slow=1").await.result_path();
    let hasty = |config: &mut Config| config.services[0].deadline = Duration::from_millis(300);
    World::new(hasty).await.expect_owed("sandbox:slow=60", "GENERATION_FAILED").await;
}

#[tokio::test]
async fn too_large_is_owed_back() {
    let world = World::new(|config| config.services[0].result_limit = 1_000).await;
    world.expect_owed("a lighthouse", "GENERATION_FAILED").await;
    assert_eq!(world.dispatches().await, 1);
}
