//! An error on its way to the caller: RFC 9457, with the fields that agents branch on.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response};
use serde::Serialize;

use crate::catalog::Problem as BodyProblem;

use super::error::ErrorCode;
use super::refund::RefundDocument;

/// The media type of every error body.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error as it is told.
#[derive(Clone, Debug)]
pub struct Problem {
    code: ErrorCode,
    detail: Option<Box<str>>,
    suggestion: Option<&'static str>,
    retry_after: Option<Duration>,
    errors: Vec<BodyProblem>,
    refund: Option<Box<RefundDocument>>,
    cause: Option<Box<str>>,
    closes: bool,
}

/// What the log line says about an error response.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The code.
    pub code: ErrorCode,
    /// What went wrong on our side; the caller is not told.
    pub cause: Option<Box<str>>,
}

/// The JSON form; `T` are the fields of one kind of error alone.
#[derive(Serialize)]
pub struct Document<'a, T: Serialize> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    error: &'a str,
    error_code: &'static str,
    suggestion: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [BodyProblem],
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<&'a RefundDocument>,
    #[serde(flatten)]
    extension: T,
}

/// No further fields.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Nothing {}

impl Problem {
    /// An error with what the table says about it.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self {
            code,
            detail: None,
            suggestion: None,
            retry_after: None,
            errors: Vec::new(),
            refund: None,
            cause: None,
            closes: false,
        }
    }

    /// With a sentence about this very occurrence.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into().into_boxed_str()), ..self }
    }

    /// With another suggestion than the table's.
    #[must_use]
    pub fn suggestion(self, suggestion: &'static str) -> Self {
        Self { suggestion: Some(suggestion), ..self }
    }

    /// With a time to wait, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// With the problems of a body.
    #[must_use]
    pub fn errors(self, errors: Vec<BodyProblem>) -> Self {
        Self { errors, ..self }
    }

    /// With what is owed back.
    #[must_use]
    pub fn refund(self, refund: RefundDocument) -> Self {
        Self { refund: Some(Box::new(refund)), ..self }
    }

    /// With what went wrong on our side: for the request's log line, never for the caller.
    #[must_use]
    pub fn cause(self, cause: &dyn std::fmt::Display) -> Self {
        Self { cause: Some(cause.to_string().into_boxed_str()), ..self }
    }

    /// The connection ends with it, whatever the caller still has to send.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Whether the connection ends with it.
    #[must_use]
    pub const fn closes(&self) -> bool {
        self.closes
    }

    /// What is said about this very occurrence, or about all of its kind.
    #[must_use]
    pub fn sentence(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.entry().meaning)
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The JSON form, with `extension`'s fields beside its own.
    pub fn document<T: Serialize>(&self, public_url: &str, extension: T) -> Document<'_, T> {
        let entry = self.code.entry();
        let detail = self.sentence();
        Document {
            r#type: format!("{public_url}/errors#{}", entry.name),
            title: entry.title,
            status: entry.status.as_u16(),
            detail,
            error: detail,
            error_code: entry.name,
            suggestion: self.suggestion.unwrap_or(entry.suggestion),
            retry_after_seconds: self.retry_after_seconds(),
            errors: &self.errors,
            refund: self.refund.as_deref(),
            extension,
        }
    }

    /// The whole response.
    #[must_use]
    pub fn response(&self, public_url: &str) -> Response<Body> {
        self.response_with(public_url, Nothing {})
    }

    /// The whole response, with `extension`'s fields beside the problem's own.
    pub fn response_with<T: Serialize>(&self, public_url: &str, extension: T) -> Response<Body> {
        let entry = self.code.entry();
        let body = to_json(&self.document(public_url, extension));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = entry.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        headers.insert("x-error-code", HeaderValue::from_static(entry.name));
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Sent { code: self.code, cause: self.cause.clone() });
        response
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

/// JSON bytes of our own types, which always serialise.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_536);
    // Only maps with keys that are no strings and failing `Serialize` implementations fail, and there are none.
    let _ = serde_json::to_writer(&mut out, value);
    out
}
