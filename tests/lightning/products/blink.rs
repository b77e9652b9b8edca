//! Blink's GraphQL API: `core/api/src/graphql/public/schema.graphql`, `core/api/src/graphql/error-map.ts` and
//! `core/api/src/app/payments/send-lightning.ts` of blinkbitcoin/blink (August 2026), and `bats/core/api-keys` there
//! for what keys and scopes do. Nobody has tried the adapter on Blink itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::BlinkConfig;
use satforge::lightning::blink::{Blink, SETTLED_AFTER};
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::Url;

use super::json as answer;
use crate::node::{FEE_MSAT, Fault, Foreign, Incoming, Node, Sent};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct BlinkProduct;

pub const API_KEY: &str = "blink_c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffee";
pub const BTC_WALLET: &str = "6a2f0f5e-1c8e-4f4e-8a5b-000000000001";
pub const USD_WALLET: &str = "6a2f0f5e-1c8e-4f4e-8a5b-000000000002";

#[async_trait]
impl Product for BlinkProduct {
    const SETTLED_AFTER: Duration = SETTLED_AFTER;

    fn api(node: Arc<Node>) -> Router {
        // Without a slash at its end: Blink's gateway knows no other path.
        Router::new().route("/graphql", post(graphql)).with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        let gateway = |status: u16, name: &str, message: &str| {
            answer(status, &json!({"error": {"code": status, "status": name, "message": message}}))
        };
        match fault {
            Fault::Unauthorised => Some(gateway(401, "Unauthorized", "The request could not be authorized")),
            Fault::Limited => Some(gateway(429, "Too Many Requests", "You have exceeded the rate limit")),
            _ => Some(gateway(503, "Service Unavailable", "The service is not reachable")),
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![
            ("url", Setting::value(url.join("graphql").unwrap().as_str())),
            ("api_key", Setting::credential(API_KEY)),
            ("wallet_id", Setting::value(BTC_WALLET)),
        ]
    }

    async fn adapter(url: Url, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        let backend = Arc::new(adapter(&url, None, clock));
        backend.health().await.unwrap();
        assert!(backend.capabilities().pay);
        backend
    }
}

/// The adapter for the API on the server at `url`.
pub fn adapter(url: &Url, wallet_id: Option<&str>, clock: Arc<dyn Clock>) -> Blink {
    let url = url.join("graphql").unwrap();
    let config = BlinkConfig { url, api_key: API_KEY.into(), wallet_id: wallet_id.map(str::to_owned) };
    Blink::new(&config, Network::Regtest, TIMEOUT, clock).unwrap()
}

/// What Blink says of the account of a key with these scopes.
pub fn account(scopes: &[&str]) -> Value {
    json!({"data": {
        "authorization": {"scopes": scopes}, "globals": {"network": "regtest"},
        "me": {"defaultAccount": {"wallets": [
            {"id": USD_WALLET, "walletCurrency": "USD"}, {"id": BTC_WALLET, "walletCurrency": "BTC"},
        ]}},
    }})
}

async fn graphql(State(node): State<Arc<Node>>, headers: HeaderMap, Json(body): Json<Value>) -> Response<Body> {
    assert_eq!(headers["x-api-key"], API_KEY);
    assert_eq!(headers["content-type"], "application/json");
    let (query, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
    let is = |field: &str| query.contains(field);
    let reply = if is("lnInvoiceCreate(") {
        create(&node, &variables["input"])
    } else if is("lnInvoiceFeeProbe(") {
        probe(&node, &variables["input"])
    } else if is("lnInvoicePaymentSend(") {
        send(&node, &variables["input"])
    } else if is("invoiceByPaymentHash(") {
        lookup(&node, variables)
    } else if is("transactionsByPaymentHash(") {
        wallet(&json!({"transactionsByPaymentHash": transactions(&node, hash(variables))}))
    } else {
        assert!(is("authorization { scopes }") && is("globals { network }"), "{query}");
        account(&["READ", "RECEIVE", "WRITE"])
    };
    answer(200, &reply)
}

fn create(node: &Node, input: &Value) -> Value {
    assert_eq!(input["walletId"], BTC_WALLET);
    // Minutes; outside of its range Blink takes an expiry of its own.
    let minutes = input["expiresIn"].as_u64().unwrap();
    let minutes = if (1..=1_440).contains(&minutes) { minutes } else { 240 };
    let made =
        node.add_invoice(input["amount"].as_u64().unwrap() * 1_000, input["memo"].as_str().unwrap(), minutes * 60);
    json!({"data": {"lnInvoiceCreate": {
        "invoice": {"paymentRequest": made.bolt11, "paymentHash": hex::encode(made.hash)}, "errors": [],
    }}})
}

fn wallet(wallet: &Value) -> Value {
    json!({"data": {"me": {"defaultAccount": {"walletById": wallet}}}})
}

fn hash(variables: &Value) -> [u8; 32] {
    assert_eq!(variables["wallet"], BTC_WALLET);
    hex::decode(variables["hash"].as_str().unwrap()).unwrap().try_into().unwrap()
}

fn lookup(node: &Node, variables: &Value) -> Value {
    let hash = hash(variables);
    let Some(known) = node.incoming(&hash) else {
        let message = format!("User tried to pay invoice with hash {}, but it does not exist", hex::encode(hash));
        let path = ["me", "defaultAccount", "walletById", "invoiceByPaymentHash"];
        return json!({
            "errors": [{"message": message, "path": path, "extensions": {"code": "LIGHTNING_PAYMENT_ERROR"}}],
            "data": {"me": null},
        });
    };
    let status = match known.paid_at {
        Some(_) => "PAID",
        None if node.now() > known.made_at + known.expiry => "EXPIRED",
        None => "PENDING",
    };
    let invoice = json!({"paymentStatus": status, "paymentRequest": known.bolt11});
    wallet(&json!({"invoiceByPaymentHash": invoice, "transactionsByPaymentHash": transactions(node, hash)}))
}

fn transactions(node: &Node, hash: [u8; 32]) -> Value {
    if let Some(received) = node.incoming(&hash) {
        return received.paid_at.map_or(json!([]), |at| json!([income(&received, at)]));
    }
    let sent = node.foreign_by_hash(&hash).zip(node.sent(&hash));
    sent.map_or(json!([]), |(foreign, sent)| match sent {
        Sent::Paid => json!([transaction(&foreign, "SEND", "SUCCESS")]),
        Sent::InFlight => json!([transaction(&foreign, "SEND", "PENDING")]),
        // What failed was taken and given back.
        Sent::Failed => json!([transaction(&foreign, "RECEIVE", "FAILURE"), transaction(&foreign, "SEND", "FAILURE")]),
    })
}

fn income(received: &Incoming, at: u64) -> Value {
    json!({
        "status": "SUCCESS", "direction": "RECEIVE", "settlementAmount": received.msat / 1_000, "settlementFee": 0,
        "settlementCurrency": "BTC", "createdAt": at,
    })
}

/// A payment of the wallet's.
pub fn transaction(foreign: &Foreign, direction: &str, status: &str) -> Value {
    let (sat, fee) = (i64::try_from(foreign.msat / 1_000).unwrap(), i64::try_from(FEE_MSAT / 1_000).unwrap());
    let preimage = (status == "SUCCESS").then(|| hex::encode(foreign.preimage));
    json!({
        "status": status, "direction": direction, "settlementCurrency": "BTC", "createdAt": 1_767_225_600,
        "settlementAmount": if direction == "SEND" { -(sat + fee) } else { sat + fee }, "settlementFee": fee,
        "settlementVia": {"preImage": preimage},
    })
}

/// Routes are probed; where there is none, Blink answers with an error and with what it would spend at the most.
fn probe(node: &Node, input: &Value) -> Value {
    assert_eq!(input["walletId"], BTC_WALLET);
    let foreign = node.foreign(input["paymentRequest"].as_str().unwrap()).unwrap();
    let no_route = || error("ROUTE_FINDING_ERROR", "Unable to find a route for payment.");
    let errors = if foreign.route == crate::node::Route::None { vec![no_route()] } else { vec![] };
    let amount = if errors.is_empty() { FEE_MSAT / 1_000 } else { 10 };
    json!({"data": {"lnInvoiceFeeProbe": {"amount": amount, "errors": errors}}})
}

pub fn error(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message, "path": null})
}

