//! How quickly a job is taken up and its end is told. The limits are those of a debug build on a busy machine.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use satforge::domain::{RequestBinding, ServiceId};
use satforge::paywall::Proof;
use sha2::{Digest as _, Sha256};

use crate::fake::{Fake, Script};
use crate::kit::buyer::Purchase;
use crate::kit::until;
use crate::world::World;

const LIMIT: Duration = Duration::from_millis(200);

/// Redeems past the edge.
async fn redeem(world: &World, purchase: &Purchase) -> satforge::jobs::JobView {
    let gateway = &world.app.gateway;
    let Proof::Proven(credentials) = gateway.paywall.prove([purchase.credential.as_bytes()].into_iter()) else {
        panic!("the credential was paid for");
    };
    let body_sha256 = Sha256::digest(&purchase.body).into();
    let payment = gateway.paywall.bind(credentials, RequestBinding { service: ServiceId::Video, body_sha256 }).unwrap();
    gateway.jobs.redeem(payment, purchase.body.clone().into()).await.unwrap()
}

/// The middle one: a single measurement says more about the machine than about us.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_new_job_is_taken_up_at_once() {
    let fake = Fake::new(Script::default());
    let world = World::new(&fake).await;
    let mut times = Vec::new();
    for n in 1..=9 {
        let purchase = world.pay("a lighthouse").await;
        redeem(&world, &purchase).await;
        let redeemed = tokio::time::Instant::now();
        until("it is submitted", async || (fake.count("submit") == n).then_some(())).await;
        let submitted = fake.calls().into_iter().rfind(|call| call.operation == "submit").unwrap().at;
        times.push(submitted.saturating_duration_since(redeemed));
        world.outcome(&purchase).await.result_path();
    }
    assert!(median(times.clone()) < LIMIT, "{times:?}");
}

#[tokio::test]
async fn a_finished_job_reaches_its_waiters_at_once() {
    let fake = Fake::new(Script::default());
    let world = World::new(&fake).await;
    let mut times = Vec::new();
    for n in 1..=9 {
        let purchase = world.pay("a lighthouse").await;
        world.outcome(&purchase).await.result_path();
        let told = tokio::time::Instant::now();
        until("it is discarded", async || (fake.count("discard") == n).then_some(())).await;
        // From the first byte of the result: storing it, two flushes and one HTTP answer included.
        let fetched = fake.calls().into_iter().rfind(|call| call.operation == "fetch").unwrap().at;
        times.push(told.saturating_duration_since(fetched));
    }
    assert!(median(times.clone()) < LIMIT, "{times:?}");
}

#[tokio::test]
async fn two_thousand_followers_are_told_by_one_notification() {
    const FOLLOWERS: usize = 2_000;
    let fake = Fake::endless();
    let world = World::new(&fake).await;
    let (followed, other) = (world.pay("a lighthouse").await, world.pay("a quiet lake").await);
    let jobs = &world.app.jobs;
    let mut bystander = jobs.follow(redeem(&world, &other).await).await.unwrap();
    let view = redeem(&world, &followed).await;
    let mut followers = Vec::with_capacity(FOLLOWERS);
    for _ in 0..FOLLOWERS {
        followers.push(jobs.follow(view.clone()).await.unwrap());
    }
    until("it runs", async || (fake.count("poll") > 2).then_some(())).await;
    fake.finish_one(&followed_upstream(&fake, &view.job.id.to_string()));
    let waiting = join_all(followers.iter_mut().map(|follower| async {
        let ended = follower.ended_view().await;
        (std::ptr::from_ref(ended).addr(), Instant::now())
    }));
    let told = tokio::time::timeout(crate::kit::PATIENCE, waiting).await.unwrap();
    // A query would have made a view of its own.
    assert!(told.iter().all(|(view, _)| *view == told[0].0), "all were handed the very same view");
    let (first, last) = (told.iter().map(|t| t.1).min().unwrap(), told.iter().map(|t| t.1).max().unwrap());
    assert!(last - first < LIMIT * 5, "{:?} between the first and the last", last - first);
    assert!(!bystander.has_ended());
    drop(followers);
    fake.finish();
    assert!(bystander.ended_view().await.job.state.is_terminal(), "everybody else is told when it is their turn");
}

fn followed_upstream(fake: &Fake, id: &str) -> String {
    let keys = fake.about("submit");
    format!("up-{}", keys.iter().find(|key| key.starts_with(id)).unwrap())
}
