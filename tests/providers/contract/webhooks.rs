//! Webhooks: a reason to look, and the only way to find some creates.

use reqwest::StatusCode;

use crate::kit::until;
use crate::upstream::{Fault, Stage};
use crate::vendor::{Errand, Vendor, Webhook};
use crate::world::World;

async fn deliver(webhook: &Webhook) -> StatusCode {
    let client = crate::kit::client::builder().build().unwrap();
    let request = client.post(&webhook.url).header("content-type", "application/json").body(webhook.body.clone());
    let request = webhook.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    request.send().await.unwrap().status()
}

/// The webhook about the first generation, if the vendor sends any.
fn first<V: Vendor>(world: &World) -> Option<Webhook> {
    V::webhook(&world.upstream, &world.upstream.all()[0])
}

pub async fn a_webhook_finds_the_create_whose_line_was_cut<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    world.upstream.fail_next(Errand::Create, [Fault::Cut]);
    // A look-up that cannot find it either leaves the webhook alone to tell.
    world.upstream.fail_next(Errand::List, std::iter::repeat_n(Fault::Refused(503, None), 10_000));
    let order = world.order().await;
    until("the create has arrived", async || (world.upstream.started() >= 1).then_some(())).await;
    let Some(webhook) = first::<V>(&world) else { return };
    until("it was looked for", async || (world.rows().await.job().await.failures > 0).then_some(())).await;
    assert_eq!(deliver(&webhook).await, StatusCode::OK);
    world.upstream.release();
    world.expect_result_of(&order).await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (1, 1));
}

pub async fn a_forged_or_old_webhook_changes_nothing<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    world.upstream.next_run([Stage::Running(0.1), Stage::Succeeded]);
    world.upstream.fail_next(Errand::Create, [Fault::Cut]);
    world.upstream.fail_next(Errand::List, std::iter::repeat_n(Fault::Refused(503, None), 10_000));
    let order = world.order().await;
    until("the create has arrived", async || (world.upstream.started() >= 1).then_some(())).await;
    let Some(genuine) = first::<V>(&world) else { return };
    until("it was looked for", async || (world.rows().await.job().await.failures > 0).then_some(())).await;

    let mut tampered = genuine.clone();
    tampered.body = tampered.body.replace("5057fca7", "6057fca7");
    assert_eq!(deliver(&tampered).await, StatusCode::UNAUTHORIZED);
    let mut unsigned = genuine.clone();
    unsigned.headers.clear();
    assert_eq!(deliver(&unsigned).await, StatusCode::UNAUTHORIZED);
    let mut lost = genuine.clone();
    lost.url.push('x');
    assert_eq!(deliver(&lost).await, StatusCode::NOT_FOUND);
    let job = world.rows().await.job().await;
    assert_eq!((job.state.as_str(), job.upstream_id), ("dispatching", None));

    assert_eq!(deliver(&genuine).await, StatusCode::OK);
    world.rows().await.wait_for("running").await;
    world.clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(deliver(&genuine).await, StatusCode::BAD_REQUEST, "it may be a repetition by somebody else");
    let webhook = first::<V>(&world).unwrap();
    for _ in 0..3 {
        assert_eq!(deliver(&webhook).await, StatusCode::OK, "the vendor itself may repeat it");
    }
    assert_eq!(world.rows().await.job().await.state, "running", "what the look says is the truth");
    world.upstream.release();
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.started(), 1);
}
