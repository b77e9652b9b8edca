//! What can go wrong with `OpenNode`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use lightning_invoice::Currency;
use satforge::config::OpenNodeConfig;
use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::opennode::OpenNode;
use satforge::lightning::{
    BackendError, FaultKind, InvoiceRequest, InvoiceState, LightningBackend as _, Network, Payment, PaymentOrder,
};
use serde_json::{Value, json};

use crate::logged;
use crate::node::{Incoming, Node, Route};
use crate::products::json as answer;
use crate::products::opennode::{API_KEY, adapter, refusal};
use crate::scripted::{Asked, Scripted};
use crate::stub::TIMEOUT;

const ID: &str = "da418953-225b-4cba-99f9-1c5f826704b0";

fn node() -> Arc<Node> {
    Arc::new(Node::new(Currency::Regtest))
}

fn request(msat: u64, expiry: Duration) -> InvoiceRequest {
    InvoiceRequest { amount: Msat::new(msat).unwrap(), description: "x".into(), expiry }
}

fn usual() -> InvoiceRequest {
    request(21_000, Duration::from_mins(10))
}

fn says(error: &BackendError, kind: FaultKind, text: &str) {
    assert_eq!((error.kind, error.message.as_str()), (kind, text));
}

/// A stand-in that answers everything with `reply`.
async fn deaf(status: u16, reply: Value) -> (Scripted, OpenNode) {
    let server = Scripted::start(move |_| answer(status, &reply)).await;
    let backend = adapter(server.url.clone());
    (server, backend)
}

fn charge(made: &Incoming, status: &str) -> Value {
    json!({
        "id": ID, "status": status, "amount": made.msat / 1_000, "chain_invoice": {"address": "3NSp"},
        "lightning_invoice": {"payreq": made.bolt11, "expires_at": made.made_at + made.expiry},
    })
}

/// A stand-in that makes one charge and then says `later` of it, and lists `listed`.
async fn one_charge(
    made: Incoming,
    later: Value,
    listed: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |asked: &Asked| match asked.what.as_str() {
        "POST /v1/charges" => answer(201, &json!({"data": charge(&made, "unpaid")})),
        "GET /v1/charges" => listed(),
        path => {
            assert_eq!(path, format!("GET /v1/charge/{ID}"));
            answer(200, &json!({"data": later}))
        }
    })
    .await
}

#[tokio::test]
async fn a_refused_key_is_named() {
    for status in [401, 403] {
        let server = Scripted::start(move |_| refusal(status, "Failed to authenticate token")).await;
        let backend = adapter(server.url.clone());
        let text = format!(
            "lightning.opennode.api_key: OpenNode does not accept this key (HTTP {status}); a key of its development \
             dashboard is good for its development server only: Failed to authenticate token"
        );
        says(&backend.create_invoice(usual()).await.unwrap_err(), FaultKind::Unauthorised, &text);
        says(&backend.health().await.unwrap_err(), FaultKind::Unauthorised, &text);
    }
}

#[tokio::test]
async fn a_url_with_a_path_is_named() {
    let text = "lightning.opennode.url: the server does not know OpenNode's paths; give its address without a path";
    // A page that is not there is not a charge that is not there.
    let (_server, backend) = deaf(404, json!("Cannot GET /v1/v1/charge")).await;
    says(&backend.health().await.unwrap_err(), FaultKind::Refused, text);
    says(&backend.create_invoice(usual()).await.unwrap_err(), FaultKind::Refused, text);
    let text = "lightning.opennode.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL \
                that it leads to";
    says(&deaf(301, json!({})).await.1.health().await.unwrap_err(), FaultKind::Garbled, text);
}

#[test]
fn a_server_for_another_network_is_refused_at_the_start() {
    let refusal = |url: &str, network| {
        let config = OpenNodeConfig { url: url.parse().unwrap(), api_key: API_KEY.into() };
        OpenNode::new(&config, network, TIMEOUT).err().map(|error| error.to_string())
    };
    assert_eq!(refusal("https://api.opennode.com", Network::Bitcoin), None);
    assert_eq!(refusal("https://dev-api.opennode.com", Network::Testnet), None);
    assert_eq!(
        refusal("https://dev-api.opennode.com", Network::Bitcoin).unwrap(),
        "lightning.opennode.url: this server's invoices are for testnet, and lightning.network is bitcoin"
    );
    assert_eq!(
        refusal("https://api.opennode.com", Network::Testnet).unwrap(),
        "lightning.opennode.url: this server's invoices are for bitcoin, and lightning.network is testnet"
    );
}

