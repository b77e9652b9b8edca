//! What could lose money or mislead with Core Lightning.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use satforge::clock::{Clock, ManualClock};
use satforge::config::ClnConfig;
use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::cln::{Cln, SETTLED_AFTER};
use satforge::lightning::{
    BackendError, FaultKind, InvoiceState, LightningBackend as _, Network, OutgoingState, Payment, PaymentOrder,
};
use serde_json::{Value, json};

use crate::logged;
use crate::products;
use crate::products::cln::{MAY_ALL, rune};
use crate::scripted::Scripted;
use crate::stub::TIMEOUT;
use crate::tls::{self, Certificates};

const HASH: PaymentHash = PaymentHash::from_bytes([0xab; 32]);
const XPAY: &str = "POST /v1/xpay";
const LISTPAYS: &str = "POST /v1/listpays";

fn config(url: &url::Url, restrictions: &str) -> ClnConfig {
    ClnConfig { url: url.clone(), rune: rune(restrictions).into(), tls_certificate: None }
}

fn order() -> PaymentOrder {
    PaymentOrder {
        bolt11: "lnbcrt210n1".into(),
        payment_hash: HASH,
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(10).unwrap(),
        timeout: Duration::from_millis(200),
    }
}

fn error(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message, "data": null})
}

fn pays(statuses: &[&str]) -> Value {
    let pay = |status: &&str| {
        json!({
            "payment_hash": HASH.to_hex(), "status": status, "created_at": 1_767_225_600, "preimage": "11".repeat(32),
            "amount_msat": 21_000, "amount_sent_msat": 21_500, "created_index": 7,
        })
    };
    json!({"pays": statuses.iter().map(pay).collect::<Vec<_>>()})
}

struct Setting {
    node: Scripted,
    clock: Arc<ManualClock>,
    cln: Cln,
}

impl Setting {
    /// A gateway that has been running for a while.
    async fn new() -> Self {
        let setting = Self::just_started().await;
        setting.clock.advance(SETTLED_AFTER);
        setting
    }

    async fn just_started() -> Self {
        let (node, clock) = (Scripted::silent().await, Arc::new(ManualClock::new(1_767_225_600_000)));
        let cln = Cln::new(&config(&node.url, MAY_ALL), Network::Regtest, TIMEOUT, clock.clone()).unwrap();
        Self { node, clock, cln }
    }

    async fn state(&self) -> OutgoingState {
        self.cln.lookup_outgoing(&HASH).await.unwrap()
    }

    fn lists(&self, statuses: &[&str]) {
        self.node.give(LISTPAYS, 201, pays(statuses));
    }
}

#[tokio::test]
async fn an_error_after_attempts_is_final_only_when_no_part_is_under_way() {
    for (listed, code) in [(&["pending"][..], 209), (&["failed", "pending"], 203)] {
        let s = Setting::new().await;
        s.node.give(XPAY, 500, error(code, "Failed after 2 attempts. Then routing failed"));
        s.lists(listed);
        assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }), "{listed:?}");
        assert!(matches!(s.state().await, OutgoingState::InFlight));
    }
    let s = Setting::new().await;
    s.node.give(XPAY, 500, error(209, "Failed after 2 attempts. Then routing failed"));
    s.lists(&["failed"]);
    let began = std::time::Instant::now();
    assert!(matches!(s.cln.pay(&order()).await, Payment::Failed { .. }));
    assert!(began.elapsed() >= Duration::from_secs(3), "a part could still be about to be sent");
    assert!(matches!(s.state().await, OutgoingState::Failed));
    assert_eq!(s.node.bodies(LISTPAYS).len(), 2, "it did not take xpay's word for it");
}

#[tokio::test]
async fn an_error_can_hide_a_payment_that_arrived() {
    for code in [-3, 200, 201, 203, 209, 218, 219] {
        let s = Setting::new().await;
        s.node.give(XPAY, 500, error(code, "Already paid this invoice successfully"));
        s.lists(&["failed", "complete"]);
        let Payment::Paid(receipt) = s.cln.pay(&order()).await else { panic!("{code}") };
        assert_eq!(receipt.fee.map(Msat::msat), Some(500));
        assert!(receipt.preimage.is_some());
    }
}

#[tokio::test]
async fn another_payment_of_the_same_invoice_is_no_failure() {
    for (code, text) in [
        (-3, "Unexpected injectpaymentonion error 200: {\"code\":200}"),
        (-3, "Unexpected injectpaymentonion error 201: {\"code\":201}"),
        (200, "Payment with groupid=7 still in progress, cannot retry before that completes."),
        (201, "Already succeeded with amount 21000msat (not 22000msat)"),
        (218, "Already paid this invoice successfully"),
        (219, "Already paid this invoice successfully"),
    ] {
        let s = Setting::new().await;
        s.node.give(XPAY, 500, error(code, text));
        s.lists(&[]);
        assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }), "{code}");
        assert!(matches!(s.state().await, OutgoingState::InFlight), "{code}");
    }
}

