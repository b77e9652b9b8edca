//! What every adapter does with a product that misbehaves. What it does with one that works is in `working`.

use std::time::Duration;

use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::{Attempt, BackendError, FaultKind, OutgoingState, Payment, Payout, decode_invoice, pay};

use crate::node::{Fault, Route};
use crate::stub::{Failure, Product, Stub, TIMEOUT};
use crate::working::request;

/// Writes one test of each kind for every product, so that a failure names both.
macro_rules! for_every_product {
    ($($name:ident: $product:ty,)+) => {
        $(mod $name {
            use super::*;
            $crate::working::tests_in!($crate::stubbed::Stubbed<$product>);
            $crate::contract::tests_of!($product:
                a_failure_is_as_final_as_the_product_says,
                a_payment_that_is_stuck_is_not_made_again,
                what_it_makes_wrongly_is_seen,
                refused_credentials_are_the_operators_fault,
                a_request_too_many_is_told_from_a_failure,
                a_failing_node_is_reported_as_such,
                garbage_is_no_answer,
                a_cut_line_leaves_the_outcome_open,
                a_silent_node_is_given_up,
                what_was_ordered_is_found_after_a_restart,
            );
        })+
    };
}
macro_rules! tests_of {
    ($product:ty: $($test:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            $crate::contract::$test::<$product>().await;
        })+
    };
}
pub(crate) use {for_every_product, tests_of};

fn payout(bolt11: &str, sat: u64) -> Payout {
    let (amount, max_fee) = (Msat::from_sat(sat).unwrap(), Msat::from_sat(10).unwrap());
    let (timeout, attempt) = (Duration::from_secs(1), Attempt::First);
    Payout { bolt11: bolt11.to_owned(), amount, max_fee, timeout, attempt }
}

async fn ordered(stub: &Stub, bolt11: &str, sat: u64) -> Payment {
    pay(&*stub.backend, &payout(bolt11, sat), stub.node.now()).await
}

/// No text that leaves an adapter shows a secret.
fn check_text(error: &BackendError) {
    let shown = format!("{error} {error:?}").to_lowercase();
    assert!(!shown.contains("c0ffee") && !shown.contains("http://") && !shown.contains("ws://"), "{shown}");
}

pub async fn a_failure_is_as_final_as_the_product_says<P: Product>() {
    let stub = Stub::start::<P>().await;
    let (bolt11, hash) = stub.node.foreign_invoice(21_000, 600, Route::None);
    if stub.backend.capabilities().pay {
        let payment = ordered(&stub, &bolt11, 21).await;
        let failed = matches!(payment, Payment::Failed { .. });
        assert!(failed || P::FAILURE == Failure::Open && matches!(payment, Payment::Unknown { .. }), "{payment:?}");
        let state = stub.backend.lookup_outgoing(&PaymentHash::from_bytes(hash)).await.unwrap();
        match P::FAILURE {
            Failure::Final => {
                assert!(matches!(state, OutgoingState::Failed | OutgoingState::NotFound), "{state:?}");
            }
            Failure::Told | Failure::Open => {
                assert!(matches!(state, OutgoingState::Unknown { .. }), "{state:?}");
                let again = ordered(&stub, &bolt11, 21).await;
                assert!(matches!(again, Payment::Unknown { .. }), "{again:?}");
            }
        }
    }
}

pub async fn a_payment_that_is_stuck_is_not_made_again<P: Product>() {
    let stub = Stub::start::<P>().await;
    let (bolt11, hash) = stub.node.foreign_invoice(21_000, 600, Route::Stuck);
    if stub.backend.capabilities().pay {
        for _ in 0..2 {
            let payment = ordered(&stub, &bolt11, 21).await;
            assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
        }
        let state = stub.backend.lookup_outgoing(&PaymentHash::from_bytes(hash)).await.unwrap();
        assert!(matches!(state, OutgoingState::InFlight), "{state:?}");
        assert_eq!(stub.node.payments(), 1);
    }
}

/// An adapter hands on what the product says; that it is a lie is found by whoever checks, so it must still be visible.
pub async fn what_it_makes_wrongly_is_seen<P: Product>() {
    for fault in [Fault::WrongAmount, Fault::WrongHash, Fault::WrongNetwork] {
        let stub = Stub::start::<P>().await;
        stub.node.break_with(fault);
        let asked = request(&*stub.backend, 500);
        let Ok(made) = stub.backend.create_invoice(asked.clone()).await else { continue };
        let decoded = decode_invoice(&made.bolt11).unwrap();
        let honest = decoded.amount == Some(asked.amount)
            && decoded.payment_hash == made.payment_hash
            && decoded.network == stub.backend.network();
        // A product that reports no hash of its own cannot report a wrong one.
        assert!(!honest || fault == Fault::WrongHash, "{fault:?} was smoothed over");
    }
}

