//! `OpenNode`'s JSON. Amounts are whole sats, times are Unix seconds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Msat, PaymentHash};
use crate::lightning::{InvoiceState, decode_invoice};

#[derive(Serialize)]
pub(super) struct CreateCharge<'a> {
    pub amount: u64,
    pub description: &'a str,
    /// Minutes.
    pub ttl: u64,
    /// Whether what arrives is turned into fiat money.
    pub auto_settle: bool,
}

/// What every success is wrapped in.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub data: T,
}

/// Every error.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub success: bool,
    #[serde(default)]
    pub message: String,
}

/// What is paid, over Lightning or to an address on the chain that every charge has too. The address is never shown.
#[derive(Deserialize)]
pub(super) struct Charge {
    id: String,
    status: String,
    amount: u64,
    pub lightning_invoice: Option<LightningInvoice>,
    chain_invoice: Option<ChainInvoice>,
    transactions: Option<Vec<Transaction>>,
}

#[derive(Deserialize)]
pub(super) struct LightningInvoice {
    pub payreq: String,
    settled_at: Option<Value>,
}

#[derive(Deserialize)]
struct ChainInvoice {
    settled_at: Option<Value>,
}

/// A transaction on the chain.
#[derive(Deserialize)]
struct Transaction {
    tx: Option<Value>,
}

/// An id that can stand in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChargeId(Box<str>);

impl ChargeId {
    const MAX_LEN: usize = 64;

    pub(super) const fn as_str(&self) -> &str {
        &self.0
    }
}

impl Charge {
    /// `None`: it has none that could be asked for.
    pub(super) fn id(&self) -> Option<ChargeId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let usable = !self.id.is_empty() && self.id.len() <= ChargeId::MAX_LEN && self.id.bytes().all(plain);
        usable.then(|| ChargeId(self.id.as_str().into()))
    }

    pub(super) fn payment_hash(&self) -> Option<PaymentHash> {
        decode_invoice(&self.lightning_invoice.as_ref()?.payreq).ok().map(|decoded| decoded.payment_hash)
    }

    /// `None`: a state that is not in the documentation.
    pub(super) fn state(&self) -> Option<InvoiceState> {
        match self.status.as_str() {
            // The second and third come of payments on the chain only, which have not arrived or are too small.
            "unpaid" | "processing" | "underpaid" => Some(InvoiceState::Open),
            // Paid on the chain: nobody has the preimage, and the invoice is over.
            "paid" if self.was_paid_on_chain() => Some(InvoiceState::Cancelled),
            "paid" => {
                let amount = Msat::from_sat(self.amount).ok()?;
                let at = self.lightning_invoice.as_ref().and_then(|lightning| lightning.settled_at.as_ref()?.as_u64());
                Some(InvoiceState::Settled { amount, at })
            }
            "expired" => Some(InvoiceState::Expired),
            "refunded" => Some(InvoiceState::Cancelled),
            _ => None,
        }
    }

    fn was_paid_on_chain(&self) -> bool {
        let over_lightning = self.lightning_invoice.as_ref().is_some_and(|lightning| lightning.settled_at.is_some());
        let on_chain = self.chain_invoice.as_ref().is_some_and(|chain| chain.settled_at.is_some())
            || self.transactions.as_ref().is_some_and(|all| all.iter().any(|transaction| transaction.tx.is_some()));
        on_chain && !over_lightning
    }
}
