//! Webhooks: reasons to look now, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use satforge::domain::ServiceId;
use satforge::providers::{Account, Ending, Found, NoticeError, Noticed, Poll, ProviderError};

use crate::fake::Reply::Say;
use crate::fake::{Fake, Script};
use crate::kit::until;
use crate::world::World;

/// Polls so rarely that nothing but a webhook can bring news.
async fn waiting(fake: &Arc<Fake>) -> World {
    let account = Account { poll_interval: Some(Duration::from_hours(1)), ..Account::default() };
    World::one_route(fake, ServiceId::Video, |_| {}, account).await
}

async fn send(world: &World, path: &str, body: &'static str) -> u16 {
    let client = crate::kit::client::builder().build().unwrap();
    client.post(format!("{}{path}", world.url())).body(body).send().await.unwrap().status().as_u16()
}

async fn polled(fake: &Fake, times: usize) {
    until(&format!("{times} polls"), async || (fake.count("poll") >= times).then_some(())).await;
}

#[tokio::test]
async fn a_webhook_is_a_reason_to_look_now() {
    let fake = Fake::endless();
    let world = waiting(&fake).await;
    let purchase = world.order().await;
    polled(&fake, 1).await;
    fake.finish();
    assert_eq!(send(&world, &fake.webhook(), "genuine").await, 200);
    world.outcome(&purchase).await.result_path();
    assert_eq!(fake.count("poll"), 2);
    assert_eq!(send(&world, &fake.webhook(), "genuine").await, 200, "late ones are no errors");
    assert_eq!((fake.count("poll"), fake.count("notice")), (2, 1), "and nobody looks at them");
}

#[tokio::test]
async fn what_is_not_genuine_changes_nothing() {
    let fake = Fake::new(Script {
        notice: [Err(NoticeError::Stale), Err(NoticeError::Garbled), Err(NoticeError::Later("full".into()))].into(),
        ..Script::default()
    });
    fake.poll_next([Say(Ok(pending()))].into());
    let world = waiting(&fake).await;
    let purchase = world.order().await;
    polled(&fake, 1).await;
    let path = fake.webhook();
    for status in [400, 400, 503] {
        assert_eq!(send(&world, &path, "genuine").await, status);
    }
    assert_eq!(send(&world, &path, "forged").await, 401);
    let other_create = path.replacen(".1.", ".2.", 1);
    for wrong in [other_create.as_str(), &path[..path.len() - 1], "/webhooks/x", "/webhooks/"] {
        assert_eq!(send(&world, wrong, "genuine").await, 404, "{wrong}");
    }
    let large = Box::leak("x".repeat(1_001).into_boxed_str());
    assert_eq!(send(&world, &path, large).await, 413);
    assert_eq!((fake.count("poll"), fake.count("notice")), (1, 4));
    assert_eq!(send(&world, &path, "genuine").await, 200);
    world.outcome(&purchase).await.result_path();
}

fn pending() -> Poll {
    Poll::Pending { progress: None, ahead: Some(3) }
}

#[tokio::test]
async fn a_webhook_resolves_a_create_whose_answer_was_lost() {
    let too_early = || Say(Err(ProviderError::Transient("too early to tell".into())));
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: (0..1_000).map(|_| too_early()).collect(),
        notice: [Ok(Noticed { id: Some("up-told".into()) })].into(),
        ..Script::default()
    });
    let world = waiting(&fake).await;
    let purchase = world.order().await;
    until("a look-up", async || (fake.count("find") > 0).then_some(())).await;
    assert_eq!(send(&world, &fake.webhook(), "genuine").await, 200);
    world.outcome(&purchase).await.result_path();
    assert_eq!(fake.creates(), [1], "nothing was sent again");
    assert_eq!(fake.about("poll"), ["up-told"]);
}

#[tokio::test]
async fn a_webhook_of_a_create_that_is_over_says_nothing_about_the_next_one() {
    let fake = Fake::endless();
    fake.poll_next([Say(Ok(Poll::Failed(Ending::Transient))), Say(Ok(pending()))].into());
    let world = waiting(&fake).await;
    let purchase = world.order().await;
    polled(&fake, 2).await;
    assert_eq!(fake.creates(), [1, 2]);
    let (first, second) = (fake.webhook_of(0), fake.webhook_of(1));
    assert_ne!(first, second);
    assert_eq!(send(&world, &first, "genuine").await, 200);
    assert_eq!((fake.count("notice"), fake.count("poll")), (0, 2), "nobody looks at it");
    fake.finish();
    assert_eq!(send(&world, &second, "genuine").await, 200);
    world.outcome(&purchase).await.result_path();
    assert_eq!((fake.count("notice"), fake.count("poll")), (1, 3));
    assert_eq!(fake.about("fetch"), fake.about("poll")[1..2]);
}

#[tokio::test]
async fn of_generations_that_look_alike_one_belongs_to_one_create() {
    let among = || Say(Ok(Found::Among(vec!["up-first".into(), "up-second".into()])));
    let cut = || Say(Err(ProviderError::Ambiguous("cut".into())));
    let fake = Fake::new(Script {
        submit: [cut(), cut()].into(),
        find: [among(), among(), among(), among()].into(),
        ..Script::default()
    });
    let world = World::new(&fake).await;
    world.buy().await.result_path();
    world.buy().await.result_path();
    assert_eq!(fake.creates(), [1, 1], "nothing was sent again");
    assert_eq!(fake.about("fetch"), ["up-first", "up-second"]);
}

#[tokio::test]
async fn how_many_come_first_stands_in_the_job_document() {
    let fake = Fake::endless();
    fake.poll_next([Say(Ok(pending()))].into());
    let world = waiting(&fake).await;
    let purchase = world.order().await;
    polled(&fake, 1).await;
    let accepted = world.buyer.present(world.url(), &purchase, "respond-async").await;
    let document = until("news", async || {
        let document = world.buyer.get(accepted.json["poll_url"].as_str().unwrap()).await;
        let document: serde_json::Value = document.json().await.unwrap();
        document.get("queue_position").is_some().then_some(document)
    });
    assert_eq!(document.await["queue_position"], 3);
}
