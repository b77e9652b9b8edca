//! Creates, and what is found of them afterwards.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::stub::{PREDICTION, WEBHOOK, World, data_uri, input, order, spec, succeeded, task};
use crate::providers::{Ending, Found, Order, Poll, Provider as _, ProviderError};

const NOW: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

async fn submit(world: &World) -> Result<String, ProviderError> {
    world.cog.submit(&order(&spec(), &input(), NOW)).await
}

async fn find(world: &World, age: Duration) -> Result<Found, ProviderError> {
    world.cog.find(&order(&spec(), &Map::new(), age)).await
}

fn under_way(world: &World, metrics: Value) {
    world.set(|script| drop(script.under_way.insert(PREDICTION.into(), metrics)));
}

fn creates(world: &World) -> usize {
    world.count(&format!("PUT /predictions/{PREDICTION}"))
}

#[tokio::test]
async fn a_create_carries_the_input_and_where_to_tell_its_end() {
    let world = World::new().await;
    assert_eq!(submit(&world).await.unwrap(), world.id());
    let script = world.script.lock().unwrap();
    let create = script.seen.last().unwrap();
    assert_eq!(create.line, format!("PUT /predictions/{PREDICTION}"));
    assert_eq!(create.prefer.as_deref(), Some("respond-async"));
    let events = ["start", "completed"];
    assert_eq!(create.body, json!({"input": input(), "webhook": WEBHOOK, "webhook_events_filter": events}));
}

#[tokio::test]
async fn nothing_is_sent_unless_the_server_is_ready() {
    let world = World::new().await;
    world.set(|script| script.health = "BUSY");
    assert_eq!(submit(&world).await, Err(ProviderError::Busy { retry_after: None }));
    for health in ["STARTING", "SETUP_FAILED", "UNHEALTHY", "DEFUNCT", "SOMETHING"] {
        world.set(|script| script.health = health);
        assert!(matches!(submit(&world).await, Err(ProviderError::NotStarted { .. })), "{health}");
    }
    assert_eq!(creates(&world), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_has_started_nothing() {
    let mut world = World::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.account.url = format!("http://{closed}").parse().unwrap();
    world.restart();
    assert!(matches!(submit(&world).await, Err(ProviderError::NotStarted { .. })));
    assert!(matches!(world.cog.probe("").await, Err(ProviderError::Transient(_))));
    assert!(matches!(find(&world, NOW).await, Err(ProviderError::Transient(_))));
}

#[tokio::test]
async fn without_a_way_back_to_the_gateway_nothing_is_sent_or_sold() {
    let world = World::new().await;
    let (spec, input) = (spec(), input());
    let order = Order { webhook: None, ..order(&spec, &input, NOW) };
    for error in [world.cog.submit(&order).await.unwrap_err(), world.cog.probe("").await.unwrap_err()] {
        assert!(matches!(error, ProviderError::OperatorFault(text) if text.contains("providers.gpu.gateway_url")));
    }
    assert_eq!(creates(&world), 0);
}

#[tokio::test]
async fn what_a_create_is_answered_says_whether_it_runs() {
    let world = World::new().await;
    let busy = json!({"error": "At capacity - all prediction slots busy", "status": "failed"});
    let setup = json!({"error": "Setup has not finished yet.", "status": "failed"});
    let value =
        json!({"detail": [{"loc": ["body", "input", "duration"], "msg": "99 is too much", "type": "value_error"}]});
    let mut answered = Vec::new();
    let statuses = [(409, busy), (503, setup), (503, json!("proxy")), (500, json!({})), (502, json!({}))];
    let others = [(422, value), (413, json!({})), (404, json!({})), (200, json!({"status": "succeeded"}))];
    let pages = [(200, json!("a proxy's page")), (202, json!({}))];
    for (status, body) in statuses.into_iter().chain(others).chain(pages) {
        world.set(|script| script.create = (status, body));
        answered.push(match submit(&world).await {
            Ok(_) => "started",
            Err(ProviderError::Busy { .. }) => "busy",
            Err(ProviderError::NotStarted { .. }) => "not started",
            Err(ProviderError::Ambiguous(_)) => "ambiguous",
            Err(ProviderError::Refused(Ending::Failed)) => "refused",
            Err(ProviderError::OperatorFault(_)) => "operator",
            Err(error) => panic!("{error}"),
        });
    }
    let expected =
        ["busy", "not started", "ambiguous", "ambiguous", "ambiguous", "refused", "refused", "operator", "started"];
    assert_eq!(answered, [&expected[..], &["ambiguous", "ambiguous"]].concat());
    assert_eq!(world.cog.probe("").await, Ok(()), "only a health check can say when these are over");
}

#[tokio::test]
async fn a_field_that_the_route_does_not_send_stops_selling_until_another_process_runs() {
    let world = World::new().await;
    let missing = json!({"detail": [
        {"loc": ["body", "input", "st\"yle"], "msg": "Field required", "type": "value_error.missing"},
        {"loc": ["body", "input", "duration"], "msg": "99 is too much", "type": "value_error"},
    ]});
    world.set(|script| script.create = (422, missing));
    let expected = "the model wants `style`, which the route's `input` does not send";
    for error in [submit(&world).await.unwrap_err(), world.cog.probe("").await.unwrap_err()] {
        assert_eq!(error, ProviderError::OperatorFault(expected.to_owned()));
    }
    world.set(|script| script.process = "another".into());
    for _ in 0..2 {
        assert_eq!(world.cog.probe("").await, Ok(()));
    }
}

#[tokio::test]
async fn a_probe_is_the_servers_own_health_check() {
    let world = World::new().await;
    for (health, open) in [("READY", true), ("BUSY", true), ("STARTING", false), ("UNHEALTHY", false)] {
        world.set(|script| script.health = health);
        let answer = world.cog.probe("").await;
        assert_eq!(answer.is_ok(), open, "{health}");
        assert!(open || matches!(answer, Err(ProviderError::Transient(_))), "{health}");
    }
}

#[tokio::test]
async fn a_prediction_under_way_tells_its_progress() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    for (metrics, progress) in [
        (json!({}), None),
        (json!({"progress": 0.25}), Some(0.25)),
        (json!({"progress": 7}), Some(1.0)),
        (json!({"progress": "half"}), None),
    ] {
        under_way(&world, metrics);
        assert_eq!(world.cog.poll(&task(&id, "")).await, Ok(Poll::Pending { progress, ahead: None }));
    }
    assert_eq!(find(&world, NOW).await, Ok(Found::Started(id)));
}

#[tokio::test]
async fn a_look_runs_nothing() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    let _ = world.cog.poll(&task(&id, "")).await;
    let _ = find(&world, NOW).await;
    let script = world.script.lock().unwrap();
    let looks: Vec<_> = script.seen.iter().skip(2).filter(|seen| seen.line.starts_with("PUT")).collect();
    assert_eq!(looks.len(), 2);
    assert!(looks.iter().all(|look| look.body == json!({"input": 0}) && look.prefer.is_none()));
}

