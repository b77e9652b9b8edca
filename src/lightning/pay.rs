//! Paying an invoice, once.

use std::time::Duration;

use crate::domain::{Msat, PaymentHash};

use super::{FaultKind, LightningBackend, OutgoingState, Payment, PaymentOrder, Receipt, decode_invoice};

/// A second of an invoice's life is too little to pay it in.
const TIME_LEFT: u64 = 5;
/// So many seconds after an invoice's expiry, no order to pay it can begin any more, wherever it was held up.
const SURELY_OVER: u64 = 600;

/// An invoice to pay, and what it may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// The payee's invoice, lower case.
    pub bolt11: String,
    /// What it must be for, to the msat.
    pub amount: Msat,
    /// The most that routing may cost on top.
    pub max_fee: Msat,
    /// How long the backend may try.
    pub timeout: Duration,
    /// Whether it may have been ordered before.
    pub attempt: Attempt,
}

/// Whether a payout may have been ordered before.
///
/// Crash rule: that a payout is no longer the first attempt is written down before the first attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was certainly never ordered, of no backend and by no process.
    First,
    /// It may have been, of this very backend: what another one does not know of a payment says nothing of it.
    Again,
}

impl Attempt {
    /// What it means that `reason` keeps anything from being ordered now: of an earlier order it says nothing. The
    /// backend may have had other credentials then.
    fn stopped(self, reason: impl Into<String>) -> Payment {
        let reason = reason.into();
        match self {
            Self::First => Payment::Failed { reason },
            Self::Again => Payment::unknown(format!("an earlier attempt cannot be ruled out: {reason}")),
        }
    }
}

/// Pays `payout`, or says what became of it when it was ordered before. `now` is in Unix seconds.
///
/// Crash rule: the backend is asked first what it knows of this payment hash, and what it knows is the answer. So
/// calling this again after a crash, a timeout or [`Payment::Unknown`] never pays twice; it may be called until the
/// answer is another one. Of what may have been ordered before, only a backend says [`Payment::Failed`]: either it was
/// ordered anew and has failed, or it has failed for good.
pub async fn pay(backend: &dyn LightningBackend, payout: &Payout, now: u64) -> Payment {
    let attempt = payout.attempt;
    let Ok(decoded) = decode_invoice(&payout.bolt11) else { return attempt.stopped("it is no BOLT 11 invoice") };
    if decoded.amount != Some(payout.amount) {
        return attempt.stopped("the invoice is not for the amount that is to be paid");
    }
    if decoded.network != backend.network() {
        return attempt.stopped("the invoice is for another network");
    }
    if attempt == Attempt::First && !backend.capabilities().pay {
        return Payment::failed("this backend cannot pay with its credentials");
    }
    // Before anything else that could say "failed": what is under way may still arrive.
    let earlier = match backend.lookup_outgoing(&decoded.payment_hash).await {
        Ok(OutgoingState::Paid(receipt)) => return proven(receipt, &decoded.payment_hash),
        Ok(OutgoingState::InFlight) => return Payment::unknown("an earlier attempt may still be on its way"),
        Ok(OutgoingState::Unknown { reason }) => return Payment::Unknown { reason },
        // An order whose connection broke may lie somewhere on the way, until no node would take it any more.
        Ok(OutgoingState::NotFound) if now < decoded.expires_at.saturating_add(SURELY_OVER) => attempt,
        // For good, or never: as if it had not been ordered.
        Ok(OutgoingState::Failed | OutgoingState::NotFound) => Attempt::First,
        // What it cannot do now it may have done before.
        Err(error) if error.kind == FaultKind::Unsupported => return attempt.stopped(error.to_string()),
        // Nothing was ordered now, but earlier it may have been.
        Err(error) => return Payment::unknown(format!("an earlier attempt cannot be ruled out: {error}")),
    };
    if !backend.capabilities().pay {
        return earlier.stopped("this backend cannot pay with its credentials");
    }
    if decoded.expires_at < now.saturating_add(TIME_LEFT) {
        return earlier.stopped("the invoice has expired");
    }
    let order = PaymentOrder {
        bolt11: payout.bolt11.clone(),
        payment_hash: decoded.payment_hash,
        amount: payout.amount,
        max_fee: payout.max_fee,
        timeout: payout.timeout,
    };
    match backend.pay(&order).await {
        Payment::Paid(receipt) => proven(receipt, &decoded.payment_hash),
        payment => payment,
    }
}

