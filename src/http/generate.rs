//! `POST /api/l402/{service}`: the purchase.
//!
//! Order, and why: the credential is looked at before anything else, because a payment is honoured whatever the rules
//! say by now. Without one, the client's budget is charged before its body is read, and its body is validated and
//! priced before any invoice is made.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use tokio::time::timeout;

use crate::artifacts::ArtifactError;
use crate::catalog::{self, BodyError, Depth, Priced};
use crate::config::ServiceConfig;
use crate::domain::{Caller, RequestBinding, ServiceId};
use crate::jobs::RedeemError;
use crate::paywall::{Proof, ProvenCredential, Refusal};

use super::body::{BodyRefusal, ReadBody, Sender, drain};
use super::budget::Spent;
use super::error::{ErrorCode, YOUR_PAYMENT_STANDS};
use super::gateway::Gateway;
use super::prefer::Preference;
use super::problem::Problem;
use super::redemption::{NotRedeemed, redeem};
use super::tarpit::Limit;
use super::{challenge, hold};

/// A paid body is read whatever the limits say by now; only one that could never have been sold is not.
const PAID_BODY_LIMIT: usize = 64 * 1024 * 1024;
/// What a client is told to wait when the gateway is short of something.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(30);
/// How long an image waits to be decoded.
const DECODER_PATIENCE: Duration = Duration::from_secs(10);

/// Sells, or delivers what was sold.
pub async fn purchase(service: ServiceId, State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let answered = match gateway.paywall.prove(authorization(request.headers())) {
        Proof::Proven(credentials) => present(&gateway, service, credentials, request).await,
        Proof::Refused(refusal) => sell(&gateway, service, refusal.into(), request).await,
        Proof::Absent => sell(&gateway, service, ErrorCode::PaymentRequired, request).await,
    };
    answered.unwrap_or_else(|problem| gateway.refuse(&problem))
}

/// Without a proven payment: validate, price, and ask for money. `code` says why a challenge is made.
async fn sell(
    gateway: &Gateway,
    service: ServiceId,
    code: ErrorCode,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let caller = gateway.caller(&parts);
    let config = match may_ask(gateway, service, &parts, caller).await {
        Ok(config) => config,
        Err(problem) => {
            // Whoever asked to be told before sending has sent nothing yet, and reading would ask for it.
            if !parts.headers.contains_key(EXPECT) && !problem.closes() {
                drain(body).await;
            }
            return Err(problem);
        }
    };
    let body = gateway.bodies.read(body, config.body_limit, Sender::Unpaid).await;
    let body = body.map_err(|refusal| body_problem(refusal, config.body_limit))?;
    make_challenge(gateway, Ask { service, code, caller }, body).await
}

/// With a proven payment: honour it if it is for this request, before any other rule is looked at.
async fn present(
    gateway: &Arc<Gateway>,
    service: ServiceId,
    mut credentials: Vec<ProvenCredential>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    // What was paid for the other service is known now, before anything is read on its account.
    credentials.retain(|credential| credential.is_for(service));
    let Some(first) = credentials.first() else {
        return sell(gateway, service, ErrorCode::BodyMismatch, request).await;
    };
    let sender = Sender::Paid(first.payment_hash());
    let (parts, body) = request.into_parts();
    let body = gateway.bodies.read(body, PAID_BODY_LIMIT, sender).await.map_err(paid_body_problem)?;
    let binding = RequestBinding { service, body_sha256: body.sha256 };
    let code = match gateway.paywall.bind(credentials, binding) {
        Ok(payment) => match redeem(gateway, payment, &body, &parts).await {
            Ok((view, holder)) => {
                let preference = Preference::of(&parts.headers);
                // Ten thousand may wait: what is not needed for it goes first.
                drop((body, parts));
                return hold::answer(gateway, view, holder, preference).await;
            }
            Err(NotRedeemed::Refused(RedeemError::BoundElsewhere)) => ErrorCode::BodyMismatch,
            Err(NotRedeemed::Refused(RedeemError::Artifact(error @ ArtifactError::Unreachable(_)))) => {
                return Err(cannot_keep_input().cause(&error));
            }
            Err(NotRedeemed::Refused(error)) => return Err(your_payment_stands().cause(&error)),
            Err(NotRedeemed::Unconfirmed(reason)) => {
                return Err(Problem::new(ErrorCode::PaymentUnconfirmed).retry_after(SOON).cause(&reason));
            }
        },
        Err(refusal) => refusal.into(),
    };
    // A payment for something else: nothing was consumed, and what was sent is offered at its price.
    let caller = gateway.caller(&parts);
    let config = may_ask(gateway, service, &parts, caller).await?;
    // A body that came in pieces did not declare its length.
    if body.bytes.len() > config.body_limit {
        return Err(body_problem(BodyRefusal::TooLarge, config.body_limit));
    }
    make_challenge(gateway, Ask { service, code, caller }, body).await
}

