//! `GET /refunds/{name}`: a refund as a page, with what a wallet scans.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::domain::RefundState;

use super::super::answer::json_response;
use super::super::challenge::rfc3339_millis;
use super::super::error::ErrorCode;
use super::super::gateway::Gateway;
use super::super::page::html;
use super::super::pages::{self, RefundDoc, RefundStatus};
use super::super::problem::Problem;
use super::lnurl;
use super::withdraw::Link;

/// Shows what a link leads to: a page, or JSON to whoever asks for that.
pub async fn show(State(gateway): State<Arc<Gateway>>, Path(name): Path<String>, headers: HeaderMap) -> Response<Body> {
    let link = match gateway.follow_refund_link(&name).await {
        Ok(link) => link,
        Err(error) => return gateway.refuse(&Problem::new(ErrorCode::Internal).cause(&error)),
    };
    let (status, refund) = match link {
        Link::Nowhere => return super::super::page::not_found(&gateway),
        Link::Expired => (StatusCode::GONE, None),
        Link::To(refund) => (StatusCode::OK, Some(refund)),
    };
    let lnurl = lnurl(&gateway.withdraw_url(&name));
    if wants_json(&headers) {
        let mut response = json_response(
            status,
            &match &refund {
                None => json!({"status": "expired"}),
                Some(refund) => json!({"status": refund.state.name(), "amount_sats": refund.amount.sat_rounded_up()}),
            },
        );
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    let doc = RefundDoc {
        amount: refund.as_ref().map(|refund| pages::context::sats(refund.amount.sat_rounded_up())),
        status: match refund.as_ref().map(|refund| &refund.state) {
            None => RefundStatus::Expired,
            Some(RefundState::Paid(paid)) => RefundStatus::Paid(rfc3339_millis(paid.paid_at)),
            Some(RefundState::Available) if gateway.pays_refunds() => RefundStatus::Claimable(lnurl),
            Some(RefundState::Available) => RefundStatus::ByHand,
            Some(RefundState::Claiming(_) | RefundState::Cancelled) => RefundStatus::Claiming,
        },
    };
    match pages::render_refund(&gateway.site, &doc) {
        Ok(page) => html(status, page.into()),
        Err(error) => gateway.refuse(&Problem::new(ErrorCode::Internal).cause(&error)),
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("json"))
}
