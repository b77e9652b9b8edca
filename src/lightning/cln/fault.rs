//! What Core Lightning's errors mean (`common/jsonrpc_errors.h`, `plugins/rest-plugin/src/shared.rs`).

use reqwest::StatusCode;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind};

use super::wire::ErrorBody;
use super::{RUNE_KEY, URL_KEY};

const BAD_PARAMETERS: i64 = -32_602;
const UNKNOWN_COMMAND: i64 = -32_601;
/// What `invoice` refuses: the label or the preimage is there already, or the hints cannot be had.
const INVOICE_REFUSALS: [i64; 3] = [900, 901, 902];

const INVOICE_EXPIRED: i64 = 207;
const NOT_APPROVED_BY_SIGNER: i64 = 213;
/// `xpay` has given up, perhaps before all of its parts have come back.
const GIVEN_UP: [i64; 9] = [203, 205, 206, 209, 210, 215, 216, 217, 220];
/// Another payment of this hash is under way or has arrived. -3 is how `xpay` passes such an error of lightningd on.
const ANOTHER_IS_THERE: [i64; 5] = [-3, 200, 201, 218, 219];
/// How `xpay` begins when it has found no way for a first attempt (`getroutes_done_err` in `plugins/xpay/xpay.c`). After
/// an attempt it says "Failed after …".
const WITHOUT_AN_ATTEMPT: &str = "Failed: ";

/// What an error of `xpay` leaves open, with its text for the log.
pub(super) enum Refusal {
    /// No part was sent, and none will be.
    NothingSent(String),
    /// There will be no further attempt; parts may still be under way.
    GivenUp(String),
    /// It was refused because of another payment of the same hash.
    AnotherIsThere(String),
    /// Nothing can be said.
    Unclear(String),
}

/// clnrest says 201; in front of it there may be somebody who says 200.
pub(super) fn is_success(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::OK | StatusCode::CREATED)
}

fn body(answer: &Answer) -> Option<ErrorBody> {
    answer.json::<ErrorBody>().ok().filter(|body| !body.message.is_empty())
}

/// The fault that an answer without a result tells of.
pub(super) fn of(rest: &Rest, answer: &Answer) -> BackendError {
    let Some(ErrorBody { code, message: said }) = body(answer) else {
        return of_stranger(rest, answer);
    };
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => of_rune(rest, code, &said),
        StatusCode::NOT_FOUND if code == Some(UNKNOWN_COMMAND) => {
            let message = format!("{URL_KEY}: this Core Lightning is too old: {}", quoted(&said));
            rest.fault(FaultKind::Refused, message)
        }
        _ if code.is_some_and(|code| code == BAD_PARAMETERS || INVOICE_REFUSALS.contains(&code)) => {
            rest.fault(FaultKind::Refused, format!("Core Lightning refuses: {}", quoted(&said)))
        }
        _ => rest.by_status(answer, &said),
    }
}

/// clnrest lets every request's rune be checked first, so nothing of it was done.
fn of_rune(rest: &Rest, code: Option<i64>, said: &str) -> BackendError {
    // It gets no answer from lightningd: its own errors have no code.
    if code.is_none() {
        return rest.fault(FaultKind::Failing, format!("clnrest cannot reach lightningd: {}", quoted(said)));
    }
    // A rune with `rate` or `per`.
    if said.contains("too soon") {
        let message = format!("{RUNE_KEY}: this rune may not be used so often: {}", quoted(said));
        return rest.fault(FaultKind::Limited { retry_after: None }, message);
    }
    rest.fault(FaultKind::Unauthorised, format!("{RUNE_KEY}: Core Lightning refuses this rune: {}", quoted(said)))
}

/// What an answer means that clnrest has not written.
fn of_stranger(rest: &Rest, answer: &Answer) -> BackendError {
    let said = String::from_utf8_lossy(&answer.body);
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let message =
                format!("{RUNE_KEY}: the server refuses this rune (HTTP {}), and it is not clnrest", answer.status);
            rest.fault(FaultKind::Unauthorised, message)
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let message = format!(
                "{URL_KEY}: the server does not know clnrest's paths; give the address of `clnrest-host` and `clnrest-port`"
            );
            rest.fault(FaultKind::Refused, message)
        }
        _ => rest.by_status(answer, &said),
    }
}

/// What an error in answer to `xpay` leaves open.
pub(super) fn of_payment(rest: &Rest, answer: &Answer) -> Refusal {
    let text = of(rest, answer).to_string();
    let unpermitted =
        [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    if unpermitted.contains(&answer.status) {
        return Refusal::NothingSent(text);
    }
    let Some(ErrorBody { code: Some(code), message }) = body(answer) else { return Refusal::Unclear(text) };
    match code {
        // All of these are said before the first attempt.
        BAD_PARAMETERS | INVOICE_EXPIRED | NOT_APPROVED_BY_SIGNER => Refusal::NothingSent(text),
        code if ANOTHER_IS_THERE.contains(&code) => Refusal::AnotherIsThere(text),
        _ if message.starts_with(WITHOUT_AN_ATTEMPT) => Refusal::NothingSent(text),
        code if GIVEN_UP.contains(&code) => Refusal::GivenUp(text),
        _ => Refusal::Unclear(text),
    }
}
