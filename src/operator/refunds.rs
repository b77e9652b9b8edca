//! Refunds: looking at them, and saying what became of those that are paid by hand.

use serde_json::{Value, json};

use crate::domain::JobId;
use crate::refunds::BY_HAND;
use crate::store::{RefundRecord, Settling, Wanted};

use super::jobs::time_json;
use super::said::{Said, list, sats, table};
use super::time::rfc3339;
use super::{Operator, OperatorError};

/// The most characters of a note.
const NOTE_CHARS: usize = 500;

impl Operator {
    /// Refunds, those of the newest jobs first.
    pub async fn list_refunds(&self, wanted: &Wanted) -> Result<Said, OperatorError> {
        let refunds = self.store.list_refunds(wanted).await?;
        let row = |refund: &RefundRecord| {
            let (payer, paid) =
                (refund.payer.clone().unwrap_or_default(), refund.paid_at.map(rfc3339).unwrap_or_default());
            let since = rfc3339(refund.created_at);
            vec![refund.job.clone(), since, sats(refund.amount_msat), refund.status.clone(), payer, paid]
        };
        let rows: Vec<_> = refunds.iter().map(row).collect();
        Ok(Said {
            json: json!({"refunds": refunds.iter().map(refund_json).collect::<Vec<_>>()}),
            text: table(&["JOB", "OWED SINCE", "SATS", "STATUS", "PAYER", "PAID"], &rows),
        })
    }

    /// The refund of a job.
    pub async fn show_refund(&self, named: &str) -> Result<Said, OperatorError> {
        let id = self.find(named).await?;
        let refund = self.store.refund_record(id).await?.ok_or_else(nothing_owed)?;
        Ok(Said { json: refund_json(&refund), text: refund_text(&refund) })
    }

    /// Writes down that the operator has paid a refund by hand.
    pub async fn settle_refund(&self, named: &str, note: &str, force: bool) -> Result<Said, OperatorError> {
        let note = note.trim();
        if note.is_empty() || note.chars().count() > NOTE_CHARS || note.chars().any(char::is_control) {
            let message =
                format!("a note is 1 to {NOTE_CHARS} characters on one line: how it was paid, for your books");
            return Err(OperatorError::Refused(message));
        }
        let id = self.find(named).await?;
        let settled = self.store.settle_refund(id, BY_HAND, self.now, note, force).await?;
        granted(id, settled, "paid", "settle")
    }

    /// Ends the claim of a refund that was to be paid by hand: it can be claimed again.
    pub async fn release_refund(&self, named: &str, force: bool) -> Result<Said, OperatorError> {
        let id = self.find(named).await?;
        let released = self.store.release_refund(id, BY_HAND, force).await?;
        granted(id, released, "available", "release")
    }
}

fn nothing_owed() -> OperatorError {
    OperatorError::Refused("nothing is owed for that job".into())
}

fn granted(id: JobId, settling: Settling, status: &str, verb: &str) -> Result<Said, OperatorError> {
    match settling {
        Settling::Done => Ok(Said {
            json: json!({"job": id.to_string(), "status": status}),
            text: format!("The refund of the job {id} is {status}."),
        }),
        Settling::PaidBy(payer) => Err(OperatorError::Refused(format!(
            "the backend \"{payer}\" was told to pay this refund, and its payment may still arrive. If that backend itself \
             says what became of it (look there for the payment hash of the claim's invoice), repeat this with --force: \
             `settle` where it was paid or where you have paid instead, `release` only where it has failed for good"
        ))),
        Settling::Status(status) => {
            Err(OperatorError::Refused(format!("the refund is {status}: there is nothing to {verb}")))
        }
        Settling::NothingOwed => Err(nothing_owed()),
    }
}

pub(super) fn refund_json(refund: &RefundRecord) -> Value {
    json!({
        "job": refund.job, "payment_hash": refund.payment_hash, "service": refund.service,
        "amount_msat": refund.amount_msat, "status": refund.status, "created_at": rfc3339(refund.created_at),
        "claims": refund.claims, "payer": refund.payer, "pay_to": refund.pay_to,
        "claimed_at": time_json(refund.claimed_at), "paid_at": time_json(refund.paid_at), "fee_msat": refund.fee_msat,
        "note": refund.note,
    })
}

pub(super) fn refund_text(refund: &RefundRecord) -> String {
    list(&[
        ("refund of job", Some(refund.job.clone())),
        ("owed", Some(format!("{} sats", sats(refund.amount_msat)))),
        ("since", Some(rfc3339(refund.created_at))),
        ("status", Some(refund.status.clone())),
        ("claims", Some(refund.claims.to_string())),
        ("claimed", refund.claimed_at.map(rfc3339)),
        ("payer", refund.payer.clone()),
        ("pay to", refund.pay_to.clone()),
        ("paid", refund.paid_at.map(rfc3339)),
        ("routing fee", refund.fee_msat.map(|fee| format!("{} sats", sats(fee)))),
        ("note", refund.note.clone()),
    ])
}
