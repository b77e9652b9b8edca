//! The JSON inside NIP-47's events. It is read more loosely than it is specified: wallets leave fields out, or null.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Msat, PaymentHash, Preimage};
use crate::lightning::{InvoiceState, OutgoingState, Receipt};

#[derive(Serialize)]
pub(super) struct Request<'a, P> {
    pub method: &'a str,
    pub params: P,
}

#[derive(Serialize)]
pub(super) struct MakeInvoice<'a> {
    /// In msat.
    pub amount: u64,
    pub description: &'a str,
    /// Seconds.
    pub expiry: u64,
}

#[derive(Serialize)]
pub(super) struct LookupInvoice {
    pub payment_hash: String,
}

#[derive(Serialize)]
pub(super) struct PayInvoice<'a> {
    pub invoice: &'a str,
}

/// No parameters.
#[derive(Serialize)]
pub(super) struct Nothing {}

/// What the wallet says.
pub(super) enum Said<T> {
    Result(T),
    Error(WalletError),
    /// Neither of both, or something else than was asked for.
    Garbage,
}

#[derive(Deserialize)]
struct Response {
    result_type: Option<String>,
    error: Option<WalletError>,
    result: Option<Value>,
}

/// An error of the wallet's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WalletError {
    pub code: String,
    pub message: String,
}

