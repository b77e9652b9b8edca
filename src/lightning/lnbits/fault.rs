//! What `LNbits`'s error answers mean (`exceptions.py`, `decorators.py`, `core/services/payments.py`).

use reqwest::StatusCode;
use reqwest::header::LOCATION;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind, Payment};

use super::wire::ErrorBody;
use super::{ADMIN_KEY, KEYS};

/// `LNbits`'s own status for a payment or an invoice that did not come about.
const NOT_DONE: u16 = 520;
/// Refusals of a payment, with a status of their own, before anything of it is written down.
const REFUSED_TO_PAY: [&str; 2] = ["Daily withdrawal limit", "It is not allowed to spend funds"];

fn body(answer: &Answer) -> ErrorBody {
    answer.json().unwrap_or_default()
}

fn text(answer: &Answer) -> String {
    body(answer).text().map_or_else(|| String::from_utf8_lossy(&answer.body).into_owned(), str::to_owned)
}

/// The fault that an answer tells of which is no success. `key` is the path of the key that was sent.
pub(super) fn of(rest: &Rest, answer: &Answer, key: &'static str) -> BackendError {
    let said = text(answer);
    match answer.status {
        StatusCode::FORBIDDEN if said.contains("Admin) key required") => cannot_pay(rest),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            rest.fault(FaultKind::Unauthorised, format!("{key}: LNbits refuses this key: {}", quoted(&said)))
        }
        StatusCode::NOT_FOUND if said.contains("Wallet not found") => unknown_key(rest, key),
        StatusCode::NOT_FOUND => {
            let message =
                "the server does not know LNbits's paths; give the address at which LNbits's start page opens";
            rest.fault(FaultKind::Refused, format!("{}: {message}", KEYS.url))
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let kind = FaultKind::Limited { retry_after: answer.retry_after() };
            rest.fault(
                kind,
                format!("LNbits takes no more requests for now: {}; raise its LNBITS_RATE_LIMIT_NO", quoted(&said)),
            )
        }
        status if status.is_redirection() && leads_to_installation(answer) => {
            rest.fault(FaultKind::Failing, "LNbits has no account yet: open it in a browser and make the first one")
        }
        status if status.as_u16() == NOT_DONE => not_done(rest, answer, key, &said),
        _ => rest.by_status(answer, &said),
    }
}

/// A proxy's 520 has no `status` in it.
fn not_done(rest: &Rest, answer: &Answer, key: &'static str, said: &str) -> BackendError {
    let quoted = quoted(said);
    match body(answer).status.as_deref() {
        Some("failed") if said.contains("does not have permission") => {
            rest.fault(FaultKind::Unauthorised, format!("{key}: LNbits does not let this wallet do that: {quoted}"))
        }
        Some("failed") if said.contains("Wallet balance cannot exceed") => {
            rest.fault(FaultKind::Failing, format!("LNbits lets this wallet hold no more: {quoted}"))
        }
        Some("failed") => rest.fault(FaultKind::Refused, format!("LNbits refuses: {quoted}")),
        Some("pending") => rest.fault(FaultKind::Failing, format!("LNbits's own Lightning node fails: {quoted}")),
        _ => rest.by_status(answer, said),
    }
}

pub(super) fn unknown_key(rest: &Rest, key: &'static str) -> BackendError {
    rest.fault(FaultKind::Unauthorised, format!("{key}: LNbits knows no wallet with this key"))
}

pub(super) fn cannot_pay(rest: &Rest) -> BackendError {
    rest.fault(FaultKind::Unauthorised, format!("{ADMIN_KEY}: this key may not pay; give the wallet's admin key"))
}

/// What became of an order that was answered with no success.
pub(super) fn of_payment(rest: &Rest, answer: &Answer, key: &'static str) -> Payment {
    let (body, said) = (body(answer), text(answer));
    let refused = answer.status == StatusCode::BAD_REQUEST && REFUSED_TO_PAY.iter().any(|known| said.contains(known));
    let failed = answer.status.as_u16() == NOT_DONE && body.status.as_deref() == Some("failed");
    if refused || failed {
        return Payment::failed(format!("LNbits: {}", quoted(&said)));
    }
    let fault = of(rest, answer, key);
    match fault.kind {
        FaultKind::Unauthorised | FaultKind::Limited { .. } => Payment::failed(fault.to_string()),
        _ => Payment::unknown(fault.to_string()),
    }
}

/// `LNbits` calls this a failure, though it may be an earlier attempt of ours that has arrived.
pub(super) fn is_already_paid(answer: &Answer) -> bool {
    answer.status.as_u16() == NOT_DONE
        && body(answer).status.as_deref() == Some("failed")
        && text(answer).contains("already paid")
}

pub(super) fn is_unknown_payment(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && text(answer).contains("Payment does not exist")
}

/// A server without an account sends everything there.
fn leads_to_installation(answer: &Answer) -> bool {
    let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    location.is_some_and(|location| location.ends_with("/first_install"))
}
