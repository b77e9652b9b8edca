//! Which of several routes a job goes, and when none is sold.

use std::sync::Arc;
use std::time::Duration;

use satforge::config::{Ambiguous, CostRule, RouteConfig};
use satforge::domain::{Msat, ServiceId};
use satforge::providers::{Account, Found, Poll, ProviderError, Providers, Route};

use crate::fake::Reply::Say;
use crate::fake::{Fake, Reply, Script};
use crate::kit::buyer::{VIDEO, video};
use crate::kit::until;
use crate::world::World;

fn failing<const N: usize>(error: &ProviderError) -> Script {
    let submit = [(); N].map(|()| Say(Err(error.clone()))).into();
    Script { submit, ..Script::default() }
}

fn not_started() -> ProviderError {
    ProviderError::NotStarted { message: "connection refused".into(), retry_after: None }
}

fn fault() -> ProviderError {
    ProviderError::OperatorFault("402".into())
}

pub async fn sells(world: &World) -> bool {
    let url = format!("{}{VIDEO}", world.url());
    let asked = crate::kit::client::builder()
        .build()
        .unwrap()
        .post(url)
        .header("content-type", "application/json")
        .body(video("a boat"));
    asked.send().await.unwrap().status() == 402
}

#[tokio::test]
async fn what_surely_did_not_start_goes_the_next_way_at_once() {
    for error in [not_started(), fault()] {
        let (first, second) = (Fake::named("first", failing::<1>(&error)), Fake::named("second", Script::default()));
        let world = World::routed(&[&first, &second]).await;
        world.expect_film().await;
        assert_eq!((first.count("submit"), second.count("submit")), (1, 1), "{error}");
        assert_eq!(first.count("find"), 0, "{error}");
        assert_eq!(world.rows().await.job().await.dispatches, 1, "one create may have cost something");
    }
}

#[tokio::test]
async fn what_may_have_started_stays_where_it_is() {
    let submit = [Say(Err(ProviderError::Ambiguous("cut".into())))].into();
    let find = [Say(Ok(Found::Started("up-found".into())))].into();
    let first = Fake::named("first", Script { submit, find, ..Script::default() });
    let second = Fake::named("second", Script::default());
    World::routed(&[&first, &second]).await.expect_film().await;
    assert_eq!((first.count("submit"), second.count("submit")), (1, 0));
}

#[tokio::test]
async fn what_nobody_can_tell_is_sent_once_more_and_then_owed_back() {
    let unknowable = || Say(Ok(Found::Unknowable));
    let cut = || Reply::Say(Err(ProviderError::Ambiguous("cut".into())));
    let fake = Fake::new(Script {
        submit: [cut(), cut(), cut()].into(),
        find: [unknowable(), unknowable()].into(),
        ..Script::default()
    });
    World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1, 2]);
}

#[tokio::test]
async fn a_route_that_fails_again_and_again_is_rested_and_the_next_one_sells() {
    let (first, second) =
        (Fake::named("first", failing::<9>(&not_started())), Fake::named("second", Script::default()));
    let world = World::routed(&[&first, &second]).await;
    for _ in 0..5 {
        world.buy().await.result_path();
    }
    assert_eq!((first.count("submit"), second.count("submit")), (3, 5));
    assert!(sells(&world).await);
}

#[tokio::test]
async fn without_an_open_route_nothing_is_sold_and_what_is_paid_waits() {
    let first = Fake::named("first", failing::<3>(&not_started()));
    let world = World::routed(&[&first]).await;
    let paid_before = world.pay("a quiet lake").await;
    // Three creates that come to nothing, then the probe finds it well, and the same job goes through.
    let order = world.order().await;
    until("the route is closed", async || (!sells(&world).await).then_some(())).await;
    world.outcome(&order).await.result_path();
    world.outcome(&paid_before).await.result_path();
    assert!(sells(&world).await);
}

fn alone(settings: &mut RouteConfig) {
    settings.concurrency = 1;
}

#[tokio::test]
async fn a_route_has_so_many_places_and_no_more() {
    let fake = Fake::endless();
    let world = World::one_route(&fake, ServiceId::Video, alone, Account::default()).await;
    let first = world.order().await;
    until("a create", async || (fake.count("submit") > 0).then_some(())).await;
    let second = world.order().await;
    until("looks at the first", async || (fake.count("poll") > 5).then_some(())).await;
    assert_eq!(fake.count("submit"), 1, "the second waits for a place");
    fake.finish();
    for purchase in [first, second] {
        world.outcome(&purchase).await.result_path();
    }
    assert_eq!(fake.creates(), [1, 1]);
    let jobs = world.rows().await.jobs().await;
    assert!(jobs.iter().all(|job| job.failures == 0), "waiting is no failure: {jobs:?}");
}

