//! What fal says, and what it means.

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use crate::egress::Answer;

use super::super::api;
use super::super::{Ending, ProviderError};

/// Errors that are fal's own, or a model's that may pass.
const TRANSIENT_TYPES: [&str; 13] = [
    "request_timeout",
    "startup_timeout",
    "runner_scheduling_failure",
    "runner_connection_timeout",
    "runner_disconnected",
    "runner_connection_refused",
    "runner_connection_error",
    "runner_incomplete_response",
    "runner_server_error",
    "internal_error",
    "generation_timeout",
    "internal_server_error",
    "downstream_service_unavailable",
];
/// As these, under a status that would mean otherwise.
const TRANSIENT_TYPE_OF_400: &str = "downstream_service_error";
const REJECTED_TYPE: &str = "content_policy_violation";
/// Owners of endpoints whose names have one more part.
const NAMESPACES: [&str; 2] = ["workflows", "comfy"];
/// The longest text that finds a generation again.
const LONGEST_ID: usize = 4096;

/// The answer to a create.
#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    pub request_id: String,
    response_url: Option<String>,
    status_url: Option<String>,
    cancel_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub status: String,
    pub queue_position: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cancelled {
    status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Models {
    pub models: Vec<Value>,
}

/// What has become of a generation that has ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It has not quite.
    Pending,
    Ready {
        output: Value,
        charged: Option<f64>,
    },
    Failed(Ending),
}

/// The path of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint<'a>(&'a str);

/// The URLs of a generation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub status: String,
    pub response: String,
    pub cancel: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: Value,
    error_type: String,
}

impl<'a> Endpoint<'a> {
    /// Reads a route's `model`.
    pub(super) fn parse(text: &'a str) -> Result<Self, ProviderError> {
        let parts = text.split('/').count();
        let least = if NAMESPACES.iter().any(|name| text.split('/').next() == Some(name)) { 3 } else { 2 };
        if parts >= least && text.split('/').all(is_id) {
            return Ok(Self(text));
        }
        Err(ProviderError::OperatorFault("a route's `model` is not owner/app or owner/app/path".to_owned()))
    }

    pub(super) const fn path(&self) -> &'a str {
        self.0
    }

    /// What requests are found under: the path without what follows the app.
    fn app(&self) -> String {
        let parts = if NAMESPACES.iter().any(|name| self.0.split('/').next() == Some(name)) { 3 } else { 2 };
        self.0.split('/').take(parts).collect::<Vec<_>>().join("/")
    }
}

impl Place {
    /// Where the generation is that `id` finds: a request id, and the URLs that were named with it if it was not alone.
    pub(super) fn of(id: &str, endpoint: &Endpoint<'_>, base: &Url) -> Result<Self, ProviderError> {
        let mut parts = id.split(' ');
        let request = parts.next().filter(|id| is_id(id)).ok_or(ProviderError::Unknown)?;
        Ok(match (parts.next(), parts.next(), parts.next()) {
            (Some(status), Some(response), Some(cancel)) => {
                Self { status: status.to_owned(), response: response.to_owned(), cancel: cancel.to_owned() }
            }
            _ => Self::usual(request, endpoint, base),
        })
    }

    fn usual(request_id: &str, endpoint: &Endpoint<'_>, base: &Url) -> Self {
        let response = format!("{base}{}/requests/{request_id}", endpoint.app());
        Self { status: format!("{response}/status"), cancel: format!("{response}/cancel"), response }
    }
}

impl Submitted {
    /// What finds it again. URLs where the key must not go are left out: then the usual ones have to do.
    pub(super) fn into_id(self, endpoint: &Endpoint<'_>, base: &Url) -> String {
        let is_own = |url: &String| {
            Url::parse(url).is_ok_and(|parsed| parsed.origin() == base.origin()) && !url.contains(char::is_whitespace)
        };
        let named = [self.status_url, self.response_url, self.cancel_url].map(|url| url.filter(is_own));
        let [Some(status), Some(response), Some(cancel)] = named else { return self.request_id };
        let place = Place { status, response, cancel };
        let id = format!("{} {} {} {}", self.request_id, place.status, place.response, place.cancel);
        let is_usual = place == Place::usual(&self.request_id, endpoint, base);
        if is_usual || id.len() > LONGEST_ID { self.request_id } else { id }
    }
}

