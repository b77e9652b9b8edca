//! Around every request: its id, its span, its one log line, its metrics, and the headers that every response bears.
//!
//! In this order, from the outside:
//!
//! 1. the request id is drawn and the span opened;
//! 2. the handler runs;
//! 3. `OPTIONS` on a known path becomes an answer to a browser's preflight;
//! 4. common headers are added;
//! 5. the line is written and the metrics are recorded.
//!
//! The path does not reach the log: it may hold a job id or the name of a result. The matched route does.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;
use tracing::Instrument as _;

use super::gateway::Gateway;
use super::problem::SentCode;

/// Every header of the protocol that a script in a browser must be able to read.
const EXPOSED: &str = "WWW-Authenticate, X-Request-Id, X-Error-Code, X-Job-Id, Location, Retry-After, \
                       Preference-Applied, Content-Disposition, Content-Range, Accept-Ranges, ETag";
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Prefer, Range, If-Range, If-None-Match, Last-Event-ID";

/// Runs the handler and does everything that is the same for all of them.
pub async fn observe(State(_gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response<Body> {
    let began = Instant::now();
    let id = format!("{:016x}", rand::random::<u64>());
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/api/l402");
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = route);

    let mut response = next.run(request).instrument(span.clone()).await;
    if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = preflight(response.headers());
    }
    let status = response.status();
    let code = response.extensions().get::<SentCode>().map_or("", |SentCode(code)| code.entry().name);
    add_common_headers(response.headers_mut(), &id, is_api);

    let elapsed = began.elapsed();
    span.in_scope(|| {
        tracing::info!(
            http.status = status.as_u16(),
            error.code = code,
            elapsed_ms = elapsed.as_secs_f64() * 1_000.0,
            "answered"
        );
    });
    metrics::histogram!("satforge_http_seconds", "route" => route.to_owned(), "status" => status_class(status))
        .record(elapsed.as_secs_f64());
    response
}

fn preflight(refused: &HeaderMap) -> Response<Body> {
    let allowed = refused.get(ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
    let allowed = HeaderValue::from_str(&format!("{allowed},OPTIONS"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(allowed) = allowed {
        headers.insert(ALLOW, allowed.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allowed);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.remove(CONTENT_TYPE);
    headers.remove(CONTENT_LENGTH);
    response
}

fn add_common_headers(headers: &mut HeaderMap, id: &str, is_api: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", id);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

const fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        402 => "402",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