#[tokio::test]
async fn a_route_has_a_deadline_of_its_own() {
    let fake = Fake::endless();
    let short = |settings: &mut RouteConfig| settings.deadline = Some(Duration::from_millis(100));
    let world = World::one_route(&fake, ServiceId::Video, short, Account::default()).await;
    world.expect_owed("GENERATION_FAILED").await;
    until("the cancellation", async || (fake.count("discard") > 0).then_some(())).await;
}

#[tokio::test]
async fn a_route_may_owe_rather_than_send_again() {
    let fake = Fake::new(Script {
        submit: [Say(Err(ProviderError::Ambiguous("cut".into())))].into(),
        find: [Say(Ok(Found::Unknowable))].into(),
        ..Script::default()
    });
    let careful = |settings: &mut RouteConfig| settings.ambiguous = Ambiguous::Refund;
    let world = World::one_route(&fake, ServiceId::Video, careful, Account::default()).await;
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn a_route_that_makes_no_results_is_closed() {
    let junk = || Say(Ok(crate::fake::bytes(&[b"<html>"])));
    for sold in [[true, true, false], [true; 3]] {
        // Six looks each: a page may stand in a film's place for a while.
        let fake = Fake::new(Script { fetch: (0..18).map(|_| junk()).collect(), ..Script::default() });
        let world = if sold[2] {
            // The simulated provider's own: there is nothing that an operator could mend.
            World::new(&fake).await
        } else {
            World::one_route(&fake, ServiceId::Video, |_| {}, Account::default()).await
        };
        for sold in sold {
            world.buy().await.owed(502, "GENERATION_FAILED", crate::world::PRICE);
            assert_eq!(sells(&world).await, sold);
        }
    }
}

#[tokio::test]
async fn a_fault_that_shows_while_polling_ends_the_job_and_closes_the_route() {
    let fake = Fake::new(Script::default());
    fake.poll_next([Say(Err(fault()))].into());
    let world = World::one_route(&fake, ServiceId::Video, |_| {}, Account::default()).await;
    world.expect_owed("GENERATION_FAILED").await;
    assert!(!sells(&world).await);
    until("the cancellation", async || (fake.count("discard") > 0).then_some(())).await;
}

#[tokio::test]
async fn a_provider_without_room_is_asked_again_and_stays_open() {
    let busy = || Say(Err(ProviderError::Busy { retry_after: None }));
    let fake = Fake::new(Script { submit: (0..5).map(|_| busy()).collect(), ..Script::default() });
    let world = World::new(&fake).await;
    world.expect_film().await;
    assert_eq!(fake.creates(), [1; 6], "none of them counts");
    assert!(sells(&world).await);
}

#[tokio::test]
async fn a_pause_that_one_provider_asks_for_keeps_nobody_from_the_next_way() {
    let hour = Some(Duration::from_hours(1));
    for asks in [
        ProviderError::Busy { retry_after: hour },
        ProviderError::NotStarted { message: "429".into(), retry_after: hour },
    ] {
        let first = Fake::named("first", failing::<1>(&asks));
        let second = Fake::named("second", failing::<2>(&not_started()));
        let world = World::routed(&[&first, &second]).await;
        world.expect_film().await;
        world.buy().await.result_path();
        assert_eq!((first.count("submit"), second.count("submit")), (1, 4), "{asks}");
        assert!(sells(&world).await);
    }
}

#[tokio::test]
async fn a_pause_that_a_provider_asks_for_is_kept_by_every_job() {
    let pause = Duration::from_millis(300);
    let fake = Fake::new(failing::<1>(&ProviderError::Busy { retry_after: Some(pause) }));
    let world = World::new(&fake).await;
    let first = world.order().await;
    until("the pause is asked for", async || (fake.count("submit") == 1).then_some(())).await;
    let second = world.order().await;
    for purchase in [first, second] {
        world.outcome(&purchase).await.result_path();
    }
    let times: Vec<_> = fake.calls().into_iter().filter(|call| call.operation == "submit").map(|c| c.at).collect();
    assert_eq!(times.len(), 3);
    assert!(times[1..].iter().all(|at| *at - times[0] >= pause), "{times:?}");
}

#[tokio::test]
async fn a_route_that_keeps_ten_jobs_waiting_is_not_sold() {
    let hour = Some(Duration::from_hours(1));
    let fake = Fake::new(failing::<1>(&ProviderError::Busy { retry_after: hour }));
    let world = World::new(&fake).await;
    for jobs in 1..=10 {
        assert!(sells(&world).await, "{jobs}");
        world.order().await;
        let waits = async || world.rows().await.jobs().await.iter().filter(|job| job.failures == 1).count() == jobs;
        until("it waits", async || waits().await.then_some(())).await;
    }
    assert!(!sells(&world).await);
    assert_eq!(fake.count("submit"), 1);
}

#[tokio::test]
async fn a_server_of_ones_own_that_is_down_is_not_sold_and_one_of_somebody_elses_is() {
    let down = || Err(ProviderError::Transient("connection refused".into()));
    for is_own in [true, false] {
        let fake = Fake::new(Script { probe: (0..100).map(|_| down()).collect(), ..Script::default() });
        let account = Account { is_own, ..Account::default() };
        let world = World::one_route(&fake, ServiceId::Video, |_| {}, account).await;
        until("the look at the start", async || (fake.probes() > 0).then_some(())).await;
        let as_expected = async || (sells(&world).await != is_own).then_some(());
        until("what the look says", as_expected).await;
    }
}

#[tokio::test]
async fn what_was_sold_at_the_price_of_a_full_route_does_not_go_a_dearer_way() {
    let (cheap, dear) = (Fake::endless(), Fake::named("dear", Script::default()));
    let route = |fake: &Arc<Fake>, price_factor, concurrency| {
        let settings = Route::plain(ServiceId::Video, fake.clone()).settings().clone();
        Route::new(RouteConfig { price_factor, concurrency, ..settings }, fake.clone(), Account::default())
    };
    let routes = Providers::of(vec![route(&cheap, 1.0, 1), route(&dear, 4.0, 9)]);
    let world = World::over_routes(routes).await;
    let first = world.order().await;
    until("a create", async || (cheap.count("submit") > 0).then_some(())).await;
    let second = world.order().await;
    until("looks at the first", async || (cheap.count("poll") > 5).then_some(())).await;
    assert_eq!((cheap.count("submit"), dear.count("submit")), (1, 0));
    cheap.finish();
    for purchase in [first, second] {
        world.outcome(&purchase).await.result_path();
    }
    assert_eq!((cheap.count("submit"), dear.count("submit")), (2, 0));
}

#[tokio::test]
async fn what_a_generation_cost_is_written_down() {
    let ready = |charged| Say(Ok(Poll::Ready { charged }));
    let fixed = CostRule::Fixed(Msat::from_sat(7).unwrap());
    for (rule, charged, expected) in [
        (CostRule::PerUnit(0.8), Some(2.5), (Some(2_500_000), Some(2_000))),
        (CostRule::Unknown, Some(2.5), (Some(2_500_000), None)),
        (fixed, None, (None, Some(7_000))),
        (CostRule::PerUnit(0.8), None, (None, None)),
        (CostRule::PerUnit(0.8), Some(f64::NAN), (None, None)),
    ] {
        let fake = Fake::new(Script { poll: [ready(charged)].into(), ..Script::default() });
        let priced = |settings: &mut RouteConfig| settings.cost = rule;
        let world = World::one_route(&fake, ServiceId::Video, priced, Account::default()).await;
        world.expect_film().await;
        assert_eq!(world.rows().await.costs().await, [expected], "{rule:?} {charged:?}");
    }
}

#[tokio::test]
async fn a_route_whose_generations_get_lost_again_and_again_is_closed_and_one_loss_is_none() {
    let lost = |times: usize| (0..times).map(|_| Say(Err(ProviderError::Unknown))).collect();
    let once = Fake::new(Script { poll: lost(1), ..Script::default() });
    let world = World::one_route(&once, ServiceId::Video, |_| {}, Account::default()).await;
    world.expect_film().await;
    assert!(sells(&world).await);

    let always = Fake::new(Script { poll: lost(50), ..Script::default() });
    let world = World::one_route(&always, ServiceId::Video, |_| {}, Account::default()).await;
    world.order().await;
    until("the route is closed", async || (!sells(&world).await).then_some(())).await;
    assert_eq!(always.creates(), [1, 2, 3, 4]);
}
