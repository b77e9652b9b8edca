//! What LND's error texts mean.

use reqwest::StatusCode;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind, Payment};

use super::MACAROON_KEY;
use super::wire::ErrorBody;

/// Texts that mean: not with this macaroon.
const REFUSES_MACAROON: [&str; 7] = [
    "permission denied",
    "verification failed",
    "cannot get macaroon",
    "macaroon has expired",
    "macaroon locked to",
    "expected 1 macaroon",
    "cannot determine data format of binary-encoded macaroon",
];
/// Texts that mean: not yet.
const STARTING: [&str; 2] = ["is in the process of starting up", "waiting to start"];
/// Refusals of a payment before anything of it was kept or sent.
const REFUSED_TO_PAY: [&str; 7] = [
    "invoice expired",
    "self-payments not allowed",
    "amount must be specified",
    "amount must not be specified",
    "invoice not for current active network",
    "payment request must contain",
    "checksum",
];

fn text(answer: &Answer) -> String {
    let body: ErrorBody = answer.json().unwrap_or_default();
    if body.text().is_empty() { String::from_utf8_lossy(&answer.body).into_owned() } else { body.text().to_owned() }
}

/// The fault that an answer without a result tells of.
pub(super) fn of(rest: &Rest, answer: &Answer) -> BackendError {
    let said = text(answer);
    let says = |known: &[&str]| known.iter().any(|known| said.contains(known));
    if says(&REFUSES_MACAROON) {
        let message = format!("{MACAROON_KEY}: LND refuses this macaroon: {}", quoted(&said));
        return rest.fault(FaultKind::Unauthorised, message);
    }
    if said.contains("wallet locked") {
        return rest.fault(FaultKind::Failing, "LND's wallet is locked: unlock it with `lncli unlock`");
    }
    if said.contains("wallet not created") {
        return rest.fault(FaultKind::Failing, "LND has no wallet yet: make one with `lncli create`");
    }
    if says(&STARTING) {
        return rest.fault(FaultKind::Failing, "LND is starting");
    }
    if answer.status == StatusCode::NOT_FOUND {
        let message = "lightning.lnd.url: the server does not know LND's REST paths; give the address of `restlisten`";
        return rest.fault(FaultKind::Refused, message);
    }
    rest.by_status(answer, &said)
}

/// What became of a payment whose stream ended with an error, or with nothing.
pub(super) fn of_payment(rest: &Rest, answer: &Answer) -> Payment {
    let said = text(answer);
    if REFUSED_TO_PAY.iter().any(|known| said.contains(known)) {
        return Payment::failed(format!("LND refuses: {}", quoted(&said)));
    }
    let fault = of(rest, answer);
    match fault.kind {
        FaultKind::Unauthorised => Payment::failed(fault.to_string()),
        _ => Payment::unknown(fault.to_string()),
    }
}

pub(super) fn is_unknown_invoice(answer: &Answer) -> bool {
    let said = text(answer);
    // Before LND 0.20 an empty database was an error of its own, with another status.
    !answer.status.is_success()
        && (said.contains("unable to locate invoice") || said.contains("there are no existing invoices"))
}

pub(super) fn is_unknown_payment(answer: &Answer) -> bool {
    !answer.status.is_success() && text(answer).contains("payment isn't initiated")
}
