//! Fetching a result: nothing but a whole file of the right kind, from where files may come from.

use crate::upstream::File;
use crate::vendor::{Errand, Vendor};
use crate::world::World;

async fn unusable<V: Vendor>(file: File) {
    let world = World::new::<V>().await;
    world.upstream.serve_next([file]);
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::File)), (1, 1));
}

pub async fn too_large_is_owed_back<V: Vendor>() {
    unusable::<V>(File::TooLarge).await;
}

/// A page may stand in a result's place for a while, so it is looked at six times.
pub async fn of_the_wrong_kind_is_owed_back<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.serve_next([const { File::WrongKind }; 6]);
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!((world.upstream.started(), world.upstream.count(Errand::File)), (1, 6));
}

pub async fn a_redirect_elsewhere_is_never_followed<V: Vendor>() {
    unusable::<V>(File::Elsewhere).await;
}

pub async fn from_elsewhere_is_never_fetched<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.name_results_elsewhere();
    if V::CAN.name_results {
        world.expect_owed("GENERATION_FAILED").await;
        assert_eq!((world.upstream.started(), world.upstream.count(Errand::File)), (1, 0));
    } else {
        // What the vendor says about the place of a result is not listened to.
        world.expect_result().await;
    }
}

pub async fn what_is_gone_is_looked_for_again_and_costs_no_other_generation<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.serve_next([File::Gone]);
    world.expect_result().await;
    assert_eq!(world.upstream.started(), 1);

    let world = World::new::<V>().await;
    world.upstream.serve_next([const { File::Gone }; 9]);
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!(world.upstream.started(), 1);
}

pub async fn a_broken_transfer_goes_on<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.serve_next([File::Broken, File::Broken]);
    world.expect_result().await;
    assert_eq!(world.upstream.started(), 1);
    assert!(world.upstream.count(Errand::File) > 2);
}
