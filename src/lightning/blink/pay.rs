//! Paying with Blink.

use std::time::Duration;

use serde_json::json;

use crate::domain::{Msat, PaymentHash};
use crate::lightning::{BackendError, FaultKind, LightningBackend as _, OutgoingState, Payment, PaymentOrder};

use super::Blink;
use super::fault::{self, Doing};
use super::wire::{self, Complaint, FeeData, SendData, TransactionLookup};

/// The time that Blink's own time limit of 45 seconds may take longer than ours.
const MARGIN: Duration = Duration::from_secs(15);

impl Blink {
    /// How the payment went; as an error where it did not come to sending it.
    pub(super) async fn pay_within(&self, order: &PaymentOrder) -> Result<Payment, Payment> {
        if order.amount.whole_sat().is_none() {
            return Err(Payment::failed("Blink pays whole sats"));
        }
        let wallet = self.wallet().await.map_err(open)?;
        let timeout = order.timeout + order.timeout.min(MARGIN);
        if let Some(reason) = self.objection(&wallet, order, timeout).await? {
            return Ok(self.failed_unless_sent(order, reason).await);
        }
        // Only now: the time for which it may be under way unseen begins when it is sent.
        if !self.orders.begin(order.payment_hash) {
            return Err(Payment::unknown("an earlier attempt cannot be ruled out yet"));
        }
        let input = json!({ "input": { "walletId": wallet, "paymentRequest": order.bolt11 } });
        let reply = self.ask(wire::SEND, input, Some(timeout)).await.map_err(open)?;
        if !reply.errors.is_empty() {
            return Ok(self.refused(order, &reply.errors).await);
        }
        let data: SendData = self.data(reply, Doing::Paying).map_err(open)?;
        let sent = data.ln_invoice_payment_send;
        Ok(match sent.status.as_deref() {
            Some("SUCCESS") => {
                self.orders.end(&order.payment_hash);
                Payment::Paid(wire::receipt(sent.transaction.as_ref()))
            }
            Some("PENDING") => Payment::unknown("Blink has not finished it"),
            // By an earlier attempt, or by somebody else with an account at Blink.
            Some("ALREADY_PAID") => Payment::unknown("Blink says that this invoice was paid before"),
            _ => self.refused(order, &sent.errors).await,
        })
    }

    /// Blink takes no limit of the fee, so it is asked beforehand what it expects; `Some`: why it is not to be paid.
    async fn objection(
        &self,
        wallet: &str,
        order: &PaymentOrder,
        timeout: Duration,
    ) -> Result<Option<String>, Payment> {
        let input = json!({ "input": { "walletId": wallet, "paymentRequest": order.bolt11 } });
        let reply = self.ask(wire::PROBE, input, Some(timeout)).await.map_err(open)?;
        let data: FeeData = self.data(reply, Doing::Paying).map_err(open)?;
        let probed = data.ln_invoice_fee_probe;
        // With an amount beside an error Blink says what it would spend at the most: wallets that cannot be probed can
        // often be paid.
        let Some(sat) = probed.amount else { return Err(self.refused(order, &probed.errors).await) };
        let allowed = order.max_fee;
        let fits = Msat::from_sat(sat).is_ok_and(|fee| fee <= allowed);
        Ok((!fits).then(|| format!("Blink expects a fee of {sat} sat, and {allowed} is the most allowed")))
    }

    /// What Blink's refusal to send a payment leaves open.
    async fn refused(&self, order: &PaymentOrder, errors: &[Complaint]) -> Payment {
        let reason = fault::of(&self.rest, errors, Doing::Paying).to_string();
        if !fault::is_not_sent(errors) {
            return Payment::unknown(reason);
        }
        self.orders.end(&order.payment_hash);
        self.failed_unless_sent(order, reason).await
    }

    /// What Blink's ledger says of a payment, which is not yet the truth of one that was ordered just now.
    pub(super) async fn booked(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let wallet = self.wallet().await?;
        let variables = json!({ "wallet": wallet, "hash": hash.to_hex() });
        let reply = self.ask(wire::LOOKUP_OUTGOING, variables, None).await?;
        let found: TransactionLookup = self.data(reply, Doing::Reading)?;
        let state = found.me.default_account.wallet_by_id.outgoing();
        state.ok_or_else(|| self.rest.fault(FaultKind::Garbled, "a transaction is in a state that Blink has not"))
    }

    /// Blink works on one payment of a wallet at a time. An order that was thought lost may have waited for its turn
    /// and been paid before this one was refused, with the very balance that this one lacked: so it is looked up once
    /// more before anything is called failed.
    async fn failed_unless_sent(&self, order: &PaymentOrder, reason: String) -> Payment {
        match self.lookup_outgoing(&order.payment_hash).await {
            Ok(OutgoingState::NotFound | OutgoingState::Failed) => Payment::Failed { reason },
            Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
            Ok(OutgoingState::InFlight | OutgoingState::Unknown { .. }) => {
                Payment::unknown("an earlier attempt may be on its way")
            }
            Err(error) => {
                Payment::unknown(format!("{reason}; whether it was sent before cannot be found out: {error}"))
            }
        }
    }
}

/// A request that did not work says nothing of an earlier one that is still waiting for its turn at Blink.
fn open(error: BackendError) -> Payment {
    Payment::unknown(error.message)
}

impl wire::WalletTransactions {
    /// What became of the payment of a hash; `None`: a state that is not in Blink's schema.
    ///
    /// A failed payment leaves two transactions behind, both `FAILURE`: one out, and one back in.
    pub(super) fn outgoing(&self) -> Option<OutgoingState> {
        let sent = || self.transactions_by_payment_hash.iter().filter(|transaction| transaction.direction == "SEND");
        if sent().any(|transaction| !matches!(&*transaction.status, "SUCCESS" | "PENDING" | "FAILURE")) {
            return None;
        }
        if let Some(paid) = sent().find(|transaction| transaction.status == "SUCCESS") {
            return Some(OutgoingState::Paid(wire::receipt(Some(paid))));
        }
        if sent().any(|transaction| transaction.status == "PENDING") {
            return Some(OutgoingState::InFlight);
        }
        Some(if sent().next().is_some() { OutgoingState::Failed } else { OutgoingState::NotFound })
    }
}
