//! What an LNURL server's errors mean. They come with any HTTP status, 200 above all, and their text is free.

use reqwest::StatusCode;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind};

use super::ADDRESS;
use super::wire::ErrorBody;

/// The text of an LNURL error, if the answer is one.
fn reason(answer: &Answer) -> Option<String> {
    answer.json().ok().and_then(ErrorBody::reason)
}

/// The fault that an answer tells of at the address itself; `None`: it is a success.
pub(super) fn of_address(web: &Rest, answer: &Answer) -> Option<BackendError> {
    let reason = reason(answer);
    if is_temporary(answer.status) || answer.status.is_success() && reason.is_none() {
        return by_status(web, answer, reason.as_deref());
    }
    if answer.status.is_redirection() {
        let message =
            "the server answers with a redirect, which is not followed; give the address at the host that it leads to";
        return Some(web.fault(FaultKind::Garbled, format!("{ADDRESS}: {message}")));
    }
    // Nothing is sold until the operator has looked at it.
    let said = reason.map_or_else(|| format!("HTTP {}", answer.status), |reason| quoted(&reason));
    let message = format!("{ADDRESS}: the wallet's server does not serve this address: {said}");
    Some(web.fault(FaultKind::Unauthorised, message))
}

/// The fault that an answer tells of where an invoice was to be made. The price was within the wallet's limits, so an
/// error says that the wallet cannot at the moment.
pub(super) fn of_callback(web: &Rest, answer: &Answer) -> Option<BackendError> {
    match reason(answer) {
        Some(reason) if !is_temporary(answer.status) => {
            let message = format!("the wallet's server makes no invoice: {}", quoted(&reason));
            Some(web.fault(FaultKind::Failing, message))
        }
        reason => by_status(web, answer, reason.as_deref()),
    }
}

/// The fault that an answer tells of where an invoice was looked up.
pub(super) fn of_lookup(web: &Rest, answer: &Answer) -> Option<BackendError> {
    match reason(answer) {
        Some(reason) if !is_temporary(answer.status) => {
            let message = format!("the wallet's server cannot look up an invoice: {}", quoted(&reason));
            Some(web.fault(FaultKind::Failing, message))
        }
        reason => by_status(web, answer, reason.as_deref()),
    }
}

/// LUD-21 has no error of its own for it, only this text.
pub(super) fn is_unknown_invoice(answer: &Answer) -> bool {
    reason(answer).is_some_and(|reason| reason.to_ascii_lowercase().contains("not found"))
}

fn by_status(web: &Rest, answer: &Answer, reason: Option<&str>) -> Option<BackendError> {
    if answer.status.is_success() {
        return None;
    }
    let body = String::from_utf8_lossy(&answer.body);
    let fault = web.by_status(answer, reason.unwrap_or(&body));
    let refuses = fault.kind == FaultKind::Unauthorised;
    Some(if refuses {
        web.fault(fault.kind, format!("{ADDRESS}: the wallet's server refuses: {fault}"))
    } else {
        fault
    })
}

fn is_temporary(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}