/// A proof that proves nothing is no proof; the money may be gone all the same.
fn proven(receipt: Receipt, hash: &PaymentHash) -> Payment {
    if receipt.preimage.as_ref().is_some_and(|preimage| !preimage.opens(hash)) {
        return Payment::unknown("the backend's preimage does not belong to the invoice");
    }
    Payment::Paid(receipt)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::super::tests::double::{Double, Mood, NOW, request};
    use super::*;
    use crate::domain::{Invoice, Preimage};
    use crate::lightning::{BackendError, Capabilities, InvoiceRequest, InvoiceState, Network};

    /// A backend that says what a test wants, and counts what it is told to pay.
    struct Teller {
        network: Network,
        pays: bool,
        found: Result<OutgoingState, FaultKind>,
        paid: Payment,
        orders: Mutex<usize>,
    }

    impl Default for Teller {
        fn default() -> Self {
            let (found, paid) = (Ok(OutgoingState::NotFound), Payment::Paid(receipt(None)));
            Self { network: Network::Regtest, pays: true, found, paid, orders: Mutex::default() }
        }
    }

    #[async_trait]
    impl LightningBackend for Teller {
        fn name(&self) -> &'static str {
            "teller"
        }

        fn network(&self) -> Network {
            self.network
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities { pay: self.pays, ..Double::new(Mood::Well).capabilities() }
        }

        async fn create_invoice(&self, _: InvoiceRequest) -> Result<Invoice, BackendError> {
            unreachable!("it only pays")
        }

        async fn lookup(&self, _: &PaymentHash) -> Result<InvoiceState, BackendError> {
            unreachable!("it only pays")
        }

        async fn pay(&self, _: &PaymentOrder) -> Payment {
            *self.orders.lock().unwrap() += 1;
            self.paid.clone()
        }

        async fn lookup_outgoing(&self, _: &PaymentHash) -> Result<OutgoingState, BackendError> {
            self.found.clone().map_err(|kind| BackendError::new("teller", kind, "a mood"))
        }

        async fn health(&self) -> Result<(), BackendError> {
            Ok(())
        }
    }

    fn receipt(preimage: Option<[u8; 32]>) -> Receipt {
        Receipt { preimage: preimage.map(Preimage::from_bytes), fee: None }
    }

    /// What became of a payout, in a word, and how often it was ordered.
    async fn outcome(teller: Teller, attempt: Attempt, now: u64) -> (&'static str, usize) {
        let made = Double::new(Mood::Well).create_invoice(request()).await.unwrap();
        let (max_fee, timeout) = (Msat::ZERO, Duration::from_secs(1));
        let payout = Payout { bolt11: made.bolt11, amount: made.amount, max_fee, timeout, attempt };
        let word = match pay(&teller, &payout, now).await {
            Payment::Paid(_) => "paid",
            Payment::Failed { .. } => "failed",
            Payment::Unknown { .. } => "unknown",
        };
        (word, *teller.orders.lock().unwrap())
    }

    #[tokio::test]
    async fn what_stops_a_payout_says_nothing_of_an_earlier_order() {
        const OVER: u64 = NOW + 660;
        const LATE: u64 = NOW + 3_600;
        for (attempt, word) in [(Attempt::First, "failed"), (Attempt::Again, "unknown")] {
            let unable = Teller { pays: false, found: Err(FaultKind::Unsupported), ..Teller::default() };
            assert_eq!(outcome(unable, attempt, NOW).await, (word, 0), "no key to pay with");
            let blind = Teller { found: Err(FaultKind::Unsupported), ..Teller::default() };
            assert_eq!(outcome(blind, attempt, NOW).await, (word, 0), "no key to look with");
            let unable = Teller { pays: false, ..Teller::default() };
            assert_eq!(outcome(unable, attempt, NOW).await, (word, 0), "no key, and it is not known there yet");
            let another = Teller { network: Network::Bitcoin, ..Teller::default() };
            assert_eq!(outcome(another, attempt, NOW).await, (word, 0), "another network");
            assert_eq!(outcome(Teller::default(), attempt, OVER).await, (word, 0), "expired, and perhaps on its way");
            assert_eq!(outcome(Teller::default(), attempt, LATE).await, ("failed", 0), "expired, and never ordered");
            let failed = || Teller { found: Ok(OutgoingState::Failed), ..Teller::default() };
            assert_eq!(outcome(failed(), attempt, LATE).await, ("failed", 0), "for good");
            // What certainly was not made, or has failed for good, is ordered.
            assert_eq!(outcome(Teller::default(), attempt, NOW).await, ("paid", 1));
            assert_eq!(outcome(failed(), attempt, NOW).await, ("paid", 1));
        }
    }

    #[tokio::test]
    async fn what_is_not_final_is_not_ordered() {
        for found in [Ok(OutgoingState::InFlight), Ok(OutgoingState::unknown("who knows")), Err(FaultKind::Failing)] {
            for attempt in [Attempt::First, Attempt::Again] {
                let teller = Teller { found: found.clone(), ..Teller::default() };
                assert_eq!(outcome(teller, attempt, NOW + 3_600).await, ("unknown", 0), "{found:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_preimage_that_opens_nothing_proves_nothing() {
        let wrong = || receipt(Some([1; 32]));
        let found = Teller { found: Ok(OutgoingState::Paid(wrong())), ..Teller::default() };
        assert_eq!(outcome(found, Attempt::Again, NOW).await, ("unknown", 0));
        let paid = Teller { paid: Payment::Paid(wrong()), ..Teller::default() };
        assert_eq!(outcome(paid, Attempt::First, NOW).await, ("unknown", 1));
        let found = Teller { found: Ok(OutgoingState::Paid(receipt(None))), ..Teller::default() };
        assert_eq!(outcome(found, Attempt::Again, NOW).await, ("paid", 0), "not every wallet hands it out");
    }
}