fn send(node: &Node, input: &Value) -> Value {
    assert_eq!(input["walletId"], BTC_WALLET);
    let ended = |status: &str, errors: Value, transaction: Value| {
        let payload = json!({"status": status, "errors": errors, "transaction": transaction});
        json!({"data": {"lnInvoicePaymentSend": payload}})
    };
    let foreign = node.foreign(input["paymentRequest"].as_str().unwrap()).unwrap();
    match node.sent(&foreign.hash) {
        Some(Sent::Paid) => return ended("ALREADY_PAID", json!([]), transaction(&foreign, "SEND", "SUCCESS")),
        Some(Sent::InFlight) => {
            let pending = error("INVALID_INPUT", "There is a pending payment for this invoice");
            return ended("FAILURE", json!([pending]), Value::Null);
        }
        Some(Sent::Failed) | None => {}
    }
    match node.send(&foreign) {
        Sent::Paid => ended("SUCCESS", json!([]), transaction(&foreign, "SEND", "SUCCESS")),
        // After 45 seconds.
        Sent::InFlight => ended("PENDING", json!([]), transaction(&foreign, "SEND", "PENDING")),
        Sent::Failed => {
            let no_route = error("ROUTE_FINDING_ERROR", "Unable to find a route for payment.");
            ended("FAILURE", json!([no_route]), Value::Null)
        }
    }
}
