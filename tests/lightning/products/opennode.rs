//! `OpenNode`'s REST API: developers.opennode.com (authorization, errors, creating a charge, charge lifecycle), the
//! types of its client `opennode` for Node.js 1.5, and a charge of 2023 that somebody has published. Its source is
//! closed, its error texts are not documented, and nobody has tried the adapter on `OpenNode` itself.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::OpenNodeConfig;
use satforge::lightning::opennode::OpenNode;
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::Url;

use super::json as answer;
use crate::node::{Fault, Incoming, Node};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct OpenNodeProduct;

pub const API_KEY: &str = "c0ffee00-c0ff-ee00-c0ff-eec0ffeec0ff";

#[async_trait]
impl Product for OpenNodeProduct {
    fn api(node: Arc<Node>) -> Router {
        Router::new()
            .route("/v1/charges", post(create).get(list))
            .route("/v1/charge/{id}", get(charge))
            .with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        match fault {
            Fault::Unauthorised => Some(refusal(401, "Failed to authenticate token")),
            Fault::Limited => Some(refusal(429, "Too many requests")),
            _ => Some(refusal(500, "Internal server error")),
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![("url", Setting::value(url.as_str())), ("api_key", Setting::credential(API_KEY))]
    }

    async fn adapter(url: Url, _: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        Arc::new(adapter(url))
    }
}

/// The adapter for the API on the server at `url`.
pub fn adapter(url: Url) -> OpenNode {
    let config = OpenNodeConfig { url, api_key: API_KEY.into() };
    OpenNode::new(&config, Network::Regtest, TIMEOUT).unwrap()
}

pub fn refusal(status: u16, message: &str) -> Response<Body> {
    answer(status, &json!({"success": false, "message": message}))
}

fn require_key(headers: &HeaderMap) {
    assert_eq!(headers["authorization"], API_KEY, "the key alone, without a scheme");
}

async fn create(State(node): State<Arc<Node>>, headers: HeaderMap, Json(body): Json<Value>) -> Response<Body> {
    require_key(&headers);
    assert!(body.get("currency").is_none(), "the amount is in sats");
    assert_eq!(body["auto_settle"], false);
    let ttl = body["ttl"].as_u64().unwrap();
    assert!((10..=1_440).contains(&ttl), "{ttl} minutes");
    let sat = body["amount"].as_u64().unwrap();
    let made = node.add_invoice(sat * 1_000, body["description"].as_str().unwrap(), ttl * 60);
    answer(201, &json!({"data": object(&node, &made)}))
}

async fn charge(State(node): State<Arc<Node>>, headers: HeaderMap, Path(id): Path<String>) -> Response<Body> {
    require_key(&headers);
    match node.every_incoming().into_iter().find(|known| self::id(known) == id) {
        Some(known) => answer(200, &json!({"data": object(&node, &known)})),
        None => refusal(404, "Charge not found"),
    }
}

/// Paid ones only.
async fn list(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response<Body> {
    require_key(&headers);
    let paid = node.every_incoming().into_iter().filter(|known| known.paid_at.is_some());
    answer(200, &json!({"data": paid.map(|known| object(&node, &known)).collect::<Vec<_>>()}))
}

/// `OpenNode`'s own id, which has nothing to do with the payment hash.
fn id(charge: &Incoming) -> String {
    format!("da418953-225b-4cba-99f9-{}", hex::encode(&charge.preimage[..6]))
}

fn object(node: &Node, charge: &Incoming) -> Value {
    let status = match charge.paid_at {
        Some(_) => "paid",
        None if charge.cancelled => "refunded",
        None if node.now() > charge.made_at + charge.expiry => "expired",
        None => "unpaid",
    };
    let sat = charge.msat / 1_000;
    json!({
        "id": id(charge), "description": charge.memo, "desc_hash": false, "created_at": charge.made_at,
        "status": status,
        "amount": sat, "callback_url": "", "success_url": null,
        "hosted_checkout_url": format!("https://checkout.opennode.com/{}", id(charge)), "order_id": null,
        "currency": "BTC", "source_fiat_value": sat, "fiat_value": 9.05, "auto_settle": false, "notif_email": null,
        "address": "3NSp", "metadata": {}, "chain_invoice": {"address": "3NSp"}, "uri": "bitcoin:3NSp",
        "ttl": charge.expiry / 60,
        "lightning_invoice": {
            "expires_at": charge.made_at + charge.expiry, "payreq": charge.bolt11, "settled_at": charge.paid_at,
        },
    })
}