#[tokio::test]
async fn what_another_process_ran_is_lost() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    world.set(|script| script.process = "another".into());
    assert_eq!(world.cog.poll(&task(&id, "")).await, Err(ProviderError::Unknown));
}

#[tokio::test]
async fn what_has_ended_without_a_word_is_waited_for_and_then_lost() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    let setup = json!({"error": "Setup has not finished yet.", "status": "failed"});
    let no_schema = json!({"error": "Input validation error: Input must be a JSON object", "status": "failed"});
    for absent in [(422, json!({})), (409, json!({})), (503, setup), (200, no_schema)] {
        world.set(|script| script.absent = absent);
        assert_eq!(world.cog.poll(&task(&id, "")).await, Ok(Poll::Pending { progress: None, ahead: None }));
    }
    world.clock.advance(3 * SECOND);
    let error = world.cog.poll(&task(&id, "")).await.unwrap_err();
    assert!(matches!(error, ProviderError::Transient(text) if text.contains("cog must reach the gateway")));
    world.clock.advance(146 * SECOND);
    assert!(matches!(world.cog.poll(&task(&id, "")).await, Err(ProviderError::Transient(_))));
    world.clock.advance(SECOND);
    assert_eq!(world.cog.poll(&task(&id, "")).await, Err(ProviderError::Unknown));
}

#[tokio::test]
async fn answers_that_say_nothing_of_a_prediction_change_nothing() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    for said in [(404, json!({})), (500, json!({})), (200, json!({})), (503, json!("proxy"))] {
        world.set(|script| script.absent = said);
        assert!(matches!(world.cog.poll(&task(&id, "")).await, Err(ProviderError::Transient(_))));
    }
}

#[tokio::test]
async fn a_create_that_has_not_arrived_is_nothing_after_a_while() {
    let world = World::new().await;
    assert!(matches!(find(&world, SECOND).await, Err(ProviderError::Transient(_))));
    world.clock.advance(2 * SECOND);
    assert!(matches!(find(&world, 3 * SECOND).await, Err(ProviderError::Transient(_))));
    world.clock.advance(SECOND);
    assert_eq!(find(&world, 4 * SECOND).await, Ok(Found::Nothing));
}

#[tokio::test]
async fn a_create_that_may_have_ended_while_the_gateway_was_away_is_waited_for() {
    let world = World::new().await;
    let away = 40 * SECOND;
    assert!(matches!(find(&world, away).await, Err(ProviderError::Transient(_))));
    world.clock.advance(41 * SECOND);
    assert!(matches!(find(&world, away + 41 * SECOND).await, Err(ProviderError::Transient(_))));
    world.notice(&succeeded(&json!(data_uri(b"....ftyp")))).await.unwrap();
    let Ok(Found::Started(id)) = find(&world, away + 42 * SECOND).await else { panic!("not found") };
    assert_eq!(world.cog.poll(&task(&id, "")).await, Ok(Poll::Ready { charged: Some(1.5) }));
    // However long ago: cog does not pause for longer.
    world.cog.discard(&task(&id, "")).await.unwrap();
    assert!(matches!(find(&world, 300 * SECOND).await, Err(ProviderError::Transient(_))));
    world.clock.advance(106 * SECOND);
    assert_eq!(find(&world, 406 * SECOND).await, Ok(Found::Nothing));
}

#[tokio::test]
async fn cancelling_stops_the_prediction_and_forgets_what_came_of_it() {
    let world = World::new().await;
    let id = submit(&world).await.unwrap();
    world.notice(&succeeded(&json!(data_uri(b"....ftyp")))).await.unwrap();
    world.cog.cancel(&task(&id, "")).await.unwrap();
    assert_eq!(world.count(&format!("POST /predictions/{PREDICTION}/cancel")), 1);
    assert!(world.files().is_empty());
}
