//! Core Lightning's JSON (`doc/schemas/*.json`).

use serde::{Deserialize, Serialize};

use crate::domain::{Msat, Preimage};
use crate::lightning::{InvoiceState, OutgoingState, Receipt};

#[derive(Serialize)]
pub(super) struct AddInvoice<'a> {
    pub amount_msat: u64,
    pub label: String,
    pub description: &'a str,
    /// Seconds.
    pub expiry: u64,
}

#[derive(Deserialize)]
pub(super) struct AddedInvoice {
    pub payment_hash: String,
    pub bolt11: String,
    warning_capacity: Option<String>,
    warning_offline: Option<String>,
    warning_deadends: Option<String>,
    warning_private_unused: Option<String>,
}

/// What `listinvoices` and `listpays` are asked for.
#[derive(Serialize)]
pub(super) struct ByHash {
    pub payment_hash: String,
}

#[derive(Deserialize)]
pub(super) struct FoundInvoices {
    invoices: Vec<FoundInvoice>,
}

#[derive(Deserialize)]
struct FoundInvoice {
    status: String,
    amount_received_msat: Option<u64>,
    /// Unix seconds.
    paid_at: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Xpay<'a> {
    pub invstring: &'a str,
    /// Millisatoshis.
    pub maxfee: u64,
    /// Seconds in which new attempts may begin.
    pub retry_for: u64,
}

/// What `xpay` says when the money has arrived.
#[derive(Deserialize)]
pub(super) struct Paid {
    payment_preimage: String,
    amount_msat: Option<u64>,
    amount_sent_msat: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct FoundPays {
    pays: Vec<FoundPay>,
}

/// What one call of `xpay` or `pay` has come to.
#[derive(Deserialize)]
struct FoundPay {
    status: String,
    preimage: Option<String>,
    amount_msat: Option<u64>,
    amount_sent_msat: Option<u64>,
}

/// An error, of lightningd or of clnrest.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    pub code: Option<i64>,
    #[serde(default)]
    pub message: String,
}

impl AddedInvoice {
    /// Why the node thinks that nobody can pay it. Its doubt whether it can be paid in one part means nothing.
    pub(super) fn warning(&self) -> Option<&str> {
        [&self.warning_capacity, &self.warning_offline, &self.warning_deadends, &self.warning_private_unused]
            .into_iter()
            .find_map(|warning| warning.as_deref())
    }
}

impl FoundInvoices {
    /// `None`: a state that is not in the documentation. What the node does not know is an empty list.
    pub(super) fn state(&self) -> Option<InvoiceState> {
        let Some(found) = self.invoices.first() else { return Some(InvoiceState::NotFound) };
        match found.status.as_str() {
            "unpaid" => Some(InvoiceState::Open),
            "expired" => Some(InvoiceState::Expired),
            "paid" => {
                let amount = Msat::new(found.amount_received_msat?).ok()?;
                Some(InvoiceState::Settled { amount, at: found.paid_at })
            }
            _ => None,
        }
    }
}

impl Paid {
    pub(super) fn receipt(&self) -> Receipt {
        receipt(Some(&self.payment_preimage), self.amount_msat, self.amount_sent_msat)
    }
}

impl FoundPays {
    /// `None`: a state that is not in the documentation. There is an entry for each call of `xpay`, so one that has
    /// failed says nothing while another has not.
    pub(super) fn outcome(&self) -> Option<OutgoingState> {
        if let Some(paid) = self.pays.iter().find(|pay| pay.status == "complete") {
            let receipt = receipt(paid.preimage.as_deref(), paid.amount_msat, paid.amount_sent_msat);
            return Some(OutgoingState::Paid(receipt));
        }
        if self.pays.iter().any(|pay| pay.status == "pending") {
            return Some(OutgoingState::InFlight);
        }
        if self.pays.is_empty() {
            return Some(OutgoingState::NotFound);
        }
        self.pays.iter().all(|pay| pay.status == "failed").then_some(OutgoingState::Failed)
    }
}

/// The fee is what was sent beyond what arrived.
fn receipt(preimage: Option<&str>, amount: Option<u64>, sent: Option<u64>) -> Receipt {
    let fee = sent.zip(amount).and_then(|(sent, amount)| sent.checked_sub(amount));
    Receipt {
        preimage: preimage.and_then(|preimage| Preimage::from_hex(preimage.as_bytes()).ok()),
        fee: fee.and_then(|fee| Msat::new(fee).ok()),
    }
}