/// Whether somebody without a payment for this request may ask for its price now.
async fn may_ask(
    gateway: &Gateway,
    service: ServiceId,
    parts: &Parts,
    caller: Caller,
) -> Result<Arc<ServiceConfig>, Problem> {
    gateway.require_locality(parts)?;
    if gateway.shutdown.is_soft() {
        return Err(Problem::new(ErrorCode::ShuttingDown).retry_after(SOON));
    }
    charge(gateway, caller, &parts.headers).await?;
    let config = on_sale(gateway, service)?;
    require_plain_json(&parts.headers)?;
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > config.body_limit) {
        return Err(body_problem(BodyRefusal::TooLarge, config.body_limit));
    }
    Ok(config)
}

/// Who asks for the price of what, and why.
struct Ask {
    service: ServiceId,
    code: ErrorCode,
    caller: Caller,
}

/// The price is the one of this moment, however long the body took to come.
async fn make_challenge(gateway: &Gateway, ask: Ask, body: ReadBody) -> Result<Response<Body>, Problem> {
    let Ask { service, code, caller } = ask;
    let config = on_sale(gateway, service)?;
    let binding = RequestBinding { service, body_sha256: body.sha256 };
    let priced = validate(gateway, config, body).await?;
    challenge::respond(gateway, &binding, &priced, (code, caller)).await
}

/// Small bodies are judged in place. Larger ones hold an image: decoding it takes a core for up to seconds, so it
/// happens on a thread of its own, a few at a time.
async fn validate(gateway: &Gateway, config: Arc<ServiceConfig>, body: ReadBody) -> Result<Priced, Problem> {
    const IN_PLACE: usize = 64 * 1024;
    let in_place = config.id == ServiceId::Video && body.bytes.len() <= IN_PLACE;
    let providers = gateway.providers.clone();
    let judge = move |body: &ReadBody| {
        let judged = catalog::validate(&config, &body.bytes, Depth::Full);
        let taken = judged.as_ref().map_or(true, |priced| providers.takes_now(&priced.spec));
        (judged, taken)
    };
    let (judged, taken) = if in_place {
        judge(&body)
    } else {
        let internal = || Problem::new(ErrorCode::Internal);
        let turn = timeout(DECODER_PATIENCE, gateway.decoders.clone().acquire_owned())
            .await
            .map_err(|_| busy("All image decoders are busy."))?
            .map_err(|_| internal())?;
        let judge = move || {
            let judged = judge(&body);
            // A caller that goes away does not free the place: the thread is still busy.
            drop((body, turn));
            judged
        };
        tokio::task::spawn_blocking(judge).await.map_err(|_| internal())?
    };
    if !taken {
        return Err(unavailable().detail("What could work with this image is not available at the moment."));
    }
    judged.map_err(|error| match error {
        BodyError::Malformed(detail) => Problem::new(ErrorCode::MalformedJson).detail(detail),
        BodyError::Invalid(errors) => {
            let listed: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.pointer, e.detail)).collect();
            Problem::new(ErrorCode::InvalidParams).detail(listed.join("; ")).errors(errors)
        }
    })
}