#[tokio::test]
async fn what_was_refused_before_an_attempt_has_failed_and_can_be_ordered_again() {
    for (status, code, text) in [
        (500, -32602, "Invalid bolt11 invoice: Bad bech32 string"),
        (500, 205, "Failed: We could not find a usable set of paths."),
        (500, 206, "Failed: Could not find route without excessive cost"),
        (500, 207, "Invoice expired 7 seconds ago"),
        (500, 213, "invoice was declined"),
        (401, 1502, "Not permitted: parameter maxfee is greater or equal to 50001"),
        (401, 1503, "Not authorized: Blacklisted rune"),
        (404, -32601, "Unknown command 'xpay'"),
    ] {
        let s = Setting::new().await;
        s.node.give(XPAY, status, error(code, text));
        s.lists(&[]);
        for _ in 0..2 {
            assert!(matches!(s.cln.pay(&order()).await, Payment::Failed { .. }), "{code}");
        }
        assert_eq!(s.node.bodies(XPAY).len(), 2);
        assert!(matches!(s.state().await, OutgoingState::NotFound), "{code}");
    }
}

#[tokio::test]
async fn an_error_that_says_nothing_leaves_the_outcome_open() {
    for (status, body) in [
        (500, error(-4, "Plugin terminated before replying to RPC call.").to_string()),
        (500, error(-1, "disk full").to_string()),
        (500, json!({"code": null, "message": "Connection reset by peer", "data": null}).to_string()),
        (502, "<html>Bad Gateway</html>".to_owned()),
        (201, "{\"status\": \"complete\"}".to_owned()),
    ] {
        let s = Setting::new().await;
        s.node.give(XPAY, status, &body);
        s.lists(&[]);
        assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }), "{body}");
        assert!(matches!(s.state().await, OutgoingState::InFlight), "{body}");
    }
}

/// `listpays` is empty while xpay looks for its first way, and says `failed` between two attempts up to v26.04.
#[tokio::test]
async fn an_order_without_an_answer_is_under_way_until_it_cannot_be() {
    let s = Setting::new().await;
    s.node.silence(XPAY);
    assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }));
    for listed in [&[][..], &["failed"]] {
        s.lists(listed);
        assert!(matches!(s.state().await, OutgoingState::InFlight), "{listed:?}");
    }
    assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }));
    assert_eq!(s.node.bodies(XPAY).len(), 1, "it is not ordered a second time");
    s.clock.advance(SETTLED_AFTER);
    assert!(matches!(s.state().await, OutgoingState::Failed));
    s.lists(&[]);
    assert!(matches!(s.state().await, OutgoingState::NotFound));
}

#[tokio::test]
async fn what_an_earlier_process_may_have_ordered_is_not_ruled_out() {
    let s = Setting::just_started().await;
    for listed in [&[][..], &["failed"]] {
        s.lists(listed);
        assert!(matches!(s.state().await, OutgoingState::InFlight), "{listed:?}");
    }
    assert!(matches!(s.cln.pay(&order()).await, Payment::Unknown { .. }));
    assert_eq!(s.node.bodies(XPAY).len(), 0);
    s.lists(&["complete"]);
    assert!(matches!(s.state().await, OutgoingState::Paid(_)), "what is known is said");
    s.clock.advance(SETTLED_AFTER);
    s.lists(&[]);
    assert!(matches!(s.state().await, OutgoingState::NotFound));
}

#[tokio::test]
async fn one_call_that_failed_says_nothing_about_another() {
    let s = Setting::new().await;
    for (listed, expected) in [
        (&["failed", "complete", "failed"][..], "Paid"),
        (&["failed", "pending", "failed"], "InFlight"),
        (&["failed", "failed"], "Failed"),
        (&[], "NotFound"),
    ] {
        s.lists(listed);
        let state = format!("{:?}", s.state().await);
        assert!(state.starts_with(expected), "{state}");
    }
    s.lists(&["failed", "paused"]);
    assert_eq!(s.cln.lookup_outgoing(&HASH).await.unwrap_err().kind, FaultKind::Garbled);
}

#[tokio::test]
async fn the_order_has_limits() {
    let s = Setting::new().await;
    s.node.give(XPAY, 500, error(-32602, "no"));
    s.cln.pay(&PaymentOrder { timeout: Duration::from_mins(10), ..order() }).await;
    let asked: Value = serde_json::from_str(&s.node.bodies(XPAY)[0]).unwrap();
    // No amount: the invoice has its own, and xpay refuses a second one.
    assert_eq!(asked, json!({"invstring": "lnbcrt210n1", "maxfee": 10_000, "retry_for": 30}));
    assert!(Duration::from_secs(30) < SETTLED_AFTER);
}

