//! What every backend does while all is well: the stubs' adapters, the sandbox, and in the target `peers` those of real
//! nodes and wallets.

use std::time::Duration;

use async_trait::async_trait;
use satforge::domain::{Invoice, Msat, PaymentHash, Preimage};
use satforge::lightning::{
    Attempt, ExpiryRule, FaultKind, InvoiceRequest, InvoiceState, LightningBackend, OutgoingState, Payment, Payout,
    decode_invoice, pay,
};

const MEMO: &str = "satforge video, 5 s";
const EXPIRY: Duration = Duration::from_mins(10);
/// What a payout is for, in sats.
const PAYOUT: u64 = 21;
/// How far two clocks may be apart, in seconds.
const CLOCKS: u64 = 2;

/// A backend, and somebody else with whom it exchanges payments.
#[async_trait]
pub trait World: Sized + Send + Sync + 'static {
    async fn start() -> Self;

    /// The gateway is started again: what the adapter had in its memory is lost.
    async fn restart(&mut self);

    fn backend(&self) -> &dyn LightningBackend;

    /// The time in Unix seconds.
    fn now(&self) -> u64;

    /// How long an invoice lives whose end is to be seen.
    fn short_expiry(&self) -> Duration {
        EXPIRY
    }

    /// Waits until what expires then has expired. Whether it did: some products' invoices live too long to wait for.
    async fn outlive(&self, expires_at: u64) -> bool;

    /// Whether the product says of an invoice that it has expired; with the others an unpaid one stays open for ever.
    fn tells_of_expiry(&self) -> bool;

    /// What the payer of an invoice is shown, unless it stands elsewhere.
    fn memo(&self, invoice: &Invoice) -> Option<String>;

    /// Somebody else pays an invoice of the backend, and learns its preimage.
    async fn receive(&self, bolt11: &str) -> Preimage;

    /// An invoice of somebody else whom the backend can pay.
    async fn foreign_invoice(&self, sat: u64, expiry: Duration) -> String;

    /// Invoices that the backend cannot pay, each for a reason of its own.
    async fn unpayable(&self) -> Vec<String>;

    /// How many msat have arrived for an invoice of somebody else, over all its payments.
    async fn arrived(&self, bolt11: &str) -> u64;

    /// What it costs to pay somebody else's invoice, where that is known beforehand.
    fn fee(&self) -> Option<Msat> {
        None
    }
}

/// Writes one test of each kind for a world; those that not every world can stage are named one by one.
macro_rules! tests_in {
    ($world:ty $(, $more:ident)*) => {
        $crate::working::tests_in!(@each $world:
            an_invoice_is_what_was_asked_for,
            an_invoice_is_found_in_each_of_its_states,
            an_unknown_invoice_is_not_found,
            a_payment_is_made_once,
            a_payment_that_cannot_be_made_has_failed,
            an_expired_invoice_is_not_paid,
            a_payment_that_was_never_ordered_is_not_found,
            health_is_what_invoices_need,
            $($more,)*
        );
    };
    (@each $world:ty: $($test:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            $crate::working::$test::<$world>().await;
        })+
    };
}
pub(crate) use tests_in;

/// A request with a part of a sat, where there is such a thing.
pub fn request(backend: &dyn LightningBackend, sat: u64) -> InvoiceRequest {
    let msat = sat * 1_000 + u64::from(backend.capabilities().msat);
    InvoiceRequest { amount: Msat::new(msat).unwrap(), description: MEMO.into(), expiry: EXPIRY }
}

/// An order to pay all that an invoice asks for, whose fee may be a tenth of it.
pub fn payout(bolt11: &str) -> Payout {
    let amount = decode_invoice(bolt11).unwrap().amount.unwrap();
    let max_fee = Msat::new(amount.msat() / 10 + 8_000).unwrap();
    let (timeout, attempt) = (Duration::from_secs(15), Attempt::First);
    Payout { bolt11: bolt11.to_owned(), amount, max_fee, timeout, attempt }
}

