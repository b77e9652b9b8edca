//! What Blink's refusals mean.

use reqwest::StatusCode;

use crate::egress::Answer;
use crate::lightning::rest::{Rest, quoted};
use crate::lightning::{BackendError, FaultKind, Network};

use super::wire::{Complaint, HttpError, Reply};
use super::{API_KEY, KEYS};

/// An expiry that Blink would replace by its own.
pub(super) const TOO_LONG: &str = "lightning.invoice_expiry_seconds: Blink's invoices can be paid for a day at the \
    most, and an invoice that is kept ready lives lightning.pool.max_age_seconds longer";

/// Refusals of a payment of which nothing is under way. Not among them is what may be said of one that was sent:
/// `INVALID_INPUT` ("There is a pending payment for this invoice"), and `TRANSACTION_RESTRICTED`, because a limit is
/// checked before Blink looks whether the same payment is waiting, and that one may be what has used it up.
const NOT_SENT: [&str; 5] =
    ["INSUFFICIENT_BALANCE", "INVOICE_DECODE_ERROR", "CANT_PAY_SELF", "ROUTE_FINDING_ERROR", "NOT_AUTHORIZED"];

/// What was asked for, which says what a refused key lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Reading,
    Creating,
    Paying,
}

/// What is wrong with an account, as far as this gateway is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The key must not make invoices.
    CannotReceive,
    /// It has no BTC wallet.
    NoBtcWallet,
    /// The wallet that was chosen is not one of its wallets.
    UnknownWallet,
    /// The wallet that was chosen keeps dollars.
    UsdWallet,
    /// Blink's server is for another network.
    Network { theirs: Network, ours: Network },
}

/// The fault that an answer with another status than 200 tells of.
pub(super) fn of_status(rest: &Rest, answer: &Answer) -> BackendError {
    let said = text(answer);
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let message = format!(
                "{API_KEY}: Blink does not accept this key (HTTP {}): {}",
                answer.status.as_u16(),
                quoted(&said)
            );
            rest.fault(FaultKind::Unauthorised, message)
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let status = answer.status.as_u16();
            let message =
                format!("{}: there is no GraphQL endpoint (HTTP {status}): Blink's path is /graphql", KEYS.url);
            rest.fault(FaultKind::Refused, message)
        }
        _ => rest.by_status(answer, &said),
    }
}

/// The text of an answer with another status than 200: its gateway's, or a GraphQL error's.
fn text(answer: &Answer) -> String {
    let gateway = answer.json::<HttpError>().ok().map(|body| body.error.message);
    let graphql = || answer.json::<Reply>().ok()?.errors.into_iter().next().map(|error| error.message);
    gateway.or_else(graphql).unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned())
}

/// The fault that errors in an answer tell of.
pub(super) fn of(rest: &Rest, errors: &[Complaint], doing: Doing) -> BackendError {
    let Some(error) = errors.first() else {
        return rest.fault(FaultKind::Garbled, "neither a result nor an error");
    };
    let code = error.code();
    if error.is_forbidden() {
        return rest.fault(FaultKind::Unauthorised, forbidden(doing));
    }
    let said =
        format!("{} ({})", quoted(&error.message), if code.is_empty() { "no code".into() } else { quoted(code) });
    match code {
        "RECEIVE_DISABLED" => {
            let message = format!("{API_KEY}: Blink no longer lets this account receive, use another backend: {said}");
            rest.fault(FaultKind::Unauthorised, message)
        }
        "TOO_MANY_REQUEST" => rest.fault(FaultKind::Limited { retry_after: None }, format!("Blink: {said}")),
        // Blink gives no code for input that it does not like.
        ""
        | "INVALID_INPUT"
        | "NOT_FOUND"
        | "GRAPHQL_VALIDATION_FAILED"
        | "BAD_USER_INPUT"
        | "TRANSACTION_RESTRICTED" => rest.fault(FaultKind::Refused, format!("Blink refuses: {said}")),
        code if NOT_SENT.contains(&code) => rest.fault(FaultKind::Refused, format!("Blink refuses: {said}")),
        _ => rest.fault(FaultKind::Failing, format!("Blink: {said}")),
    }
}

/// Blink says "Not authorized" to a key without the scope, and to an account that it has closed.
fn forbidden(doing: Doing) -> String {
    let needs = match doing {
        Doing::Reading => "to read (\"Not authorized\"): it needs the scopes Read and Receive",
        Doing::Creating => "to make invoices (\"Not authorized\"): it needs the scope Receive, and an open account",
        Doing::Paying => "to pay (\"Not authorized\"): it needs the scope Write, and an open account",
    };
    format!("{API_KEY}: Blink does not allow this key {needs}")
}

pub(super) fn of_account(rest: &Rest, unfit: Unfit) -> BackendError {
    const WALLET: &str = "lightning.blink.wallet_id";
    let (kind, message) = match unfit {
        Unfit::CannotReceive => {
            (FaultKind::Unauthorised, format!("{API_KEY}: this key cannot make invoices: it needs the scope Receive"))
        }
        Unfit::NoBtcWallet => {
            (FaultKind::Unauthorised, format!("{API_KEY}: the account of this key has no BTC wallet"))
        }
        Unfit::UnknownWallet => {
            (FaultKind::Unauthorised, format!("{WALLET}: the account of lightning.blink.api_key has no such wallet"))
        }
        Unfit::UsdWallet => {
            let message =
                format!("{WALLET}: this wallet keeps dollars: give the account's BTC wallet, or leave this out");
            (FaultKind::Unauthorised, message)
        }
        Unfit::Network { theirs, ours } => {
            let message =
                format!("{}: this server's invoices are for {theirs}, and lightning.network is {ours}", KEYS.url);
            (FaultKind::Refused, message)
        }
    };
    rest.fault(kind, message)
}

/// Blink's words for an invoice that is not there are those of a payment.
pub(super) fn is_unknown_invoice(errors: &[Complaint]) -> bool {
    errors.iter().any(|error| {
        error.code() == "NOT_FOUND"
            || (error.message.starts_with("User tried to pay invoice") && error.message.contains("does not exist"))
    })
}

/// Whether errors say that nothing of a payment is, or will be, under way.
pub(super) fn is_not_sent(errors: &[Complaint]) -> bool {
    !errors.is_empty() && errors.iter().all(|error| error.is_forbidden() || NOT_SENT.contains(&error.code()))
}
