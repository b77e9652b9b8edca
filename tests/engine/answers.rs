//! What follows from each answer of a provider, and how many creates it costs.

use std::time::Duration;

use satforge::providers::{Ending, Found, Poll, ProviderError};

use crate::fake::Reply::{Hang, Panic, Say};
use crate::fake::{Fake, Script};
use crate::kit::buyer::Purchase;
use crate::world::World;

fn transient() -> ProviderError {
    ProviderError::Transient("503".into())
}

fn ambiguous() -> ProviderError {
    ProviderError::Ambiguous("connection reset".into())
}

fn started() -> Found {
    Found::Started("up-found".into())
}

#[tokio::test]
async fn a_purchase_is_one_create_one_fetch_and_one_discard() {
    let fake = Fake::new(Script::default());
    let world = World::new(&fake).await;
    world.expect_film().await;
    let job = world.rows().await.job().await;
    crate::kit::until("the upstream is discarded", async || (fake.count("discard") == 1).then_some(())).await;
    let operations: Vec<_> = fake.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["submit", "poll", "fetch", "discard"]);
    assert_eq!(fake.about("submit"), [format!("{}.1", job.id)], "the internal id is the key");
}

#[tokio::test]
async fn not_started_is_sent_again_and_not_looked_up() {
    let pause = Duration::from_millis(300);
    let not_started = |retry_after| Say(Err(ProviderError::NotStarted { message: "429".into(), retry_after }));
    let fake = Fake::new(Script { submit: [not_started(None), not_started(Some(pause))].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1, 1, 1], "a create that cost nothing does not count");
    assert_eq!(fake.count("find"), 0);
    let times: Vec<_> = fake.calls().into_iter().filter(|call| call.operation == "submit").map(|c| c.at).collect();
    // Wall-clock milliseconds are cut off, so one may be missing.
    assert!(times[2] - times[1] + Duration::from_millis(2) >= pause, "the provider's own pause is kept");
}

#[tokio::test]
async fn an_ambiguous_create_that_had_arrived_is_the_only_one() {
    for error in [ambiguous(), transient(), ProviderError::Unknown] {
        let fake = Fake::new(Script {
            submit: [Say(Err(error))].into(),
            find: [Say(Ok(started()))].into(),
            ..Script::default()
        });
        World::new(&fake).await.expect_film().await;
        assert_eq!(fake.creates(), [1]);
        assert_eq!(fake.about("find"), fake.about("submit"), "looked up under the key that was sent");
        assert_eq!(fake.about("fetch"), ["up-found"]);
    }
}

#[tokio::test]
async fn an_ambiguous_create_that_had_not_arrived_is_sent_under_a_new_key() {
    let fake = Fake::new(Script { submit: [Say(Err(ambiguous()))].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1, 2]);
    let (first, looked_up) = (fake.about("submit")[0].clone(), fake.about("find"));
    assert_eq!(looked_up, [first.clone(), first], "it may still have been on its way at the first look");
}

#[tokio::test]
async fn a_look_up_that_fails_is_repeated_before_anything_is_sent_again() {
    let fake = Fake::new(Script {
        submit: [Say(Err(ambiguous()))].into(),
        find: [Say(Err(transient())), Say(Err(ambiguous())), Panic, Say(Ok(started()))].into(),
        ..Script::default()
    });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1]);
    let keys = fake.about("find");
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == fake.about("submit")[0]), "{keys:?}");
}

#[tokio::test]
async fn a_create_without_an_answer_is_looked_up() {
    let fake = Fake::new(Script { submit: [Hang].into(), find: [Say(Ok(started()))].into(), ..Script::default() });
    let world = World::with(&fake, |config| config.jobs.provider_timeout = Duration::from_millis(50)).await;
    world.expect_film().await;
    assert_eq!(fake.creates(), [1]);
}

#[tokio::test]
async fn polls_that_fail_or_hang_are_repeated() {
    let pending = || Say(Ok(Poll::Pending { progress: None, ahead: None }));
    let fake = Fake::new(Script {
        poll: [Say(Err(transient())), Say(Err(ambiguous())), pending(), Hang, Panic, pending()].into(),
        ..Script::default()
    });
    let world = World::with(&fake, |config| config.jobs.provider_timeout = Duration::from_millis(50)).await;
    world.expect_film().await;
    assert_eq!(fake.creates(), [1]);
    assert_eq!(fake.count("poll"), 7);
}

