//! What could lose money or mislead with phoenixd.

use std::time::Duration;

use satforge::config::PhoenixdConfig;
use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::phoenixd::Phoenixd;
use satforge::lightning::{
    FaultKind, InvoiceRequest, InvoiceState, LightningBackend as _, Network, OutgoingState, Payment, PaymentOrder,
};
use serde_json::{Value, json};

use crate::logged;
use crate::products::phoenixd::{PASSWORD, UNAUTHORISED};
use crate::scripted::Scripted;
use crate::stub::TIMEOUT;

const HASH: PaymentHash = PaymentHash::from_bytes([0xab; 32]);
const PAY: &str = "POST /payinvoice";
const NOT_FOUND: &str = "Not found";
const UNKNOWN_ENDPOINT: &str = "Unknown endpoint (check api doc)";

fn config(node: &Scripted, may_pay: bool) -> PhoenixdConfig {
    PhoenixdConfig { url: node.url.clone(), password: PASSWORD.into(), may_pay }
}

async fn phoenixd() -> (Scripted, Phoenixd) {
    let node = Scripted::silent().await;
    let phoenixd = Phoenixd::new(&config(&node, true), Network::Bitcoin, TIMEOUT).unwrap();
    (node, phoenixd)
}

fn incoming() -> String {
    format!("GET /payments/incoming/{}", HASH.to_hex())
}

fn outgoing() -> String {
    format!("GET /payments/outgoingbyhash/{}", HASH.to_hex())
}

fn order() -> PaymentOrder {
    PaymentOrder {
        bolt11: "lnbc210n1".into(),
        payment_hash: HASH,
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(10).unwrap(),
        timeout: Duration::from_millis(200),
    }
}

fn request(amount: Msat) -> InvoiceRequest {
    InvoiceRequest { amount, description: "x".into(), expiry: Duration::from_mins(10) }
}

fn not_sent(reason: &str) -> Value {
    json!({"paymentHash": HASH.to_hex(), "reason": reason})
}

/// An entry of phoenixd's books; what is null is left out.
fn entry(is_paid: bool, completed: bool) -> Value {
    let mut entry = json!({
        "subType": "lightning", "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f", "paymentHash": HASH.to_hex(),
        "isPaid": is_paid, "sent": 25, "fees": 4_084, "createdAt": 1_767_225_600_000_u64,
    });
    if is_paid {
        entry["preimage"] = "11".repeat(32).into();
    }
    if completed {
        entry["completedAt"] = 1_767_225_602_000_u64.into();
    }
    entry
}

#[tokio::test]
async fn part_of_a_sat_is_refused_and_not_rounded() {
    let (node, phoenixd) = phoenixd().await;
    let refused = phoenixd.create_invoice(request(Msat::new(21_001).unwrap())).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Refused);
    assert!(node.bodies("POST /createinvoice").is_empty());
}

#[tokio::test]
async fn a_fee_that_cannot_be_limited_is_reckoned_before() {
    let (node, phoenixd) = phoenixd().await;
    // 4 sat and 0.4 % of 21 sat are 4084 msat.
    let short = PaymentOrder { max_fee: Msat::new(4_083).unwrap(), ..order() };
    assert!(matches!(phoenixd.pay(&short).await, Payment::Failed { .. }));
    assert!(node.bodies(PAY).is_empty(), "nothing was sent");
    node.give(PAY, 200, not_sent("not enough funds in wallet to afford payment"));
    node.give(&outgoing(), 404, NOT_FOUND);
    phoenixd.pay(&PaymentOrder { max_fee: Msat::new(4_084).unwrap(), ..order() }).await;
    assert_eq!(node.bodies(PAY), ["invoice=lnbc210n1"], "and no amount, which would be paid in place of the invoice's");
}

#[tokio::test]
async fn a_failure_is_200_as_well() {
    for (books, reason) in [
        (entry(false, true), "the recipient was offline or did not have enough liquidity to receive the payment"),
        (entry(false, true), "wallet restarted while a payment was ongoing"),
        (Value::Null, "not enough funds in wallet to afford payment"),
        (Value::Null, "payment request features not supported"),
    ] {
        let (node, phoenixd) = phoenixd().await;
        node.give(PAY, 200, not_sent(reason));
        if books.is_null() {
            node.give(&outgoing(), 404, NOT_FOUND);
        } else {
            node.give(&outgoing(), 200, books);
        }
        let Payment::Failed { reason: said } = phoenixd.pay(&order()).await else { panic!("{reason}") };
        assert_eq!(said, format!("phoenixd: {reason}"));
    }
}

#[tokio::test]
async fn a_failure_that_its_books_deny_is_none() {
    for reason in ["this invoice has already been paid", "another payment is in progress for that invoice", "new words"]
    {
        let (node, phoenixd) = phoenixd().await;
        node.give(PAY, 200, not_sent(reason));
        node.give(&outgoing(), 200, entry(true, true));
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Paid(_)), "{reason}");
        node.give(&outgoing(), 200, entry(false, false));
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }), "{reason}");
        node.give(&outgoing(), 500, "database is locked");
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }), "{reason}");
    }
}

