//! What can go wrong with Blink.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use lightning_invoice::Currency;
use satforge::config::BlinkConfig;
use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::blink::{Blink, SETTLED_AFTER};
use satforge::lightning::{
    BackendError, FaultKind, InvoiceRequest, InvoiceState, LightningBackend as _, Network, OutgoingState, Payment,
    PaymentOrder,
};
use serde_json::{Value, json};

use crate::logged;
use crate::node::{Node, Route};
use crate::products::blink::{API_KEY, BTC_WALLET, USD_WALLET, account, adapter, error, transaction};
use crate::products::json as answer;
use crate::scripted::{Asked, Scripted};
use crate::stub::TIMEOUT;

fn node() -> Arc<Node> {
    Arc::new(Node::new(Currency::Regtest))
}

/// A stand-in whose account is in order, and that gives `reply` to every other query.
async fn blink(reply: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static) -> (Scripted, Blink) {
    blink_with(&node(), reply).await
}

/// The same with this clock, after it has been running for a while.
async fn blink_with(
    node: &Arc<Node>,
    reply: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (Scripted, Blink) {
    let server = Scripted::start(move |asked: &Asked| {
        let asked = asked.json();
        let query = asked["query"].as_str().unwrap();
        if query.contains("authorization") {
            return answer(200, &account(&["READ", "RECEIVE", "WRITE"]));
        }
        reply(query)
    })
    .await;
    let backend = adapter(&server.url, None, node.clone());
    node.advance(SETTLED_AFTER);
    (server, backend)
}

/// A stand-in that answers everything with `reply`.
async fn deaf(status: u16, reply: Value) -> Blink {
    let server = Scripted::start(move |_| answer(status, &reply)).await;
    adapter(&server.url, None, node())
}

fn request(msat: u64, expiry: Duration) -> InvoiceRequest {
    InvoiceRequest { amount: Msat::new(msat).unwrap(), description: "x".into(), expiry }
}

fn usual() -> InvoiceRequest {
    request(5_000, Duration::from_mins(10))
}

fn says(error: &BackendError, kind: FaultKind, text: &str) {
    assert_eq!((error.kind, error.message.as_str()), (kind, text));
}

fn hash() -> PaymentHash {
    PaymentHash::from_bytes([7; 32])
}

fn wallet(wallet: &Value) -> Response<Body> {
    answer(200, &json!({"data": {"me": {"defaultAccount": {"walletById": wallet}}}}))
}

#[tokio::test]
async fn a_revoked_key_is_named() {
    let gateway =
        json!({"error": {"code": 401, "status": "Unauthorized", "message": "Access credentials are invalid"}});
    let text = "lightning.blink.api_key: Blink does not accept this key (HTTP 401): Access credentials are invalid";
    says(&deaf(401, gateway).await.health().await.unwrap_err(), FaultKind::Unauthorised, text);
}

#[tokio::test]
async fn a_key_that_cannot_read_is_named() {
    let text = "lightning.blink.api_key: Blink does not allow this key to read (\"Not authorized\"): it needs the \
                scopes Read and Receive";
    // With the code, and as it comes through a router that drops it.
    for extensions in [json!({"code": "NOT_AUTHORIZED"}), json!({})] {
        let errors = json!([{"message": "Not authorized", "path": ["me"], "extensions": extensions}]);
        let backend = deaf(200, json!({"errors": errors, "data": null})).await;
        says(&backend.create_invoice(usual()).await.unwrap_err(), FaultKind::Unauthorised, text);
    }
}

#[tokio::test]
async fn a_key_that_cannot_receive_is_named() {
    let backend = deaf(200, account(&["READ"])).await;
    let text = "lightning.blink.api_key: this key cannot make invoices: it needs the scope Receive";
    says(&backend.health().await.unwrap_err(), FaultKind::Unauthorised, text);
    // Write includes Receive.
    deaf(200, account(&["READ", "WRITE"])).await.health().await.unwrap();
}

#[tokio::test]
async fn what_a_key_may_pay_is_known_when_blink_was_asked() {
    let backend = deaf(200, account(&["READ", "RECEIVE"])).await;
    // "Cannot pay" would be said of what was ordered before a restart.
    assert!(backend.capabilities().pay);
    backend.health().await.unwrap();
    assert!(!backend.capabilities().pay);
}

#[tokio::test]
async fn only_a_btc_wallet_of_the_account_is_used() {
    let server = Scripted::start(|_| answer(200, &account(&["READ", "RECEIVE"]))).await;
    let chosen = |wallet| adapter(&server.url, Some(wallet), node());
    chosen(BTC_WALLET).health().await.unwrap();
    let text = "lightning.blink.wallet_id: this wallet keeps dollars: give the account's BTC wallet, or leave this out";
    says(&chosen(USD_WALLET).health().await.unwrap_err(), FaultKind::Unauthorised, text);
    let text = "lightning.blink.wallet_id: the account of lightning.blink.api_key has no such wallet";
    says(&chosen("another").health().await.unwrap_err(), FaultKind::Unauthorised, text);

    let mut none = account(&["READ", "RECEIVE"]);
    none["data"]["me"]["defaultAccount"]["wallets"] = json!([{"id": USD_WALLET, "walletCurrency": "USD"}]);
    let text = "lightning.blink.api_key: the account of this key has no BTC wallet";
    says(&deaf(200, none).await.health().await.unwrap_err(), FaultKind::Unauthorised, text);
}

#[tokio::test]
async fn a_server_for_another_network_is_named() {
    let mut other = account(&["READ", "RECEIVE"]);
    other["data"]["globals"]["network"] = "signet".into();
    let text = "lightning.blink.url: this server's invoices are for signet, and lightning.network is regtest";
    says(&deaf(200, other).await.health().await.unwrap_err(), FaultKind::Refused, text);
}

#[test]
fn a_url_that_cannot_be_is_refused_at_the_start() {
    let refusal = |url: &str, network| {
        let config = BlinkConfig { url: url.parse().unwrap(), api_key: API_KEY.into(), wallet_id: None };
        Blink::new(&config, network, TIMEOUT, node()).err().map(|error| error.to_string())
    };
    assert_eq!(refusal("https://api.blink.sv/graphql", Network::Bitcoin), None);
    assert_eq!(refusal("https://api.staging.blink.sv/graphql/", Network::Signet), None);
    assert_eq!(
        refusal("https://api.staging.blink.sv/graphql", Network::Bitcoin).unwrap(),
        "lightning.blink.url: this server's invoices are for signet, and lightning.network is bitcoin"
    );
    assert_eq!(
        refusal("https://api.blink.sv", Network::Bitcoin).unwrap(),
        "lightning.blink.url: this must be the whole GraphQL endpoint: Blink's path is /graphql"
    );
}

#[tokio::test]
async fn a_url_without_an_endpoint_is_named() {
    let text = "lightning.blink.url: there is no GraphQL endpoint (HTTP 404): Blink's path is /graphql";
    says(&deaf(404, json!({})).await.health().await.unwrap_err(), FaultKind::Refused, text);
    let text = "lightning.blink.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL \
                that it leads to";
    says(&deaf(301, json!({})).await.health().await.unwrap_err(), FaultKind::Garbled, text);
}

#[tokio::test]
async fn refusals_to_make_an_invoice_are_told_apart() {
    for (code, message, kind, text) in [
        (
            json!("RECEIVE_DISABLED"),
            "Receiving is disabled",
            FaultKind::Unauthorised,
            "lightning.blink.api_key: Blink no longer lets this account receive, use another backend: Receiving is \
             disabled (RECEIVE_DISABLED)",
        ),
        (
            json!("NOT_AUTHORIZED"),
            "Not authorized",
            FaultKind::Unauthorised,
            "lightning.blink.api_key: Blink does not allow this key to make invoices (\"Not authorized\"): it needs \
             the scope Receive, and an open account",
        ),
        (
            json!("TOO_MANY_REQUEST"),
            "Too many invoices creation, please wait for a while and try again.",
            FaultKind::Limited { retry_after: None },
            "Blink: Too many invoices creation, please wait for a while and try again. (TOO_MANY_REQUEST)",
        ),
        (json!("LND_OFFLINE"), "LND is offline", FaultKind::Failing, "Blink: LND is offline (LND_OFFLINE)"),
        (Value::Null, "Memo is too long", FaultKind::Refused, "Blink refuses: Memo is too long (no code)"),
    ] {
        let errors = json!([{"code": code, "message": message}]);
        let (_server, backend) =
            blink(move |_| answer(200, &json!({"data": {"lnInvoiceCreate": {"invoice": null, "errors": errors}}})))
                .await;
        says(&backend.create_invoice(usual()).await.unwrap_err(), kind, text);
    }
}

#[tokio::test]
async fn what_blink_would_change_silently_is_refused_before_it_is_sent() {
    let (server, backend) = blink(|_| answer(200, &json!({"data": null}))).await;
    let refused = backend.create_invoice(request(5_001, Duration::from_mins(10))).await.unwrap_err();
    says(&refused, FaultKind::Refused, "Blink's invoices are for whole sats");
    let refused = backend.create_invoice(request(5_000, Duration::from_secs(86_401))).await.unwrap_err();
    let text = logged::BLINK_EXPIRY;
    says(&refused, FaultKind::Refused, text);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_expiry_is_rounded_up_to_minutes() {
    let (server, backend) = blink(|_| answer(200, &json!({"data": null}))).await;
    for (seconds, minutes) in [(60, 1), (61, 2), (86_400, 1_440)] {
        backend.create_invoice(request(5_000, Duration::from_secs(seconds))).await.unwrap_err();
        assert_eq!(server.asked().last().unwrap().json()["variables"]["input"]["expiresIn"], minutes);
    }
}

/// What Blink says of an invoice of ours, and what is made of it.
async fn looked_up(status: &str, transactions: Value, late: Duration) -> InvoiceState {
    let node = node();
    let made = node.add_invoice(21_000, "x", 600);
    let invoice = json!({"paymentStatus": status, "paymentRequest": made.bolt11});
    let (server, _) =
        blink(move |_| wallet(&json!({"invoiceByPaymentHash": invoice, "transactionsByPaymentHash": transactions})))
            .await;
    node.advance(late);
    adapter(&server.url, None, node).lookup(&PaymentHash::from_bytes(made.hash)).await.unwrap()
}

fn income(status: &str, currency: &str) -> Value {
    json!({
        "status": status, "direction": "RECEIVE", "settlementAmount": 21, "settlementFee": 0,
        "settlementCurrency": currency, "createdAt": 1_767_225_600,
    })
}

#[tokio::test]
async fn an_invoice_is_settled_when_the_money_is_booked() {
    let none = Duration::ZERO;
    let settled = InvoiceState::Settled { amount: Msat::from_sat(21).unwrap(), at: Some(1_767_225_600) };
    assert_eq!(looked_up("PAID", json!([income("SUCCESS", "BTC")]), none).await, settled);
    assert_eq!(looked_up("PAID", json!([]), none).await, InvoiceState::Open, "an instant before it is booked");
    assert_eq!(looked_up("PENDING", json!([income("SUCCESS", "BTC")]), none).await, InvoiceState::Open);
    assert_eq!(looked_up("PAID", json!([income("FAILURE", "BTC")]), none).await, InvoiceState::Open, "given back");
    assert_eq!(looked_up("PAID", json!([income("SUCCESS", "USD")]), none).await, InvoiceState::Open, "cents");
}

#[tokio::test]
async fn an_expired_invoice_is_given_up_when_it_cannot_become_paid_any_more() {
    assert_eq!(looked_up("EXPIRED", json!([]), Duration::from_secs(610)).await, InvoiceState::Open);
    assert_eq!(looked_up("EXPIRED", json!([]), Duration::from_secs(910)).await, InvoiceState::Expired);
}

/// An order for a foreign invoice, a stand-in that answers it with `sent` and knows `booked` of it, and how it went.
struct Paying {
    fee: Value,
    sent: Value,
    booked: &'static [(&'static str, &'static str)],
}

impl Paying {
    async fn outcome(self) -> (Payment, OutgoingState, usize) {
        let node = node();
        let (bolt11, hash) = node.foreign_invoice(21_000, 600, Route::Open);
        let foreign = node.foreign(&bolt11).unwrap();
        let booked = self.booked.iter().map(|(direction, status)| transaction(&foreign, direction, status)).collect();
        let (fee, sent, booked) = (self.fee, self.sent, Value::Array(booked));
        let (server, backend) = blink_with(&node, move |query| match query {
            _ if query.contains("lnInvoiceFeeProbe(") => answer(200, &json!({"data": {"lnInvoiceFeeProbe": fee}})),
            _ if query.contains("lnInvoicePaymentSend(") => match sent["status"].as_u64() {
                Some(status) => answer(u16::try_from(status).unwrap(), &json!({})),
                None if sent["message"].is_string() => answer(200, &json!({"errors": [sent], "data": null})),
                None => answer(200, &json!({"data": {"lnInvoicePaymentSend": sent}})),
            },
            _ => wallet(&json!({"transactionsByPaymentHash": booked})),
        })
        .await;
        let order = PaymentOrder {
            bolt11,
            payment_hash: PaymentHash::from_bytes(hash),
            amount: Msat::from_sat(21).unwrap(),
            max_fee: Msat::from_sat(10).unwrap(),
            timeout: Duration::from_secs(1),
        };
        let payment = backend.pay(&order).await;
        let is_send = |asked: &Asked| asked.json()["query"].as_str().unwrap().contains("lnInvoicePaymentSend(");
        let sends = server.asked().iter().filter(|asked| is_send(asked)).count();
        node.advance(SETTLED_AFTER);
        (payment, backend.lookup_outgoing(&order.payment_hash).await.unwrap(), sends)
    }

    fn refused(code: &str, message: &str) -> Self {
        let sent = json!({"status": "FAILURE", "errors": [error(code, message)], "transaction": null});
        Self { fee: json!({"amount": 1, "errors": []}), sent, booked: &[] }
    }
}

#[tokio::test]
async fn a_refusal_that_excludes_a_payment_is_a_failure() {
    for code in ["INSUFFICIENT_BALANCE", "INVOICE_DECODE_ERROR", "CANT_PAY_SELF", "ROUTE_FINDING_ERROR"] {
        let (payment, ..) = Paying::refused(code, "no").outcome().await;
        let Payment::Failed { reason } = payment else { panic!("{code}: {payment:?}") };
        assert_eq!(reason, format!("Blink refuses: no ({code})"));
    }
}

#[tokio::test]
async fn whatever_may_have_been_sent_is_left_open() {
    for (code, message) in [
        ("INVALID_INPUT", "There is a pending payment for this invoice"),
        ("LIGHTNING_PAYMENT_ERROR", "Payment was sent and is still in transition."),
        ("LIGHTNING_PAYMENT_ERROR", "Invoice is already paid"),
        ("LIGHTNING_PAYMENT_ERROR", "Payment was rejected by destination as invalid"),
        // Blink books it back although its node may still pay.
        ("LND_OFFLINE", "LND is offline"),
        // The limit may have been used up by an earlier order of the same payment.
        ("TRANSACTION_RESTRICTED", "Cannot transfer more than 1000 cents in 24 hours"),
        ("TOO_MANY_REQUEST", "Too many requests"),
        ("DB_ERROR", "?"),
        ("UNKNOWN_CLIENT_ERROR", "?"),
        ("SOMETHING_NEW", "?"),
    ] {
        let (payment, ..) = Paying::refused(code, message).outcome().await;
        assert!(matches!(payment, Payment::Unknown { .. }), "{code}: {payment:?}");
    }
    let not_an_answer = Paying { sent: json!({"status": null, "errors": []}), ..Paying::refused("", "") };
    assert!(matches!(not_an_answer.outcome().await.0, Payment::Unknown { .. }));
}

#[tokio::test]
async fn a_refusal_is_no_failure_while_an_earlier_order_was_sent() {
    let late = |booked| Paying { booked, ..Paying::refused("INSUFFICIENT_BALANCE", "balance is too low") };
    let (payment, ..) = late(&[("SEND", "SUCCESS")]).outcome().await;
    assert!(matches!(payment, Payment::Paid(_)), "it was paid with the balance that is lacking now: {payment:?}");
    let (payment, ..) = late(&[("SEND", "PENDING")]).outcome().await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    let (payment, ..) = late(&[("RECEIVE", "FAILURE"), ("SEND", "FAILURE")]).outcome().await;
    assert!(matches!(payment, Payment::Failed { .. }), "{payment:?}");
}

#[tokio::test]
async fn an_order_that_did_not_get_through_says_nothing_of_an_earlier_one() {
    for status in [401, 429, 400, 502] {
        let (payment, ..) = Paying { sent: json!({"status": status}), ..Paying::refused("", "") }.outcome().await;
        assert!(matches!(payment, Payment::Unknown { .. }), "{status}: {payment:?}");
    }
}

/// Blink writes a payment down some time after it was told to make it.
#[tokio::test]
async fn an_order_that_blink_does_not_know_yet_may_still_be_carried_out() {
    let node = node();
    let (bolt11, hash) = node.foreign_invoice(21_000, 600, Route::Open);
    let (payment_hash, max_fee) = (PaymentHash::from_bytes(hash), Msat::from_sat(10).unwrap());
    let (amount, timeout) = (Msat::from_sat(21).unwrap(), Duration::from_secs(1));
    let order = PaymentOrder { bolt11, payment_hash, amount, max_fee, timeout };
    let (server, backend) = blink_with(&node, |query| match query {
        _ if query.contains("lnInvoiceFeeProbe(") => {
            answer(200, &json!({"data": {"lnInvoiceFeeProbe": {"amount": 1, "errors": []}}}))
        }
        _ if query.contains("lnInvoicePaymentSend(") => answer(502, &json!({})),
        _ => wallet(&json!({"transactionsByPaymentHash": []})),
    })
    .await;
    assert!(matches!(backend.lookup_outgoing(&payment_hash).await.unwrap(), OutgoingState::NotFound));
    assert!(matches!(backend.pay(&order).await, Payment::Unknown { .. }));
    assert!(matches!(backend.lookup_outgoing(&payment_hash).await.unwrap(), OutgoingState::InFlight));
    assert!(matches!(backend.pay(&order).await, Payment::Unknown { .. }));
    let is_send = |asked: &Asked| asked.json()["query"].as_str().unwrap().contains("lnInvoicePaymentSend(");
    let sends = || server.asked().iter().filter(|asked| is_send(asked)).count();
    assert_eq!(sends(), 1, "it is not ordered a second time");
    // Nor by a gateway that was just started again, and knows nothing of it.
    let restarted = adapter(&server.url, None, node.clone());
    assert!(matches!(restarted.lookup_outgoing(&payment_hash).await.unwrap(), OutgoingState::InFlight));
    assert!(matches!(restarted.pay(&order).await, Payment::Unknown { .. }));
    assert_eq!(sends(), 1);
    node.advance(SETTLED_AFTER);
    for backend in [backend, restarted] {
        assert!(matches!(backend.lookup_outgoing(&payment_hash).await.unwrap(), OutgoingState::NotFound));
    }
}

#[tokio::test]
async fn a_key_that_cannot_write_pays_nothing() {
    let sent = json!({"message": "Not authorized", "extensions": {"code": "NOT_AUTHORIZED"}});
    let (payment, ..) = Paying { sent, ..Paying::refused("", "") }.outcome().await;
    let Payment::Failed { reason } = payment else { panic!("{payment:?}") };
    assert_eq!(reason, logged::BLINK_MAY_NOT_PAY);
}

#[tokio::test]
async fn what_would_cost_too_much_is_not_sent() {
    let dear = Paying { fee: json!({"amount": 11, "errors": []}), ..Paying::refused("", "") };
    let (payment, _, sends) = dear.outcome().await;
    let Payment::Failed { reason } = payment else { panic!("{payment:?}") };
    assert_eq!(reason, "Blink expects a fee of 11 sat, and 10000 msat is the most allowed");
    assert_eq!(sends, 0);
}

#[tokio::test]
async fn a_payment_that_blink_knows_of_is_looked_up() {
    for status in ["ALREADY_PAID", "PENDING"] {
        let sent = json!({"status": status, "errors": [], "transaction": null});
        let (payment, ..) = Paying { sent, ..Paying::refused("", "") }.outcome().await;
        assert!(matches!(payment, Payment::Unknown { .. }), "by whom it was paid is not said: {payment:?}");
    }
    let sent = json!({"status": "SUCCESS", "errors": [], "transaction": null});
    let (payment, ..) = Paying { sent, ..Paying::refused("", "") }.outcome().await;
    assert!(matches!(payment, Payment::Paid(receipt) if receipt.preimage.is_none() && receipt.fee.is_none()));
}

#[tokio::test]
async fn the_ledger_tells_how_a_payment_went() {
    let known = |booked| async move { Paying { booked, ..Paying::refused("", "") }.outcome().await.1 };
    assert!(matches!(known(&[]).await, OutgoingState::NotFound));
    assert!(matches!(known(&[("SEND", "FAILURE"), ("RECEIVE", "FAILURE")]).await, OutgoingState::Failed));
    assert!(matches!(known(&[("SEND", "FAILURE"), ("SEND", "PENDING")]).await, OutgoingState::InFlight));
    assert!(matches!(known(&[("SEND", "FAILURE"), ("SEND", "SUCCESS")]).await, OutgoingState::Paid(_)));
    assert!(matches!(known(&[("RECEIVE", "SUCCESS")]).await, OutgoingState::NotFound), "that came in");
}

#[tokio::test]
async fn a_state_that_blink_has_not_is_no_answer() {
    let (_server, backend) = blink(|_| {
        let invoice = json!({"paymentStatus": "HELD", "paymentRequest": ""});
        wallet(&json!({"invoiceByPaymentHash": invoice, "transactionsByPaymentHash": [
            {"status": "HELD", "direction": "SEND", "settlementAmount": 1, "settlementFee": 0,
             "settlementCurrency": "BTC", "createdAt": 1},
        ]}))
    })
    .await;
    assert_eq!(backend.lookup(&hash()).await.unwrap_err().kind, FaultKind::Garbled);
    assert_eq!(backend.lookup_outgoing(&hash()).await.unwrap_err().kind, FaultKind::Garbled);
}
