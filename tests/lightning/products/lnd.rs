//! LND 0.20's REST proxy: `lnrpc/lightning.swagger.json`, `lnrpc/routerrpc/router.swagger.json`, and the texts of
//! `rpcperms/interceptor.go` and `invoices/invoices.go`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use futures_util::StreamExt as _;
use satforge::clock::Clock;
use satforge::config::LndConfig;
use satforge::lightning::lnd::Lnd;
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::Url;

use super::json as answer;
use crate::node::{FEE_MSAT, Fault, Foreign, Node, Sent};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct LndProduct;

/// A macaroon of LND's for invoices:read, invoices:write and offchain:*, with a signature of `c0ffee…`.
pub const MACAROON: &str = concat!(
    "0201036c6e640248030a10070707070707070707070707070707071201301a170a08696e766f696365731204726561641205",
    "77726974651a170a086f6666636861696e1204726561641205777269746500000620",
    "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
);

#[async_trait]
impl Product for LndProduct {
    fn api(node: Arc<Node>) -> Router {
        Router::new()
            .route("/v1/invoices", post(add_invoice))
            .route("/v1/invoice/{hash}", get(lookup))
            .route("/v2/router/send", post(send))
            .route("/v2/router/track/{hash}", get(track))
            .with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        let error = |message: &str| answer(500, &json!({"code": 2, "message": message, "details": []}));
        match fault {
            Fault::Unauthorised => Some(error("permission denied")),
            Fault::Failing => Some(error("wallet locked, unlock it to enable full RPC access")),
            // LND limits nobody; a proxy in front of it may.
            _ => {
                Some(Response::builder().status(429).header("retry-after", "7").body(Body::from("slow down")).unwrap())
            }
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![
            ("url", Setting::value(url.as_str())),
            ("macaroon", Setting::Credential(hex::decode(MACAROON).unwrap())),
            ("tls_certificate", Setting::Certificate),
        ]
    }

    async fn adapter(url: Url, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        let config = LndConfig { url, macaroon: MACAROON.into(), tls_certificate: None };
        Arc::new(Lnd::new(&config, Network::Regtest, TIMEOUT, clock).unwrap())
    }
}

fn require_macaroon(headers: &HeaderMap) {
    assert_eq!(headers["grpc-metadata-macaroon"], MACAROON);
}

async fn add_invoice(State(node): State<Arc<Node>>, headers: HeaderMap, Json(body): Json<Value>) -> Response<Body> {
    require_macaroon(&headers);
    let number = |name: &str| body[name].as_str().unwrap().parse::<u64>().unwrap();
    let made = node.add_invoice(number("value_msat"), body["memo"].as_str().unwrap(), number("expiry"));
    answer(
        200,
        &json!({
            "r_hash": STANDARD.encode(made.hash), "payment_request": made.bolt11, "add_index": "17",
            "payment_addr": STANDARD.encode([9; 32]),
        }),
    )
}

async fn lookup(State(node): State<Arc<Node>>, headers: HeaderMap, Path(hash): Path<String>) -> Response<Body> {
    require_macaroon(&headers);
    let hash: [u8; 32] = hex::decode(hash).unwrap().try_into().unwrap();
    let Some(known) = node.incoming(&hash) else {
        return answer(404, &json!({"code": 5, "message": "unable to locate invoice", "details": []}));
    };
    let expired = node.now() > known.made_at + known.expiry;
    let state = match known.paid_at {
        Some(_) => "SETTLED",
        None if known.cancelled || expired => "CANCELED",
        None => "OPEN",
    };
    let paid = if known.paid_at.is_some() { known.msat } else { 0 };
    answer(
        200,
        &json!({
            "memo": known.memo, "r_preimage": STANDARD.encode(known.preimage), "r_hash": STANDARD.encode(hash),
            "value_msat": known.msat.to_string(), "settled": known.paid_at.is_some(),
            "creation_date": known.made_at.to_string(), "settle_date": known.paid_at.unwrap_or(0).to_string(),
            "payment_request": known.bolt11, "expiry": known.expiry.to_string(), "amt_paid_msat": paid.to_string(),
            "state": state, "htlcs": [],
        }),
    )
}

async fn send(State(node): State<Arc<Node>>, headers: HeaderMap, Json(body): Json<Value>) -> Response<Body> {
    require_macaroon(&headers);
    let error = |status, code, message: &str| {
        answer(status, &json!({"error": {"code": code, "message": message, "details": []}}))
    };
    let Some(foreign) = node.foreign(body["payment_request"].as_str().unwrap()) else {
        return error(500, 2, "checksum failed. Expected abcdef, got bcdefg.");
    };
    match node.sent(&foreign.hash) {
        Some(Sent::Paid) => return error(409, 6, "invoice is already paid"),
        Some(Sent::InFlight) => return error(409, 6, "payment is in transition"),
        Some(Sent::Failed) | None => {}
    }
    if node.now() > foreign.expires_at {
        return error(500, 2, "invoice expired. Valid until 2026-11-21 09:00:00 +0000 UTC");
    }
    match node.send(&foreign) {
        // The stream is open until the payment has ended.
        Sent::InFlight => std::future::pending().await,
        sent => answer(200, &json!({"result": payment(&foreign, sent)})),
    }
}

async fn track(State(node): State<Arc<Node>>, headers: HeaderMap, Path(hash): Path<String>) -> Response<Body> {
    require_macaroon(&headers);
    let hash: [u8; 32] = URL_SAFE.decode(hash).unwrap().try_into().unwrap();
    let Some((foreign, sent)) = node.foreign_by_hash(&hash).zip(node.sent(&hash)) else {
        return answer(404, &json!({"error": {"code": 5, "message": "payment isn't initiated", "details": []}}));
    };
    let first = format!("{}\n", json!({"result": payment(&foreign, sent)}));
    if sent != Sent::InFlight {
        return Response::new(Body::from(first));
    }
    // As long as the payment is under way, so is the stream.
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(first)]);
    Response::new(Body::from_stream(first.chain(futures_util::stream::pending())))
}

fn payment(foreign: &Foreign, sent: Sent) -> Value {
    let (status, reason) = match sent {
        Sent::Paid => ("SUCCEEDED", "FAILURE_REASON_NONE"),
        Sent::Failed => ("FAILED", "FAILURE_REASON_NO_ROUTE"),
        Sent::InFlight => ("IN_FLIGHT", "FAILURE_REASON_NONE"),
    };
    let preimage = if sent == Sent::Paid { foreign.preimage } else { [0; 32] };
    json!({
        "payment_hash": hex::encode(foreign.hash), "payment_preimage": hex::encode(preimage),
        "value_msat": foreign.msat.to_string(), "status": status, "fee_msat": FEE_MSAT.to_string(),
        "failure_reason": reason, "htlcs": [],
    })
}
