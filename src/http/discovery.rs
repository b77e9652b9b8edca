//! What can be learnt for free: a service's metadata, the error catalogue, health.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::ImageBounds;
use crate::domain::ServiceId;

use super::answer::{json_response, rendered_json};
use super::error::{ErrorCode, TABLE};
use super::gateway::Gateway;
use super::offer::Offer;
use super::problem::{Problem, to_json};

/// A probe must not hang on what it probes.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /api/l402/{service}`: what it takes, and what it costs now.
#[expect(clippy::unused_async, reason = "a handler is a future")]
pub async fn service(service: ServiceId, State(gateway): State<Arc<Gateway>>) -> Response<Body> {
    let shown = gateway.storefront.show(&gateway);
    match shown.as_ref().map(|shown| shown.metadata.iter().find(|(id, _)| *id == service)) {
        Ok(Some((_, document))) => rendered_json(StatusCode::OK, document.clone()),
        Ok(None) => gateway.refuse(&Problem::new(ErrorCode::NotFound)),
        Err(error) => gateway.refuse(&Problem::new(ErrorCode::Internal).cause(error)),
    }
}

/// The metadata of a service.
#[must_use]
pub fn metadata(gateway: &Gateway, offer: &Offer) -> Bytes {
    let (url, config) = (gateway.public_url(), &offer.service);
    let service = config.id;
    let examples: Vec<Value> = config
        .priced_examples()
        .into_iter()
        .map(|example| json!({"label": example.label, "price_sats": example.sats}))
        .collect();
    let price_sats = examples.first().and_then(|example| example.get("price_sats")).cloned().unwrap_or_default();
    let example = config.example_body();
    let mut document = json!({
        "service": service.name(),
        "title": config.title(),
        "description": config.summary(),
        "method": "POST",
        "url": format!("{url}{}", service.path()),
        "content_type": "application/json",
        "payment": "L402",
        "available": offer.available,
        "price": {"rule": config.price_rule(), "price_sats": price_sats, "examples": examples},
        "body_limit_bytes": config.body_limit,
        "request_schema": config.schema(),
        "example_request": serde_json::from_str::<Value>(&example).unwrap_or_default(),
        "result_field": service.result_field(),
        "docs": format!("{url}/l402/{}", service.name()),
        "errors": format!("{url}/api/error-codes"),
    });
    let bounds: Vec<Value> = config.image_bounds().iter().map(bounds).collect();
    if let (Some(fields), false) = (document.as_object_mut(), bounds.is_empty()) {
        fields.insert("image_bounds".into(), bounds.into());
    }
    Bytes::from(to_json(&document))
}

/// An image within any one of a service's bounds is sold.
fn bounds(bounds: &ImageBounds) -> Value {
    let numbers = [
        ("max_bytes", bounds.max_bytes),
        ("min_side", bounds.min_side.map(u64::from)),
        ("max_side", bounds.max_side.map(u64::from)),
        ("max_pixels", bounds.max_pixels),
    ];
    numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), Value::from(number?)))).collect()
}

/// `GET /api/error-codes`: the error table, rendered once.
#[must_use]
pub fn error_codes(gateway: &Gateway) -> Bytes {
    let codes: Vec<Value> = TABLE
        .iter()
        .map(|entry| {
            json!({
                "error_code": entry.name,
                "status": entry.status.as_u16(),
                "title": entry.title,
                "meaning": entry.meaning,
                "suggestion": entry.suggestion,
                "type": format!("{}/errors#{}", gateway.public_url(), entry.name),
            })
        })
        .collect();
    Bytes::from(to_json(&json!({"errors": codes})))
}

/// `GET /healthz`: the process runs.
pub async fn healthz() -> Response<Body> {
    json_response(StatusCode::OK, &json!({"status": "ok"}))
}

/// `GET /readyz`: the gateway can sell.
pub async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response<Body> {
    let database = gateway.store.is_writable()
        && tokio::time::timeout(PROBE_TIMEOUT, gateway.store.ping()).await.is_ok_and(|ping| ping.is_ok());
    let lightning = gateway.invoices.node().health().await.is_ok();
    // A service that is not sold by decision is not in the catalogue, and stands in nobody's way.
    let providers = gateway.catalog.services().iter().all(|service| gateway.sells(service.id));
    let storage = gateway.artifacts.is_reachable();
    let running = !gateway.shutdown.is_soft();
    let word = |good: bool| if good { "ok" } else { "failing" };
    let ready = database && storage && lightning && providers && running;
    let document = json!({
        "status": if ready { "ready" } else { "not ready" },
        "checks": {
            "database": word(database),
            "storage": word(storage),
            "lightning": word(lightning),
            "providers": word(providers),
            "accepting": word(running),
        },
    });
    json_response(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &document)
}
