//! `LNbits`'s JSON. Amounts are in msat, and negative for what goes out.

use serde::{Deserialize, Serialize};

use crate::domain::{Msat, Preimage};
use crate::lightning::{InvoiceState, OutgoingState, Receipt};

#[derive(Serialize)]
pub(super) struct NewInvoice<'a> {
    pub out: bool,
    /// Sats.
    pub amount: u64,
    pub memo: &'a str,
    /// Seconds.
    pub expiry: u64,
}

/// A new invoice. The preimage that comes with it is left where it is.
#[derive(Deserialize)]
pub(super) struct Created {
    pub payment_hash: String,
    pub bolt11: String,
}

#[derive(Serialize)]
pub(super) struct PayInvoice<'a> {
    pub out: bool,
    pub bolt11: &'a str,
}

#[derive(Deserialize)]
pub(super) struct FeeReserve {
    /// Msat: the most that the node may spend on routing, and what the server charges.
    pub fee_reserve: u64,
}

/// A wallet, as far as its key may see it.
#[derive(Deserialize)]
pub(super) struct Wallet {
    #[serde(rename = "name")]
    _name: String,
    /// Only the admin key is told.
    id: Option<String>,
}

/// A payment in either direction that was looked up.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    /// Only the wallet's own keys are told.
    pub details: Option<Details>,
}

/// A payment in either direction.
#[derive(Deserialize)]
pub(super) struct Details {
    amount: i64,
    #[serde(default)]
    fee: i64,
    status: String,
    preimage: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
}

/// An error. `LNbits`'s own have a `detail`, those of its rate limit an `error`.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    detail: serde_json::Value,
    #[serde(default)]
    error: String,
    /// What became of a payment or an invoice.
    pub status: Option<String>,
}

impl Wallet {
    pub(super) const fn is_of_admin_key(&self) -> bool {
        self.id.is_some()
    }
}

impl Details {
    /// What became of an invoice; `None`: a state that is not in `LNbits`'s source.
    pub(super) fn invoice(&self) -> Option<InvoiceState> {
        match self.status.as_str() {
            "pending" => Some(InvoiceState::Open),
            // Negative where this wallet has paid its own invoice: that has arrived as well.
            "success" => {
                let amount = Msat::new(self.amount.unsigned_abs()).ok()?;
                // `updated_at` moves with every webhook and label: it is no time of payment.
                Some(InvoiceState::Settled { amount, at: None })
            }
            "failed" if self.labels.iter().any(|label| label == "expired") => Some(InvoiceState::Expired),
            "failed" => Some(InvoiceState::Cancelled),
            _ => None,
        }
    }

    /// What became of a payment; `None`: a state that is not in `LNbits`'s source. That it has failed is a note in
    /// `LNbits`'s database, which its node may not agree with.
    pub(super) fn outgoing(&self) -> Option<OutgoingState> {
        match self.status.as_str() {
            // An invoice of this very wallet, which has not paid it.
            _ if self.amount >= 0 => Some(OutgoingState::NotFound),
            "pending" => Some(OutgoingState::InFlight),
            "success" => Some(OutgoingState::Paid(self.receipt())),
            "failed" => {
                Some(OutgoingState::unknown("LNbits has noted that the payment has failed, which is not final"))
            }
            _ => None,
        }
    }

    /// Whether this is an invoice at the same `LNbits` that has expired. An order for it is answered with the invoice,
    /// its unpaid preimage and all, as if it were the payment; nothing is paid.
    pub(super) fn is_given_up_invoice(&self) -> bool {
        self.amount > 0 && self.status == "failed"
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            preimage: self.preimage.as_deref().and_then(|hex| Preimage::from_hex(hex.as_bytes()).ok()),
            fee: Msat::new(self.fee.unsigned_abs()).ok(),
        }
    }
}

impl ErrorBody {
    /// What it says: a sentence, or for a field that is not as it must be a list of them.
    pub(super) fn text(&self) -> Option<&str> {
        let detail = self.detail.as_str().or_else(|| self.detail.get(0)?.get("msg")?.as_str());
        detail.or(Some(&self.error)).filter(|text| !text.is_empty())
    }
}
