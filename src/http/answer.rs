//! A job as its caller sees it.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::job::{Delivery, Failed, Job};
use crate::domain::{Failure, JobState};
use crate::jobs::{JobView, News};

use super::challenge::rfc3339_millis;
use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::{Nothing, Problem, to_json};

/// What somebody who only knows a job's id is told to do about its refund.
const PRESENT_IT: &str = "Present the credential: the answer holds the refund, and how to claim it.";

/// What only whoever presents the credential is told.
#[derive(Clone, Default, Serialize)]
pub struct Holder {
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_secret: Option<String>,
}

impl Holder {
    /// The holder of a credential whose callbacks, if any, are signed with this secret.
    #[must_use]
    pub const fn new(callback_secret: Option<String>) -> Self {
        Self { callback_secret }
    }

    /// Behind all else: some clients take the first field for the result.
    const fn tell<T: Serialize>(&self, document: T) -> Told<'_, T> {
        Told { document, holder: self }
    }
}

#[derive(Serialize)]
struct Told<'h, T> {
    #[serde(flatten)]
    document: T,
    #[serde(flatten)]
    holder: &'h Holder,
}

/// The answer of a job that has ended, with its true status.
pub async fn outcome(gateway: &Gateway, view: &JobView, holder: &Holder) -> Response<Body> {
    let mut response = match holders_end(gateway, view).await {
        End::Result(document) => json_response(StatusCode::OK, &holder.tell(document)),
        End::Problem(problem) => problem.response_with(gateway.public_url(), holder),
        End::None => accepted_response(gateway, view, holder),
    };
    insert_job_id(&mut response, view);
    response
}

/// The JSON of a job that has ended, for a response whose status has been sent already.
pub async fn outcome_json(gateway: &Gateway, view: &JobView, holder: &Holder) -> Vec<u8> {
    match holders_end(gateway, view).await {
        End::Result(document) => to_json(&holder.tell(document)),
        End::Problem(problem) => to_json(&problem.document(gateway.public_url(), holder)),
        End::None => accepted_json(gateway, view, holder),
    }
}

/// `202`: the job goes on, and this is where to look.
#[must_use]
pub fn accepted(gateway: &Gateway, view: &JobView, holder: &Holder) -> Response<Body> {
    let mut response = accepted_response(gateway, view, holder);
    insert_job_id(&mut response, view);
    response
}

/// The JSON of a `202`.
#[must_use]
pub fn accepted_json(gateway: &Gateway, view: &JobView, holder: &Holder) -> Vec<u8> {
    to_json(&holder.tell(json!({
        "job_id": view.job.public_id.as_str(),
        "status": view.job.state.public_name(),
        "poll_url": poll_url(gateway, view),
        "poll_interval_ms": millis(gateway.waiting.poll_interval),
    })))
}

/// The job document: the same in every state, with the result or the error once there is one.
#[must_use]
pub fn document(gateway: &Gateway, view: &JobView) -> Value {
    let job = &view.job;
    let mut document = json!({
        "job_id": job.public_id.as_str(),
        "service": job.binding.service.name(),
        "status": job.state.public_name(),
        "created_at": rfc3339_millis(job.created_at),
        "amount_sats": job.amount.sat_rounded_up(),
        "poll_url": poll_url(gateway, view),
        "poll_interval_ms": millis(gateway.waiting.poll_interval),
    });
    let Some(fields) = document.as_object_mut() else { return document };
    if let Some(ahead) = view.news.ahead {
        fields.insert("queue_position".into(), ahead.into());
    }
    if let Some(progress) = view.news.progress {
        fields.insert("progress".into(), json!((f64::from(progress) * 1_000.0).round() / 1_000.0));
    }
    match &job.state {
        JobState::Succeeded(delivery) => {
            fields.insert("finished_at".into(), rfc3339_millis(delivery.finished_at).into());
            fields.insert("expires_at".into(), rfc3339_millis(delivery.expires_at).into());
            fields.insert("progress".into(), json!(1.0));
        }
        JobState::Failed(failed) => {
            fields.insert("finished_at".into(), rfc3339_millis(failed.finished_at).into());
        }
        JobState::Queued | JobState::Dispatching { .. } | JobState::Running(_) | JobState::Storing(_) => {}
    }
    match end(gateway, view) {
        End::Result(result) => fields.extend(result),
        End::Problem(problem) => {
            fields.insert("error_code".into(), problem.code().entry().name.into());
            let error = serde_json::to_value(problem.document(gateway.public_url(), Nothing {})).unwrap_or_default();
            fields.insert("error".into(), error);
        }
        End::None => {}
    }
    document
}

