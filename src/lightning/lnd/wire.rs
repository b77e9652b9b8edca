//! LND's JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::{Msat, PaymentHash};
use crate::lightning::{InvoiceState, OutgoingState};

use super::receipt;

#[derive(Serialize)]
pub(super) struct AddInvoice<'a> {
    pub value_msat: String,
    pub memo: &'a str,
    /// Seconds.
    pub expiry: String,
    pub private: bool,
}

#[derive(Deserialize)]
pub(super) struct AddedInvoice {
    r_hash: String,
    pub payment_request: String,
}

/// An invoice that was looked up.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    state: String,
    #[serde(default)]
    creation_date: String,
    #[serde(default)]
    expiry: String,
    #[serde(default)]
    settle_date: String,
    #[serde(default)]
    amt_paid_msat: String,
}

#[derive(Serialize)]
pub(super) struct SendPayment<'a> {
    pub payment_request: &'a str,
    pub timeout_seconds: i32,
    pub fee_limit_msat: String,
    pub no_inflight_updates: bool,
}

/// A line of a stream: a payment, or an error.
#[derive(Deserialize)]
pub(super) struct PaymentLine {
    result: Option<PaymentResult>,
}

#[derive(Deserialize)]
pub(super) struct PaymentResult {
    status: String,
    #[serde(default)]
    payment_preimage: String,
    #[serde(default)]
    fee_msat: String,
    #[serde(default)]
    pub failure_reason: String,
}

/// How far LND has come.
#[derive(Deserialize)]
pub(super) struct State {
    state: String,
}

/// An error, as a whole answer or as a line of a stream.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub error: Option<Box<ErrorBody>>,
}

impl State {
    pub(super) fn is_active(&self) -> bool {
        self.state == "SERVER_ACTIVE"
    }
}

impl AddedInvoice {
    pub(super) fn hash(&self) -> Option<PaymentHash> {
        let bytes = STANDARD.decode(&self.r_hash).ok()?;
        bytes.try_into().ok().map(PaymentHash::from_bytes)
    }
}

impl LookedUp {
    /// `None`: a state that is not in LND's documentation. `now` is in Unix seconds: LND knows no "expired": it cancels what was not paid in
    /// time, and a part of a payment that has arrived may still become a whole one.
    pub(super) fn state(&self, now: u64) -> Option<InvoiceState> {
        match self.state.as_str() {
            "OPEN" | "ACCEPTED" => Some(InvoiceState::Open),
            "SETTLED" => {
                let amount = Msat::new(self.amt_paid_msat.parse().ok()?).ok()?;
                Some(InvoiceState::Settled { amount, at: self.settle_date.parse().ok().filter(|at| *at > 0) })
            }
            "CANCELED" if self.was_given_up_before(now) => Some(InvoiceState::Cancelled),
            "CANCELED" => Some(InvoiceState::Expired),
            _ => None,
        }
    }

    /// Whether somebody has cancelled it while it could still be paid. One whose time is not known has expired.
    fn was_given_up_before(&self, now: u64) -> bool {
        let (made, expiry) = (self.creation_date.parse::<u64>(), self.expiry.parse::<u64>());
        made.ok().zip(expiry.ok()).is_some_and(|(made, expiry)| now < made.saturating_add(expiry))
    }
}

impl PaymentLine {
    pub(super) const fn result(&self) -> Option<&PaymentResult> {
        self.result.as_ref()
    }
}

impl PaymentResult {
    /// The preimage of an unfinished payment is all zeros, and one with a reason to fail may still be under way: the
    /// status alone counts.
    pub(super) fn outcome(&self) -> OutgoingState {
        match self.status.as_str() {
            "SUCCEEDED" => OutgoingState::Paid(receipt(&self.payment_preimage, &self.fee_msat)),
            "FAILED" => OutgoingState::Failed,
            _ => OutgoingState::InFlight,
        }
    }
}

impl ErrorBody {
    /// The text, wherever it stands.
    pub(super) fn text(&self) -> &str {
        self.error.as_deref().map_or(&self.message, Self::text)
    }
}
