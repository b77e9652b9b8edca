//! `GET /api/l402/jobs/{id}` and its event stream. Knowing the id is the permission to read.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep};

use crate::catalog::Problem as BodyProblem;
use crate::domain::{Caller, PublicJobId};
use crate::jobs::{Following, JobView};
use crate::store::StoreError;

use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;
use super::{answer, hold, prefer};

/// The pause between two comment lines of an event stream.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The job's document, at once or, with `?wait=N`, once the job has ended.
pub async fn show(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let shown = async {
        let wait = wait_of(query.as_deref())?;
        let mut following = follow(&gateway, caller, id, &headers).await?;
        hold::ended_by(&gateway, &mut following, Instant::now() + wait.min(gateway.waiting.hold)).await;
        Ok(following)
    };
    match shown.await {
        Ok(following) => job_response(&gateway, following.current()),
        Err(problem) => gateway.refuse(&problem),
    }
}

/// The job's document again after each change, as server-sent events, until it has ended.
pub async fn events(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    let following = match follow(&gateway, caller, id, &headers).await {
        Ok(following) => following,
        Err(problem) => return gateway.refuse(&problem),
    };
    // A browser reconnects when a stream ends; 204 tells it that it has seen the end.
    if following.has_ended() && headers.get("last-event-id").is_some_and(|id| id == END_EVENT_ID) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let mut response = Response::new(Body::from_stream(event_stream(gateway, following)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

const END_EVENT_ID: &str = "end";

async fn follow(
    gateway: &Gateway,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
) -> Result<Following, Problem> {
    let name = id.map_or_else(|_| String::new(), |Path(id)| id);
    let internal = |error: StoreError| Problem::new(ErrorCode::Internal).cause(&error);
    // What is no id is not looked for.
    let found = match PublicJobId::parse(&name) {
        Ok(id) => {
            gateway.may_look(caller, headers, &name).await?;
            gateway.jobs.by_public_id(&id).await.map_err(internal)?
        }
        Err(_) => None,
    };
    let Some(view) = found else {
        let problem = Problem::new(ErrorCode::NotFound).detail("There is no job with this id.");
        return Err(gateway.missed(caller, headers, problem).await);
    };
    gateway.misses.found(&name);
    if answer::is_result_gone(gateway, &view) {
        return Err(Problem::new(ErrorCode::ResultExpired));
    }
    gateway.jobs.follow(view).await.map_err(internal)
}

fn wait_of(query: Option<&str>) -> Result<Duration, Problem> {
    let wait = query.into_iter().flat_map(|query| query.split('&')).find_map(|pair| pair.strip_prefix("wait="));
    let Some(text) = wait else { return Ok(Duration::ZERO) };
    prefer::seconds(text).ok_or_else(|| {
        let detail = "must be a whole number of seconds".to_owned();
        Problem::new(ErrorCode::InvalidParams)
            .detail("The query parameter `wait` must be a whole number of seconds.")
            .errors(vec![BodyProblem { pointer: "/wait".into(), detail }])
    })
}

fn job_response(gateway: &Gateway, view: &JobView) -> Response<Body> {
    let mut response = answer::json_response(StatusCode::OK, &answer::document(gateway, view));
    answer::insert_job_id(&mut response, view);
    if !view.job.state.is_terminal() {
        let seconds = gateway.waiting.poll_interval.as_secs().max(1);
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What comes next on an event stream.
enum Next {
    Document,
    News,
    Close,
}

fn event_stream(
    gateway: Arc<Gateway>,
    following: Following,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((gateway, following, Next::Document), |(gateway, mut following, next)| async move {
        match next {
            Next::Close => return None,
            Next::Document => {}
            Next::News => tokio::select! {
                biased;
                _ = following.changed() => {}
                () = gateway.shutdown.soft() => return None,
                () = sleep(COMMENT_EVERY) => {
                    return Some((Ok(Bytes::from_static(b": still here\n\n")), (gateway, following, Next::News)));
                }
            },
        }
        let (id, next) = if following.has_ended() {
            (format!("id: {END_EVENT_ID}\n"), Next::Close)
        } else {
            (String::new(), Next::News)
        };
        let event = format!("{id}data: {}\n\n", answer::document(&gateway, following.current()));
        Some((Ok(Bytes::from(event)), (gateway, following, next)))
    })
}