#[tokio::test]
async fn a_generation_that_the_provider_has_forgotten_is_made_again() {
    let fake = Fake::new(Script { poll: [Say(Err(ProviderError::Unknown))].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1, 2]);
}

#[tokio::test]
async fn two_failed_attempts_and_a_good_one_are_a_good_job() {
    let failed = || Say(Ok(Poll::Failed(Ending::Transient)));
    let fake = Fake::new(Script { poll: [failed(), failed()].into(), ..Script::default() });
    let world = World::new(&fake).await;
    world.expect_film().await;
    assert_eq!(fake.creates(), [1, 2, 3]);
    assert_eq!(world.rows().await.job().await.failures, 2);
    crate::kit::until("all three are discarded", async || (fake.count("discard") == 3).then_some(())).await;
}

#[tokio::test]
async fn a_job_that_no_create_brings_to_an_end_is_owed_back() {
    let failed = std::iter::repeat_with(|| Say(Ok(Poll::Failed(Ending::Transient)))).take(100);
    let fake = Fake::new(Script { poll: failed.collect(), ..Script::default() });
    World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1, 2, 3, 4, 5], "what one payment may cost has a limit");
}

#[tokio::test]
async fn words_that_may_be_the_callers_own_buy_one_more_create_and_no_further() {
    let perhaps = || Say(Ok(Poll::Failed(Ending::Perhaps)));
    let fake = Fake::new(Script { poll: [perhaps()].into(), ..Script::default() });
    World::new(&fake).await.expect_film().await;
    assert_eq!(fake.creates(), [1, 2]);

    let fake = Fake::new(Script { poll: (0..100).map(|_| perhaps()).collect(), ..Script::default() });
    World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1, 2]);

    // A create that is refused has cost nothing, and does not begin anew.
    let refused = || Say(Err(ProviderError::Refused(Ending::Perhaps)));
    let fake = Fake::new(Script { submit: (0..100).map(|_| refused()).collect(), ..Script::default() });
    World::new(&fake).await.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1, 2]);
}

#[tokio::test]
async fn a_final_no_is_owed_back() {
    for (ending, code) in [(Ending::Failed, "GENERATION_FAILED"), (Ending::Rejected, "CONTENT_REJECTED")] {
        let at_submit = Script { submit: [Say(Err(ProviderError::Refused(ending)))].into(), ..Script::default() };
        let at_poll = Script { poll: [Say(Ok(Poll::Failed(ending)))].into(), ..Script::default() };
        for script in [at_submit, at_poll] {
            let fake = Fake::new(script);
            World::new(&fake).await.expect_owed(code).await;
            assert_eq!(fake.creates(), [1]);
        }
    }
}

#[tokio::test]
async fn a_refusal_while_polling_is_a_final_no_too() {
    let refused = Say(Err(ProviderError::Refused(Ending::Rejected)));
    let fake = Fake::new(Script { poll: [refused].into(), ..Script::default() });
    World::new(&fake).await.expect_owed("CONTENT_REJECTED").await;
    assert_eq!((fake.creates(), fake.count("poll")), (vec![1], 1));
}

#[tokio::test]
async fn an_operators_fault_is_owed_back_and_nothing_is_sold_until_it_is_mended() {
    let fault = Err(ProviderError::OperatorFault("401".into()));
    let fake = Fake::new(Script { submit: [Say(fault)].into(), ..Script::default() });
    let world = World::new(&fake).await;
    let paid_before = world.pay("a quiet lake").await;
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!(fake.creates(), [1]);

    let unpaid = Purchase { credential: "none".into(), ..paid_before.clone() };
    let refused = world.buyer.present(world.url(), &unpaid, "").await;
    assert_eq!((refused.status, refused.json["error_code"].as_str()), (503, Some("UPSTREAM_UNAVAILABLE")));
    world.outcome(&paid_before).await.result_path();
    world.pay("what was paid before has shown that it is mended").await;
}

#[tokio::test]
async fn a_panic_in_a_create_costs_one_attempt_and_not_the_engine() {
    let fake = Fake::new(Script { submit: [Panic].into(), find: [Say(Ok(started()))].into(), ..Script::default() });
    let world = World::new(&fake).await;
    world.expect_film().await;
    assert_eq!(fake.creates(), [1], "looked up first: the panic may have come after the create");
}
