//! Claims that an earlier process left behind, claims at once, and backends that do not say what became of a payment.

mod teller;

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::config::GatewayKey;
use crate::domain::job::Failed;
use crate::domain::{ClaimedInvoice, Failure, Msat, RefundState};
use crate::lightning::sandbox::SandboxLightning;
use crate::lightning::{Attempt, InvoiceRequest, OutgoingState, Payment, Receipt, decode_invoice};
use crate::store::tests::{new_job, open};
use crate::store::{Claiming, NewClaim, NewJob};

use teller::Teller;

const NOW: u64 = 1_800_000_000;
const PAYER: &str = "teller 1";

struct World {
    store: Store,
    teller: Arc<Teller>,
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    refunds: Refunds,
    _dir: tempfile::TempDir,
}

fn receipt() -> Receipt {
    Receipt { preimage: None, fee: Some(Msat::from_sat(1).unwrap()) }
}

impl World {
    async fn new(mode: RefundMode) -> Self {
        let (store, dir) = open().await;
        let clock = Arc::new(ManualClock::new(NOW * 1_000));
        let teller = Arc::new(Teller {
            sandbox: SandboxLightning::new(&GatewayKey::new([1; 32]), clock.clone()),
            found: Mutex::new(OutgoingState::NotFound),
            paid: Mutex::new(Payment::Paid(receipt())),
            orders: Mutex::default(),
            asked: Mutex::default(),
        });
        let config = RefundsConfig {
            mode,
            max_fee_ppm: 10_000,
            max_fee_floor: Msat::ZERO,
            payment_timeout: Duration::from_secs(5),
            link_for: Duration::from_mins(1),
            allow_private_addresses: false,
            address_timeout: Duration::from_secs(1),
        };
        let parts = Parts { store: store.clone(), backend: teller.clone(), payer: PAYER.into(), clock: clock.clone() };
        let shutdown = Shutdown::default();
        let refunds = Refunds::new(parts, config, &shutdown);
        Self { store, teller, clock, shutdown, refunds, _dir: dir }
    }

    /// A job that has failed, and what is owed for it.
    async fn owed(&self, n: u8) -> JobId {
        let failed = Failed { failure: Failure::RedemptionExpired, finished_at: 1_000 };
        self.store.insert_job(NewJob { input: Err(failed), ..new_job(n) }).await.unwrap();
        new_job(n).id
    }

    async fn invoice(&self) -> String {
        let request = InvoiceRequest {
            amount: Msat::from_sat(500).unwrap(),
            description: "mine".into(),
            expiry: Duration::from_mins(10),
        };
        self.teller.create_invoice(request).await.unwrap().bolt11
    }

    async fn claim(&self, job: JobId, bolt11: &str) -> Result<Refund, ClaimError> {
        self.refunds.claim(job, Destination::Invoice(bolt11.into()), Duration::from_secs(20)).await
    }

    /// A claim that is on disk and of which nothing else is known, as after a crash.
    async fn left_behind(&self, job: JobId, payer: &str) {
        let bolt11 = self.invoice().await;
        let payment_hash = decode_invoice(&bolt11).unwrap().payment_hash;
        let invoice = Some(ClaimedInvoice { bolt11, payment_hash });
        let claim = NewClaim { job, invoice, destination: None, payer: payer.into(), claimed_at: 2_000 };
        assert_eq!(self.store.claim_refund(claim).await.unwrap(), Claiming::Begun(1));
    }

    async fn status(&self, job: JobId) -> &'static str {
        self.store.refund(job).await.unwrap().unwrap().state.name()
    }

    async fn becomes(&self, job: JobId, status: &str) {
        let becomes = async { while self.status(job).await != status {} };
        tokio::time::timeout(Duration::from_secs(30), becomes).await.unwrap_or_else(|_| panic!("never {status}"));
    }

    fn orders(&self) -> usize {
        self.teller.orders.lock().unwrap().len()
    }

    async fn end(self) {
        self.shutdown.stop(Duration::from_secs(1)).await;
        self.store.close().await;
    }
}

#[tokio::test]
async fn a_claim_that_a_dead_process_left_is_paid_once() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    world.left_behind(job, PAYER).await;
    world.refunds.start();
    world.becomes(job, "paid").await;
    assert_eq!(world.orders(), 1);
    let RefundState::Paid(paid) = world.store.refund(job).await.unwrap().unwrap().state else { panic!("it was paid") };
    assert_eq!((paid.paid_at, paid.fee), (1_800_000_000_000, Some(Msat::from_sat(1).unwrap())));
    world.end().await;
}

#[tokio::test]
async fn what_a_dead_process_has_paid_is_not_paid_again() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    world.left_behind(job, PAYER).await;
    *world.teller.found.lock().unwrap() = OutgoingState::Paid(receipt());
    world.refunds.start();
    world.becomes(job, "paid").await;
    assert_eq!(world.orders(), 0);
    world.end().await;
}

