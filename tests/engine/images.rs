//! Images for providers that fetch them themselves.

use std::sync::Arc;

use satforge::clock::SystemClock;
use satforge::config::{Config, GatewayKey, KeyRing};
use satforge::domain::ServiceId;
use satforge::providers::{Account, Found, ProviderError, Providers, Route};
use serde_json::json;

use crate::fake::Reply::Say;
use crate::fake::{Fake, Script};
use crate::kit::buyer::{MODEL, model};
use crate::kit::until;
use crate::world::World;

const GLB: &[u8] = b"glTF\x02\0\0\0 and the rest of a model";

fn template(settings: &mut satforge::config::RouteConfig) {
    let input = json!({ "image_url": "{image_url}", "seed": "{seed}" });
    settings.input = satforge::domain::InputTemplate::parse(input.as_object().unwrap(), ServiceId::Model3d).unwrap();
}

#[tokio::test]
async fn an_image_is_served_at_a_signed_path_until_its_job_ends() {
    let fake = Fake::endless();
    fake.fetch_next(Say(Ok(crate::fake::bytes(&[GLB]))));
    let world = World::one_route(&fake, ServiceId::Model3d, template, Account::default()).await;
    let body = model(40);
    let purchase = world.buyer.pay(world.url(), MODEL, body).await;
    world.buyer.present(world.url(), &purchase, "respond-async").await;
    until("a create", async || (fake.count("submit") > 0).then_some(())).await;

    let url = fake.orders()[0].input["image_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("{}/inputs/", world.url())), "{url}");
    let served = world.buyer.get(&url).await;
    assert_eq!(
        (served.status(), served.headers()["content-type"].to_str().unwrap()),
        (200.try_into().unwrap(), "image/png")
    );
    assert_eq!(served.headers()["cache-control"], "private, no-store");
    assert!(served.bytes().await.unwrap().starts_with(b"\x89PNG"));
    for wrong in [url.replace("/inputs/0", "/inputs/1"), format!("{url}0"), url[..url.len() - 1].to_owned()] {
        assert_eq!(world.buyer.get(&wrong).await.status(), 404, "{wrong}");
    }

    fake.finish();
    world.outcome(&purchase).await.result_path();
    assert_eq!(world.buyer.get(&url).await.status(), 404, "it was needed once");
}

#[tokio::test]
async fn a_look_up_has_the_same_words_as_the_create() {
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: [Say(Err(ProviderError::Transient("busy".into()))), Say(Ok(Found::Started("up-found".into())))].into(),
        fetch: [Say(Ok(crate::fake::bytes(&[GLB])))].into(),
        ..Script::default()
    });
    let world = World::one_route(&fake, ServiceId::Model3d, template, Account::default()).await;
    let purchase = world.buyer.pay(world.url(), MODEL, model(40)).await;
    world.outcome(&purchase).await.result_path();
    let orders = fake.orders();
    assert_eq!(orders.iter().map(|order| order.operation).collect::<Vec<_>>(), ["submit", "find", "find"]);
    for order in &orders[1..] {
        assert_eq!((&order.input, order.sent_at), (&orders[0].input, orders[0].sent_at));
    }
}

#[tokio::test]
async fn paths_for_providers_are_good_for_as_long_as_their_key_is_there() {
    let fake = Fake::endless();
    let start = async |folder: Arc<tempfile::TempDir>, seeds: &[u8]| {
        let mut settings = Route::plain(ServiceId::Model3d, fake.clone()).settings().clone();
        template(&mut settings);
        let routes = Providers::of(vec![Route::new(settings, fake.clone(), Account::default())]);
        let keys = seeds.iter().map(|seed| GatewayKey::new([*seed; 32])).collect();
        let keyed = |config: &mut Config| config.keys = KeyRing::new(keys).unwrap();
        World::over(routes, folder, Arc::new(SystemClock), keyed).await
    };
    let world = start(Arc::new(tempfile::tempdir().unwrap()), &[1]).await;
    let purchase = world.buyer.pay(world.url(), MODEL, model(40)).await;
    world.buyer.present(world.url(), &purchase, "respond-async").await;
    world.rows().await.wait_for("running").await;
    let image = fake.orders()[0].input["image_url"].as_str().unwrap()[world.url().len()..].to_owned();
    let webhook = fake.webhook();
    let client = crate::kit::client::builder().build().unwrap();

    let mut running = world;
    for (keys, expected) in [(&[2, 1][..], 200), (&[2], 404)] {
        running.rows().await.forget_keys().await;
        let World { app, folder, .. } = running;
        app.stop().await;
        let world = start(folder, keys).await;
        let served = world.buyer.get(&format!("{}{image}", world.url())).await.status();
        assert_eq!(served, expected, "{keys:?}");
        let told = client.post(format!("{}{webhook}", world.url())).body("genuine").send().await.unwrap().status();
        assert_eq!(told, expected, "{keys:?}");
        running = world;
    }
}