async fn ordered<W: World>(world: &W, bolt11: &str) -> Payment {
    pay(world.backend(), &payout(bolt11), world.now()).await
}

fn hash_of(bolt11: &str) -> PaymentHash {
    decode_invoice(bolt11).unwrap().payment_hash
}

pub async fn an_invoice_is_what_was_asked_for<W: World>() {
    let world = W::start().await;
    let backend = world.backend();
    let asked = request(backend, 500);
    let made = backend.create_invoice(asked.clone()).await.unwrap();
    let decoded = decode_invoice(&made.bolt11).unwrap();
    assert_eq!(decoded.amount, Some(asked.amount));
    assert_eq!(decoded.payment_hash, made.payment_hash);
    assert_eq!(decoded.network, backend.network());
    match world.memo(&made) {
        Some(memo) => assert_eq!(memo, MEMO, "the payer's wallet shows what was described"),
        None => assert!(decoded.description_hash.is_some(), "the description is nowhere"),
    }
    let lives = decoded.expires_at - world.now();
    match backend.capabilities().expiry {
        ExpiryRule::AsAsked | ExpiryRule::WholeMinutes => assert!((595..=660).contains(&lives), "{lives}"),
        ExpiryRule::Own => assert!(lives >= 60, "{lives}"),
    }
    let second = backend.create_invoice(asked).await.unwrap();
    assert_ne!(second.payment_hash, made.payment_hash);
}

pub async fn an_invoice_is_found_in_each_of_its_states<W: World>() {
    let world = W::start().await;
    let backend = world.backend();
    let asked = InvoiceRequest { expiry: world.short_expiry(), ..request(backend, 500) };
    let paid = backend.create_invoice(asked.clone()).await.unwrap();
    let unpaid = backend.create_invoice(asked).await.unwrap();
    if !backend.capabilities().lookup {
        let refused = backend.lookup(&paid.payment_hash).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Unsupported);
        assert!(world.receive(&paid.bolt11).await.opens(&paid.payment_hash));
        return;
    }
    assert_eq!(backend.lookup(&paid.payment_hash).await, Ok(InvoiceState::Open));
    let before = world.now();
    assert!(world.receive(&paid.bolt11).await.opens(&paid.payment_hash));
    let while_paid = before - CLOCKS..=world.now() + CLOCKS;
    let is_over = world.outlive(decode_invoice(&unpaid.bolt11).unwrap().expires_at).await;
    match backend.lookup(&paid.payment_hash).await.unwrap() {
        InvoiceState::Settled { amount, at } => {
            assert_eq!(Some(amount), decode_invoice(&paid.bolt11).unwrap().amount);
            assert!(at.is_none_or(|at| while_paid.contains(&at)), "{at:?}, {while_paid:?}");
        }
        other => panic!("{other:?}"),
    }
    let state = backend.lookup(&unpaid.payment_hash).await.unwrap();
    let expected = if is_over && world.tells_of_expiry() { &[InvoiceState::Expired][..] } else { &EITHER };
    assert!(expected.contains(&state), "{state:?}");
}

const EITHER: [InvoiceState; 2] = [InvoiceState::Expired, InvoiceState::Open];

pub async fn an_unknown_invoice_is_not_found<W: World>() {
    let world = W::start().await;
    let backend = world.backend();
    // With some wallets it shows only with the first invoice whether they can be asked.
    backend.create_invoice(request(backend, 500)).await.unwrap();
    if backend.capabilities().lookup {
        let unknown = PaymentHash::from_bytes([0xab; 32]);
        assert_eq!(backend.lookup(&unknown).await, Ok(InvoiceState::NotFound));
    }
}

