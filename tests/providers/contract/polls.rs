//! Watching a generation: only its own end ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::kit::until;
use crate::upstream::{Fault, Stage};
use crate::vendor::{Errand, Vendor};
use crate::world::World;

pub async fn how_far_it_is_reaches_the_caller<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.next_run([Stage::Running(0.5), Stage::Succeeded]);
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 2).await;
    let expected = V::CAN.tell_progress.then_some(0.5);
    let document = until("the job runs", async || {
        let document = world.document(&order).await;
        (document["status"] == "running" && document["progress"].as_f64() == expected).then_some(document)
    })
    .await;
    assert_eq!(document.get("progress").is_some(), V::CAN.tell_progress, "{document}");
    world.upstream.release();
    world.expect_result_of(&order).await;
}

pub async fn how_many_come_first_reaches_the_caller<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.next_run([Stage::Queued(3), Stage::Running(0.25), Stage::Succeeded]);
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 2).await;
    let expected = V::CAN.tell_position.then_some(3);
    until("the job waits", async || {
        let document = world.document(&order).await;
        (document["status"] == "running" && document["queue_position"].as_u64() == expected).then_some(())
    })
    .await;
    world.upstream.release();
    world.expect_result_of(&order).await;
}

pub async fn garbage_is_survived<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Poll, super::GARBAGE.map(Fault::Garbage));
    world.expect_result().await;
    assert_eq!(world.upstream.started(), 1);
}

pub async fn an_answer_that_is_late_is_waited_for<V: Vendor>() {
    let world = World::new::<V>().await;
    let gate = Arc::new(Notify::new());
    world.upstream.fail_next(Errand::Poll, [Fault::Late(gate.clone()), Fault::Silent]);
    let order = world.order().await;
    world.wait_for(Errand::Poll, 1).await;
    gate.notify_one();
    // The silent one is given up, and asked again.
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.started(), 1);
}

pub async fn a_minute_of_outage_is_survived<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 1).await;
    let faults = [Fault::Refused(503, None), Fault::Dropped, Fault::Refused(502, None), Fault::Refused(429, None)];
    world.upstream.go_down(faults.into_iter().cycle().take(24));
    world.upstream.release();
    until("the vendor is back", async || world.upstream.is_up().then_some(())).await;
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.started(), 1, "what is under way is not made a second time");
}

pub async fn what_it_has_lost_is_made_again<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 1).await;
    world.upstream.forget_all();
    // One "not found" is not believed: what is new may not be known everywhere yet.
    world.wait_for(Errand::Poll, world.upstream.count(Errand::Poll) + 2).await;
    world.clock.advance(Duration::from_mins(1));
    until("it is made again", async || (world.upstream.started() == 2).then_some(())).await;
    world.upstream.release();
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.started(), 2);
}

/// The vendor makes it all the same, and keeps it.
pub async fn a_key_that_is_refused_meanwhile_loses_nothing<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 1).await;
    world.upstream.fail_next(Errand::Poll, [401, 403].map(|status| Fault::Refused(status, None)));
    world.wait_for(Errand::Poll, world.upstream.count(Errand::Poll) + 2).await;
    world.upstream.release();
    world.expect_result_of(&order).await;
    assert_eq!(world.upstream.started(), 1);
}
