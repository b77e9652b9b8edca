//! Core Lightning v26.06 behind clnrest: `doc/schemas/{invoice,listinvoices,xpay,listpays}.json`,
//! `plugins/rest-plugin/src/handlers.rs` for the statuses, and the texts of `lightningd/invoice.c`, `lightningd/runes.c`
//! and `plugins/xpay/xpay.c`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use satforge::clock::Clock;
use satforge::config::ClnConfig;
use satforge::lightning::cln::{Cln, SETTLED_AFTER};
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Map, Value, json};
use url::Url;

use super::json as answer;
use crate::node::{FEE_MSAT, Fault, Node, Sent};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct ClnProduct;

/// The restrictions of a rune that may do what the adapter needs, as the documentation has it made.
pub const MAY_ALL: &str = "=5&method=invoice|method=listinvoices|method=xpay|method=listpays";

/// A rune with these restrictions, and with `c0ffee…` where its authentication is.
pub fn rune(restrictions: &str) -> String {
    let mut bytes = URL_SAFE.decode("c0ffeec0ffeec0ffeec0ffeec0ffeec0").unwrap();
    bytes.extend([7; 8]);
    bytes.extend(restrictions.as_bytes());
    URL_SAFE.encode(bytes)
}

struct Lightningd {
    node: Arc<Node>,
    labels: Mutex<HashSet<String>>,
}

#[async_trait]
impl Product for ClnProduct {
    const SETTLED_AFTER: Duration = SETTLED_AFTER;

    fn api(node: Arc<Node>) -> Router {
        let lightningd = Lightningd { node, labels: Mutex::default() };
        Router::new().route("/v1/{method}", post(call)).with_state(Arc::new(lightningd))
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        Some(match fault {
            Fault::Unauthorised => error(401, 1501, "Not authorized: Not derived from master"),
            // A rune with `per=1sec`.
            Fault::Limited => error(401, 1502, "Not permitted: too soon"),
            _ => error(500, -4, "Plugin terminated before replying to RPC call."),
        })
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![
            ("url", Setting::value(url.as_str())),
            ("rune", Setting::credential(&rune(MAY_ALL))),
            ("tls_certificate", Setting::Certificate),
        ]
    }

    async fn adapter(url: Url, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        let config = ClnConfig { url, rune: rune(MAY_ALL).into(), tls_certificate: None };
        Arc::new(Cln::new(&config, Network::Regtest, TIMEOUT, clock).unwrap())
    }
}

/// Errors have all three members.
pub fn error(status: u16, code: i64, message: &str) -> Response<Body> {
    answer(status, &json!({"code": code, "message": message, "data": null}))
}

async fn call(
    State(lightningd): State<Arc<Lightningd>>,
    headers: HeaderMap,
    Path(method): Path<String>,
    Json(parameters): Json<Map<String, Value>>,
) -> Response<Body> {
    assert_eq!(headers["rune"], rune(MAY_ALL));
    let known: &[&str] = match method.as_str() {
        "invoice" => &["amount_msat", "label", "description", "expiry"],
        "listinvoices" | "listpays" => &["payment_hash"],
        "xpay" => &["invstring", "maxfee", "retry_for"],
        other => panic!("{other} is not needed"),
    };
    if let Some(unknown) = parameters.keys().find(|name| !known.contains(&name.as_str())) {
        return error(500, -32602, &format!("unknown parameter: {unknown}"));
    }
    match method.as_str() {
        "invoice" => invoice(&lightningd, &parameters),
        "listinvoices" => list_invoices(&lightningd.node, &parameters),
        "xpay" => xpay(&lightningd.node, &parameters).await,
        _ => list_pays(&lightningd.node, &parameters),
    }
}

fn invoice(lightningd: &Lightningd, parameters: &Map<String, Value>) -> Response<Body> {
    let (label, description) = (parameters["label"].as_str().unwrap(), parameters["description"].as_str().unwrap());
    assert!(label.len() <= 128 && description.len() <= 639);
    if !lightningd.labels.lock().unwrap().insert(label.to_owned()) {
        return error(500, 900, &format!("Duplicate label '{label}'"));
    }
    let (msat, expiry) = (parameters["amount_msat"].as_u64().unwrap(), parameters["expiry"].as_u64().unwrap());
    let made = lightningd.node.add_invoice(msat, description, expiry);
    answer(
        201,
        &json!({
            "payment_hash": hex::encode(made.hash), "expires_at": made.made_at + made.expiry, "bolt11": made.bolt11,
            "payment_secret": hex::encode([9; 32]), "created_index": 12,
            "warning_capacity": "Insufficient incoming channel capacity to pay invoice",
        }),
    )
}