pub async fn a_payment_is_made_once<W: World>() {
    let mut world = W::start().await;
    let bolt11 = world.foreign_invoice(PAYOUT, EXPIRY).await;
    if !world.backend().capabilities().pay {
        assert!(matches!(ordered(&world, &bolt11).await, Payment::Failed { .. }));
        assert_eq!(world.arrived(&bolt11).await, 0);
        return;
    }
    let other = Payout { amount: Msat::from_sat(PAYOUT - 1).unwrap(), ..payout(&bolt11) };
    let refused = pay(world.backend(), &other, world.now()).await;
    assert!(matches!(refused, Payment::Failed { .. }), "not for this amount: {refused:?}");
    assert_eq!(world.arrived(&bolt11).await, 0);
    for attempt in 0..3 {
        if attempt == 2 {
            world.restart().await;
        }
        match ordered(&world, &bolt11).await {
            Payment::Paid(receipt) => {
                assert!(receipt.preimage.is_none_or(|preimage| preimage.opens(&hash_of(&bolt11))));
                let fee = receipt.fee.unwrap_or(Msat::ZERO);
                assert!(fee <= payout(&bolt11).max_fee, "{fee:?}");
                assert!(receipt.fee.is_none() || world.fee().is_none_or(|expected| fee == expected), "{fee:?}");
            }
            other => panic!("attempt {attempt}: {other:?}"),
        }
        assert_eq!(world.arrived(&bolt11).await, PAYOUT * 1_000, "attempt {attempt}");
    }
}

pub async fn a_payment_that_cannot_be_made_has_failed<W: World>() {
    let world = W::start().await;
    if !world.backend().capabilities().pay {
        return;
    }
    for bolt11 in world.unpayable().await {
        let payment = ordered(&world, &bolt11).await;
        // Some wallets call a payment failed that may yet arrive, so their word is not final.
        assert!(matches!(payment, Payment::Failed { .. } | Payment::Unknown { .. }), "{payment:?}");
        let state = world.backend().lookup_outgoing(&hash_of(&bolt11)).await.unwrap();
        assert!(!matches!(state, OutgoingState::Paid(_)), "{state:?}");
    }
}

pub async fn an_expired_invoice_is_not_paid<W: World>() {
    let world = W::start().await;
    if !world.backend().capabilities().pay {
        return;
    }
    let bolt11 = world.foreign_invoice(PAYOUT, Duration::from_secs(1)).await;
    assert!(world.outlive(decode_invoice(&bolt11).unwrap().expires_at).await);
    let payment = ordered(&world, &bolt11).await;
    assert!(matches!(payment, Payment::Failed { .. }), "{payment:?}");
    assert_eq!(world.arrived(&bolt11).await, 0);
    let state = world.backend().lookup_outgoing(&hash_of(&bolt11)).await.unwrap();
    assert!(matches!(state, OutgoingState::NotFound), "it is refused before the node is told: {state:?}");
}

pub async fn a_payment_that_was_never_ordered_is_not_found<W: World>() {
    let world = W::start().await;
    if world.backend().capabilities().pay {
        let state = world.backend().lookup_outgoing(&PaymentHash::from_bytes([0xab; 32])).await.unwrap();
        assert!(matches!(state, OutgoingState::NotFound), "{state:?}");
    }
}

pub async fn health_is_what_invoices_need<W: World>() {
    W::start().await.backend().health().await.unwrap();
}

/// Where nothing may be spent on routing, either nothing is, or the payment fails and can be made with a larger limit.
pub async fn a_fee_limit_is_kept<W: World>() {
    let world = W::start().await;
    if !world.backend().capabilities().pay {
        return;
    }
    let bolt11 = world.foreign_invoice(PAYOUT, EXPIRY).await;
    let free = Payout { max_fee: Msat::ZERO, ..payout(&bolt11) };
    match pay(world.backend(), &free, world.now()).await {
        Payment::Paid(receipt) => assert!(receipt.fee.is_none_or(|fee| fee == Msat::ZERO), "{:?}", receipt.fee),
        Payment::Failed { .. } => {
            assert_eq!(world.arrived(&bolt11).await, 0);
            let payment = ordered(&world, &bolt11).await;
            assert!(matches!(payment, Payment::Paid(_)), "{payment:?}");
        }
        other @ Payment::Unknown { .. } => panic!("{other:?}"),
    }
    assert_eq!(world.arrived(&bolt11).await, PAYOUT * 1_000);
}