#[tokio::test]
async fn another_payment_of_the_same_invoice_is_no_failure() {
    for reason in ["this invoice has already been paid", "another payment is in progress for that invoice"] {
        let (node, phoenixd) = phoenixd().await;
        node.give(PAY, 200, not_sent(reason));
        node.give(&outgoing(), 404, NOT_FOUND);
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }), "{reason}");
        node.give(&outgoing(), 200, entry(false, true));
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }), "{reason}");
    }
}

#[tokio::test]
async fn only_a_refusal_before_the_payment_is_a_failure_at_once() {
    let (node, phoenixd) = phoenixd().await;
    node.give(PAY, 400, "Request parameter invoice couldn't be parsed/converted to bolt11invoice");
    assert!(matches!(phoenixd.pay(&order()).await, Payment::Failed { .. }));
    for (status, text) in
        [(500, "Something went wrong"), (502, "<html>Bad Gateway</html>"), (404, UNKNOWN_ENDPOINT), (200, "{}")]
    {
        node.give(PAY, status, text);
        assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }), "{status}");
    }
    node.silence(PAY);
    assert!(matches!(phoenixd.pay(&order()).await, Payment::Unknown { .. }));
}

#[tokio::test]
async fn the_fee_is_the_exact_one_of_its_books() {
    let (node, phoenixd) = phoenixd().await;
    let paid = json!({
        "recipientAmountSat": 21, "routingFeeSat": 4, "paymentId": "0e4f1b9a-0f0f-4b6e-9c0d-6f3f1c1d2e3f",
        "paymentHash": HASH.to_hex(), "paymentPreimage": "11".repeat(32),
    });
    node.give(PAY, 200, paid);
    node.give(&outgoing(), 200, entry(true, true));
    let Payment::Paid(receipt) = phoenixd.pay(&order()).await else { panic!("it was paid") };
    assert_eq!(receipt.fee.map(Msat::msat), Some(4_084));
    node.give(&outgoing(), 500, "database is locked");
    let Payment::Paid(receipt) = phoenixd.pay(&order()).await else { panic!("it was paid all the same") };
    assert!(receipt.fee.is_none() && receipt.preimage.is_some());
}

#[tokio::test]
async fn a_payment_is_over_when_it_has_an_end() {
    let (node, phoenixd) = phoenixd().await;
    for (books, expected) in
        [(entry(true, true), "Paid"), (entry(false, true), "Failed"), (entry(false, false), "InFlight")]
    {
        node.give(&outgoing(), 200, books);
        let state = format!("{:?}", phoenixd.lookup_outgoing(&HASH).await.unwrap());
        assert!(state.starts_with(expected), "{state}");
    }
    node.give(&outgoing(), 404, NOT_FOUND);
    assert!(matches!(phoenixd.lookup_outgoing(&HASH).await, Ok(OutgoingState::NotFound)));
}

/// A phoenixd of before 0.5.1 has no such path, and says so with the same status as of a payment that it does not know.
#[tokio::test]
async fn a_path_that_it_has_not_is_no_payment_that_it_has_not() {
    let (node, phoenixd) = phoenixd().await;
    let wrong_server = "lightning.phoenixd.url: the server does not know a path of phoenixd's: give the address of \
                        `http-bind-ip` and `http-bind-port`; and phoenixd must be of version 0.5.1 or later";
    for text in [UNKNOWN_ENDPOINT, "<html>Not found</html>", ""] {
        node.give(&outgoing(), 404, text);
        let fault = phoenixd.lookup_outgoing(&HASH).await.unwrap_err();
        assert_eq!((fault.kind, fault.to_string().as_str()), (FaultKind::Refused, wrong_server));
        node.give(&incoming(), 404, text);
        assert!(phoenixd.lookup(&HASH).await.is_err());
    }
}

#[tokio::test]
async fn the_payer_has_paid_what_making_room_cost_the_operator() {
    let (node, phoenixd) = phoenixd().await;
    let paid = |requested: u64, received: u64, fees: u64| {
        json!({
            "subType": "lightning", "paymentHash": HASH.to_hex(), "preimage": "11".repeat(32), "isPaid": true,
            "isExpired": true, "requestedSat": requested, "receivedSat": received, "fees": fees,
            "expiresAt": 1_767_225_600_000_u64, "completedAt": 1_767_225_655_123_u64,
            "createdAt": 1_767_225_000_000_u64,
        })
    };
    // Paid in time, looked up after its expiry; with a fee; with a fee from the channel's balance; more than asked for.
    for (requested, received, fees, msat) in
        [(500, 500, 0, 500_000), (500, 490, 10_000, 500_000), (500, 0, 0, 500_000), (500, 600, 0, 600_000)]
    {
        node.give(&incoming(), 200, paid(requested, received, fees));
        let settled = InvoiceState::Settled { amount: Msat::new(msat).unwrap(), at: Some(1_767_225_655) };
        assert_eq!(phoenixd.lookup(&HASH).await, Ok(settled));
    }
    node.give(&incoming(), 200, paid(500, u64::MAX, 0));
    assert_eq!(phoenixd.lookup(&HASH).await.unwrap_err().kind, FaultKind::Garbled);
}