fn authorization(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).iter().map(axum::http::HeaderValue::as_bytes)
}

/// Charges one challenge; what would find no place for its invoice is not worth reading either.
async fn charge(gateway: &Gateway, caller: Caller, headers: &HeaderMap) -> Result<(), Problem> {
    let (limit, wait) = match (gateway.budget.charge(caller), gateway.invoices.refuses(caller)) {
        (Err(Spent::Address(wait)), _) => (Limit::Address, wait),
        (Err(Spent::Network(wait)), _) => (Limit::Network, wait),
        (Ok(()), Some(wait)) => (Limit::OpenInvoices, wait),
        (Ok(()), None) => return Ok(()),
    };
    Err(gateway.tarpit.refuse(caller, headers, limit, wait).await)
}

/// The service at its price of this moment.
fn on_sale(gateway: &Gateway, service: ServiceId) -> Result<Arc<ServiceConfig>, Problem> {
    let offer = gateway.offer(service).ok_or_else(|| Problem::new(ErrorCode::NotFound))?;
    if offer.available { Ok(offer.service) } else { Err(unavailable()) }
}

fn unavailable() -> Problem {
    Problem::new(ErrorCode::UpstreamUnavailable).retry_after(LATER)
}

/// Errors unless a body is said to be JSON as it stands.
pub(super) fn require_plain_json(headers: &HeaderMap) -> Result<(), Problem> {
    let encoded =
        headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Problem::new(ErrorCode::UnsupportedMediaType).detail("The body must not have a Content-Encoding."));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(ErrorCode::UnsupportedMediaType)
            .detail("The request needs the header `Content-Type: application/json`."));
    }
    Ok(())
}

/// What a caller without a payment is told about a body that could not be read.
pub(super) fn body_problem(refusal: BodyRefusal, limit: usize) -> Problem {
    match refusal {
        BodyRefusal::TooLarge => {
            Problem::new(ErrorCode::BodyTooLarge).detail(format!("This service takes bodies of up to {limit} bytes."))
        }
        BodyRefusal::TooSlow => Problem::new(ErrorCode::RequestTimeout),
        BodyRefusal::NoMemory => busy("Other uploads hold all the memory there is for them."),
        BodyRefusal::Broken => Problem::new(ErrorCode::MalformedJson).detail("The body was cut short."),
    }
}

fn paid_body_problem(refusal: BodyRefusal) -> Problem {
    match refusal {
        // A good credential is never told that it is limited.
        BodyRefusal::NoMemory => Problem::new(ErrorCode::UpstreamUnavailable)
            .detail("The gateway is busy with other uploads.")
            .retry_after(SOON)
            .suggestion(YOUR_PAYMENT_STANDS),
        refusal => body_problem(refusal, PAID_BODY_LIMIT).suggestion(YOUR_PAYMENT_STANDS),
    }
}

fn your_payment_stands() -> Problem {
    Problem::new(ErrorCode::Internal).suggestion(YOUR_PAYMENT_STANDS).retry_after(SOON)
}

/// Nothing was consumed: the same request can be sent again until the storage is back.
fn cannot_keep_input() -> Problem {
    Problem::new(ErrorCode::UpstreamUnavailable)
        .detail("What was sent cannot be kept at the moment.")
        .suggestion(YOUR_PAYMENT_STANDS)
        .retry_after(SOON)
}

fn busy(detail: &str) -> Problem {
    metrics::counter!("satforge_refused_total", "limit" => "busy").increment(1);
    Problem::new(ErrorCode::RateLimited).detail(detail).retry_after(SOON)
}

impl From<Refusal> for ErrorCode {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Self::CredentialMalformed,
            Refusal::Invalid => Self::CredentialInvalid,
            Refusal::PreimageMismatch => Self::PreimageMismatch,
            Refusal::BodyMismatch => Self::BodyMismatch,
            Refusal::Expired => Self::CredentialExpired,
        }
    }
}
