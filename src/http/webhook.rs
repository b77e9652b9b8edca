//! What providers send and fetch: `POST /webhooks/{name}` and `GET /inputs/{name}`. Neither path can be
//! guessed: each is signed, and one that was not signed here is told from others without a look into the database.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::domain::Caller;
use crate::jobs::Reception;
use crate::providers::NoticeError;

use super::body::{BodyRefusal, Sender};
use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;

/// Takes a webhook.
pub async fn receive(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response<Body> {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    let awaited = match gateway.jobs.receive(&name).await {
        Ok(Reception::Awaited(awaited)) => awaited,
        Ok(Reception::Over) => return bare(StatusCode::OK),
        Ok(Reception::Unknown) => {
            let problem = gateway.missed(caller, request.headers(), Problem::new(ErrorCode::NotFound));
            return gateway.refuse(&problem.await);
        }
        Err(error) => {
            tracing::error!(%error, "a webhook cannot be placed");
            return bare(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let (parts, body) = request.into_parts();
    let body = match gateway.bodies.read(body, awaited.limit(), Sender::Provider).await {
        Ok(body) => body,
        Err(BodyRefusal::TooLarge) => return gateway.refuse(&Problem::new(ErrorCode::BodyTooLarge)),
        // Whoever sends it tries again.
        Err(_) => return bare(StatusCode::SERVICE_UNAVAILABLE),
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    match gateway.jobs.notice(&awaited, &header, &body.bytes).await {
        Ok(()) => bare(StatusCode::OK),
        Err(NoticeError::Later(_)) => bare(StatusCode::SERVICE_UNAVAILABLE),
        Err(NoticeError::Forged) => bare(StatusCode::UNAUTHORIZED),
        Err(NoticeError::Unexpected | NoticeError::Stale | NoticeError::Garbled) => bare(StatusCode::BAD_REQUEST),
    }
}

/// Serves the image of an open job.
pub async fn input(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    match gateway.jobs.image(&name).await {
        Ok(Some((media_type, image))) => {
            let mut response = Response::new(Body::from(image));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type.media_type()));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
            response
        }
        Ok(None) => gateway.refuse(&gateway.missed(caller, &headers, Problem::new(ErrorCode::NotFound)).await),
        Err(error) => {
            tracing::error!(%error, "an image cannot be read");
            bare(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// For machines that look at nothing but the status.
fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