fn refused(password: &str, may_pay: bool, network: Network) -> String {
    let url = "http://127.0.0.1:1/".parse().unwrap();
    let config = PhoenixdConfig { url, password: password.into(), may_pay };
    Phoenixd::new(&config, network, TIMEOUT).err().unwrap().to_string()
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    for network in [Network::Regtest, Network::Signet, Network::Simnet] {
        assert_eq!(
            refused(PASSWORD, true, network),
            "lightning.network: phoenixd is on bitcoin, or on testnet (version 3), and on no other network"
        );
    }
    let whole_line = |key: &str| {
        format!("lightning.phoenixd.{key}: give what stands after the `=` in phoenix.conf, without the name before it")
    };
    let typed = format!("http-password={PASSWORD}");
    assert_eq!(refused(&typed, true, Network::Bitcoin), whole_line("password"));
    assert_eq!(refused(&typed, false, Network::Bitcoin), whole_line("limited_password"));
}

#[tokio::test]
async fn the_limited_password_pays_nothing() {
    let node = Scripted::silent().await;
    let limited = Phoenixd::new(&config(&node, false), Network::Bitcoin, TIMEOUT).unwrap();
    assert!(limited.capabilities().lookup && !limited.capabilities().pay);
    node.give("GET /getinfo", 401, UNAUTHORISED);
    let fault = limited.health().await.unwrap_err();
    assert_eq!(fault.to_string(), "lightning.phoenixd.limited_password: phoenixd refuses this password");
    let taken_for_full = Phoenixd::new(&config(&node, true), Network::Bitcoin, TIMEOUT).unwrap();
    let fault = taken_for_full.health().await.unwrap_err();
    assert_eq!(fault.to_string(), "lightning.phoenixd.password: phoenixd refuses this password");
    node.give(PAY, 401, UNAUTHORISED);
    let Payment::Failed { reason } = taken_for_full.pay(&order()).await else { panic!("nothing can have been sent") };
    assert_eq!(reason, logged::PHOENIXD_MAY_NOT_PAY);
}

#[tokio::test]
async fn the_network_is_compared() {
    let node = Scripted::silent().await;
    let on = |network| Phoenixd::new(&config(&node, true), network, TIMEOUT).unwrap();
    let info = |chain: &str| json!({"nodeId": "02".repeat(33), "channels": [], "chain": chain, "version": "0.8.0"});
    node.give("GET /getinfo", 200, info("mainnet"));
    on(Network::Bitcoin).health().await.unwrap();
    let fault = on(Network::Testnet).health().await.unwrap_err();
    assert_eq!(fault.to_string(), "lightning.network: this is testnet, but phoenixd is on mainnet");
    for chain in ["testnet3", "testnet"] {
        node.give("GET /getinfo", 200, info(chain));
        on(Network::Testnet).health().await.unwrap();
        let fault = on(Network::Bitcoin).health().await.unwrap_err();
        assert_eq!(fault.to_string(), format!("lightning.network: this is bitcoin, but phoenixd is on {chain}"));
    }
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let (node, phoenixd) = phoenixd().await;
    for (status, text, kind, said) in [
        (
            400,
            "Request parameter description is too long (max 128 characters)",
            FaultKind::Refused,
            "phoenixd refuses: Request parameter description is too long (max 128 characters)",
        ),
        (500, "database is locked", FaultKind::Failing, "HTTP 500 Internal Server Error: database is locked"),
        (502, "", FaultKind::Failing, "HTTP 502 Bad Gateway: no explanation"),
        (
            308,
            "",
            FaultKind::Garbled,
            "lightning.phoenixd.url: the server answers with a redirect (HTTP 308 Permanent Redirect); give the URL that \
             it leads to",
        ),
    ] {
        node.give("POST /createinvoice", status, text);
        let fault = phoenixd.create_invoice(request(Msat::from_sat(21).unwrap())).await.unwrap_err();
        assert_eq!((fault.kind, fault.to_string().as_str()), (kind, said));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_speaks_no_tls_is_a_matter_of_the_url() {
    let at = async |url: &str| {
        let config = PhoenixdConfig { url: url.parse().unwrap(), password: PASSWORD.into(), may_pay: true };
        let fault = Phoenixd::new(&config, Network::Bitcoin, TIMEOUT).unwrap().health().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unreachable);
        fault.to_string()
    };
    let nobody = at("http://127.0.0.1:1").await;
    assert_eq!(nobody, "lightning.phoenixd.url: no connection: Connection refused (os error 111)");
    let plain = Scripted::silent().await;
    let no_tls = at(&plain.url.as_str().replace("http:", "https:")).await;
    assert_eq!(no_tls, "lightning.phoenixd.url: no connection: received corrupt message of type InvalidContentType");
}