impl Cancelled {
    /// Whether there is nothing left to stop.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "CANCELLATION_REQUESTED" | "ALREADY_COMPLETED" | "NOT_FOUND")
    }
}

/// The request id of what finds a generation again.
pub(super) fn request_id(id: &str) -> &str {
    id.split_once(' ').map_or(id, |(id, _)| id)
}

/// Whether this is an id, or a part of a model's path: nothing in it needs to be encoded.
pub(super) fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_plain) && !text.starts_with('.')
}

impl Problem {
    fn of(answer: &Answer) -> Self {
        answer.json().unwrap_or_default()
    }

    /// The types of what is wrong, as fal calls them.
    fn types(&self) -> impl Iterator<Item = &str> {
        let details = self.detail.as_array().into_iter().flatten();
        std::iter::once(self.error_type.as_str()).chain(details.filter_map(|detail| detail["type"].as_str()))
    }

    fn text(&self) -> &str {
        self.detail.as_str().unwrap_or_default()
    }

    fn is_told(&self) -> bool {
        !self.detail.is_null() || !self.error_type.is_empty()
    }

    fn is(&self, types: &[&str]) -> bool {
        self.types().any(|told| types.contains(&told))
    }

    /// The account is locked, mostly for want of credit.
    fn is_locked(&self) -> bool {
        self.text().starts_with("User is locked")
    }
}

/// What fal calls an error; none of its prose.
pub(super) fn code(answer: &Answer) -> String {
    let problem = Problem::of(answer);
    if problem.is_locked() {
        return "the account is locked, perhaps for want of credit".to_owned();
    }
    problem.types().find(|told| !told.is_empty()).unwrap_or_default().to_owned()
}

/// What a create that was not taken means.
pub(super) fn refused(answer: &Answer) -> ProviderError {
    match api::refused_create(answer, &code(answer)) {
        ProviderError::Refused(_) if Problem::of(answer).is(&[REJECTED_TYPE]) => {
            ProviderError::Refused(Ending::Rejected)
        }
        error => error,
    }
}

/// What the status of a look means.
pub(super) fn look(answer: &Answer) -> ProviderError {
    api::refused_look(answer, &code(answer))
}

/// Whether the key was known, though it may not do what was asked: that takes a permission, which creates do not.
pub(super) fn is_known_key(answer: &Answer) -> bool {
    answer.status.as_u16() == 403 && !Problem::of(answer).is_locked()
}

/// What the answer at the result's URL means. It has the model's own status.
pub(super) fn outcome(answer: &Answer) -> Result<Outcome, ProviderError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        if status == 202 {
            return Ok(Outcome::Pending);
        }
        return Ok(Outcome::Ready { output: api::read(answer)?, charged: charged(answer) });
    }
    let problem = Problem::of(answer);
    match status {
        400 if problem.text().contains("still in progress") => Ok(Outcome::Pending),
        // The result is kept while the operator mends their account.
        401..=403 | 408 | 425 | 429 => Err(look(answer)),
        404 if problem.text().starts_with("Path ") || problem.is(&["not_found"]) => {
            Err(ProviderError::OperatorFault("HTTP 404: the route's `model` has a wrong path".to_owned()))
        }
        404 => Err(ProviderError::Unknown),
        // Something between us and the model has answered.
        _ if !problem.is_told() => Err(look(answer)),
        _ => Ok(Outcome::Failed(ending(answer, &problem))),
    }
}

fn ending(answer: &Answer, problem: &Problem) -> Ending {
    if problem.is(&[REJECTED_TYPE]) {
        return Ending::Rejected;
    }
    let transient = match header(answer, "x-fal-retryable") {
        Some("true") => true,
        Some("false") => false,
        _ => answer.status.is_server_error() || problem.is(&TRANSIENT_TYPES) || problem.is(&[TRANSIENT_TYPE_OF_400]),
    };
    if transient { Ending::Transient } else { Ending::Failed }
}

/// The units that are billed, which are the model's own: seconds, images.
fn charged(answer: &Answer) -> Option<f64> {
    header(answer, "x-fal-billable-units")?.parse().ok().filter(|units: &f64| units.is_finite())
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}
