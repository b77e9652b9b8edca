//! Copying a result: nothing but a whole file of the right kind counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use satforge::artifacts::ByteStream;
use satforge::clock::ManualClock;
use satforge::domain::ServiceId;
use satforge::providers::{Account, Ending, ProviderError, Providers, Route};

use crate::fake::Reply::{Hang, Panic, Say};
use crate::fake::{Fake, Reply, Script, breaks, bytes, stalls};
use crate::kit::until;
use crate::world::World;

#[tokio::test]
async fn a_source_that_breaks_is_fetched_again() {
    let transient = ProviderError::Transient("503".into());
    let fake = Fake::new(Script {
        fetch: [Say(Ok(breaks())), Say(Err(transient)), Panic, Say(Ok(breaks()))].into(),
        ..Script::default()
    });
    World::new(&fake).await.expect_film().await;
    assert_eq!((fake.creates(), fake.count("fetch")), (vec![1], 5));
}

#[tokio::test]
async fn a_source_that_stalls_is_fetched_again() {
    let fake = Fake::new(Script { fetch: [Hang, Say(Ok(stalls()))].into(), ..Script::default() });
    let world = World::with(&fake, |config| config.jobs.provider_timeout = Duration::from_millis(100)).await;
    world.expect_film().await;
    assert_eq!((fake.creates(), fake.count("fetch")), (vec![1], 3));
}

#[tokio::test]
async fn something_else_than_a_film_is_owed_back() {
    for wrong in [&b"<html>an error page</html>"[..], b"glTF, which somebody else wanted", b"short", b""] {
        let fetch = (0..50).map(|_| Say(Ok(bytes(&[wrong])))).collect();
        let fake = Fake::new(Script { fetch, ..Script::default() });
        World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
        assert_eq!((fake.creates(), fake.count("fetch")), (vec![1], 6), "another generation would cost as much again");
        crate::kit::until("it is discarded", async || (fake.count("discard") == 1).then_some(())).await;
    }
}

#[tokio::test]
async fn a_page_that_stands_in_the_place_of_a_film_for_a_while_costs_no_result() {
    let page = || Say(Ok(bytes(&[b"<html>please wait</html>"])));
    let fake = Fake::new(Script { fetch: [page(), page()].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!((fake.creates(), fake.count("fetch")), (vec![1], 3));
}

#[tokio::test]
async fn a_result_that_is_too_large_is_owed_back() {
    let fake = Fake::new(Script::default());
    let world = World::with(&fake, |config| {
        config.services.iter_mut().for_each(|service| service.result_limit = crate::fake::FILM.len() as u64 - 1);
    });
    world.await.expect_owed("GENERATION_FAILED").await;
}

#[tokio::test]
async fn a_result_that_is_just_small_enough_is_delivered() {
    let fake = Fake::new(Script::default());
    let world = World::with(&fake, |config| {
        config.services.iter_mut().for_each(|service| service.result_limit = crate::fake::FILM.len() as u64);
    });
    world.await.expect_film().await;
}

#[tokio::test]
async fn a_result_that_the_provider_has_lost_is_made_again() {
    let fake = Fake::new(Script { fetch: [Say(Err(ProviderError::Unknown))].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1, 2]);
}

#[tokio::test]
async fn a_result_that_is_refused_after_all_is_owed_back() {
    let refused = Say(Err(ProviderError::Refused(Ending::Failed)));
    let fake = Fake::new(Script { fetch: [refused].into(), ..Script::default() });
    World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
}

#[tokio::test]
async fn a_discard_that_fails_hangs_or_panics_does_not_touch_the_outcome() {
    for reply in [Say(Err(ProviderError::Transient("503".into()))), Hang, Panic] {
        let fake = Fake::new(Script { discard: [reply].into(), ..Script::default() });
        World::new(&fake).await.expect_film().await;
    }
}

/// Whether a route is still sold after so many results that came to nothing in time.
async fn is_sold_after(sources: impl Fn() -> Reply<ByteStream>, is_storage_broken: bool) -> bool {
    let fetch = (0..1_000).map(|_| sources()).collect();
    let fake = Fake::new(Script { fetch, ..Script::default() });
    let settings = Route::plain(ServiceId::Video, fake.clone()).settings().clone();
    let route = Route::new(settings, fake.clone(), Account::default());
    let (folder, clock) = (Arc::new(tempfile::tempdir().unwrap()), Arc::new(ManualClock::new(crate::world::EPOCH)));
    let world = World::over(Providers::of(vec![route]), folder, clock.clone(), |config| {
        config.jobs.lease = Duration::from_hours(24);
    })
    .await;
    if is_storage_broken {
        let results = world.folder.path().join("artifacts/results");
        std::fs::write(&results, "no folder").unwrap();
    }
    let mut ordered = Vec::new();
    for _ in 0..3 {
        ordered.push(world.order().await);
    }
    let fetched = || fake.about("fetch").into_iter().collect::<BTreeSet<_>>().len();
    until("each is fetched", async || (fetched() == 3).then_some(())).await;
    clock.advance(Duration::from_hours(1));
    world.app.jobs.wake();
    for purchase in &ordered {
        world.outcome(purchase).await.owed(502, "GENERATION_FAILED", crate::world::PRICE);
    }
    crate::routes::sells(&world).await
}

#[tokio::test]
async fn a_storage_that_takes_no_results_closes_no_route() {
    assert!(is_sold_after(|| Say(Ok(crate::fake::film())), true).await);
    let unavailable = || Say(Err(ProviderError::Transient("503".into())));
    assert!(!is_sold_after(unavailable, false).await, "a source that gives none does");
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_fetched_again_and_one_that_never_comes_is_owed_back() {
    let gone = || Say(Err(ProviderError::Gone));
    let late = Fake::new(Script { fetch: [gone(), gone()].into(), ..Script::default() });
    World::new(&late).await.expect_film().await;
    assert_eq!((late.creates(), late.count("fetch")), (vec![1], 3));

    let never = Fake::new(Script { fetch: (0..50).map(|_| gone()).collect(), ..Script::default() });
    World::new(&never).await.expect_owed("GENERATION_FAILED").await;
    assert_eq!((never.creates(), never.count("fetch")), (vec![1], 6), "another generation would cost as much again");
}
