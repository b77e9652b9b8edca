//! Copying a result: nothing but a whole file of the right kind counts.

use std::time::Duration;

use satforge::providers::{Ending, ProviderError};

use crate::fake::Reply::{Hang, Panic, Say};
use crate::fake::{Fake, Script, breaks, bytes, stalls};
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
