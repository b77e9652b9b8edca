//! What `LNbits` says that could lose money or mislead. The answers are recorded ones of `LNbits` 1.6.2, or put
//! together as its source does.

use std::time::Duration;

use satforge::config::LnbitsConfig;
use satforge::domain::{Msat, PaymentHash, Preimage};
use satforge::lightning::lnbits::Lnbits;
use satforge::lightning::{
    BackendError, FaultKind, InvoiceRequest, InvoiceState, LightningBackend as _, Network, OutgoingState, Payment,
    PaymentOrder,
};
use serde_json::{Value, json};

use crate::logged;
use crate::products::lnbits::{INVOICE_KEY, adapter};
use crate::scripted::Scripted;
use crate::stub::TIMEOUT;

const PREIMAGE: [u8; 32] = [0x45; 32];
const ORDER: &str = "POST /api/v1/payments";
const RESERVE: &str = "GET /api/v1/payments/fee-reserve";
const WALLET: &str = "GET /api/v1/wallet";

fn hash() -> PaymentHash {
    Preimage::from_bytes(PREIMAGE).payment_hash()
}

fn look() -> String {
    format!("GET /api/v1/payments/{}", hash().to_hex())
}

/// A payment as it stands in an answer; `msat` is negative for what goes out.
fn details(msat: i64, status: &str) -> Value {
    json!({
        "checking_id": "x", "payment_hash": hash().to_hex(), "wallet_id": "w", "amount": msat, "fee": -2_000,
        "bolt11": "lnbcrt1", "status": status, "preimage": hex::encode(PREIMAGE), "labels": [],
    })
}

fn found(msat: i64, status: &str) -> Value {
    json!({"paid": status == "success", "status": status, "preimage": null, "details": details(msat, status)})
}

/// A server whose keys are good and whose fees are low.
async fn lnbits() -> (Scripted, Lnbits) {
    let server = Scripted::silent().await;
    server.give(RESERVE, 200, json!({"fee_reserve": 2_000}));
    server.give(WALLET, 200, json!({"name": "buyer", "balance": 5_000, "id": "w"}));
    let adapter = adapter(server.url.clone());
    (server, adapter)
}

fn order() -> PaymentOrder {
    PaymentOrder {
        bolt11: "lnbcrt210n1xyz".into(),
        payment_hash: hash(),
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(2).unwrap(),
        timeout: Duration::from_millis(300),
    }
}

async fn create(adapter: &Lnbits, msat: u64) -> BackendError {
    let amount = Msat::new(msat).unwrap();
    let request = InvoiceRequest { amount, description: "x".into(), expiry: Duration::from_mins(10) };
    adapter.create_invoice(request).await.unwrap_err()
}

#[tokio::test]
async fn what_every_wallet_may_see_is_not_ours() {
    let (server, adapter) = lnbits().await;
    // The answer to a key that LNbits does not know: somebody else's payment, with its preimage.
    server.give(&look(), 200, json!({"paid": true, "preimage": hex::encode(PREIMAGE)}));
    let incoming = adapter.lookup(&hash()).await.unwrap_err();
    assert_eq!(incoming.kind, FaultKind::Unauthorised);
    assert_eq!(incoming.to_string(), "lightning.lnbits.invoice_key: LNbits knows no wallet with this key");
    let outgoing = adapter.lookup_outgoing(&hash()).await.unwrap_err();
    assert_eq!(outgoing.kind, FaultKind::Unauthorised);
    assert_eq!(outgoing.to_string(), "lightning.lnbits.admin_key: LNbits knows no wallet with this key");
}

#[tokio::test]
async fn a_preimage_in_an_answer_is_no_payment() {
    let (server, adapter) = lnbits().await;
    server.give(&look(), 200, found(500_000, "pending"));
    assert_eq!(adapter.lookup(&hash()).await, Ok(InvoiceState::Open));
}

