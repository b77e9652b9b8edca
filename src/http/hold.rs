//! Waiting for a result within the response.
//!
//! Clients that exist do not poll, and their read timeouts and proxies cut silent connections. So by default a response
//! stays silent only for as long as quick outcomes need, then begins, and sends spaces (legal in front of JSON) until
//! the JSON follows. A caller that says how it wants to wait gets plain statuses.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::jobs::{Following, JobView};

use super::answer::{self, Holder};
use super::error::{ErrorCode, YOUR_PAYMENT_STANDS};
use super::gateway::Gateway;
use super::prefer::Preference;
use super::problem::Problem;

/// How one response waits.
enum Mode {
    /// Silence, then spaces, then JSON.
    KeepAlive(Duration),
    /// Silence for that long, then the true status.
    Plain(Duration),
    /// No waiting.
    Async,
}

/// Answers the presentation of a good credential.
pub async fn answer(
    gateway: &Arc<Gateway>,
    view: JobView,
    holder: Holder,
    preference: Preference,
) -> Result<Response<Body>, Problem> {
    let mut response = wait(gateway, view, holder, &preference).await?;
    apply(&mut response, &preference, gateway.waiting.hold);
    Ok(response)
}

async fn wait(
    gateway: &Arc<Gateway>,
    view: JobView,
    holder: Holder,
    preference: &Preference,
) -> Result<Response<Body>, Problem> {
    if view.job.state.is_terminal() {
        return Ok(answer::outcome(gateway, &view, &holder).await);
    }
    let began = Instant::now();
    let following = gateway.jobs.follow(view).await.map_err(|error| {
        Problem::new(ErrorCode::Internal)
            .suggestion(YOUR_PAYMENT_STANDS)
            .retry_after(gateway.waiting.poll_interval)
            .cause(&error)
    })?;
    let hold = gateway.waiting.hold;
    match mode(gateway, preference) {
        Mode::Async if following.has_ended() => Ok(answer::outcome(gateway, following.current(), &holder).await),
        Mode::Async => Ok(answer::accepted(gateway, following.current(), &holder)),
        Mode::Plain(silence) => Ok(plain(gateway, following, &holder, began + silence).await),
        Mode::KeepAlive(silence) => {
            Ok(keep_alive(gateway.clone(), following, holder, (began + silence, began + hold)).await)
        }
    }
}

fn mode(gateway: &Gateway, preference: &Preference) -> Mode {
    let hold = gateway.waiting.hold;
    match (preference.wait, preference.respond_async, gateway.waiting.keepalive_after) {
        (Some(wait), _, _) => Mode::Plain(wait.min(hold)),
        (None, true, _) => Mode::Async,
        (None, false, Some(silence)) => Mode::KeepAlive(silence),
        (None, false, None) => Mode::Plain(hold),
    }
}

/// Waits until `until` for the outcome; a gateway that stops does not keep its waiters.
pub async fn ended_by(gateway: &Gateway, following: &mut Following, until: Instant) -> bool {
    tokio::select! {
        biased;
        ended = timeout_at(until, following.ended_view()) => ended.is_ok(),
        () = gateway.shutdown.soft() => false,
    }
}

async fn plain(gateway: &Gateway, mut following: Following, holder: &Holder, until: Instant) -> Response<Body> {
    if ended_by(gateway, &mut following, until).await {
        return answer::outcome(gateway, following.current(), holder).await;
    }
    answer::accepted(gateway, following.current(), holder)
}

async fn keep_alive(
    gateway: Arc<Gateway>,
    mut following: Following,
    holder: Holder,
    (silent_until, hold_until): (Instant, Instant),
) -> Response<Body> {
    if ended_by(&gateway, &mut following, silent_until.min(hold_until)).await {
        return answer::outcome(&gateway, following.current(), &holder).await;
    }
    if gateway.shutdown.is_soft() || hold_until <= silent_until {
        return answer::accepted(&gateway, following.current(), &holder);
    }
    let first = following.current().clone();
    let mut response = Response::new(Body::from_stream(spaces_then_json(gateway, following, holder, hold_until)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // nginx would otherwise keep the spaces to itself.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer::insert_job_id(&mut response, &first);
    response
}

/// One space at once, so that the head goes out; one after each pause; at the end the JSON.
fn spaces_then_json(
    gateway: Arc<Gateway>,
    following: Following,
    holder: Holder,
    hold_until: Instant,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    const SPACE: Bytes = Bytes::from_static(b" ");
    let pause = gateway.waiting.keepalive_every;
    stream::unfold(Some((gateway, following, holder, true)), move |state| async move {
        let (gateway, mut following, holder, first) = state?;
        if first {
            return Some((Ok(SPACE), Some((gateway, following, holder, false))));
        }
        let json = tokio::select! {
            biased;
            view = following.ended_view() => answer::outcome_json(&gateway, view, &holder).await,
            () = gateway.shutdown.soft() => answer::accepted_json(&gateway, following.current(), &holder),
            () = sleep_until(hold_until) => answer::accepted_json(&gateway, following.current(), &holder),
            () = sleep(pause) => return Some((Ok(SPACE), Some((gateway, following, holder, false)))),
        };
        Some((Ok(Bytes::from(json)), None))
    })
}

/// Says which preferences were honoured (RFC 7240, section 3).
fn apply(response: &mut Response<Body>, preference: &Preference, hold: Duration) {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Prefer"));
    let accepted = response.status() == axum::http::StatusCode::ACCEPTED;
    let mut applied = Vec::with_capacity(2);
    if preference.respond_async && accepted {
        applied.push("respond-async".to_owned());
    }
    if let Some(wait) = preference.wait {
        applied.push(format!("wait={}", wait.min(hold).as_secs()));
    }
    if let Ok(value) = HeaderValue::from_str(&applied.join(", "))
        && !applied.is_empty()
    {
        response.headers_mut().insert("preference-applied", value);
    }
}
