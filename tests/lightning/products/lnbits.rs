//! `LNbits` 1.6.2: exchanges recorded with its `FakeWallet`, and for what that cannot do `core/views/payment_api.py`,
//! `core/services/payments.py`, `decorators.py` and `exceptions.py`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::LnbitsConfig;
use satforge::lightning::lnbits::Lnbits;
use satforge::lightning::{LightningBackend, Network};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::json as answer;
use crate::node::{FEE_MSAT, Fault, Foreign, Incoming, Node, Sent};
use crate::stub::{Failure, Product, Setting, TIMEOUT};

pub struct LnbitsProduct;

pub const INVOICE_KEY: &str = "c0ffee00000000000000000000000001";
pub const ADMIN_KEY: &str = "c0ffee00000000000000000000000002";
const WALLET_ID: &str = "f1f0a4a6b2f34d2a9c3f4d1c2b3a4f5e";

#[async_trait]
impl Product for LnbitsProduct {
    const FAILURE: Failure = Failure::Told;

    fn api(node: Arc<Node>) -> Router {
        Router::new()
            .route("/api/v1/payments", post(create_or_pay))
            .route("/api/v1/payments/fee-reserve", get(fee_reserve))
            .route("/api/v1/payments/{hash}", get(lookup))
            .route("/api/v1/wallet", get(wallet))
            .with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        match fault {
            Fault::Unauthorised => Some(answer(404, &json!({"detail": "Wallet not found."}))),
            Fault::Limited => Some(answer(429, &json!({"error": "Rate limit exceeded: 200 per 1 minute"}))),
            _ => Some(answer(500, &json!({"detail": "Unexpected error! ID: 3Z6ZxLhP5s9wPnW7hGq2Vt"}))),
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![
            ("url", Setting::value(url.as_str())),
            ("invoice_key", Setting::credential(INVOICE_KEY)),
            ("admin_key", Setting::credential(ADMIN_KEY)),
        ]
    }

    async fn adapter(url: Url, _clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        Arc::new(adapter(url))
    }
}

pub fn adapter(url: Url) -> Lnbits {
    let config = LnbitsConfig { url, invoice_key: INVOICE_KEY.into(), admin_key: Some(ADMIN_KEY.into()) };
    Lnbits::new(&config, Network::Regtest, TIMEOUT).unwrap()
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-api-key").map(|key| key.to_str().unwrap())
}

fn failed(detail: &str, status: &str) -> Response<Body> {
    answer(520, &json!({"detail": detail, "status": status}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    out: bool,
    amount: Option<u64>,
    memo: Option<String>,
    expiry: Option<u64>,
    bolt11: Option<String>,
}

async fn create_or_pay(State(node): State<Arc<Node>>, headers: HeaderMap, Json(order): Json<Order>) -> Response<Body> {
    match (order.out, key(&headers)) {
        // An invoice is made with the key that can do no more than that.
        (false, Some(INVOICE_KEY)) => {
            let made = node.add_invoice(order.amount.unwrap() * 1_000, &order.memo.unwrap(), order.expiry.unwrap());
            answer(201, &incoming(&node, &made))
        }
        (true, Some(ADMIN_KEY)) => pay(&node, &order.bolt11.unwrap()),
        (out, key) => panic!("out: {out} with the key {key:?}"),
    }
}

fn pay(node: &Node, bolt11: &str) -> Response<Body> {
    let Some(foreign) = node.foreign(bolt11) else { return failed("Bolt11 decoding failed.", "failed") };
    match node.sent(&foreign.hash) {
        Some(Sent::Paid) => return failed("Payment already paid.", "success"),
        Some(Sent::InFlight) => return failed("Payment is still pending.", "pending"),
        Some(Sent::Failed) => return failed("Payment is failed node, retrying is not possible.", "failed"),
        None => {}
    }
    match node.send(&foreign) {
        Sent::Failed => failed("Payment failed: no_route", "failed"),
        // For a pending one it waits five seconds, then it answers the same.
        sent => answer(201, &outgoing(bolt11, &foreign, sent)),
    }
}

async fn fee_reserve(uri: Uri) -> Response<Body> {
    let invoice = uri.query().unwrap().strip_prefix("invoice=").unwrap();
    let invoice = satforge::lightning::decode_invoice(invoice).unwrap();
    answer(200, &json!({"fee_reserve": (invoice.amount.unwrap().msat() / 100).max(2_000)}))
}

async fn lookup(State(node): State<Arc<Node>>, headers: HeaderMap, Path(hash): Path<String>) -> Response<Body> {
    let hash: [u8; 32] = hex::decode(hash).unwrap().try_into().unwrap();
    let sent = node.foreign_by_hash(&hash).zip(node.sent(&hash));
    // Of two with the same hash the outgoing one is shown.
    let details = match (sent, node.incoming(&hash)) {
        (Some((foreign, sent)), _) => {
            assert_eq!(key(&headers), Some(ADMIN_KEY), "payments are of the wallet that pays");
            outgoing("lnbcrt1", &foreign, sent)
        }
        (None, Some(known)) => incoming(&node, &known),
        (None, None) => return answer(404, &json!({"detail": "Payment does not exist."})),
    };
    let (paid, status) = (details["status"] == "success", details["status"].clone());
    let preimage = if paid { details["preimage"].clone() } else { Value::Null };
    if !matches!(key(&headers), Some(INVOICE_KEY | ADMIN_KEY)) {
        return answer(200, &json!({"paid": paid, "preimage": preimage}));
    }
    if paid {
        return answer(200, &json!({"paid": true, "preimage": preimage, "details": details}));
    }
    answer(200, &json!({"paid": false, "status": status, "preimage": null, "details": details}))
}

async fn wallet(headers: HeaderMap) -> Response<Body> {
    match key(&headers) {
        Some(INVOICE_KEY) => answer(200, &json!({"name": "seller", "balance": 1_502_000})),
        Some(ADMIN_KEY) => answer(200, &json!({"name": "seller", "balance": 1_502_000, "id": WALLET_ID})),
        Some(_) => answer(404, &json!({"detail": "Wallet not found."})),
        None => answer(401, &json!({"detail": "No Api Key provided."})),
    }
}

/// An invoice; its preimage is shown before it is paid, and its amount is what was asked for.
fn incoming(node: &Node, known: &Incoming) -> Value {
    let expired = node.now() > known.made_at + known.expiry;
    let (status, labels) = match known.paid_at {
        Some(_) => ("success", json!([])),
        None if known.cancelled => ("failed", json!([])),
        None if expired => ("failed", json!(["expired"])),
        None => ("pending", json!([])),
    };
    payment(&json!({
        "checking_id": hex::encode(known.hash), "payment_hash": hex::encode(known.hash), "amount": known.msat,
        "fee": 0, "bolt11": known.bolt11, "status": status, "memo": known.memo,
        "preimage": hex::encode(known.preimage), "labels": labels,
    }))
}

fn outgoing(bolt11: &str, foreign: &Foreign, sent: Sent) -> Value {
    let (status, fee) = match sent {
        Sent::Paid => ("success", FEE_MSAT),
        // The whole reserve.
        Sent::InFlight => ("pending", 2_000),
        Sent::Failed => ("failed", 2_000),
    };
    let preimage = if sent == Sent::Paid { json!(hex::encode(foreign.preimage)) } else { Value::Null };
    payment(&json!({
        "checking_id": hex::encode(foreign.hash), "payment_hash": hex::encode(foreign.hash),
        "amount": -i64::try_from(foreign.msat).unwrap(), "fee": -i64::try_from(fee).unwrap(), "bolt11": bolt11,
        "status": status, "memo": "for somebody else", "preimage": preimage, "labels": [],
    }))
}

/// With the fields that are always the same.
fn payment(fields: &Value) -> Value {
    let mut payment = json!({
        "wallet_id": WALLET_ID, "payment_request": fields["bolt11"], "fiat_provider": null,
        "expiry": "2026-11-21T09:39:45", "webhook": null, "webhook_status": null, "tag": null, "extension": null,
        "time": "2026-11-21T09:29:45.977483+00:00", "created_at": "2026-11-21T09:29:45.977486+00:00",
        "updated_at": "2026-11-21T09:29:45.977488+00:00", "extra": {}, "external_id": null,
    });
    payment.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    payment
}
