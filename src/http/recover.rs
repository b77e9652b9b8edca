//! `/recover`: what a payment bought, for whoever has the credential and has lost all else.
//!
//! No body is presented, so signature, preimage and the holder's own time limits are the check. A refusal is `403` and
//! never a challenge: nothing is sold here, and some clients pay whenever they see one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::domain::{Caller, JobState};
use crate::jobs::{JobView, Recovered, RedeemError};
use crate::paywall::{Proof, Refusal, VerifiedPayment};

use super::answer::{self, Holder, json_response};
use super::body::Sender;
use super::challenge::rfc3339;
use super::error::{ErrorCode, YOUR_PAYMENT_STANDS};
use super::gateway::Gateway;
use super::generate::body_problem;
use super::page::{form, html};
use super::pages::{self, RecoveredDoc};
use super::problem::Problem;
use super::redemption::{NotRedeemed, confirm};

/// Two macaroons and some.
const BODY_LIMIT: usize = 16 * 1024;

/// What a credential leads to.
pub(super) enum Found {
    /// The job that it bought.
    Job(Box<JobView>),
    /// Nothing yet: it still buys what it was paid for.
    Unredeemed(VerifiedPayment),
}

/// The job of whoever presents these headers.
pub(super) async fn holder_of(gateway: &Arc<Gateway>, caller: Caller, headers: &HeaderMap) -> Result<Found, Problem> {
    let presented: Vec<&[u8]> = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    Ok(charged(gateway, caller, headers, find(gateway, &presented).await).await?.0)
}

/// `GET /recover`: the page, or with a credential what it leads to.
pub async fn show(State(gateway): State<Arc<Gateway>>, caller: Caller, request: Request) -> Response<Body> {
    let is_api = request.uri().path().starts_with("/api/");
    if !is_api && !request.headers().contains_key(AUTHORIZATION) {
        return page(&gateway, StatusCode::OK, None);
    }
    let presented: Vec<&[u8]> = request.headers().get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    let found = find(&gateway, &presented).await;
    answer_json(&gateway, charged(&gateway, caller, request.headers(), found).await).await
}

/// `POST /recover`: with the credential in the header, in JSON or in the page's form.
pub async fn find_by_post(State(gateway): State<Arc<Gateway>>, caller: Caller, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_form = has_type(&parts.headers, "application/x-www-form-urlencoded");
    let wants_page = is_form && !accepts(&parts.headers, "application/json");
    let mut presented: Vec<Vec<u8>> =
        parts.headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes().to_vec()).collect();
    if presented.is_empty() {
        let read = gateway.bodies.read(body, BODY_LIMIT, Sender::Unpaid).await;
        match read.map_err(|refusal| body_problem(refusal, BODY_LIMIT)) {
            Ok(body) => presented.extend(typed(&body.bytes, is_form)),
            Err(problem) => return gateway.refuse(&problem),
        }
    }
    let presented: Vec<&[u8]> = presented.iter().map(Vec::as_slice).collect();
    let found = charged(&gateway, caller, &parts.headers, find(&gateway, &presented).await).await;
    if wants_page { answer_page(&gateway, found).await } else { answer_json(&gateway, found).await }
}

/// What a form or a JSON body says the credential is.
pub(crate) fn typed(body: &[u8], is_form: bool) -> Option<Vec<u8>> {
    let field = |name: &str| -> Option<String> {
        if is_form {
            return form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.trim().to_owned());
        }
        let document: Value = serde_json::from_slice(body).ok()?;
        document.get(name)?.as_str().map(|text| text.trim().to_owned())
    };
    let credential = match field("credential").filter(|credential| !credential.is_empty()) {
        Some(credential) => credential,
        None => format!("{}:{}", field("macaroon")?, field("preimage")?),
    };
    let has_scheme = ["l402 ", "lsat "]
        .iter()
        .any(|scheme| credential.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    Some(if has_scheme { credential } else { format!("L402 {credential}") }.into_bytes())
}

type Finding = (Found, Holder);

/// Crash rule: a payment that comes too late is written down as owed back before that is said.
async fn find(gateway: &Arc<Gateway>, presented: &[&[u8]]) -> Result<Finding, Problem> {
    let credentials = match gateway.paywall.prove(presented.iter().copied()) {
        Proof::Proven(credentials) => credentials,
        Proof::Refused(refusal) => return Err(refused(refusal)),
        Proof::Absent => {
            return Err(Problem::new(ErrorCode::CredentialRefused).detail("No credential was presented."));
        }
    };
    let payment = gateway.paywall.bind_unseen(credentials).map_err(refused)?;
    confirm(gateway, &payment).await.map_err(unconfirmed)?;
    match gateway.jobs.recover(&payment).await {
        Ok(Recovered::Job(view)) => {
            let secret = view.job.calls_back.then(|| payment.callback_secret().reveal());
            Ok((Found::Job(view), Holder::new(secret)))
        }
        Ok(Recovered::Unredeemed) => Ok((Found::Unredeemed(payment), Holder::default())),
        Err(error) => Err(unconfirmed(NotRedeemed::Refused(error))),
    }
}