/// The error of making an invoice while the node misbehaves, if it can misbehave so.
async fn broken<P: Product>(fault: Fault) -> Option<(Stub, BackendError)> {
    let told = matches!(fault, Fault::Unauthorised | Fault::Limited | Fault::Failing);
    if told && !P::refuses(fault) {
        return None;
    }
    let stub = Stub::start::<P>().await;
    stub.node.break_with(fault);
    let error = stub.backend.create_invoice(request(&*stub.backend, 500)).await.unwrap_err();
    check_text(&error);
    Some((stub, error))
}

pub async fn refused_credentials_are_the_operators_fault<P: Product>() {
    let Some((stub, error)) = broken::<P>(Fault::Unauthorised).await else { return };
    assert_eq!(error.kind, FaultKind::Unauthorised, "{error}");
    let named = format!("lightning.{}.", stub.backend.name());
    assert!(error.message.starts_with(&named), "it names the key to look at: {error}");
    assert!(stub.backend.health().await.is_err());
}

pub async fn a_request_too_many_is_told_from_a_failure<P: Product>() {
    let Some((_, error)) = broken::<P>(Fault::Limited).await else { return };
    let FaultKind::Limited { retry_after } = error.kind else { panic!("{error}") };
    assert!(retry_after.is_none_or(|wait| wait == Duration::from_secs(7)), "{retry_after:?}");
}

pub async fn a_failing_node_is_reported_as_such<P: Product>() {
    let Some((stub, error)) = broken::<P>(Fault::Failing).await else { return };
    assert_eq!(error.kind, FaultKind::Failing, "{error}");
    assert!(stub.backend.health().await.is_err());
    let (bolt11, _) = stub.node.foreign_invoice(21_000, 600, Route::Open);
    if stub.backend.capabilities().pay {
        let payment = ordered(&stub, &bolt11, 21).await;
        assert!(matches!(payment, Payment::Unknown { .. }), "what was tried before is not known: {payment:?}");
    }
}

pub async fn garbage_is_no_answer<P: Product>() {
    let (stub, error) = broken::<P>(Fault::Garbage).await.unwrap();
    assert_eq!(error.kind, FaultKind::Garbled, "{error}");
    assert!(stub.backend.health().await.is_err());
    after_an_order_that_went_wrong::<P>(Fault::Garbage).await;
}

pub async fn a_cut_line_leaves_the_outcome_open<P: Product>() {
    let (_, error) = broken::<P>(Fault::Cut).await.unwrap();
    assert_eq!(error.kind, FaultKind::Interrupted, "{error}");
    after_an_order_that_went_wrong::<P>(Fault::Cut).await;
}

pub async fn a_silent_node_is_given_up<P: Product>() {
    let began = std::time::Instant::now();
    let (_, error) = broken::<P>(Fault::Silent).await.unwrap();
    assert_eq!(error.kind, FaultKind::Interrupted, "{error}");
    assert!(began.elapsed() < 4 * TIMEOUT, "{:?}", began.elapsed());
}

pub async fn what_was_ordered_is_found_after_a_restart<P: Product>() {
    for route in [Route::Open, Route::Stuck] {
        let mut stub = Stub::start::<P>().await;
        if !stub.backend.capabilities().pay {
            return;
        }
        let (bolt11, hash) = stub.node.foreign_invoice(21_000, 600, route);
        stub.node.break_with(Fault::Cut);
        assert!(matches!(stub.backend.pay(&order(&bolt11, hash)).await, Payment::Unknown { .. }));
        stub.node.mend();
        stub.restart::<P>().await;
        let found = async || stub.backend.lookup_outgoing(&PaymentHash::from_bytes(hash)).await.unwrap();
        let state = found().await;
        match (route, stub.node.payments()) {
            (Route::Open, 1) => assert!(matches!(state, OutgoingState::Paid(_)), "{state:?}"),
            (_, 1) => assert!(matches!(state, OutgoingState::InFlight), "{state:?}"),
            // Where a question comes before the order, the line was cut while it was asked.
            (_, payments) => {
                assert_eq!(payments, 0);
                stub.node.advance(P::SETTLED_AFTER);
                let state = found().await;
                assert!(matches!(state, OutgoingState::NotFound), "{state:?}");
            }
        }
    }
}

fn order(bolt11: &str, hash: [u8; 32]) -> satforge::lightning::PaymentOrder {
    satforge::lightning::PaymentOrder {
        bolt11: bolt11.to_owned(),
        payment_hash: PaymentHash::from_bytes(hash),
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(10).unwrap(),
        timeout: Duration::from_secs(1),
    }
}

/// The order arrives and its answer does not: nothing is known, and nothing is ordered a second time.
async fn after_an_order_that_went_wrong<P: Product>(fault: Fault) {
    let stub = Stub::start::<P>().await;
    if !stub.backend.capabilities().pay {
        return;
    }
    let (bolt11, hash) = stub.node.foreign_invoice(21_000, 600, Route::Open);
    let order = order(&bolt11, hash);
    stub.node.break_with(fault);
    let payment = stub.backend.pay(&order).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{fault:?}: {payment:?}");
}