#[tokio::test]
async fn what_opennode_does_not_make_is_refused_before_it_is_asked() {
    let (server, backend) = deaf(500, json!({})).await;
    let ten = Duration::from_mins(10);
    for (request, text) in [
        (request(21_001, ten), "OpenNode's invoices are for whole sats"),
        (request(500_000_001_000, ten), logged::OPENNODE_TOO_MUCH),
        (request(21_000, Duration::from_secs(86_401)), logged::OPENNODE_EXPIRY),
    ] {
        says(&backend.create_invoice(request).await.unwrap_err(), FaultKind::Refused, text);
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_expiry_is_in_minutes_and_at_least_ten_of_them() {
    let (server, backend) = deaf(500, json!({})).await;
    for (seconds, minutes) in [(60, 10), (601, 11), (86_400, 1_440)] {
        backend.create_invoice(request(21_000, Duration::from_secs(seconds))).await.unwrap_err();
        assert_eq!(server.asked().last().unwrap().json()["ttl"], minutes);
    }
}

#[tokio::test]
async fn a_charge_that_cannot_be_used_is_no_invoice() {
    let made = node().add_invoice(21_000, "x", 600);
    let mut without = charge(&made, "unpaid");
    without["lightning_invoice"] = Value::Null;
    let refused = deaf(201, json!({"data": without})).await.1.create_invoice(usual()).await.unwrap_err();
    says(&refused, FaultKind::Failing, "OpenNode has made a charge without a Lightning invoice");
    for (key, value) in [("id", "../account/balance"), ("id", ""), ("payreq", "lnbc1")] {
        let mut broken = charge(&made, "unpaid");
        let place = if key == "id" { &mut broken } else { &mut broken["lightning_invoice"] };
        place[key] = value.into();
        let refused = deaf(201, json!({"data": broken})).await.1.create_invoice(usual()).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Garbled, "{key} {value}");
    }
}

#[tokio::test]
async fn every_state_of_a_charge_is_known() {
    let made = node().add_invoice(21_000, "x", 600);
    let amount = Msat::from_sat(21).unwrap();
    let with = |status: &str, key: &str, value: Value| {
        let mut charge = charge(&made, status);
        charge[key] = value;
        charge
    };
    let lightning = |at: Value| with("paid", "lightning_invoice", json!({"payreq": made.bolt11, "settled_at": at}));
    let state_of = |later: Value| {
        let made = made.clone();
        async move {
            let server = one_charge(made, later, || panic!("its id is known")).await;
            let backend = adapter(server.url.clone());
            let hash = backend.create_invoice(usual()).await.unwrap().payment_hash;
            backend.lookup(&hash).await
        }
    };
    for (later, state) in [
        (charge(&made, "unpaid"), InvoiceState::Open),
        // Money on the chain that has not arrived, or is too little.
        (charge(&made, "processing"), InvoiceState::Open),
        (charge(&made, "underpaid"), InvoiceState::Open),
        (charge(&made, "expired"), InvoiceState::Expired),
        (charge(&made, "refunded"), InvoiceState::Cancelled),
        (charge(&made, "paid"), InvoiceState::Settled { amount, at: None }),
        (lightning(json!(1_767_225_600)), InvoiceState::Settled { amount, at: Some(1_767_225_600) }),
        // Paid to the address on the chain that a charge has too: nobody has the preimage.
        (with("paid", "chain_invoice", json!({"settled_at": 1_767_225_600})), InvoiceState::Cancelled),
        (with("paid", "transactions", json!([{"tx": "ab", "amount": 21}])), InvoiceState::Cancelled),
    ] {
        assert_eq!(state_of(later.clone()).await, Ok(state), "{later}");
    }
    assert_eq!(state_of(charge(&made, "held")).await.unwrap_err().kind, FaultKind::Garbled);
}

#[tokio::test]
async fn after_a_restart_only_what_was_paid_is_found() {
    let node = node();
    let (paid, unpaid) = (node.add_invoice(21_000, "x", 600), node.add_invoice(21_000, "x", 600));
    let listed = json!({"data": [{"id": 7, "status": "of another product"}, charge(&paid, "paid")]});
    let server = one_charge(paid.clone(), charge(&paid, "paid"), move || answer(200, &listed)).await;
    let backend = adapter(server.url.clone());
    let settled = Ok(InvoiceState::Settled { amount: Msat::from_sat(21).unwrap(), at: None });
    for expected in ["GET /v1/charges".to_owned(), format!("GET /v1/charge/{ID}")] {
        assert_eq!(backend.lookup(&PaymentHash::from_bytes(paid.hash)).await, settled);
        assert_eq!(server.asked().last().unwrap().what, expected, "then its id is known");
    }
    let state = backend.lookup(&PaymentHash::from_bytes(unpaid.hash)).await;
    assert_eq!(state, Ok(InvoiceState::NotFound));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_no_failure_of_the_node() {
    let hash = PaymentHash::from_bytes([7; 32]);
    let server = Scripted::start(|_| refusal(403, "Permission denied")).await;
    let text = logged::OPENNODE_NO_READ;
    says(&adapter(server.url.clone()).lookup(&hash).await.unwrap_err(), FaultKind::Unsupported, text);

    let (_server, backend) = deaf(200, json!({"data": ["x".repeat(600 * 1_024)]})).await;
    let text = logged::OPENNODE_LONG_LIST;
    says(&backend.lookup(&hash).await.unwrap_err(), FaultKind::Unsupported, text);
}

#[tokio::test]
async fn nothing_is_ever_paid() {
    let node = node();
    let (bolt11, hash) = node.foreign_invoice(21_000, 600, Route::Open);
    let (server, backend) = deaf(200, json!({"data": []})).await;
    assert!(!backend.capabilities().pay);
    let order = PaymentOrder {
        bolt11,
        payment_hash: PaymentHash::from_bytes(hash),
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(10).unwrap(),
        timeout: Duration::from_secs(1),
    };
    assert!(matches!(backend.pay(&order).await, Payment::Failed { reason } if reason == "this backend cannot pay"));
    assert_eq!(backend.lookup_outgoing(&order.payment_hash).await.unwrap_err().kind, FaultKind::Unsupported);
    assert!(server.asked().is_empty());
}
