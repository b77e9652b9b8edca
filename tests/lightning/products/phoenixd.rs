//! phoenixd 0.8.0: `phoenixd/Api.kt` for paths, parameters and texts, `phoenixd/json/JsonSerializers.kt` for the answers,
//! and `payment/OutgoingPaymentHandler.kt` of lightning-kmp for what it refuses to pay.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use satforge::clock::Clock;
use satforge::config::PhoenixdConfig;
use satforge::lightning::phoenixd::Phoenixd;
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::Url;

use super::{json as answer, text};
use crate::node::{FEE_MSAT, Fault, Node, Sent};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct PhoenixdProduct;

pub const PASSWORD: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";
pub const UNAUTHORISED: &str = "Invalid authentication (use basic auth with the http password set in phoenix.conf)";

#[async_trait]
impl Product for PhoenixdProduct {
    // It is on no test network that one could have to oneself.
    const NETWORK: Network = Network::Bitcoin;

    fn api(node: Arc<Node>) -> Router {
        Router::new()
            .route("/getinfo", get(get_info))
            .route("/createinvoice", post(create_invoice))
            .route("/payments/incoming/{hash}", get(incoming))
            .route("/payinvoice", post(pay_invoice))
            .route("/payments/outgoingbyhash/{hash}", get(outgoing))
            .fallback(async || text(404, "Unknown endpoint (check api doc)"))
            .with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        match fault {
            Fault::Unauthorised => Some(text(401, UNAUTHORISED)),
            Fault::Failing => Some(text(500, "[SQLITE_FULL] Insertion failed because database is full")),
            // phoenixd limits nobody; a proxy in front of it may.
            _ => {
                Some(Response::builder().status(429).header("retry-after", "7").body(Body::from("slow down")).unwrap())
            }
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![
            ("url", Setting::value(url.as_str())),
            ("password", Setting::credential(PASSWORD)),
            ("limited_password", Setting::Absent),
        ]
    }

    async fn adapter(url: Url, _clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        let config = PhoenixdConfig { url, password: PASSWORD.into(), may_pay: true };
        Arc::new(Phoenixd::new(&config, Network::Bitcoin, TIMEOUT).unwrap())
    }
}

fn require_password(headers: &HeaderMap) {
    assert_eq!(headers["authorization"], format!("Basic {}", STANDARD.encode(format!(":{PASSWORD}"))));
}

fn not_found() -> Response<Body> {
    text(404, "Not found")
}

async fn get_info(headers: HeaderMap) -> Response<Body> {
    require_password(&headers);
    let channel = json!({
        "state": "Normal", "channelId": "07".repeat(32), "balanceSat": 94785, "inboundLiquiditySat": 1_890_123,
        "capacitySat": 2_000_000, "fundingTxId": "08".repeat(32),
    });
    answer(
        200,
        &json!({
            "nodeId": "02".repeat(33), "channels": [channel], "chain": "mainnet", "blockHeight": 900_000,
            "version": "0.8.0-402c2ea",
        }),
    )
}

/// A form of exactly these parameters.
fn form<const N: usize>(headers: &HeaderMap, body: &str, names: [&str; N]) -> [String; N] {
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let mut form: HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let values = names.map(|name| form.remove(name).unwrap());
    assert!(form.is_empty(), "{form:?}");
    values
}

async fn create_invoice(State(node): State<Arc<Node>>, headers: HeaderMap, body: String) -> Response<Body> {
    require_password(&headers);
    let [sat, description, seconds] = form(&headers, &body, ["amountSat", "description", "expirySeconds"]);
    let Ok(sat) = sat.parse::<u64>() else {
        return text(400, "Request parameter amountSat couldn't be parsed/converted to integer");
    };
    if description.encode_utf16().count() > 128 {
        return text(400, "Request parameter description is too long (max 128 characters)");
    }
    let made = node.add_invoice(sat * 1_000, &description, seconds.parse().unwrap());
    answer(200, &json!({"amountSat": sat, "paymentHash": hex::encode(made.hash), "serialized": made.bolt11}))
}

async fn incoming(State(node): State<Arc<Node>>, headers: HeaderMap, Path(hash): Path<String>) -> Response<Body> {
    require_password(&headers);
    let hash: [u8; 32] = hex::decode(hash).unwrap().try_into().unwrap();
    let Some(known) = node.incoming(&hash) else { return not_found() };
    let expires_at = known.made_at + known.expiry;
    let sat = known.msat / 1_000;
    // The preimage is there before anybody has paid.
    let mut payment = json!({
        "type": "incoming_payment", "subType": "lightning", "paymentHash": hex::encode(hash),
        "preimage": hex::encode(known.preimage), "description": known.memo, "invoice": known.bolt11,
        "isPaid": known.paid_at.is_some(), "isExpired": node.now() > expires_at, "requestedSat": sat,
        "receivedSat": if known.paid_at.is_some() { sat } else { 0 }, "fees": 0, "expiresAt": expires_at * 1_000,
        "createdAt": known.made_at * 1_000,
    });
    if let Some(paid_at) = known.paid_at {
        payment["completedAt"] = (paid_at * 1_000 + 123).into();
    }
    answer(200, &payment)
}

async fn pay_invoice(State(node): State<Arc<Node>>, headers: HeaderMap, body: String) -> Response<Body> {
    require_password(&headers);
    let [invoice] = form(&headers, &body, ["invoice"]);
    let Some(foreign) = node.foreign(&invoice) else {
        return text(400, "Request parameter invoice couldn't be parsed/converted to bolt11invoice");
    };
    let hash = hex::encode(foreign.hash);
    // Failures are 200 as well.
    let not_sent = |reason: &str| answer(200, &json!({"paymentHash": hash, "reason": reason}));
    match node.sent(&foreign.hash) {
        Some(Sent::Paid) => return not_sent("this invoice has already been paid"),
        Some(Sent::InFlight) => return not_sent("another payment is in progress for that invoice"),
        Some(Sent::Failed) | None => {}
    }
    // It does not look whether the invoice has expired.
    match node.send(&foreign) {
        Sent::Paid => answer(
            200,
            &json!({
                "recipientAmountSat": foreign.msat / 1_000, "routingFeeSat": FEE_MSAT / 1_000,
                "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f", "paymentHash": hash,
                "paymentPreimage": hex::encode(foreign.preimage),
            }),
        ),
        Sent::Failed => not_sent("recipient node is offline or unreachable"),
        Sent::InFlight => std::future::pending().await,
    }
}

async fn outgoing(State(node): State<Arc<Node>>, headers: HeaderMap, Path(hash): Path<String>) -> Response<Body> {
    require_password(&headers);
    let hash: [u8; 32] = hex::decode(hash).unwrap().try_into().unwrap();
    let Some((foreign, sent)) = node.foreign_by_hash(&hash).zip(node.sent(&hash)) else { return not_found() };
    let mut payment: Value = json!({
        "type": "outgoing_payment", "subType": "lightning", "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f",
        "paymentHash": hex::encode(hash), "isPaid": sent == Sent::Paid, "sent": foreign.msat / 1_000 + 1,
        "fees": FEE_MSAT, "createdAt": node.now() * 1_000,
    });
    if sent == Sent::Paid {
        payment["preimage"] = hex::encode(foreign.preimage).into();
    }
    if sent != Sent::InFlight {
        payment["completedAt"] = (node.now() * 1_000).into();
    }
    answer(200, &payment)
}