/// The job document for whoever presents the credential: with the refund, if something is owed.
pub async fn recovered(gateway: &Gateway, view: &JobView, holder: &Holder) -> Result<Value, Problem> {
    let mut document = document(gateway, view);
    let Some(fields) = document.as_object_mut() else { return Ok(document) };
    if matches!(view.job.state, JobState::Failed(_)) {
        let refund = gateway.refund_of(&view.job).await?;
        fields.insert("refund".into(), serde_json::to_value(refund).unwrap_or_default());
    }
    if let Some(secret) = &holder.callback_secret {
        fields.insert("callback_secret".into(), secret.clone().into());
    }
    Ok(document)
}

/// The job document of a job that has ended.
#[must_use]
pub fn job_document(gateway: &Gateway, job: &Job) -> Map<String, Value> {
    let view = JobView { job: job.clone(), news: News::default() };
    match document(gateway, &view) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Whether the job's result was deleted after its retention.
#[must_use]
pub fn is_result_gone(gateway: &Gateway, view: &JobView) -> bool {
    matches!(&view.job.state, JobState::Succeeded(delivery) if gateway.jobs.is_expired(delivery.expires_at))
}

/// A JSON response of our own.
pub fn json_response(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    rendered_json(status, to_json(body).into())
}

/// A JSON response that was rendered before.
pub fn rendered_json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Tells which job a response is about.
pub fn insert_job_id(response: &mut Response<Body>, view: &JobView) {
    if let Ok(value) = HeaderValue::from_str(view.job.public_id.as_str()) {
        response.headers_mut().insert("x-job-id", value);
    }
}

enum End {
    Result(Map<String, Value>),
    Problem(Problem),
    None,
}

/// The end as whoever presents the credential sees it.
async fn holders_end(gateway: &Gateway, view: &JobView) -> End {
    match (end(gateway, view), &view.job.state) {
        (End::Problem(_), JobState::Failed(failed)) => match gateway.refund_of(&view.job).await {
            Ok(refund) => End::Problem(failure(failed, &refund.sentence()).refund(refund)),
            Err(problem) => End::Problem(problem),
        },
        (end, _) => end,
    }
}

/// The end as everybody may see it.
fn end(gateway: &Gateway, view: &JobView) -> End {
    match &view.job.state {
        JobState::Succeeded(delivery) if gateway.jobs.is_expired(delivery.expires_at) => {
            End::Problem(Problem::new(ErrorCode::ResultExpired))
        }
        JobState::Succeeded(delivery) => End::Result(result(gateway, view, delivery)),
        JobState::Failed(failed) => {
            let sats = view.job.amount.sat_rounded_up();
            let owed = format!("{sats} sats are owed back to whoever presents its credential.");
            End::Problem(failure(failed, &owed).suggestion(PRESENT_IT))
        }
        JobState::Queued | JobState::Dispatching { .. } | JobState::Running(_) | JobState::Storing(_) => End::None,
    }
}

fn result(gateway: &Gateway, view: &JobView, delivery: &Delivery) -> Map<String, Value> {
    let url = result_url(gateway, delivery);
    Map::from_iter([(view.job.binding.service.result_field().to_owned(), Value::String(url))])
}

/// Where a result is. Whoever is told may fetch it, whatever others at the same address have asked for.
pub fn result_url(gateway: &Gateway, delivery: &Delivery) -> String {
    gateway.misses.found(&delivery.artifact);
    format!("{}/artifacts/{}", gateway.public_url(), delivery.artifact)
}

fn failure(failed: &Failed, owed: &str) -> Problem {
    let (code, what) = match failed.failure {
        Failure::ContentRejected => (ErrorCode::ContentRejected, "The model's rules refuse this content."),
        Failure::RedemptionExpired => (ErrorCode::RedemptionExpired, "The payment was presented too late."),
        Failure::DeadlineExceeded => (ErrorCode::GenerationFailed, "The generation took too long and was stopped."),
        Failure::NotRunnable => (ErrorCode::GenerationFailed, "The request can no longer be run."),
        Failure::GenerationFailed | Failure::OperatorFault | Failure::ResultUnusable => {
            (ErrorCode::GenerationFailed, "The generation failed.")
        }
    };
    Problem::new(code).detail(format!("{what} {owed}"))
}

fn accepted_response(gateway: &Gateway, view: &JobView, holder: &Holder) -> Response<Body> {
    let mut response = Response::new(Body::from(accepted_json(gateway, view, holder)));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::from_str(&poll_url(gateway, view)) {
        headers.insert(LOCATION, location);
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(gateway.waiting.poll_interval.as_secs().max(1)));
    response
}

/// Where a job can be read. Whoever is told may look there, whatever others at the same address have asked for.
pub fn poll_url(gateway: &Gateway, view: &JobView) -> String {
    let id = view.job.public_id.as_str();
    gateway.misses.found(id);
    format!("{}/api/l402/jobs/{id}", gateway.public_url())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
