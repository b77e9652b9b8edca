//! What each status of a create means.

use std::time::Duration;

use futures_util::future::join_all;

use crate::kit::until;
use crate::upstream::Fault;
use crate::vendor::{Errand, Find, Vendor};
use crate::world::World;

pub async fn what_has_no_room_is_asked_again_and_does_not_count<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [408, 409, 425, 429].map(|status| Fault::Refused(status, None)));
    let order = world.order().await;
    world.wait_for(Errand::Create, 4).await;
    assert!(world.sells().await, "a full house is no broken one");
    world.expect_result_of(&order).await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (1, 5));
    assert_eq!(world.upstream.count(Errand::List), 0, "surely nothing was started");
    assert_eq!(world.rows().await.job().await.dispatches, 1);
}

pub async fn a_pause_that_is_asked_for_is_kept<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [Fault::Refused(429, Some(1))]);
    world.expect_result().await;
    let calls = world.upstream.calls();
    let times: Vec<_> = calls.iter().filter(|call| call.errand == Errand::Create).map(|call| call.at).collect();
    // Wall-clock milliseconds are cut off, so one may be missing.
    assert!(times[1] - times[0] >= Duration::from_millis(998), "{:?}", times[1] - times[0]);
}

pub async fn what_is_refused_for_good_is_owed_back<V: Vendor>() {
    for status in [400, 413, 422] {
        let world = World::new::<V>().await;
        world.upstream.fail_next(Errand::Create, [Fault::Refused(status, None)]);
        world.expect_owed("GENERATION_FAILED").await;
        assert_eq!((world.upstream.started(), world.upstream.count(Errand::Create)), (0, 1), "{status}");
        assert!(world.sells().await, "what one caller asks for closes no shop: {status}");
    }
}

pub async fn a_refused_account_is_not_sold_until_it_is_mended<V: Vendor>() {
    // Side by side, because each waits for a probe.
    join_all([401, 402, 403].map(refused_account::<V>)).await;
}

async fn refused_account<V: Vendor>(status: u16) {
    let world = World::new::<V>().await;
    world.upstream.lock(status);
    let order = world.order().await;
    world.expect_owed_for(&order, "GENERATION_FAILED").await;
    assert_eq!(world.upstream.started(), 0, "{status}");
    assert!(!world.sells().await, "{status}");
    world.upstream.unlock();
    until("a probe has succeeded", async || world.sells().await.then_some(())).await;
    assert!(world.upstream.count(Errand::Probe) > 0, "{status}");
    // What is owed stays owed; what comes next is sold as ever.
    world.outcome(&world.order().await).await.result_path();
}

pub async fn a_model_that_is_not_there_is_not_sold<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [Fault::Refused(404, None)]);
    world.expect_owed("GENERATION_FAILED").await;
    assert!(!world.sells().await);
    assert_eq!(world.upstream.count(Errand::Create), 1);
}

pub async fn a_server_error_on_create_is_looked_up<V: Vendor>() {
    let world = World::new::<V>().await;
    for status in [500, 502, 503, 504] {
        let before = (world.upstream.count(Errand::Create), world.upstream.count(Errand::List));
        world.upstream.fail_next(Errand::Create, [Fault::Refused(status, None)]);
        let order = world.order().await;
        let looked_up = async || {
            let jobs = world.rows().await.jobs().await;
            let job = jobs.iter().find(|job| job.state == "dispatching")?;
            (job.failures > 0).then_some(())
        };
        until("it was looked for", looked_up).await;
        assert_eq!(world.upstream.count(Errand::Create), before.0 + 1, "{status}");
        if matches!(V::CAN.find, Find::Exactly(_)) {
            assert!(world.upstream.count(Errand::List) > before.1, "{status}");
        }
        world.clock.advance(V::CAN.find.settles_after() + Duration::from_secs(1));
        world.app.jobs.wake();
        world.outcome(&order).await.result_path();
        assert_eq!(world.upstream.count(Errand::Create), before.0 + 2, "{status}");
    }
    assert_eq!(world.upstream.started(), 4);
}