#[tokio::test]
async fn what_arrived_is_what_the_payer_sent() {
    let s = Setting::new().await;
    let invoice = |status: &str| {
        json!({"invoices": [{
            "status": status, "amount_msat": 21_000, "amount_received_msat": 22_000, "paid_at": 1_767_225_655,
        }]})
    };
    s.node.give("POST /v1/listinvoices", 201, invoice("paid"));
    let settled = InvoiceState::Settled { amount: Msat::from_sat(22).unwrap(), at: Some(1_767_225_655) };
    assert_eq!(s.cln.lookup(&HASH).await, Ok(settled));
    s.node.give("POST /v1/listinvoices", 201, invoice("held"));
    assert_eq!(s.cln.lookup(&HASH).await.unwrap_err().kind, FaultKind::Garbled);
}

fn refused(secret: &str) -> String {
    let config = ClnConfig { rune: secret.into(), ..config(&"http://127.0.0.1:1/".parse().unwrap(), MAY_ALL) };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(0));
    Cln::new(&config, Network::Regtest, TIMEOUT, clock).err().unwrap().to_string()
}

#[test]
fn a_rune_that_cannot_do_is_refused_at_the_start() {
    let no_rune =
        "lightning.cln.rune: this is no rune: give the value of `rune` that `lightning-cli createrune` prints";
    assert_eq!(refused("c0ffee"), no_rune);
    assert_eq!(refused(&hex::encode(format!("{{\n   \"rune\": \"{}\"\n}}", rune(MAY_ALL)))), no_rune);
    assert_eq!(
        refused(&rune("=5&method=listinvoices|method=xpay")),
        "lightning.cln.rune: this rune does not allow to make invoices: it needs method=invoice"
    );
}

#[tokio::test]
async fn the_rune_says_what_can_be_done() {
    let node = Scripted::silent().await;
    let with = |restrictions: &str| {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(0));
        Cln::new(&config(&node.url, restrictions), Network::Regtest, TIMEOUT, clock).unwrap()
    };
    let can = |restrictions: &str| {
        let can = with(restrictions).capabilities();
        (can.lookup, can.pay)
    };
    assert_eq!(can(MAY_ALL), (true, true));
    assert_eq!(can("=5"), (true, true));
    assert_eq!(can("=5&method=invoice|method=listinvoices"), (true, false));
    assert_eq!(can("=5&method=invoice|method=xpay"), (false, false), "what was paid already cannot be seen");
    assert_eq!(
        can("=5&method=invoice|method=listinvoices|method=xpay|method=listpays&method/xpay|pnamemaxfee<50001"),
        (true, true)
    );
    let only_invoices = with("=5&method=invoice");
    assert_eq!(only_invoices.lookup(&HASH).await.unwrap_err().kind, FaultKind::Unsupported);
    node.give("POST /v1/invoice", 500, error(-32602, "missing required parameter: amount_msat"));
    only_invoices.health().await.unwrap();
    assert_eq!(node.bodies("POST /v1/invoice"), ["{}"], "health makes no invoice");
    node.give("POST /v1/invoice", 401, error(1503, "Not authorized: Blacklisted rune"));
    assert_eq!(only_invoices.health().await.unwrap_err().kind, FaultKind::Unauthorised);
}

