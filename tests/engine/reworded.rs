//! A create that may have arrived, and a restart with another configuration: it cannot be looked for any more.

use std::sync::Arc;

use satforge::clock::SystemClock;
use satforge::config::{Ambiguous, Config, GatewayKey, KeyRing, RouteConfig};
use satforge::domain::{InputTemplate, ServiceId};
use satforge::providers::{Account, Found, ProviderError, Providers, Route};
use serde_json::json;

use crate::fake::Reply::Say;
use crate::fake::{Fake, Script};
use crate::kit::buyer::{MODEL, VIDEO, model, video};
use crate::kit::until;
use crate::world::World;

#[derive(Clone, Copy)]
struct Setting {
    service: ServiceId,
    field: &'static str,
    model: &'static str,
    account: &'static str,
    gateway_url: &'static str,
    policy: Ambiguous,
    key: u8,
}

impl Setting {
    fn route(&self, fake: &Arc<Fake>) -> Providers {
        let plain = Route::plain(self.service, fake.clone()).settings().clone();
        let input = json!({ self.field: if self.service == ServiceId::Video { "{prompt}" } else { "{image_url}" } });
        let settings = RouteConfig {
            model: self.model.to_owned(),
            provider: self.account.to_owned(),
            ambiguous: self.policy,
            input: InputTemplate::parse(input.as_object().unwrap(), self.service).unwrap(),
            ..plain
        };
        let account = Account { gateway_url: Some(self.gateway_url.to_owned()), ..Account::default() };
        Providers::of(vec![Route::new(settings, fake.clone(), account)])
    }

    /// Newest first; the older ones stay good.
    fn keys(&self, config: &mut Config) {
        let keys = (1..=self.key).rev().map(|seed| GatewayKey::new([seed; 32]));
        config.keys = KeyRing::new(keys.collect()).unwrap();
    }

    async fn start(&self, fake: &Arc<Fake>, folder: Arc<tempfile::TempDir>) -> World {
        World::over(self.route(fake), folder, Arc::new(SystemClock), |config| self.keys(config)).await
    }
}

const NONE: [u32; 0] = [];
const VIDEOS: Setting = Setting {
    service: ServiceId::Video,
    field: "prompt",
    model: "a/b",
    account: "acme",
    gateway_url: "http://10.0.0.1:8402",
    policy: Ambiguous::Refund,
    key: 1,
};
const MODELS: Setting = Setting { service: ServiceId::Model3d, field: "image", ..VIDEOS };

/// The creates that follow when a create's answer was lost, the gateway was started again, and then a look-up says `found`.
async fn creates_after(before: Setting, after: Setting, found: Found) -> Vec<u32> {
    let too_early = || Say(Err(ProviderError::Transient("too early to tell".into())));
    let first = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: (0..10_000).map(|_| too_early()).collect(),
        ..Script::default()
    });
    let world = before.start(&first, Arc::new(tempfile::tempdir().unwrap())).await;
    let purchase = match before.service {
        ServiceId::Video => world.buyer.pay(world.url(), VIDEO, video("a lighthouse")).await,
        ServiceId::Model3d => world.buyer.pay(world.url(), MODEL, model(40)).await,
    };
    world.buyer.present(world.url(), &purchase, "respond-async").await;
    until("a look-up", async || (first.count("find") > 0).then_some(())).await;
    let World { app, folder, buyer } = world;
    app.stop().await;

    let second = Fake::new(Script { find: [Say(Ok(found))].into(), ..Script::default() });
    let world = after.start(&second, folder).await;
    buyer.present(world.url(), &purchase, "wait=120").await;
    assert_eq!(second.count("find"), 1);
    second.creates()
}

#[tokio::test]
async fn what_is_not_found_in_the_same_words_was_not_created() {
    assert_eq!(creates_after(VIDEOS, VIDEOS, Found::Nothing).await, [2]);
    assert_eq!(creates_after(MODELS, MODELS, Found::Nothing).await, [2]);
    let elsewhere = Setting { gateway_url: "http://10.0.0.2:8402", key: 2, ..VIDEOS };
    assert_eq!(creates_after(VIDEOS, elsewhere, Found::Nothing).await, [2], "a film is asked for without a URL");
}

#[tokio::test]
async fn what_is_not_found_in_other_words_may_have_been_created() {
    for after in [
        Setting { model: "a/c", ..VIDEOS },
        Setting { field: "text", ..VIDEOS },
        Setting { account: "another", ..VIDEOS },
    ] {
        for found in [Found::Nothing, Found::Among(vec!["up-of-another-job".into()])] {
            assert_eq!(creates_after(VIDEOS, after, found).await, NONE, "{}", after.model);
        }
    }
    for after in [Setting { gateway_url: "http://10.0.0.2:8402", ..MODELS }, Setting { key: 2, ..MODELS }] {
        assert_eq!(creates_after(MODELS, after, Found::Nothing).await, NONE);
    }
}

#[tokio::test]
async fn what_nobody_can_tell_any_more_is_the_routes_policy() {
    let again = Setting { model: "a/c", policy: Ambiguous::Again, ..VIDEOS };
    assert_eq!(creates_after(VIDEOS, again, Found::Nothing).await, [2]);
    let found = Found::Started("up-found".into());
    assert_eq!(creates_after(VIDEOS, Setting { model: "a/c", ..VIDEOS }, found).await, NONE, "it is there");
}
