//! `GET /artifacts/{name}`: results, whole or in parts.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_range_header::parse_range_header;
use object_store::GetRange;

use crate::artifacts::{self, ArtifactContent, ArtifactError, ArtifactName, media_type};
use crate::domain::Caller;

use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;

/// When to ask again for a result whose storage does not answer.
const SOON: Duration = Duration::from_secs(5);

/// Who asks for which result.
#[derive(Clone, Copy)]
struct Asker<'r> {
    caller: Caller,
    name: &'r ArtifactName,
    headers: &'r HeaderMap,
}

/// Serves a result.
pub async fn serve(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(name) = name.ok().and_then(|Path(name)| ArtifactName::parse(&name)) else {
        return gateway.refuse(&gateway.missed(caller, &headers, Problem::new(ErrorCode::NotFound)).await);
    };
    let asker = Asker { caller, name: &name, headers: &headers };
    if let Err(problem) = gateway.may_look(caller, &headers, name.as_str()).await {
        return gateway.refuse(&problem);
    }
    // A name is never given to other bytes, so the name itself is the entity tag.
    let etag = format!("\"{}\"", &name.as_str()[..32]);
    let size = match gateway.artifacts.result_size(&name).await {
        Ok(size) => size,
        Err(error) => return missing(&gateway, asker, &error).await,
    };
    gateway.misses.found(name.as_str());
    if is_known(&headers, &etag) {
        let mut response = describe(Response::new(Body::empty()), &name, &etag);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    if method == Method::GET {
        match gateway.artifacts.redirect(&name).await {
            Ok(Some(url)) => return redirect(&url),
            Ok(None) => {}
            Err(error) => return missing(&gateway, asker, &error).await,
        }
    }
    match wanted(&headers, size, &etag) {
        Ok(range) if method == Method::HEAD => head(&name, &etag, size, range),
        Ok(range) => match gateway.artifacts.result(&name, range.map(GetRange::Bounded)).await {
            Ok(content) => content_response(content, &name, &etag),
            Err(error) => missing(&gateway, asker, &error).await,
        },
        Err(Unsatisfiable) => {
            let mut response = describe(Response::new(Body::empty()), &name, &etag);
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            insert(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            response
        }
    }
}

/// Sends the caller to a URL that is good for a while, and that nobody must keep for longer.
fn redirect(url: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(&mut response, LOCATION, url);
    response
}

/// Whether the caller has the file already; a star stands for every tag.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let mut known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    known.any(|known| known.trim() == "*" || known.contains(etag))
}

/// No byte of the file is in the part that is asked for.
pub(crate) struct Unsatisfiable;

/// The part that is asked for; `None`: all of it. Several parts at once are answered with the whole, which RFC 9110
/// allows and which no player asks for.
pub(crate) fn wanted(
    headers: &HeaderMap,
    size: u64,
    etag: &str,
) -> Result<Option<std::ops::Range<u64>>, Unsatisfiable> {
    let Some(range) = headers.get(RANGE).and_then(|range| range.to_str().ok()) else { return Ok(None) };
    if headers.get(IF_RANGE).is_some_and(|known| known != etag) {
        return Ok(None);
    }
    // Telling overlapping parts apart takes time that grows with the square of their number.
    if range.contains(',') {
        return Ok(None);
    }
    // What is no range at all is ignored; what is one, but not of this file, is refused.
    let Ok(parsed) = parse_range_header(range) else { return Ok(None) };
    let ranges = parsed.validate(size).map_err(|_| Unsatisfiable)?;
    match ranges.as_slice() {
        // Of an empty file the library finds the first byte.
        [one] if *one.end() >= size => Err(Unsatisfiable),
        [one] => Ok(Some(*one.start()..one.end().saturating_add(1))),
        _ => Ok(None),
    }
}

fn content_response(content: ArtifactContent, name: &ArtifactName, etag: &str) -> Response<Body> {
    let ArtifactContent { size, range, stream } = content;
    let mut response = describe(Response::new(Body::from_stream(stream)), name, etag);
    frame(&mut response, size, &range);
    response
}

fn head(name: &ArtifactName, etag: &str, size: u64, range: Option<std::ops::Range<u64>>) -> Response<Body> {
    let mut response = describe(Response::new(Body::empty()), name, etag);
    frame(&mut response, size, &range.unwrap_or(0..size));
    response
}

fn frame(response: &mut Response<Body>, size: u64, range: &std::ops::Range<u64>) {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(range.end.saturating_sub(range.start)));
    if *range != (0..size) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = range.end.saturating_sub(1);
        insert(response, CONTENT_RANGE, &format!("bytes {}-{last}/{size}", range.start));
    }
}

fn describe(mut response: Response<Body>, name: &ArtifactName, etag: &str) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name.service())));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(artifacts::CACHE_CONTROL));
    insert(&mut response, ETAG, etag);
    insert(&mut response, CONTENT_DISPOSITION, &name.disposition());
    response
}

fn insert(response: &mut Response<Body>, header: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(header, value);
    }
}

/// No file: its retention is over, or there never was one.
async fn missing(gateway: &Gateway, asker: Asker<'_>, error: &ArtifactError) -> Response<Body> {
    let problem = match error {
        ArtifactError::NotFound => match gateway.jobs.by_artifact(asker.name.as_str()).await {
            Ok(Some(_)) => {
                gateway.misses.found(asker.name.as_str());
                Problem::new(ErrorCode::ResultExpired)
            }
            Ok(None) => gateway.missed(asker.caller, asker.headers, Problem::new(ErrorCode::NotFound)).await,
            Err(error) => Problem::new(ErrorCode::Internal).cause(&error),
        },
        ArtifactError::Unreachable(_) => Problem::new(ErrorCode::UpstreamUnavailable)
            .detail("The result cannot be fetched at the moment. It is kept, and nothing more is to be paid for it.")
            .retry_after(SOON)
            .cause(error),
        error => Problem::new(ErrorCode::Internal).cause(error),
    };
    gateway.refuse(&problem)
}
