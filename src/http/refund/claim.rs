//! `GET` and `POST /api/l402/refunds/{job_id}`: a refund, with the credential.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::domain::job::Job;
use crate::domain::{Caller, Refund, RefundState};
use crate::refunds::{ClaimError, Destination};

use super::super::answer::json_response;
use super::super::body::Sender;
use super::super::error::{ErrorCode, YOUR_PAYMENT_STANDS};
use super::super::gateway::Gateway;
use super::super::generate::{body_problem, require_plain_json};
use super::super::problem::Problem;
use super::super::recover::{Found, holder_of};
use crate::catalog::Problem as BodyProblem;

/// An invoice with many hints and an address are far smaller.
const BODY_LIMIT: usize = 16 * 1024;
/// How long an answer waits for the payment.
const PATIENCE: Duration = Duration::from_secs(25);
const SOON: Duration = Duration::from_secs(5);

/// Shows a refund.
pub async fn show(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let shown = async {
        let job = job_of(&gateway, caller, &id, &headers).await?;
        let refund = gateway.refunds.of(job.id).await.map_err(|error| stands().cause(&error))?;
        let refund =
            refund.filter(|refund| !matches!(refund.state, RefundState::Cancelled)).ok_or_else(nothing_owed)?;
        Ok(json_response(StatusCode::OK, &gateway.refund_document(&job.public_id, &refund)))
    };
    shown.await.unwrap_or_else(|problem: Problem| gateway.refuse(&problem))
}

/// Claims a refund: `{"invoice": …}` or `{"lightning_address": …}`.
pub async fn claim(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Response<Body> {
    let claimed = async {
        let (parts, body) = request.into_parts();
        let job = job_of(&gateway, caller, &id, &parts.headers).await?;
        require_plain_json(&parts.headers)?;
        let body = gateway.bodies.read(body, BODY_LIMIT, Sender::Unpaid).await;
        let body = body.map_err(|refusal| body_problem(refusal, BODY_LIMIT))?;
        let destination = destination(&body.bytes)?;
        let refund = gateway.refunds.claim(job.id, destination.clone(), PATIENCE).await;
        Ok(claimed(&gateway, &job, &refund.map_err(|error| refused(error, &destination))?))
    };
    claimed.await.unwrap_or_else(|problem: Problem| gateway.refuse(&problem))
}

/// The job of that public id, for whoever presents the credential that bought it.
async fn job_of(gateway: &Arc<Gateway>, caller: Caller, id: &str, headers: &HeaderMap) -> Result<Job, Problem> {
    match holder_of(gateway, caller, headers).await? {
        Found::Job(view) if view.job.public_id.as_str() == id => Ok(view.job.clone()),
        // The credential buys another job, or none yet.
        Found::Job(_) | Found::Unredeemed(_) => Err(Problem::new(ErrorCode::NotFound)),
    }
}

/// A refund that is on its way or has arrived.
fn claimed(gateway: &Gateway, job: &Job, refund: &Refund) -> Response<Body> {
    let document = gateway.refund_document(&job.public_id, refund);
    if matches!(refund.state, RefundState::Claiming(_)) {
        let mut response = json_response(StatusCode::ACCEPTED, &document);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(SOON.as_secs()));
        return response;
    }
    json_response(StatusCode::OK, &document)
}

/// Exactly one of the two fields.
pub(crate) fn destination(body: &[u8]) -> Result<Destination, Problem> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(ErrorCode::MalformedJson).detail(error.to_string()))?;
    let Value::Object(fields) = document else { return Err(invalid("", "must be an object")) };
    if let Some(unknown) = fields.keys().find(|name| !matches!(name.as_str(), "invoice" | "lightning_address")) {
        let escaped = unknown.replace('~', "~0").replace('/', "~1");
        return Err(invalid(&format!("/{escaped}"), "is not a field of a claim"));
    }
    match (fields.get("invoice"), fields.get("lightning_address")) {
        (Some(Value::String(invoice)), None) => Ok(Destination::Invoice(invoice.clone())),
        (None, Some(Value::String(address))) => Ok(Destination::Address(address.clone())),
        (Some(_), Some(_)) => {
            Err(invalid("/lightning_address", "must not stand beside an invoice: send one of the two"))
        }
        (Some(_), None) => Err(invalid("/invoice", "must be a string")),
        (None, Some(_)) => Err(invalid("/lightning_address", "must be a string")),
        (None, None) => Err(invalid("/invoice", "either an invoice or a lightning_address is required")),
    }
}

fn invalid(pointer: &str, detail: &str) -> Problem {
    let errors = vec![BodyProblem { pointer: pointer.to_owned(), detail: detail.to_owned() }];
    Problem::new(ErrorCode::InvalidParams).detail(format!("{pointer}: {detail}")).errors(errors)
}

/// Why there was no payment, with a pointer to what is to be mended.
fn refused(error: ClaimError, destination: &Destination) -> Problem {
    match (error, destination) {
        (ClaimError::NothingOwed, _) => nothing_owed(),
        (ClaimError::Invoice(why), Destination::Invoice(_)) => invalid("/invoice", &why),
        (ClaimError::Address(why), _) if why.starts_with("This is no") => invalid("/lightning_address", &why),
        (ClaimError::Invoice(why) | ClaimError::Address(why), Destination::Address(_) | Destination::Invoice(_)) => {
            Problem::new(ErrorCode::RefundFailed).detail(why)
        }
        (error, _) => stopped(error),
    }
}

/// Why there was no payment, where nothing about the destination was wrong.
pub(super) fn stopped(error: ClaimError) -> Problem {
    match error {
        ClaimError::NotAvailable("paid") => {
            Problem::new(ErrorCode::RefundUnavailable).detail("The refund was paid before.")
        }
        ClaimError::NotAvailable(_) => Problem::new(ErrorCode::RefundUnavailable)
            .detail("The refund is being paid to another invoice, and its outcome is not known yet.")
            .suggestion("Wait for it: the refund is paid, or can be claimed again, as soon as it is known.")
            .retry_after(SOON),
        ClaimError::TooOften(wait) => Problem::new(ErrorCode::RateLimited)
            .detail("This refund was tried too often. It stays yours.")
            .suggestion("Wait for the seconds in Retry-After, then claim it again.")
            .retry_after(wait),
        ClaimError::Failed => Problem::new(ErrorCode::RefundFailed)
            .detail("The payment to this invoice failed. Nothing was sent, and the amount is still owed to you."),
        ClaimError::Stopping => Problem::new(ErrorCode::ShuttingDown).suggestion(YOUR_PAYMENT_STANDS).retry_after(SOON),
        ClaimError::Store(error) => stands().cause(&error),
        ClaimError::NothingOwed => nothing_owed(),
        ClaimError::Invoice(why) | ClaimError::Address(why) => Problem::new(ErrorCode::RefundFailed).detail(why),
    }
}

fn nothing_owed() -> Problem {
    Problem::new(ErrorCode::RefundUnavailable).detail("Nothing is owed for this job.")
}

fn stands() -> Problem {
    Problem::new(ErrorCode::Internal).suggestion(YOUR_PAYMENT_STANDS).retry_after(SOON)
}
