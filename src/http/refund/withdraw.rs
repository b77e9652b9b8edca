//! LNURL-withdraw (LUD-03): a wallet asks what it can have, then names an invoice to be paid.
//!
//! Wallets read the answer's JSON and not its status, so errors are `200` with `"status": "ERROR"`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::domain::{Refund, RefundState};
use crate::refunds::{ClaimError, Destination};

use super::super::answer::json_response;
use super::super::gateway::Gateway;

/// What a wallet shows.
const DESCRIPTION: &str = "Refund of a generation that was not delivered";
/// How long an answer waits for the payment. LUD-03 has wallets wait for the money, not for the answer: what fails at once
/// is told at once, and the rest goes on behind it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a link leads to.
pub(super) enum Link {
    /// To this refund.
    To(Refund),
    /// To a refund, until a while ago.
    Expired,
    /// To nothing.
    Nowhere,
}

impl Gateway {
    /// What the link `name` leads to now.
    pub(super) async fn follow_refund_link(&self, name: &str) -> Result<Link, crate::store::StoreError> {
        let Some((job, expires_at)) = self.jobs.links().read_refund(name) else { return Ok(Link::Nowhere) };
        if self.now_millis() > expires_at {
            return Ok(Link::Expired);
        }
        let refund = self.refunds.of(job).await?.filter(|refund| !matches!(refund.state, RefundState::Cancelled));
        Ok(refund.map_or(Link::Nowhere, Link::To))
    }
}

/// `GET /lnurl/{name}`: what can be withdrawn.
pub async fn request(State(gateway): State<Arc<Gateway>>, Path(name): Path<String>) -> Response<Body> {
    let document = match claimable(&gateway, &name).await {
        Ok(refund) => json!({
            "tag": "withdrawRequest",
            "callback": format!("{}/pay", gateway.withdraw_url(&name)),
            "k1": gateway.jobs.links().k1(&name),
            "defaultDescription": DESCRIPTION,
            "minWithdrawable": refund.amount.msat(),
            "maxWithdrawable": refund.amount.msat(),
        }),
        Err(reason) => error(&reason),
    };
    answer(&document)
}

/// `GET /lnurl/{name}/pay?k1=…&pr=…`: pays. No wallet sends `HEAD`; whoever looks at links without following them does.
pub async fn pay(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    if method == Method::HEAD {
        return answer(&error("HEAD pays nothing."));
    }
    answer(&match claim(&gateway, &name, &query.unwrap_or_default()).await {
        Ok(()) => json!({"status": "OK"}),
        Err(reason) => error(&reason),
    })
}

async fn claim(gateway: &Gateway, name: &str, query: &str) -> Result<(), String> {
    let k1 = value_of(query, "k1").ok_or("k1 is missing.")?;
    let invoice = value_of(query, "pr").ok_or("pr, the invoice, is missing.")?;
    let refund = match follow(gateway, name).await? {
        Link::To(refund) => refund,
        link => return Err(leads_nowhere(&link)),
    };
    if !gateway.jobs.links().is_k1(name, &k1) {
        return Err("k1 is not the one of this link.".into());
    }
    if !gateway.pays_refunds() {
        return Err(BY_HAND.into());
    }
    match gateway.refunds.claim(refund.job, Destination::Invoice(invoice), PATIENCE).await {
        Ok(_) => Ok(()),
        Err(ClaimError::Store(error)) => {
            tracing::error!(%error, "a refund cannot be claimed");
            Err(OURS.into())
        }
        Err(ClaimError::Stopping) => Err("The gateway is restarting. Try again in a minute.".into()),
        Err(ClaimError::NotAvailable("paid")) => Err(PAID.into()),
        Err(ClaimError::NotAvailable(_)) => Err(CLAIMING.into()),
        Err(ClaimError::TooOften(_)) => Err("This refund was tried too often. Try again in a few minutes.".into()),
        Err(ClaimError::Failed) => {
            Err("The payment failed and nothing was sent. Try again, or with another wallet.".into())
        }
        Err(ClaimError::NothingOwed) => Err(leads_nowhere(&Link::Nowhere)),
        Err(ClaimError::Invoice(why) | ClaimError::Address(why)) => Err(why),
    }
}

/// The first value of that name.
pub(crate) fn value_of(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

const OURS: &str = "The gateway failed. The refund stands: try again in a minute.";
const PAID: &str = "This refund was paid before.";
const CLAIMING: &str =
    "This refund is being paid to another invoice, and its outcome is not known yet. Try again later.";
const BY_HAND: &str = "The operator pays this refund by hand: claim it with your credential.";

/// The refund behind a link, if a wallet can have it now; else why not.
async fn claimable(gateway: &Gateway, name: &str) -> Result<Refund, String> {
    match follow(gateway, name).await? {
        Link::To(_) if !gateway.pays_refunds() => Err(BY_HAND.into()),
        Link::To(refund) => match refund.state {
            RefundState::Available => Ok(refund),
            RefundState::Paid(_) => Err(PAID.into()),
            RefundState::Claiming(_) | RefundState::Cancelled => Err(CLAIMING.into()),
        },
        link => Err(leads_nowhere(&link)),
    }
}

async fn follow(gateway: &Gateway, name: &str) -> Result<Link, String> {
    gateway.follow_refund_link(name).await.map_err(|error| {
        tracing::error!(%error, "a refund cannot be read");
        OURS.to_owned()
    })
}

fn leads_nowhere(link: &Link) -> String {
    match link {
        Link::Expired => "This link has expired. The refund has not: present your credential for a new link.".into(),
        Link::To(_) | Link::Nowhere => "This link leads to no refund.".into(),
    }
}

fn error(reason: &str) -> Value {
    json!({"status": "ERROR", "reason": reason})
}

fn answer(document: &Value) -> Response<Body> {
    let mut response = json_response(StatusCode::OK, document);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
