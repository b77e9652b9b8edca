//! The node speaks phoenixd's API.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::routing::{get, post};
use serde_json::json;

use crate::dice::{Dice, pass};

use super::World;
use super::node::{Hash32, Ordered, Outgoing, Sent};
use super::weather::{Asked, Backend, json as answer, plain};

pub const PASSWORD: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";
const FEE_MSAT: u64 = 4_000;

pub fn api(world: Arc<World>) -> Router {
    Router::new()
        .route("/getinfo", get(get_info))
        .route("/createinvoice", post(create_invoice))
        .route("/payments/incoming/{hash}", get(incoming))
        .route("/payinvoice", post(pay_invoice))
        .route("/payments/outgoingbyhash/{hash}", get(outgoing))
        .with_state(world)
}

/// A number for chance to go by.
fn key_of(hash: &str) -> u64 {
    u64::from_str_radix(hash.get(..16).unwrap_or_default(), 16).unwrap_or(0)
}

fn hash_of(hex: &str) -> Hash32 {
    hex::decode(hex).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

fn form(body: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn get_info(State(world): State<Arc<World>>) -> Response<Body> {
    let info = json!({"nodeId": "02".repeat(33), "channels": [], "chain": "mainnet", "blockHeight": 900_000, "version": "0.8.0"});
    world.weather.through((Backend::Node, Asked::Health, 0), async { answer(200, &info) }).await
}

async fn create_invoice(State(world): State<Arc<World>>, body: String) -> Response<Body> {
    let form = form(&body);
    let number = |name: &str| form.get(name).and_then(|value| value.parse::<u64>().ok());
    let (Some(sat), Some(expiry)) = (number("amountSat"), number("expirySeconds")) else {
        return plain(400, "Request parameter amountSat couldn't be parsed/converted to integer");
    };
    let memo = form.get("description").map(String::as_str).unwrap_or_default();
    let make = async {
        let (hash, made) = world.node.make_invoice(sat * 1_000, memo, expiry);
        answer(200, &json!({"amountSat": sat, "paymentHash": hex::encode(hash), "serialized": made.bolt11}))
    };
    world.weather.through((Backend::Node, Asked::Invoice, 0), make).await
}

async fn incoming(State(world): State<Arc<World>>, Path(hash): Path<String>) -> Response<Body> {
    let look = async {
        let Some(known) = world.node.incoming(&hash_of(&hash)) else { return plain(404, "Not found") };
        let (sat, expires_at) = (known.msat / 1_000, known.made_at + known.expiry);
        let mut payment = json!({
            "type": "incoming_payment", "subType": "lightning", "paymentHash": hash,
            "preimage": hex::encode(known.preimage), "invoice": known.bolt11, "isPaid": known.paid_at.is_some(),
            "isExpired": world.now() > expires_at, "requestedSat": sat,
            "receivedSat": if known.paid_at.is_some() { sat } else { 0 }, "fees": 0, "expiresAt": expires_at * 1_000,
            "createdAt": known.made_at * 1_000,
        });
        if let Some(paid_at) = known.paid_at {
            payment["completedAt"] = (paid_at * 1_000).into();
        }
        answer(200, &payment)
    };
    world.weather.through((Backend::Node, Asked::InvoiceState, key_of(&hash)), look).await
}

async fn pay_invoice(State(world): State<Arc<World>>, body: String) -> Response<Body> {
    let invoice = form(&body).remove("invoice").unwrap_or_default();
    let key = invoice.bytes().fold(7_u64, |key, byte| key.wrapping_mul(31).wrapping_add(u64::from(byte)));
    // Whoever hangs up does not stop what was ordered.
    let order = world.clone();
    #[expect(clippy::disallowed_methods, reason = "it ends with the process")]
    let pay = async move { tokio::spawn(ordered(order, invoice, key)).await.unwrap_or_else(|_| plain(500, "")) };
    world.weather.through((Backend::Node, Asked::Pay, key), pay).await
}

async fn ordered(world: Arc<World>, invoice: String, key: u64) -> Response<Body> {
    let mut dice = Dice::of(world.seed, "order", key, 0);
    if !world.weather.is_calm() && dice.thousandths(100) {
        // It is in hand, and not in the books yet.
        world.weather.count("slow-order");
        world.node.takes_its_time(&invoice);
        pass(dice.millis(100, 1_500)).await;
    }
    match world.node.order(&invoice, world.weather.is_calm()) {
        Ordered::Unknown => plain(400, "Request parameter invoice couldn't be parsed/converted to bolt11invoice"),
        Ordered::AlreadyPaid => answer(200, &json!({"reason": "this invoice has already been paid"})),
        Ordered::AlreadyUnderWay => answer(200, &json!({"reason": "another payment is in progress for that invoice"})),
        Ordered::Begun(payment) => told(&world, payment).await,
    }
}

/// The end of a payment, when it has come.
async fn told(world: &World, payment: Outgoing) -> Response<Body> {
    let hash = hex::encode(payment.hash);
    if let Some(ends_at) = payment.ends_at() {
        pass(ends_at.saturating_duration_since(std::time::Instant::now())).await;
    }
    match world.node.outgoing(&payment.hash).and_then(|payment| payment.sent()) {
        Some(Sent::Paid) => answer(
            200,
            &json!({
                "recipientAmountSat": payment.msat / 1_000, "routingFeeSat": FEE_MSAT / 1_000,
                "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f", "paymentHash": hash,
                "paymentPreimage": hex::encode(payment.preimage),
            }),
        ),
        _ => answer(200, &json!({"paymentHash": hash, "reason": "recipient node is offline or unreachable"})),
    }
}

async fn outgoing(State(world): State<Arc<World>>, Path(hash): Path<String>) -> Response<Body> {
    let look = async {
        let known = world.node.outgoing(&hash_of(&hash));
        let Some((payment, sent)) = known.and_then(|payment| payment.sent().map(|sent| (payment, sent))) else {
            return plain(404, "Not found");
        };
        let mut told = json!({
            "type": "outgoing_payment", "subType": "lightning", "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f",
            "paymentHash": hash, "isPaid": sent == Sent::Paid, "sent": payment.msat / 1_000 + 4, "fees": FEE_MSAT,
            "createdAt": world.now() * 1_000,
        });
        if sent == Sent::Paid {
            told["preimage"] = hex::encode(payment.preimage).into();
        }
        if sent != Sent::InFlight {
            told["completedAt"] = (world.now() * 1_000).into();
        }
        answer(200, &told)
    };
    world.weather.through((Backend::Node, Asked::PaymentState, key_of(&hash)), look).await
}
