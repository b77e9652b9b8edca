//! What went wrong on the way to the wallet, or in it.

use std::time::Duration;

use crate::egress::EgressError;
use crate::lightning::rest::quoted;
use crate::lightning::{BackendError, FaultKind};

use super::wire::WalletError;
use super::{NAME, URI_KEY};

/// A request without a result.
pub(super) enum Failure {
    /// Nothing was sent.
    Unsent(BackendError),
    /// Something was sent, and no answer came that can be used.
    Lost(BackendError),
    /// The wallet says no.
    Wallet(WalletError),
}

/// A relay by its place in the connection string: its URL is shown nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub index: usize,
    pub of: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "relay {} of {}", self.index.saturating_add(1), self.of)
    }
}

pub(super) fn fault(kind: FaultKind, message: impl Into<String>) -> BackendError {
    BackendError::new(NAME, kind, message)
}

pub(super) fn unreachable(place: Place, error: &EgressError) -> BackendError {
    fault(FaultKind::Unreachable, format!("{URI_KEY}: {place}: {error}"))
}

pub(super) fn closed(place: Place) -> BackendError {
    fault(FaultKind::Unreachable, format!("{URI_KEY}: {place} closes the connection"))
}

pub(super) fn unknown_wallet(place: Place) -> BackendError {
    let message =
        format!("{URI_KEY}: {place} does not know the wallet: it is not running, or has deleted the connection");
    fault(FaultKind::Unreachable, message)
}

pub(super) fn no_relay_in_time() -> BackendError {
    fault(FaultKind::Unreachable, format!("{URI_KEY}: no relay answered in time"))
}

pub(super) fn no_encryption() -> BackendError {
    let message = format!("{URI_KEY}: the wallet offers neither of the encryptions nip44_v2 and nip04");
    fault(FaultKind::Unsupported, message)
}

pub(super) fn silent(place: Place, waited: Duration) -> BackendError {
    let message = format!(
        "{URI_KEY}: no answer from the wallet within {waited:?} over {place}: it is not running, or has deleted the connection"
    );
    fault(FaultKind::Interrupted, message)
}

pub(super) fn cut(place: Place) -> BackendError {
    fault(FaultKind::Interrupted, format!("{place} has closed the connection before the wallet answered"))
}

/// The relay's own words (NIP-01): a prefix for machines, and an explanation.
pub(super) fn refused_by_relay(place: Place, reason: &str) -> BackendError {
    let kind = match reason.split_once(':').map(|(prefix, _)| prefix) {
        Some("rate-limited") => FaultKind::Limited { retry_after: None },
        Some("auth-required" | "restricted" | "blocked") => FaultKind::Unauthorised,
        _ => FaultKind::Failing,
    };
    fault(kind, format!("{URI_KEY}: {place} refuses the request: {}", quoted(reason)))
}

pub(super) fn garbled(method: &str) -> BackendError {
    fault(FaultKind::Garbled, format!("the wallet's answer to {method} cannot be read"))
}

impl Failure {
    /// As the fault of asking for `method`.
    pub(super) fn into_fault(self, method: &str) -> BackendError {
        match self {
            Self::Unsent(fault) | Self::Lost(fault) => fault,
            Self::Wallet(error) => of_wallet(&error, method),
        }
    }
}

/// What the wallet's error means. `EXPIRED` and `BAD_REQUEST` are Alby Hub's and stand in no specification.
pub(super) fn of_wallet(error: &WalletError, method: &str) -> BackendError {
    let said = quoted(&error.message);
    match error.code.as_str() {
        "UNAUTHORIZED" => {
            fault(FaultKind::Unauthorised, format!("{URI_KEY}: the wallet refuses this connection: {said}"))
        }
        "EXPIRED" => fault(FaultKind::Unauthorised, format!("{URI_KEY}: this connection has expired: {said}")),
        "RESTRICTED" => fault(
            FaultKind::Unauthorised,
            format!("{URI_KEY}: the wallet does not allow this connection {method}: {said}"),
        ),
        "RATE_LIMITED" => {
            fault(FaultKind::Limited { retry_after: None }, format!("the wallet is asked too often: {said}"))
        }
        "NOT_IMPLEMENTED" => fault(FaultKind::Unsupported, format!("{URI_KEY}: the wallet has no {method}: {said}")),
        "BAD_REQUEST" | "NOT_FOUND" => fault(FaultKind::Refused, format!("the wallet refuses {method}: {said}")),
        code => fault(FaultKind::Failing, format!("the wallet fails with {}: {said}", quoted(code))),
    }
}

/// Codes of orders that were refused before any attempt. `PAYMENT_FAILED` "may be due to a timeout", `INTERNAL` and
/// `OTHER` may be anything, and `BAD_REQUEST` stands in no specification.
pub(super) fn is_refusal(code: &str) -> bool {
    [
        "EXPIRED",
        "INSUFFICIENT_BALANCE",
        "NOT_IMPLEMENTED",
        "QUOTA_EXCEEDED",
        "RATE_LIMITED",
        "RESTRICTED",
        "UNAUTHORIZED",
        "UNSUPPORTED_ENCRYPTION",
    ]
    .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_means_what_can_be_done_about_it() {
        let of = |code: &str| of_wallet(&WalletError { code: code.into(), message: "no\nway".into() }, "make_invoice");
        let limited = FaultKind::Limited { retry_after: None };
        for (code, kind, said) in [
            ("UNAUTHORIZED", FaultKind::Unauthorised, "lightning.nwc.uri: the wallet refuses this connection: no way"),
            ("EXPIRED", FaultKind::Unauthorised, "lightning.nwc.uri: this connection has expired: no way"),
            (
                "RESTRICTED",
                FaultKind::Unauthorised,
                "lightning.nwc.uri: the wallet does not allow this connection make_invoice: no way",
            ),
            ("NOT_IMPLEMENTED", FaultKind::Unsupported, "lightning.nwc.uri: the wallet has no make_invoice: no way"),
            ("RATE_LIMITED", limited, "the wallet is asked too often: no way"),
            ("BAD_REQUEST", FaultKind::Refused, "the wallet refuses make_invoice: no way"),
            ("INTERNAL", FaultKind::Failing, "the wallet fails with INTERNAL: no way"),
            ("", FaultKind::Failing, "the wallet fails with no explanation: no way"),
        ] {
            assert_eq!((of(code).kind, of(code).to_string()), (kind, said.to_owned()));
        }
    }

    #[test]
    fn a_relays_prefix_tells_what_it_minds() {
        let place = Place { index: 1, of: 2 };
        for (reason, kind) in [
            ("rate-limited: slow down", FaultKind::Limited { retry_after: None }),
            ("auth-required: who are you?", FaultKind::Unauthorised),
            ("restricted: members only", FaultKind::Unauthorised),
            ("error: the disk is full", FaultKind::Failing),
            ("", FaultKind::Failing),
        ] {
            assert_eq!(refused_by_relay(place, reason).kind, kind, "{reason}");
        }
    }
}