/// A credential that is refused is charged as a miss; a good one never is.
async fn charged(
    gateway: &Gateway,
    caller: Caller,
    headers: &HeaderMap,
    found: Result<Finding, Problem>,
) -> Result<Finding, Problem> {
    match found {
        Err(problem) if problem.code() == ErrorCode::CredentialRefused => {
            Err(gateway.missed(caller, headers, problem).await)
        }
        found => found,
    }
}

async fn answer_json(gateway: &Gateway, found: Result<Finding, Problem>) -> Response<Body> {
    let answered = match found {
        Ok((Found::Job(view), holder)) => answer::recovered(gateway, &view, &holder).await.map(|document| {
            let mut response = json_response(StatusCode::OK, &document);
            answer::insert_job_id(&mut response, &view);
            response
        }),
        Ok((Found::Unredeemed(payment), _)) => Ok(json_response(StatusCode::OK, &unredeemed(&payment))),
        Err(problem) => Err(problem),
    };
    let mut response = answered.unwrap_or_else(|problem| gateway.refuse(&problem));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

async fn answer_page(gateway: &Gateway, found: Result<Finding, Problem>) -> Response<Body> {
    match found {
        Ok((Found::Job(view), _)) => match recovered_doc(gateway, &view).await {
            Ok(doc) => page(gateway, StatusCode::OK, Some(&doc)),
            Err(problem) => gateway.refuse(&problem),
        },
        Ok((Found::Unredeemed(payment), _)) => {
            let until = rfc3339(payment.redeemable_until());
            let path = payment.binding().service.path();
            page(gateway, StatusCode::OK, Some(&RecoveredDoc::Unredeemed { path: path.to_owned(), until }))
        }
        Err(problem) if problem.code() == ErrorCode::CredentialRefused => {
            let why = problem.sentence().to_owned();
            page(gateway, StatusCode::FORBIDDEN, Some(&RecoveredDoc::Refused { why }))
        }
        Err(problem) => gateway.refuse(&problem),
    }
}

async fn recovered_doc(gateway: &Gateway, view: &JobView) -> Result<RecoveredDoc, Problem> {
    let poll_url = answer::poll_url(gateway, view);
    Ok(match &view.job.state {
        JobState::Succeeded(_) if answer::is_result_gone(gateway, view) => RecoveredDoc::Gone,
        JobState::Succeeded(delivery) => RecoveredDoc::Delivered { url: answer::result_url(gateway, delivery) },
        JobState::Failed(_) => {
            let refund = gateway.refund_of(&view.job).await?;
            let amount = pages::context::sats(view.job.amount.sat_rounded_up());
            RecoveredDoc::Owed { url: refund.url().to_owned(), amount, is_paid: refund.status() == "paid" }
        }
        JobState::Queued | JobState::Dispatching { .. } | JobState::Running(_) | JobState::Storing(_) => {
            RecoveredDoc::UnderWay { poll_url }
        }
    })
}

fn page(gateway: &Gateway, status: StatusCode, found: Option<&RecoveredDoc>) -> Response<Body> {
    match pages::render_recover(&gateway.site, found) {
        Ok(rendered) => form(html(status, rendered.into())),
        Err(error) => gateway.refuse(&Problem::new(ErrorCode::Internal).cause(&error)),
    }
}

fn unredeemed(payment: &VerifiedPayment) -> Value {
    let service = payment.binding().service;
    json!({
        "status": "unredeemed",
        "service": service.name(),
        "amount_sats": payment.amount().sat_rounded_up(),
        "redeemable_until": rfc3339(payment.redeemable_until()),
        "detail": format!(
            "The payment is good and has bought nothing yet. POST the bytes that it was made for to {} with this credential. \
             Without them, come back here after `redeemable_until`: from then on the amount is owed back to you.",
            service.path()
        ),
    })
}

fn refused(refusal: Refusal) -> Problem {
    let why = match refusal {
        Refusal::Malformed => {
            "The credential cannot be read: it must be a base64 macaroon, a colon and a preimage of 64 hexadecimal characters."
        }
        Refusal::Invalid => "The macaroon was not signed by this gateway, or was changed.",
        Refusal::PreimageMismatch => "The preimage does not open the macaroon's payment hash.",
        Refusal::BodyMismatch => "The macaroons are not for one request.",
        Refusal::Expired => "A time limit that was appended to the macaroon has passed.",
    };
    Problem::new(ErrorCode::CredentialRefused).detail(why)
}

fn unconfirmed(not: NotRedeemed) -> Problem {
    const SOON: std::time::Duration = std::time::Duration::from_secs(2);
    match not {
        NotRedeemed::Unconfirmed(reason) => {
            Problem::new(ErrorCode::PaymentUnconfirmed).retry_after(SOON).cause(&reason)
        }
        NotRedeemed::Refused(RedeemError::BoundElsewhere) => refused(Refusal::BodyMismatch),
        NotRedeemed::Refused(error) => {
            Problem::new(ErrorCode::Internal).suggestion(YOUR_PAYMENT_STANDS).retry_after(SOON).cause(&error)
        }
    }
}

fn has_type(headers: &HeaderMap, essence: &str) -> bool {
    let typed = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    typed.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(essence)
}

fn accepts(headers: &HeaderMap, essence: &str) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains(essence))
}
