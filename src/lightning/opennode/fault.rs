//! What `OpenNode`'s refusals mean. Its texts are not documented, so the status alone decides.

use reqwest::StatusCode;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind};

use super::wire::ErrorBody;
use super::{API_KEY, KEYS};

/// An expiry that `OpenNode` does not take.
pub(super) const TOO_LONG: &str = "lightning.invoice_expiry_seconds: OpenNode's invoices can be paid for a day at the \
    most, and an invoice that is kept ready lives lightning.pool.max_age_seconds longer";

fn text(answer: &Answer) -> String {
    let body = answer.json::<ErrorBody>().ok();
    body.map_or_else(|| String::from_utf8_lossy(&answer.body).into_owned(), |body| body.message)
}

/// The fault that an answer without a result tells of.
pub(super) fn of(rest: &Rest, answer: &Answer) -> BackendError {
    let said = text(answer);
    let status = answer.status.as_u16();
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let message = format!(
                "{API_KEY}: OpenNode does not accept this key (HTTP {status}); a key of its development dashboard is \
                 good for its development server only: {}",
                quoted(&said)
            );
            rest.fault(FaultKind::Unauthorised, message)
        }
        StatusCode::NOT_FOUND => {
            let message =
                format!("{}: the server does not know OpenNode's paths; give its address without a path", KEYS.url);
            rest.fault(FaultKind::Refused, message)
        }
        _ => rest.by_status(answer, &said),
    }
}

/// Whether the API says that there is no such charge; a page that is not there says it otherwise.
pub(super) fn is_unknown(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && answer.json::<ErrorBody>().is_ok_and(|body| !body.success)
}

/// The list of paid charges is not what sales depend on: a key that may not read it, or a list too long to read, is no
/// failure of the node.
pub(super) fn of_list(rest: &Rest, error: BackendError) -> BackendError {
    match error.kind {
        FaultKind::Unauthorised => {
            let message = format!(
                "{API_KEY}: this invoice was made before the last start, and this key may not list charges to find it: \
                 it needs the permission Read"
            );
            rest.fault(FaultKind::Unsupported, message)
        }
        FaultKind::Garbled | FaultKind::Refused => {
            let message = format!("an invoice of before the last start cannot be found: {}", error.message);
            rest.fault(FaultKind::Unsupported, message)
        }
        _ => error,
    }
}
