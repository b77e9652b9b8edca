//! phoenixd's JSON (`phoenixd/json/JsonSerializers.kt`). Members that are null are left out.

use serde::Deserialize;

use crate::domain::{Msat, Preimage};
use crate::lightning::{InvoiceState, OutgoingState, Receipt};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddedInvoice {
    pub payment_hash: String,
    pub serialized: String,
}

/// A payment to phoenixd, or an invoice that waits for one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incoming {
    is_paid: bool,
    #[serde(default)]
    is_expired: bool,
    requested_sat: Option<u64>,
    received_sat: u64,
    /// Millisatoshis.
    #[serde(default)]
    fees: u64,
    /// Unix milliseconds.
    completed_at: Option<u64>,
}

/// A payment that phoenixd was told to make.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outgoing {
    is_paid: bool,
    preimage: Option<String>,
    /// Millisatoshis.
    fees: Option<u64>,
    /// Unix milliseconds; there is one when it has ended, well or not.
    completed_at: Option<u64>,
}

/// The end of a payment: both are HTTP 200.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum PaidOrNot {
    Paid {
        #[serde(rename = "paymentPreimage")]
        preimage: String,
    },
    Not {
        reason: String,
    },
}

/// What is read of `getinfo`.
#[derive(Deserialize)]
pub(super) struct Chain {
    pub chain: String,
}

impl Incoming {
    /// `None`: it is more than there can be.
    ///
    /// An invoice that was paid in time expires all the same. What phoenixd calls received is what is left when the cost
    /// of making room for it in a channel is taken off: the payer has paid that as well, and never less than was asked
    /// for, because phoenixd takes nothing less.
    pub(super) fn state(&self) -> Option<InvoiceState> {
        if !self.is_paid {
            return Some(if self.is_expired { InvoiceState::Expired } else { InvoiceState::Open });
        }
        let msat = |sat: u64| sat.checked_mul(1_000);
        let with_cost = msat(self.received_sat)?.checked_add(self.fees)?;
        let amount = Msat::new(with_cost.max(msat(self.requested_sat.unwrap_or(0))?)).ok()?;
        Some(InvoiceState::Settled { amount, at: self.completed_at.map(|millis| millis / 1_000) })
    }
}

impl Outgoing {
    pub(super) fn outcome(&self) -> OutgoingState {
        if self.is_paid {
            let preimage = self.preimage.as_deref().and_then(preimage);
            return OutgoingState::Paid(Receipt { preimage, fee: self.fees.and_then(|msat| Msat::new(msat).ok()) });
        }
        if self.completed_at.is_some() { OutgoingState::Failed } else { OutgoingState::InFlight }
    }
}

pub(super) fn preimage(hex: &str) -> Option<Preimage> {
    Preimage::from_hex(hex.as_bytes()).ok()
}
