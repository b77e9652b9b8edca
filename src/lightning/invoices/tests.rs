use tokio::time::Instant;

use super::*;
use crate::lightning::tests::double::{Double, Mood, config};
use crate::lightning::{FaultKind, InvoiceState, LightningBackend as _};

const DESCRIPTION: &str = "satforge video, 5 s";

struct World {
    backend: Arc<Double>,
    invoices: Arc<Invoices>,
    amount: Msat,
}

fn world(mood: Mood, settings: &[(&str, &str)]) -> World {
    let (backend, config) = (Arc::new(Double::new(mood)), config(settings));
    let node = Arc::new(Guarded::new(backend.clone(), &config));
    let amount = Msat::from_sat(500).unwrap();
    let sold = vec![(amount, DESCRIPTION.to_owned())];
    let invoices = Arc::new(Invoices::new(node, backend.clock.clone(), &config, sold));
    World { backend, invoices, amount }
}

fn caller() -> Caller {
    Caller::at(std::net::IpAddr::from([203, 0, 113, 9]))
}

impl World {
    async fn obtain(&self) -> Result<Invoice, NodeError> {
        self.invoices.obtain(self.amount, DESCRIPTION, caller()).await
    }
}

#[tokio::test]
async fn an_invoice_that_was_handed_out_before_is_refused() {
    let world = world(Mood::Repeating, &[]);
    world.obtain().await.unwrap();
    let refused = world.obtain().await.unwrap_err();
    assert!(refused.to_string().contains("handed out before"), "{refused}");
}

#[tokio::test]
async fn a_backend_that_lies_again_and_again_is_not_asked_any_more() {
    let world = world(Mood::Repeating, &[]);
    while world.obtain().await.err().is_none_or(|error| error.retry_after().is_none()) {}
    assert!(world.backend.calls() <= 4, "{}", world.backend.calls());
}

#[tokio::test(start_paused = true)]
async fn shelves_answer_without_the_node_and_are_filled_again() {
    let world = world(Mood::Slow(Duration::from_millis(20)), &[("POOL__SIZE", "3"), ("POOL__REFILL_PER_SECOND", "10")]);
    let filling = world.invoices.refill(std::future::pending());
    let buying = async {
        let ready = || world.invoices.shelves.as_ref().unwrap().pool.ready();
        while ready() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(world.obtain().await.unwrap());
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for the node");
        taken.push(world.obtain().await.unwrap());
        assert!(began.elapsed() >= Duration::from_millis(20), "an empty shelf is no reason to refuse");
        while ready() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        taken.sort_by_key(|invoice| invoice.payment_hash);
        taken.dedup_by_key(|invoice| invoice.payment_hash);
        assert_eq!(taken.len(), 4);
        let lives = taken.iter().map(|invoice| invoice.expires_at - world.backend.clock.unix_seconds());
        assert!(lives.min().unwrap() >= 600, "a payer has the time that was promised");
        // The first fill, three taken, one made for a caller.
        assert_eq!(world.backend.calls(), 7);
    };
    tokio::select! {
        () = filling => panic!("shelves are filled until the gateway stops"),
        () = buying => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_node_that_is_down_has_made_is_not_handed_out_nor_is_the_node_pestered() {
    let world = world(Mood::Well, &[("POOL__SIZE", "2")]);
    let filling = world.invoices.refill(std::future::pending());
    let trouble = async {
        while world.invoices.shelves.as_ref().unwrap().pool.ready() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.backend.be(Mood::Failing(FaultKind::Unreachable));
        let before = world.backend.calls();
        world.obtain().await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(world.backend.calls() - before <= 4, "{}", world.backend.calls() - before);
        assert!(world.invoices.shelves.as_ref().unwrap().pool.ready() > 0);
        assert!(matches!(world.obtain().await, Err(NodeError::Down(_))), "nobody could pay it");
    };
    tokio::select! {
        () = filling => panic!("shelves are filled until the gateway stops"),
        () = trouble => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_confirmed_once_and_only_when_it_has_arrived() {
    let world = world(Mood::Well, &[("REQUIRE_SETTLED", "true")]);
    let invoice = world.obtain().await.unwrap();
    let confirm = || world.invoices.confirm(&invoice.payment_hash, world.amount);
    assert_eq!(confirm().await, Err(Unconfirmed::Otherwise(InvoiceState::Open)));
    world.backend.sandbox.pay(&invoice.bolt11).unwrap();
    assert!(confirm().await.is_err(), "a refusal is repeated for a moment");
    tokio::time::advance(Duration::from_secs(2)).await;
    let more = world.amount.times(2).unwrap();
    assert!(world.invoices.confirm(&invoice.payment_hash, more).await.is_err(), "too little has arrived");
    tokio::time::advance(Duration::from_secs(2)).await;
    confirm().await.unwrap();
    world.backend.be(Mood::Failing(FaultKind::Failing));
    confirm().await.unwrap();
}

#[tokio::test]
async fn a_preimage_is_enough_where_nobody_wants_more() {
    let world = world(Mood::Failing(FaultKind::Failing), &[]);
    assert!(!world.invoices.confirms());
    world.invoices.confirm(&PaymentHash::from_bytes([1; 32]), world.amount).await.unwrap();
}

#[tokio::test]
async fn invoices_are_watched_until_their_end_is_known() {
    let world = world(Mood::Well, &[]);
    let outstanding = world.invoices.outstanding().unwrap();
    let invoice = world.obtain().await.unwrap();
    assert_eq!(outstanding.len(), 1);
    world.invoices.presented(&invoice.payment_hash);
    let now = world.backend.clock.unix_millis();
    let due = outstanding.next_due(now).unwrap();
    assert!(due.presented && due.payment_hash == invoice.payment_hash);
    assert_eq!(world.backend.lookup(&invoice.payment_hash).await, Ok(InvoiceState::Open));
}