fn hash_of(parameters: &Map<String, Value>) -> [u8; 32] {
    let hash = parameters["payment_hash"].as_str().unwrap();
    assert_eq!(hash, hash.to_lowercase());
    hex::decode(hash).unwrap().try_into().unwrap()
}

fn list_invoices(node: &Node, parameters: &Map<String, Value>) -> Response<Body> {
    let hash = hash_of(parameters);
    let Some(known) = node.incoming(&hash) else { return answer(201, &json!({"invoices": []})) };
    let expires_at = known.made_at + known.expiry;
    let mut invoice = json!({
        "label": "satforge-01", "bolt11": known.bolt11, "payment_hash": hex::encode(hash), "amount_msat": known.msat,
        "status": if node.now() > expires_at { "expired" } else { "unpaid" }, "description": known.memo,
        "expires_at": expires_at, "created_index": 12,
    });
    if let Some(paid_at) = known.paid_at {
        invoice["status"] = "paid".into();
        invoice["pay_index"] = 4.into();
        invoice["amount_received_msat"] = known.msat.into();
        invoice["paid_at"] = paid_at.into();
        invoice["payment_preimage"] = hex::encode(known.preimage).into();
        invoice["updated_index"] = 4.into();
    }
    answer(201, &json!({"invoices": [invoice]}))
}

async fn xpay(node: &Node, parameters: &Map<String, Value>) -> Response<Body> {
    let Some(foreign) = node.foreign(parameters["invstring"].as_str().unwrap()) else {
        return error(500, -32602, "Invalid bolt11 invoice: Bad bech32 string");
    };
    assert!(parameters["maxfee"].as_u64().is_some() && parameters["retry_for"].as_u64().is_some());
    match node.sent(&foreign.hash) {
        Some(Sent::Paid) => return error(500, 219, "Already paid this invoice successfully"),
        Some(Sent::InFlight) => {
            let inner = "Payment with groupid=7 still in progress, cannot retry before that completes.";
            let inner = json!({"code": 200, "message": inner});
            return error(500, -3, &format!("Unexpected injectpaymentonion error 200: {inner}"));
        }
        Some(Sent::Failed) | None => {}
    }
    if node.now() > foreign.expires_at {
        return error(500, 207, &format!("Invoice expired {} seconds ago", node.now() - foreign.expires_at));
    }
    match node.send(&foreign) {
        Sent::Paid => answer(
            201,
            &json!({
                "payment_preimage": hex::encode(foreign.preimage), "amount_msat": foreign.msat,
                "amount_sent_msat": foreign.msat + FEE_MSAT, "failed_parts": 0, "successful_parts": 1,
            }),
        ),
        Sent::Failed => error(
            500,
            205,
            "Failed: We could not find a usable set of paths.  The destination has disabled 1 of 1 channels",
        ),
        // The call lasts as long as the payment.
        Sent::InFlight => std::future::pending().await,
    }
}

fn list_pays(node: &Node, parameters: &Map<String, Value>) -> Response<Body> {
    let hash = hash_of(parameters);
    // What never had a part is not listed.
    let sent = node.sent(&hash).filter(|sent| *sent != Sent::Failed);
    let Some((foreign, sent)) = node.foreign_by_hash(&hash).zip(sent) else {
        return answer(201, &json!({"pays": []}));
    };
    let mut pay = json!({
        "destination": "02".repeat(33), "payment_hash": hex::encode(hash), "status": "pending",
        "created_at": node.now(), "amount_msat": foreign.msat, "amount_sent_msat": foreign.msat + FEE_MSAT,
        "created_index": 7,
    });
    if sent == Sent::Paid {
        pay["status"] = "complete".into();
        pay["completed_at"] = node.now().into();
        pay["preimage"] = hex::encode(foreign.preimage).into();
        pay["updated_index"] = 9.into();
    }
    answer(201, &json!({"pays": [pay]}))
}
