//! How generations end without a result, and what is left behind.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::kit::until;
use crate::upstream::{End, Fault, Stage};
use crate::vendor::{Errand, SECRET, Vendor};
use crate::world::{DEADLINE, PROMPT, World};

pub async fn a_failure_is_owed_back<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.next_run([Stage::Running(0.1), Stage::Failed(End::Failed)]);
    world.expect_owed("GENERATION_FAILED").await;
    assert_eq!(world.upstream.started(), 1);
    assert!(world.sells().await);
}

pub async fn rejected_content_is_told_and_owed_back<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.next_run([Stage::Running(0.1), Stage::Failed(End::Rejected)]);
    world.expect_owed("CONTENT_REJECTED").await;
    assert_eq!(world.upstream.started(), 1);
    assert!(world.sells().await);
}

pub async fn a_transient_failure_is_tried_again<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.next_run([Stage::Running(0.9), Stage::Failed(End::Transient)]);
    world.expect_result().await;
    assert_eq!(world.upstream.started(), 2);
}

pub async fn at_the_deadline_it_is_stopped_and_owed_back<V: Vendor>() {
    let world = World::new::<V>().await;
    world.upstream.hold();
    let order = world.order().await;
    world.wait_for(Errand::Poll, 1).await;
    world.clock.advance(DEADLINE + Duration::from_secs(1));
    world.app.jobs.wake();
    world.expect_owed_for(&order, "GENERATION_FAILED").await;
    if V::CAN.cancel {
        until("it is stopped", async || (world.upstream.count(Errand::Cancel) == 1).then_some(())).await;
        let stopped = async || (world.upstream.all()[0].stage() == Stage::Cancelled).then_some(());
        until("the vendor has stopped it", stopped).await;
    } else {
        assert_eq!(world.upstream.count(Errand::Cancel), 0);
    }
    assert_eq!(world.upstream.started(), 1);
}

pub async fn what_has_ended_is_forgotten_upstream<V: Vendor>() {
    let world = World::new::<V>().await;
    world.expect_result().await;
    if V::CAN.discard {
        until("it is forgotten", async || (world.upstream.count(Errand::Discard) == 1).then_some(())).await;
        until("the vendor has forgotten it", async || world.upstream.newest_first().is_empty().then_some(())).await;
    } else {
        // A second purchase comes after whatever the first one has left to do.
        world.expect_result_of(&world.order().await).await;
        assert_eq!(world.upstream.count(Errand::Discard), 0);
    }
    assert_eq!(world.upstream.count(Errand::Cancel), 0);
}

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub async fn no_secret_is_logged<V: Vendor>() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new::<V>().await;
    world.upstream.fail_next(Errand::Create, [Fault::Refused(429, None)]);
    world.upstream.fail_next(Errand::Poll, super::GARBAGE.map(Fault::Garbage));
    world.expect_result().await;
    let rejected = [Stage::Running(0.1), Stage::Failed(End::Rejected)];
    world.upstream.next_run(rejected);
    world.outcome(&world.order().await).await.owed(502, "CONTENT_REJECTED", world.price());
    world.upstream.lock(401);
    world.outcome(&world.order().await).await;

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("the account is refused"), "the log is the whole log");
    let results = world.upstream.all().into_iter().map(|generation| format!("files/{}", generation.id));
    for secret in [SECRET.to_owned(), PROMPT.to_owned()].into_iter().chain(results) {
        let line = text.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret}: {line:?}");
    }
    // What the vendor says in prose is for nobody but the operator's own console there.
    let prose = text.lines().find(|line| line.contains("PROSE"));
    assert!(prose.is_none(), "{prose:?}");
}
