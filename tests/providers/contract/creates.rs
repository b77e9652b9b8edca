//! A purchase is one create, as far as anybody can tell.

use std::sync::Arc;
use std::time::Duration;

use satforge::config::Ambiguous;
use tokio::sync::Notify;

use crate::kit::until;
use crate::upstream::Fault;
use crate::vendor::{Errand, Find, Vendor};
use crate::world::{Wish, World};

/// Waits until a create whose answer was lost has been looked for, whatever came of it.
async fn looked_up(world: &World) {
    let looked_up = async || {
        let job = world.rows().await.job().await;
        (job.failures > 0 || job.upstream_id.is_some()).then_some(())
    };
    until("it was looked for", looked_up).await;
}

/// Lets so much time pass that all is known about a create that ever will be.
fn settle<V: Vendor>(world: &World) {
    world.clock.advance(V::CAN.find.settles_after() + Duration::from_secs(1));
    world.app.jobs.wake();
}

pub async fn a_purchase_is_one_create_and_the_exact_bytes<V: Vendor>() {
    let world = World::new::<V>().await;
    world.expect_result().await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (1, 1));
    assert_eq!(world.upstream.count(Errand::List), 0, "nothing is looked for when nothing is lost");
    let body = world.upstream.all()[0].body.clone();
    V::check_input(&body);
    assert_eq!(world.rows().await.job().await.dispatches, 1);
}

/// The create arrived and its answer did not: how often it may be started depends on what can be found out.
async fn lost_answer<V: Vendor>(fault: Fault) {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [fault]);
    let order = world.order().await;
    until("the create has arrived", async || (world.upstream.started() >= 1).then_some(())).await;
    if !matches!(V::CAN.find, Find::Exactly(_)) {
        looked_up(&world).await;
        settle::<V>(&world);
    }
    world.expect_result_of(&order).await;
    let allowed = if matches!(V::CAN.find, Find::Never(_)) { 2 } else { 1 };
    assert_eq!(world.upstream.started(), allowed);
    assert_eq!(world.upstream.count(Errand::Create), allowed);
}

pub async fn a_create_whose_line_was_cut_is_found_and_sent_once<V: Vendor>() {
    lost_answer::<V>(Fault::Cut).await;
}

pub async fn a_create_that_was_never_answered_is_found_and_sent_once<V: Vendor>() {
    lost_answer::<V>(Fault::Silent).await;
}

pub async fn a_create_answered_with_garbage_is_looked_up<V: Vendor>() {
    for text in super::GARBAGE {
        lost_answer::<V>(Fault::Garbage(text)).await;
    }
}

pub async fn a_create_that_did_not_arrive_is_sent_again<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [Fault::Dropped]);
    let order = world.order().await;
    world.wait_for(Errand::Create, 1).await;
    looked_up(&world).await;
    assert_eq!(world.upstream.count(Errand::Create), 1, "it may still be on its way");
    settle::<V>(&world);
    world.expect_result_of(&order).await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (1, 2));
}

/// A look-up must not take somebody else's generation.
pub async fn of_two_alike_each_gets_its_own<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    world.upstream.fail_next(Errand::Create, [Fault::Cut]);
    let first = world.order().await;
    until("the create has arrived", async || (world.upstream.started() >= 1).then_some(())).await;
    let second = world.order().await;
    until("the other one has, too", async || (world.upstream.started() == 2).then_some(())).await;
    settle::<V>(&world);
    world.upstream.release();
    world.expect_result_of(&first).await;
    world.expect_result_of(&second).await;
    let jobs = world.rows().await.jobs().await;
    assert_ne!(jobs[0].upstream_id, jobs[1].upstream_id);
    let allowed = if matches!(V::CAN.find, Find::Never(_)) { 3 } else { 2 };
    assert_eq!(world.upstream.started(), allowed);
}

pub async fn what_nobody_can_tell_is_owed_back_where_the_operator_says_so<V: Vendor>() {
    let wish = Wish { ambiguous: Ambiguous::Refund, ..Wish::default() };
    let world = World::with::<V>(wish).await;
    world.upstream.fail_next(Errand::Create, [Fault::Cut]);
    let order = world.order().await;
    until("the create has arrived", async || (world.upstream.started() >= 1).then_some(())).await;
    if let Find::Exactly(_) = V::CAN.find {
        world.expect_result_of(&order).await;
    } else {
        looked_up(&world).await;
        settle::<V>(&world);
        match V::CAN.find {
            Find::Never(_) => world.expect_owed_for(&order, "GENERATION_FAILED").await,
            _ => world.expect_result_of(&order).await,
        }
    }
    assert_eq!(world.upstream.count(Errand::Create), 1);
}

pub async fn an_answer_that_is_late_is_an_answer<V: Vendor>() {
    let world = World::new::<V>().await;
    let gate = Arc::new(Notify::new());
    world.upstream.fail_next(Errand::Create, [Fault::Late(gate.clone())]);
    let order = world.order().await;
    world.wait_for(Errand::Create, 1).await;
    gate.notify_one();
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.count(Errand::Create), 1);
    assert_eq!(world.upstream.count(Errand::List), 0);
}

pub async fn without_a_connection_nothing_was_created<V: Vendor>() {
    let mut world = World::with::<V>(Wish { closed: true, ..Wish::default() }).await;
    let order = world.order().await;
    until("the route is closed", async || (!world.sells().await).then_some(())).await;
    let uncounted = async || (world.rows().await.job().await.dispatches == 0).then_some(());
    until("it cost nothing, so it does not count", uncounted).await;
    world.open();
    world.expect_result_of(&order).await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (1, 1));
    assert_eq!(world.upstream.count(Errand::List), 0, "nothing is looked for that surely was not sent");
    assert!(world.sells().await);
}