/// However often it is asked about, and in whatever words the backend does not know.
#[tokio::test]
async fn nothing_is_ordered_while_an_outcome_is_open() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    world.left_behind(job, PAYER).await;
    *world.teller.found.lock().unwrap() = OutgoingState::InFlight;
    world.refunds.start();
    let asked = async {
        while *world.teller.asked.lock().unwrap() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
    assert_eq!((world.status(job).await, world.orders()), ("claiming", 0));
    let other = world.invoice().await;
    assert!(matches!(world.claim(job, &other).await, Err(ClaimError::NotAvailable("claiming"))));
    *world.teller.found.lock().unwrap() = OutgoingState::Failed;
    world.clock.advance(Duration::from_hours(1));
    world.becomes(job, "available").await;
    assert_eq!(world.orders(), 0, "its invoice has expired meanwhile");
    world.end().await;
}

/// A second claim is refused while the first is being paid; that must not have the first one looked for.
#[tokio::test]
async fn what_is_in_hand_is_not_asked_about() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    let desk = &world.refunds.desk;
    let later = || tokio::time::Instant::now() + Duration::from_hours(1);
    assert!(desk.is_due(job, later()), "left behind by another process");
    let first = desk.take_up(job);
    drop(desk.take_up(job));
    assert!(!desk.is_due(job, later()));
    drop(first);
    assert!(desk.is_due(job, later()) && !desk.is_due(job, tokio::time::Instant::now()));
    world.end().await;
}

/// It stood in a list, and has ended before it was its turn.
#[tokio::test]
async fn a_claim_that_was_released_meanwhile_is_not_paid() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    world.left_behind(job, PAYER).await;
    // It waits for its turn behind others, and is released before that comes.
    let desk = &world.refunds.desk;
    let others = desk.payments.acquire_many(u32::try_from(PAYMENTS).unwrap()).await.unwrap();
    let release = async {
        assert!(world.store.release_claim(job, 1).await.unwrap());
        drop(others);
    };
    tokio::join!(desk.settle(job, None, Attempt::Again), desk.settle(job, Some(1), Attempt::First), release);
    assert_eq!((world.status(job).await, world.orders()), ("available", 0));
    world.end().await;
}

/// What another node does not know of a payment says nothing about it.
#[tokio::test]
async fn a_claim_of_another_backend_waits_for_the_operator() {
    let world = World::new(RefundMode::Automatic).await;
    let (job, own) = (world.owed(1).await, world.owed(2).await);
    world.left_behind(job, "teller 2").await;
    world.left_behind(own, PAYER).await;
    world.refunds.start();
    world.becomes(own, "paid").await;
    assert_eq!((world.status(job).await, world.orders(), *world.teller.asked.lock().unwrap()), ("claiming", 1, 1));
    world.end().await;
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_paid() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    let mut invoices = Vec::new();
    for _ in 0..8 {
        invoices.push(world.invoice().await);
    }
    let claims = invoices.iter().map(|invoice| world.claim(job, invoice));
    let outcomes = futures_util::future::join_all(claims).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!((world.status(job).await, world.orders()), ("paid", 1));
    world.end().await;
}

#[tokio::test]
async fn the_same_invoice_at_once_is_one_claim() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    let invoice = world.invoice().await;
    let outcomes = futures_util::future::join_all((0..8).map(|_| world.claim(job, &invoice))).await;
    for outcome in outcomes {
        // One that lost the race by a hair may be told to wait.
        assert!(matches!(outcome, Ok(_) | Err(ClaimError::NotAvailable(_))), "{outcome:?}");
    }
    assert_eq!((world.status(job).await, world.orders()), ("paid", 1));
    world.end().await;
}

#[tokio::test]
async fn what_the_operator_pays_by_hand_is_written_down_and_not_paid() {
    let world = World::new(RefundMode::Manual).await;
    let job = world.owed(1).await;
    let claimed =
        world.refunds.claim(job, Destination::Address("Me@Example.com".into()), Duration::ZERO).await.unwrap();
    let RefundState::Claiming(claim) = claimed.state else { panic!("it is claimed") };
    assert_eq!((claim.destination.as_deref(), claim.payer.as_str()), (Some("me@example.com"), BY_HAND));
    world.refunds.start();
    let other = world.owed(2).await;
    let invoice = world.invoice().await;
    world.claim(other, &invoice).await.unwrap();
    assert_eq!((world.status(other).await, world.orders()), ("claiming", 0));
    world.end().await;
}

/// The path of a URL is made from it.
#[tokio::test]
async fn what_is_no_lightning_address_is_not_asked() {
    let world = World::new(RefundMode::Automatic).await;
    let job = world.owed(1).await;
    let long = format!("{}@example.com", "a".repeat(400));
    for typed in
        ["", "a", "@", "a@", "@b", "..@example.com", "a/b@example.com", "a@b/c", "a@b?c", "a b@c", "a@b@c", &long]
    {
        let refused = world.refunds.claim(job, Destination::Address(typed.into()), Duration::ZERO).await;
        assert!(matches!(refused, Err(ClaimError::Address(_))), "{typed}: {refused:?}");
    }
    // To strangers, addresses of this machine and its network are closed.
    for near in ["a@127.0.0.1", "a@localhost", "a@10.0.0.1:80", "a@[::1]"] {
        let refused = world.refunds.claim(job, Destination::Address(near.into()), Duration::ZERO).await;
        assert!(matches!(refused, Err(ClaimError::Address(_))), "{near}: {refused:?}");
    }
    assert_eq!(world.status(job).await, "available");
    world.end().await;
}