async fn health(status: u16, body: &str) -> BackendError {
    let s = Setting::new().await;
    s.node.give("POST /v1/listinvoices", status, body);
    s.cln.health().await.unwrap_err()
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let rune_key = |text: &str| format!("lightning.cln.rune: Core Lightning refuses this rune: {text}");
    for (status, code, said) in [
        (403, 1501, "Not authorized: Missing rune"),
        (401, 1501, "Not authorized: Not derived from master"),
        (401, 1502, "Not permitted: method is not equal to invoice"),
        (401, 1503, "Not authorized: Blacklisted rune"),
    ] {
        let fault = health(status, &error(code, said).to_string()).await;
        assert_eq!((fault.kind, fault.to_string()), (FaultKind::Unauthorised, rune_key(said)));
    }
    let often = health(401, &error(1502, "Not permitted: too soon").to_string()).await;
    assert_eq!(often.kind, FaultKind::Limited { retry_after: None });
    assert_eq!(often.to_string(), "lightning.cln.rune: this rune may not be used so often: Not permitted: too soon");
    let alone = json!({"code": null, "message": "Connection refused (os error 111)", "data": null});
    let alone = health(401, &alone.to_string()).await;
    assert_eq!(alone.kind, FaultKind::Failing, "the rune is not to blame");
    assert_eq!(alone.to_string(), "clnrest cannot reach lightningd: Connection refused (os error 111)");
    let old = health(404, &error(-32601, "Unknown command 'listinvoices'").to_string()).await;
    assert_eq!(old.to_string(), "lightning.cln.url: this Core Lightning is too old: Unknown command 'listinvoices'");
    for status in [404, 405] {
        let other = health(status, "<html>Not here</html>").await;
        assert_eq!(other.kind, FaultKind::Refused);
        assert_eq!(
            other.to_string(),
            "lightning.cln.url: the server does not know clnrest's paths; give the address of `clnrest-host` and \
             `clnrest-port`"
        );
    }
    let other = health(401, "<html>Log in</html>").await;
    assert_eq!(
        other.to_string(),
        "lightning.cln.rune: the server refuses this rune (HTTP 401 Unauthorized), and it is not clnrest"
    );
    let failing = health(500, &error(-4, "Plugin terminated before replying to RPC call.").to_string()).await;
    assert_eq!(failing.kind, FaultKind::Failing);
    assert_eq!(failing.to_string(), "HTTP 500 Internal Server Error: Plugin terminated before replying to RPC call.");
}

#[tokio::test]
async fn an_old_node_cannot_pay() {
    let s = Setting::new().await;
    s.node.give(XPAY, 404, error(-32601, "Unknown command 'xpay'"));
    let Payment::Failed { reason } = s.cln.pay(&order()).await else { panic!("it was not refused") };
    assert_eq!(reason, logged::CLN_TOO_OLD);
}

/// clnrest with its certificate.
async fn tls_server(certificates: &Certificates) -> u16 {
    let invoices = async || products::json(201, &json!({"invoices": []}));
    tls::serve(Router::new().route("/v1/listinvoices", post(invoices)), certificates).await
}

async fn over_tls(url: &str, certificate: Option<&Path>) -> Result<(), String> {
    let config =
        ClnConfig { tls_certificate: certificate.map(Path::to_owned), ..config(&url.parse().unwrap(), MAY_ALL) };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(0));
    let cln = Cln::new(&config, Network::Regtest, TIMEOUT, clock).map_err(|error| error.to_string())?;
    cln.health().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn clnrests_own_certificate_is_pinned() {
    let (made, other, folder) = (Certificates::new(), Certificates::new(), tempfile::tempdir().unwrap());
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let (server, authority) = (file("server.pem", &made.server.pem()), file("ca.pem", &made.authority));
    let (stranger, key) = (file("other.pem", &other.authority), file("server-key.pem", &made.key.serialize_pem()));
    let outdated = file("old-server.pem", &other.server.pem());
    let port = tls_server(&made).await;
    let by_address = format!("https://127.0.0.1:{port}");
    let by_name = format!("https://localhost:{port}");
    over_tls(&by_address, Some(&server)).await.unwrap();
    over_tls(&by_name, Some(&authority)).await.unwrap();
    let untrusted =
        "lightning.cln.tls_certificate: the server's certificate is not trusted: invalid peer certificate: ";
    let wrong_name = "certificate not valid for name \"127.0.0.1\"; certificate is only valid for \
                      DnsName(\"cln rest server\"), DnsName(\"cln\") or DnsName(\"localhost\")";
    for (certificate, url, why) in [
        (None, &by_name, "UnknownIssuer"),
        (Some(&*outdated), &by_address, "UnknownIssuer"),
        (Some(&*stranger), &by_name, "BadSignature"),
        (Some(&*authority), &by_address, wrong_name),
    ] {
        assert_eq!(over_tls(url, certificate).await.unwrap_err(), format!("{untrusted}{why}"));
    }
    assert_eq!(
        over_tls(&by_address, Some(&key)).await.unwrap_err(),
        format!(
            "lightning.cln.tls_certificate: {} holds no certificate in PEM form: no section says CERTIFICATE",
            key.display()
        )
    );
    let without_tls = over_tls(&format!("http://127.0.0.1:{port}"), None).await.unwrap_err();
    assert_eq!(without_tls, "the answer did not come: invalid HTTP version parsed");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_speaks_no_tls_is_a_matter_of_the_url() {
    let said = over_tls("http://127.0.0.1:1", None).await.unwrap_err();
    assert_eq!(said, "lightning.cln.url: no connection: Connection refused (os error 111)");
    let plain = Scripted::silent().await;
    let said = over_tls(&plain.url.as_str().replace("http:", "https:"), None).await.unwrap_err();
    assert_eq!(said, "lightning.cln.url: no connection: received corrupt message of type InvalidContentType");
}