#[tokio::test]
async fn an_invoice_that_is_not_paid_is_expired_or_withdrawn() {
    let (server, adapter) = lnbits().await;
    server.give(&look(), 200, found(500_000, "failed"));
    assert_eq!(adapter.lookup(&hash()).await, Ok(InvoiceState::Cancelled));
    let mut expired = found(500_000, "failed");
    expired["details"]["labels"] = json!(["expired"]);
    server.give(&look(), 200, expired);
    assert_eq!(adapter.lookup(&hash()).await, Ok(InvoiceState::Expired));
    server.give(&look(), 200, found(500_000, "held"));
    assert_eq!(adapter.lookup(&hash()).await.unwrap_err().kind, FaultKind::Garbled);
}

#[tokio::test]
async fn an_invoice_of_the_paying_wallet_is_no_payment() {
    let (server, adapter) = lnbits().await;
    // An invoice of this wallet that somebody paid, or that waits: this wallet has not paid it.
    for status in ["success", "pending", "failed"] {
        server.give(&look(), 200, found(500_000, status));
        let state = adapter.lookup_outgoing(&hash()).await.unwrap();
        assert!(matches!(state, OutgoingState::NotFound), "{status}: {state:?}");
    }
    // Paid by itself: LNbits shows the outgoing side, and the invoice has been paid all the same.
    server.give(&look(), 200, found(-500_000, "success"));
    assert!(matches!(adapter.lookup_outgoing(&hash()).await.unwrap(), OutgoingState::Paid(_)));
    let amount = Msat::from_sat(500).unwrap();
    assert_eq!(adapter.lookup(&hash()).await, Ok(InvoiceState::Settled { amount, at: None }));
}

