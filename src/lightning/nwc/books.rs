//! What the wallet's books say. They decide where its answer to an order does not.

use crate::domain::PaymentHash;
use crate::lightning::{BackendError, FaultKind, OutgoingState, Payment};

use super::fault::{self, Failure, fault};
use super::wire::{LookupInvoice, Transaction, WalletError};
use super::{LOOKUP, Nwc, PAY, URI_KEY};

impl Nwc {
    /// What the wallet knows of a hash; `None`: nothing.
    pub(super) async fn look_up(&self, hash: &PaymentHash) -> Result<Option<Transaction>, BackendError> {
        if !self.wallet.methods().lookup {
            let message = format!("{URI_KEY}: the wallet does not allow this connection {LOOKUP}");
            return Err(fault(FaultKind::Unsupported, message));
        }
        match self.relays.ask::<Transaction>(LOOKUP, &LookupInvoice { payment_hash: hash.to_hex() }, self.usual()).await
        {
            Ok(found) if found.is_about(hash) => Ok(Some(found)),
            Ok(_) => Err(fault::garbled(LOOKUP)),
            Err(Failure::Wallet(error)) if error.code == "NOT_FOUND" => Ok(None),
            Err(failure) => Err(failure.into_fault(LOOKUP)),
        }
    }

    /// What the wallet's books say of a payment. That they are closed to us is no word on what stands in them: it is the
    /// operator who may have closed them, while a payment was under way.
    pub(super) async fn booked(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let found = self.look_up(hash).await.map_err(|error| match error.kind {
            FaultKind::Unsupported => fault(FaultKind::Unauthorised, error.message),
            _ => error,
        });
        match found? {
            // An invoice of its own, which somebody may want to be paid with: it tells nothing of who has paid it.
            Some(found) if found.is_incoming() && found.is_settled() => {
                let message = "the wallet knows this payment as an invoice of its own that somebody has paid";
                Err(fault(FaultKind::Refused, message))
            }
            Some(found) if !found.is_incoming() => Ok(found.payment_state()),
            _ => Ok(OutgoingState::NotFound),
        }
    }

    /// What a payment has come to that the wallet did not confirm. A relay may have delivered the order twice: the
    /// refusal of the second one says nothing about the first. So the books have to show nothing at all.
    pub(super) async fn after(&self, hash: &PaymentHash, error: &WalletError) -> Payment {
        let reason = fault::of_wallet(error, PAY).to_string();
        match self.booked(hash).await {
            Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
            Ok(OutgoingState::NotFound) if fault::is_refusal(&error.code) => Payment::failed(reason),
            Ok(OutgoingState::Unknown { reason: booked }) => Payment::unknown(format!("{reason}; {booked}")),
            Ok(_) => Payment::unknown(reason),
            Err(fault) => Payment::unknown(format!("{reason}; {fault}")),
        }
    }

    /// What a payment has come to that the wallet confirms without a proof.
    pub(super) async fn without_proof(&self, hash: &PaymentHash) -> Payment {
        match self.booked(hash).await {
            Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
            _ => Payment::unknown("the wallet confirms the payment without its preimage"),
        }
    }
}