/// An invoice of the wallet's, or a payment.
#[derive(Deserialize)]
pub(super) struct Transaction {
    #[serde(rename = "type")]
    direction: Option<String>,
    state: Option<String>,
    pub invoice: Option<String>,
    pub payment_hash: Option<String>,
    preimage: Option<String>,
    amount: Option<u64>,
    fees_paid: Option<u64>,
    expires_at: Option<u64>,
    settled_at: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Paid {
    preimage: Option<String>,
    fees_paid: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Info {
    #[serde(default)]
    pub methods: Vec<String>,
}

/// Reads the answer to `method`.
pub(super) fn read<T: DeserializeOwned>(text: &str, method: &str) -> Said<T> {
    let Ok(response) = serde_json::from_str::<Response>(text) else { return Said::Garbage };
    if let Some(error) = response.error {
        return Said::Error(error);
    }
    let fits = response.result_type.is_none_or(|kind| kind == method);
    let result = response.result.filter(|_| fits).and_then(|result| serde_json::from_value(result).ok());
    result.map_or(Said::Garbage, Said::Result)
}

impl Transaction {
    /// Whether it is about this hash, as far as it says.
    pub(super) fn is_about(&self, hash: &PaymentHash) -> bool {
        let said = self.payment_hash.as_deref().filter(|said| !said.is_empty());
        said.is_none_or(|said| PaymentHash::from_hex(said).is_ok_and(|said| said == *hash))
    }

    pub(super) fn is_outgoing(&self) -> bool {
        self.direction.as_deref() == Some("outgoing")
    }

    pub(super) fn is_incoming(&self) -> bool {
        self.direction.as_deref() == Some("incoming")
    }

    /// Wallets from before there were states tell by the time of the settlement. A preimage proves nothing: some know it
    /// before anybody has paid.
    pub(super) fn is_settled(&self) -> bool {
        match self.state() {
            Some(state) => state == "settled",
            None => self.settled_at.is_some_and(|at| at > 0),
        }
    }

    fn state(&self) -> Option<&str> {
        self.state.as_deref().filter(|state| !state.is_empty())
    }

    /// As an invoice; `None`: that is no state of an invoice. `now` is in Unix seconds.
    pub(super) fn invoice_state(&self, now: u64) -> Option<InvoiceState> {
        if self.is_settled() {
            let amount = Msat::new(self.amount?).ok()?;
            return Some(InvoiceState::Settled { amount, at: self.settled_at.filter(|at| *at > 0) });
        }
        match self.state() {
            Some("expired") => Some(InvoiceState::Expired),
            Some("failed") => Some(InvoiceState::Cancelled),
            None | Some("pending" | "accepted") if self.expires_at.is_some_and(|at| at > 0 && at < now) => {
                Some(InvoiceState::Expired)
            }
            None | Some("pending" | "accepted") => Some(InvoiceState::Open),
            Some(_) => None,
        }
    }

    /// As a payment, of which nothing but its arrival is final. A wallet calls one `expired` when the invoice's time is
    /// over. Alby Hub calls one `failed` whenever its node reports an error, a broken connection too, and settles it
    /// later.
    pub(super) fn payment_state(&self) -> OutgoingState {
        if self.is_settled() {
            return OutgoingState::Paid(receipt(self.preimage.as_deref(), self.fees_paid));
        }
        if self.state() == Some("failed") {
            return OutgoingState::unknown("the wallet says that the payment has failed, which is not final");
        }
        OutgoingState::InFlight
    }
}

impl Paid {
    pub(super) fn receipt(&self) -> Receipt {
        receipt(self.preimage.as_deref(), self.fees_paid)
    }
}

fn receipt(preimage: Option<&str>, fee: Option<u64>) -> Receipt {
    let preimage = preimage.and_then(|preimage| Preimage::from_hex(preimage.as_bytes()).ok());
    Receipt { preimage, fee: fee.and_then(|msat| Msat::new(msat).ok()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn transaction(fields: &Value) -> Transaction {
        serde_json::from_value(fields.clone()).unwrap()
    }

    #[test]
    fn an_expired_payment_may_still_arrive() {
        for state in [json!("expired"), json!("pending"), json!("accepted"), json!(""), json!(null), json!("new")] {
            let payment =
                transaction(&json!({"type": "outgoing", "state": state, "expires_at": 1, "settled_at": null}));
            assert!(matches!(payment.payment_state(), OutgoingState::InFlight), "{state}");
        }
        let failed = transaction(&json!({"type": "outgoing", "state": "failed"}));
        assert!(matches!(failed.payment_state(), OutgoingState::Unknown { .. }), "Alby Hub settles it later");
    }

    #[test]
    fn a_wallet_without_states_tells_by_the_time_of_the_settlement() {
        let old = json!({"type": "incoming", "amount": 5000, "settled_at": 7, "preimage": "", "metadata": null});
        let settled = InvoiceState::Settled { amount: Msat::from_sat(5).unwrap(), at: Some(7) };
        assert_eq!(transaction(&old).invoice_state(100), Some(settled));
        let unpaid = json!({"type": "incoming", "amount": 5000, "settled_at": 0, "expires_at": 50});
        assert_eq!(transaction(&unpaid).invoice_state(49), Some(InvoiceState::Open));
        assert_eq!(transaction(&unpaid).invoice_state(51), Some(InvoiceState::Expired));
    }

    #[test]
    fn a_preimage_is_no_payment() {
        let known_early = json!({"state": "pending", "amount": 5000, "settled_at": 7, "preimage": "ab".repeat(32)});
        assert_eq!(transaction(&known_early).invoice_state(1), Some(InvoiceState::Open));
        assert!(matches!(transaction(&known_early).payment_state(), OutgoingState::InFlight));
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_state() {
        assert_eq!(transaction(&json!({"state": "held"})).invoice_state(1), None);
        assert_eq!(transaction(&json!({"state": "settled"})).invoice_state(1), None, "without an amount");
    }

    #[test]
    fn an_answer_to_something_else_is_garbage() {
        let text = json!({"result_type": "get_info", "error": null, "result": {"preimage": "00"}}).to_string();
        assert!(matches!(read::<Paid>(&text, "pay_invoice"), Said::Garbage));
        assert!(matches!(read::<Paid>(&text, "get_info"), Said::Result(_)));
        let unreadable = json!({"error": {"code": "BAD_REQUEST", "message": "failed to decrypt"}}).to_string();
        assert!(matches!(read::<Paid>(&unreadable, "pay_invoice"), Said::Error(error) if error.code == "BAD_REQUEST"));
        assert!(matches!(read::<Paid>("<html>", "pay_invoice"), Said::Garbage));
    }
}