#[tokio::test]
async fn a_failure_in_the_database_is_not_final() {
    let (server, adapter) = lnbits().await;
    server.give(&look(), 200, found(-21_000, "failed"));
    match adapter.lookup_outgoing(&hash()).await.unwrap() {
        OutgoingState::Unknown { reason } => {
            assert_eq!(reason, "LNbits has noted that the payment has failed, which is not final");
        }
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn never_paid_is_believed_from_an_admin_key_only() {
    let (server, adapter) = lnbits().await;
    server.give(&look(), 404, json!({"detail": "Payment does not exist."}));
    assert!(matches!(adapter.lookup_outgoing(&hash()).await.unwrap(), OutgoingState::NotFound));
    // The invoice key's answer has no `id`.
    server.give(WALLET, 200, json!({"name": "buyer", "balance": 5_000}));
    let error = adapter.lookup_outgoing(&hash()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unauthorised);
    assert_eq!(error.to_string(), "lightning.lnbits.admin_key: this key may not pay; give the wallet's admin key");
    server.give(WALLET, 404, json!({"detail": "Wallet not found."}));
    let error = adapter.lookup_outgoing(&hash()).await.unwrap_err();
    assert_eq!(error.to_string(), "lightning.lnbits.admin_key: LNbits knows no wallet with this key");
}

#[tokio::test]
async fn already_paid_is_paid_if_it_was_by_us() {
    let (server, adapter) = lnbits().await;
    // LNbits calls it a failure, though the money of an earlier attempt has arrived.
    server.give(ORDER, 520, json!({"detail": "Internal invoice already paid.", "status": "failed"}));
    server.give(&look(), 200, found(-21_000, "success"));
    let Payment::Paid(receipt) = adapter.pay(&order()).await else { panic!("it was paid") };
    assert!(receipt.preimage.unwrap().opens(&hash()));
    assert_eq!(receipt.fee, Some(Msat::from_sat(2).unwrap()));
    server.give(&look(), 200, found(-21_000, "pending"));
    assert!(matches!(adapter.pay(&order()).await, Payment::Unknown { .. }));
    server.give(&look(), 500, json!({"detail": "Unexpected error! ID: x"}));
    assert!(matches!(adapter.pay(&order()).await, Payment::Unknown { .. }));
    server.give(&look(), 404, json!({"detail": "Payment does not exist."}));
    assert!(matches!(adapter.pay(&order()).await, Payment::Failed { .. }), "by somebody else");
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_failed() {
    let (server, adapter) = lnbits().await;
    let said = |detail: &str| json!({"detail": detail});
    let done = |detail: &str, status: &str| json!({"detail": detail, "status": status}).to_string();
    for (status, body) in [
        // After five seconds LNbits stops waiting; the payment goes on.
        (201, details(-21_000, "pending").to_string()),
        (201, details(-21_000, "held").to_string()),
        // An earlier payment that LNbits has noted as failed, while its node does not say so.
        (201, details(-21_000, "failed").to_string()),
        (201, details(21_000, "success").to_string()),
        (201, "{}".into()),
        (520, done("Payment is still pending.", "pending")),
        (520, done("Payment already paid.", "success")),
        // A proxy's own.
        (520, "<html>Web server is returning an unknown error</html>".into()),
        (502, "<html>Bad gateway</html>".into()),
        // An exception while the node was at it, by its Python type.
        (400, said("invalid literal for int() with base 10").to_string()),
        (500, said("Unexpected error! ID: 3Z6ZxLhP5s9wPnW7hGq2Vt").to_string()),
        (404, said("Not Found").to_string()),
    ] {
        server.give(ORDER, status, &body);
        let payment = adapter.pay(&order()).await;
        assert!(matches!(payment, Payment::Unknown { .. }), "{status} {body}: {payment:?}");
    }
    server.silence(ORDER);
    let payment = adapter.pay(&order()).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
}

#[tokio::test]
async fn what_was_never_sent_has_failed() {
    let (server, adapter) = lnbits().await;
    let said = |detail: &str| json!({"detail": detail}).to_string();
    let done = |detail: &str| json!({"detail": detail, "status": "failed"}).to_string();
    for (status, body, reason) in [
        (520, done("Insufficient balance."), logged::LNBITS_BALANCE),
        (520, done("Payment failed: no_route"), "LNbits: Payment failed: no_route"),
        (
            520,
            done("Payment is failed node, retrying is not possible."),
            "LNbits: Payment is failed node, retrying is not possible.",
        ),
        (400, said("Daily withdrawal limit of 5 sats reached."), logged::LNBITS_DAILY),
        (
            403,
            said("Invoice (or Admin) key required."),
            "lightning.lnbits.admin_key: this key may not pay; give the wallet's admin key",
        ),
        (404, said("Wallet not found."), "lightning.lnbits.admin_key: LNbits knows no wallet with this key"),
        (
            429,
            json!({"error": "Rate limit exceeded: 200 per 1 minute"}).to_string(),
            "LNbits takes no more requests for now: Rate limit exceeded: 200 per 1 minute; raise its LNBITS_RATE_LIMIT_NO",
        ),
        // An order for an expired invoice of the same LNbits with that invoice, its unpaid preimage and all.
        (201, details(21_000, "failed").to_string(), "LNbits has given this invoice up and pays it no more"),
    ] {
        server.give(ORDER, status, body);
        match adapter.pay(&order()).await {
            Payment::Failed { reason: said } => assert_eq!(said, reason),
            payment => panic!("{reason}: {payment:?}"),
        }
    }
}

#[tokio::test]
async fn no_higher_fee_is_risked_than_is_allowed() {
    let (server, adapter) = lnbits().await;
    server.give(RESERVE, 200, json!({"fee_reserve": 2_001}));
    match adapter.pay(&order()).await {
        Payment::Failed { reason } => {
            assert_eq!(reason, logged::LNBITS_FEE);
        }
        payment => panic!("{payment:?}"),
    }
    assert!(!server.asked().iter().any(|asked| asked.what.starts_with("POST")), "nothing was ordered");
}

#[tokio::test]
async fn a_part_of_a_sat_is_not_dropped_in_silence() {
    let (server, adapter) = lnbits().await;
    let error = create(&adapter, 1_500).await;
    assert_eq!(error.kind, FaultKind::Refused);
    assert_eq!(error.to_string(), "LNbits takes whole sats only, and 1500 msat is not");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn without_an_admin_key_nothing_is_paid() {
    let server = Scripted::silent().await;
    let config = LnbitsConfig { url: server.url.clone(), invoice_key: INVOICE_KEY.into(), admin_key: None };
    let adapter = Lnbits::new(&config, Network::Regtest, TIMEOUT).unwrap();
    assert!(!adapter.capabilities().pay);
    let message = logged::LNBITS_NO_ADMIN_KEY;
    match adapter.pay(&order()).await {
        Payment::Failed { reason } => assert_eq!(reason, message),
        payment => panic!("{payment:?}"),
    }
    assert_eq!(adapter.lookup_outgoing(&hash()).await.unwrap_err().to_string(), message);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_key_of_wrong_letters_is_named_and_not_shown() {
    let url: url::Url = "http://127.0.0.1/".parse().unwrap();
    let config = LnbitsConfig { url, invoice_key: "c0ffee\n".into(), admin_key: None };
    let error = Lnbits::new(&config, Network::Regtest, TIMEOUT).err().unwrap();
    let message = "lightning.lnbits.invoice_key: this holds a character that cannot be sent in a header";
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn each_misconfiguration_has_its_sentence() {
    let (server, adapter) = lnbits().await;
    let to = |location: &str| ("location", location.to_owned());
    let health = async |status, header, body: &str| {
        server.give_with_header(WALLET, status, header, body);
        adapter.health().await.unwrap_err().to_string()
    };
    assert_eq!(
        health(401, to(""), r#"{"detail":"No Api Key provided."}"#).await,
        "lightning.lnbits.invoice_key: LNbits refuses this key: No Api Key provided."
    );
    assert_eq!(
        health(404, to(""), r#"{"detail":"Wallet not found."}"#).await,
        "lightning.lnbits.invoice_key: LNbits knows no wallet with this key"
    );
    assert_eq!(
        health(404, to(""), r#"{"detail":"Not Found"}"#).await,
        "lightning.lnbits.url: the server does not know LNbits's paths; give the address at which LNbits's start page opens"
    );
    assert_eq!(health(200, to(""), "<html>").await, "lightning.lnbits.url: what answers there is not LNbits");
    assert_eq!(
        health(301, to("https://pay.example.com/api/v1/wallet"), "").await,
        "lightning.lnbits.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL that it leads to"
    );
    assert_eq!(
        health(307, to("/first_install"), "").await,
        "LNbits has no account yet: open it in a browser and make the first one"
    );
    assert_eq!(
        health(429, to(""), r#"{"error":"Rate limit exceeded: 200 per 1 minute"}"#).await,
        "LNbits takes no more requests for now: Rate limit exceeded: 200 per 1 minute; raise its LNBITS_RATE_LIMIT_NO"
    );
}

#[tokio::test]
async fn each_refusal_of_an_invoice_has_its_sentence() {
    let (server, adapter) = lnbits().await;
    for (detail, status, kind, sentence) in [
        (
            "Unable to connect to https://user:c0ffee@node.lan:8080.",
            "pending",
            FaultKind::Failing,
            "LNbits's own Lightning node fails: Unable to connect to (a URL)",
        ),
        (
            "Invoice amount 500 sats is too high. Max allowed: 100 sats.",
            "failed",
            FaultKind::Refused,
            "LNbits refuses: Invoice amount 500 sats is too high. Max allowed: 100 sats.",
        ),
        (
            "Wallet balance cannot exceed 1000 sats.",
            "failed",
            FaultKind::Failing,
            "LNbits lets this wallet hold no more: Wallet balance cannot exceed 1000 sats.",
        ),
        (
            "Wallet does not have permission to create invoices.",
            "failed",
            FaultKind::Unauthorised,
            "lightning.lnbits.invoice_key: LNbits does not let this wallet do that: Wallet does not have permission to \
             create invoices.",
        ),
    ] {
        server.give(ORDER, 520, json!({"detail": detail, "status": status}));
        let error = create(&adapter, 500_000).await;
        assert_eq!((error.kind, error.to_string().as_str()), (kind, sentence));
    }
    let too_long =
        json!({"detail": [{"loc": ["body", "memo"], "msg": "ensure this value has at most 640 characters"}]});
    server.give(ORDER, 400, too_long);
    let error = create(&adapter, 500_000).await;
    assert_eq!(error.to_string(), "HTTP 400 Bad Request: ensure this value has at most 640 characters");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_by_its_key() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = adapter(url).health().await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    assert_eq!(error.to_string(), "lightning.lnbits.url: no connection: Connection refused (os error 111)");
}
