//! The `402` response, in the one form that every deployed client can read.

use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, Response};
use jiff::Timestamp;
use metrics::{Counter, Histogram};
use serde::Serialize;

use crate::catalog::Priced;
use crate::domain::{Caller, RequestBinding, ServiceId};
use crate::lightning::NodeError;
use crate::paywall::{Challenge, ChallengeError};

use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;

/// What a client is told to wait when no invoice could be made.
const NODE_PATIENCE: Duration = Duration::from_secs(5);

/// What the body repeats for clients that read only bodies.
#[derive(Serialize)]
struct Terms<'a> {
    price_sats: u64,
    #[serde(rename = "priceSats")]
    price_sats_camel: u64,
    invoice: &'a str,
    macaroon: &'a str,
    payment_hash: String,
    expires_at: String,
    docs: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_secret: Option<String>,
}

/// Makes a challenge for `binding`; the code says why the caller gets one.
pub async fn respond(
    gateway: &Gateway,
    binding: &RequestBinding,
    priced: &Priced,
    (code, caller): (ErrorCode, Caller),
) -> Result<Response<Body>, Problem> {
    let began = tokio::time::Instant::now();
    let challenge = gateway.paywall.challenge(binding, &priced.quote, caller).await.map_err(|error| {
        if let ChallengeError::Node(NodeError::Full(wait)) = &error {
            // Others came first since it was looked whether there is a place.
            return limited(*wait);
        }
        metrics::counter!("satforge_challenges_failed_total").increment(1);
        let wait = match &error {
            ChallengeError::Node(error) => error.retry_after().unwrap_or(NODE_PATIENCE),
            ChallengeError::Unreadable => NODE_PATIENCE,
        };
        Problem::new(ErrorCode::LightningUnavailable).retry_after(wait).cause(&error)
    })?;
    count(binding, code, began.elapsed());
    let mut terms = terms(gateway, binding, &challenge);
    if priced.callback.is_some() {
        terms.callback_secret = Some(gateway.paywall.callback_secret(&challenge.invoice.payment_hash).reveal());
    }
    let mut response = Problem::new(code).response_with(gateway.public_url(), terms);
    response.headers_mut().insert(WWW_AUTHENTICATE, header(&challenge)?);
    Ok(response)
}

fn limited(wait: Duration) -> Problem {
    metrics::counter!("satforge_refused_total", "limit" => "open_invoices").increment(1);
    Problem::new(ErrorCode::RateLimited).retry_after(wait)
}

/// The usual case's metrics are looked up once: by its labels each costs as much as a hash of the macaroon.
fn count(binding: &RequestBinding, code: ErrorCode, elapsed: Duration) {
    static SECONDS: OnceLock<Histogram> = OnceLock::new();
    static FIRST: [OnceLock<Counter>; ServiceId::ALL.len()] = [const { OnceLock::new() }; ServiceId::ALL.len()];
    SECONDS.get_or_init(|| metrics::histogram!("satforge_invoice_seconds")).record(elapsed.as_secs_f64());
    let (service, code_name) = (binding.service.name(), code.entry().name);
    let counter = || metrics::counter!("satforge_challenges_total", "service" => service, "code" => code_name);
    let position = ServiceId::ALL.iter().position(|id| *id == binding.service);
    match position.and_then(|position| FIRST.get(position)) {
        Some(first) if code == ErrorCode::PaymentRequired => first.get_or_init(counter).increment(1),
        _ => counter().increment(1),
    }
}

fn terms<'a>(gateway: &Gateway, binding: &RequestBinding, challenge: &'a Challenge) -> Terms<'a> {
    let price_sats = challenge.invoice.amount.sat_rounded_up();
    Terms {
        price_sats,
        price_sats_camel: price_sats,
        invoice: &challenge.invoice.bolt11,
        macaroon: &challenge.macaroon,
        payment_hash: challenge.invoice.payment_hash.to_hex(),
        expires_at: rfc3339(challenge.invoice.expires_at),
        docs: format!("{}/l402/{}", gateway.public_url(), binding.service),
        callback_secret: None,
    }
}

/// The order and the spelling are what regular expressions in deployed clients need.
fn header(challenge: &Challenge) -> Result<HeaderValue, Problem> {
    let Challenge { macaroon, invoice } = challenge;
    let text = format!(r#"L402 macaroon="{macaroon}", invoice="{}", token="{macaroon}", version="0""#, invoice.bolt11);
    // Base64 and bech32 are plain ASCII.
    HeaderValue::try_from(text).map_err(|_| Problem::new(ErrorCode::Internal))
}

/// Unix seconds as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

/// Unix milliseconds as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339_millis(unix_millis: i64) -> String {
    Timestamp::from_millisecond(unix_millis).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Invoice, Msat, PaymentHash};

    #[test]
    fn the_header_is_what_regular_expressions_need() {
        let invoice = Invoice {
            bolt11: "lnbcrt1x".into(),
            payment_hash: PaymentHash::from_bytes([1; 32]),
            amount: Msat::from_sat(1).unwrap(),
            expires_at: 0,
        };
        let header = header(&Challenge { macaroon: "AgE+/w==".into(), invoice }).unwrap();
        let expected = r#"L402 macaroon="AgE+/w==", invoice="lnbcrt1x", token="AgE+/w==", version="0""#;
        assert_eq!(header.to_str().unwrap(), expected);
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_760_000_000), "2025-10-09T08:53:20Z");
        assert_eq!(rfc3339_millis(1_760_000_000_123), "2025-10-09T08:53:20.123Z");
        let _ = rfc3339(u64::MAX);
    }
}
