//! What is particular to Nostr Wallet Connect: relays that nobody trusts, and wallets that differ.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lightning_invoice::Currency;
use satforge::config::NwcConfig;
use satforge::domain::{Msat, PaymentHash};
use satforge::lightning::nwc::{Nwc, SETTLED_AFTER};
use satforge::lightning::{
    BackendError, FaultKind, InvoiceRequest, InvoiceState, LightningBackend, Network, OutgoingState, Payment,
    PaymentOrder, decode_invoice,
};
use url::Url;

use crate::logged;
use crate::node::{Node, Route};
use crate::products::nwc::{Manners, SECRET, Temper, Wallet, adapter, uri};

struct Setup {
    node: Arc<Node>,
    wallets: Vec<Arc<Wallet>>,
    relays: Vec<Url>,
    backend: Arc<dyn LightningBackend>,
}

/// A wallet behind a relay each, all over one node, and the adapter that knows all the relays.
async fn setup(manners: impl IntoIterator<Item = Manners>) -> Setup {
    let node = Arc::new(Node::new(Currency::Regtest));
    let (mut wallets, mut relays) = (Vec::new(), Vec::new());
    for manners in manners {
        let (wallet, relay) = Wallet::start(node.clone(), manners).await;
        wallets.push(wallet);
        relays.push(relay);
    }
    let backend = adapter(&relays, SECRET, node.clone());
    node.advance(SETTLED_AFTER);
    Setup { node, wallets, relays, backend }
}

fn relay(relay: Temper) -> Manners {
    Manners { relay, ..Manners::default() }
}

fn request(sat: u64) -> InvoiceRequest {
    let amount = Msat::from_sat(sat).unwrap();
    InvoiceRequest { amount, description: "a picture".into(), expiry: Duration::from_mins(10) }
}

fn order(bolt11: String, hash: [u8; 32]) -> PaymentOrder {
    PaymentOrder {
        bolt11,
        payment_hash: PaymentHash::from_bytes(hash),
        amount: Msat::from_sat(21).unwrap(),
        max_fee: Msat::from_sat(10).unwrap(),
        timeout: Duration::from_secs(1),
    }
}

impl Setup {
    async fn make(&self, sat: u64) -> Result<(), BackendError> {
        let made = self.backend.create_invoice(request(sat)).await?;
        assert_eq!(
            decode_invoice(&made.bolt11).unwrap().amount,
            Some(Msat::from_sat(sat).unwrap()),
            "another's answer"
        );
        Ok(())
    }

    /// Pays an invoice with this route, without looking first.
    async fn pay(&self, route: Route) -> (Payment, PaymentHash) {
        let (bolt11, hash) = self.node.foreign_invoice(21_000, 600, route);
        let payment_hash = PaymentHash::from_bytes(hash);
        (self.backend.pay(&order(bolt11, hash)).await, payment_hash)
    }

    async fn outgoing(&self, hash: &PaymentHash) -> OutgoingState {
        self.backend.lookup_outgoing(hash).await.unwrap()
    }

    fn connections(&self, index: usize) -> usize {
        self.wallets[index].connections.load(Ordering::SeqCst)
    }

    fn methods(&self, index: usize) -> Vec<String> {
        self.wallets[index].asked().into_iter().map(|(_, method)| method).collect()
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let setup = setup([Manners::default()]).await;
    for sat in 1..6 {
        setup.make(sat).await.unwrap();
    }
    setup.backend.health().await.unwrap();
    assert_eq!(setup.connections(0), 1);
}

#[tokio::test]
async fn what_a_relay_makes_up_or_repeats_is_not_believed() {
    let setup = setup([relay(Temper::Forging)]).await;
    for sat in 1..5 {
        setup.make(sat).await.unwrap();
    }
    let (payment, hash) = setup.pay(Route::None).await;
    let said = "the wallet fails with INTERNAL: received payment failed event: RouteNotFound; the wallet says that the \
                payment has failed, which is not final";
    assert!(matches!(&payment, Payment::Unknown { reason } if reason == said), "{payment:?}");
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::Unknown { .. }));
    assert!(matches!(setup.pay(Route::Open).await.0, Payment::Paid(_)));
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let setup = setup([relay(Temper::Reordering)]).await;
    let made = tokio::join!(setup.make(1), setup.make(2), setup.make(3), setup.make(4));
    assert_eq!(made, (Ok(()), Ok(()), Ok(()), Ok(())));
    assert_eq!(setup.connections(0), 1);
}

#[tokio::test]
async fn whoever_waits_long_keeps_nobody_waiting() {
    let setup = setup([Manners::default()]).await;
    let others = async {
        for sat in 1..4 {
            setup.make(sat).await.unwrap();
        }
    };
    let ((payment, _), ()) = tokio::join!(setup.pay(Route::Stuck), others);
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    setup.make(4).await.unwrap();
    assert_eq!(setup.connections(0), 1);
}

#[tokio::test]
async fn a_relay_that_denies_an_order_may_have_passed_it_on() {
    let setup = setup([relay(Temper::Lying)]).await;
    let error = setup.make(1).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Limited { retry_after: None }, "{error}");
    let said = "lightning.nwc.uri: relay 1 of 1 refuses the request: rate-limited: you are noting too much";
    assert_eq!(error.to_string(), said);
    let (payment, _) = setup.pay(Route::Open).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    assert_eq!(setup.node.payments(), 1);
}

#[tokio::test]
async fn an_order_is_given_to_one_relay_only() {
    let setup = setup([relay(Temper::Deaf), Manners::default()]).await;
    let (payment, hash) = setup.pay(Route::Open).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    assert_eq!((setup.methods(0), setup.methods(1)), (vec!["pay_invoice".to_owned()], vec![]));
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::Paid(_)));
    assert_eq!(setup.methods(1), ["lookup_invoice"], "the other relay is asked from now on");
}

#[tokio::test]
async fn another_relay_is_tried_where_one_is_silent() {
    let setup = setup([relay(Temper::Deaf), relay(Temper::Withholding), Manners::default()]).await;
    setup.make(5).await.unwrap();
    setup.make(6).await.unwrap();
    assert_eq!(setup.connections(0), 1);
    assert_eq!(setup.methods(2), ["make_invoice", "make_invoice"]);
}

#[tokio::test]
async fn an_order_that_is_held_back_may_still_be_carried_out() {
    let setup = setup([relay(Temper::Withholding), Manners::default()]).await;
    let (payment, hash) = setup.pay(Route::Open).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    // The wallet has not heard of it, which means nothing yet.
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::InFlight));
    setup.node.advance(SETTLED_AFTER);
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::NotFound));
}

#[tokio::test]
async fn an_order_that_is_held_back_is_not_forgotten_by_a_restart() {
    let mut setup = setup([relay(Temper::Withholding), Manners::default()]).await;
    let (_, hash) = setup.pay(Route::Open).await;
    setup.backend = adapter(&setup.relays, SECRET, setup.node.clone());
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::InFlight));
    let (payment, _) = setup.pay(Route::Open).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
    assert_eq!(setup.node.payments(), 0, "nothing is ordered before that is over");
    setup.node.advance(SETTLED_AFTER);
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::NotFound));
    assert!(matches!(setup.pay(Route::Open).await.0, Payment::Paid(_)), "the other relay is in use");
}

#[tokio::test]
async fn what_was_ordered_twice_is_sent_once() {
    let setup = setup([Manners::default()]).await;
    let (bolt11, hash) = setup.node.foreign_invoice(21_000, 600, Route::Stuck);
    let order = order(bolt11, hash);
    let (first, second) = tokio::join!(setup.backend.pay(&order), setup.backend.pay(&order));
    assert!(matches!((&first, &second), (Payment::Unknown { .. }, Payment::Unknown { .. })), "{first:?}, {second:?}");
    assert_eq!(setup.methods(0), ["pay_invoice"]);
}

#[tokio::test]
async fn a_relay_may_want_to_know_who_asks() {
    let setup = setup([relay(Temper::Closed)]).await;
    setup.make(5).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_opened_anew() {
    let setup = setup([relay(Temper::Hasty)]).await;
    for sat in 1..4 {
        setup.make(sat).await.unwrap();
        while setup.wallets[0].closed.load(Ordering::SeqCst) < setup.connections(0) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(setup.connections(0), 3);
}

/// Lets the gateway's timers think that half a minute has gone by.
async fn half_a_minute_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_idle_connection_is_tried_before_it_is_used() {
    let setup = setup([Manners::default()]).await;
    setup.make(1).await.unwrap();
    half_a_minute_later().await;
    setup.make(2).await.unwrap();
    assert_eq!(setup.connections(0), 1, "it was still good");
}

#[tokio::test]
async fn a_connection_that_has_died_silently_is_replaced() {
    let setup = setup([relay(Temper::Freezing)]).await;
    setup.make(1).await.unwrap();
    half_a_minute_later().await;
    // The time is too short for the ping and the request; nothing is sent into the void.
    let error = setup.make(2).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable, "{error}");
    assert_eq!(error.to_string(), "lightning.nwc.uri: no relay answered in time");
    setup.make(3).await.unwrap();
    assert_eq!(setup.connections(0), 2);
}

#[tokio::test]
async fn a_wallet_that_knows_only_the_older_encryption_is_understood() {
    for (encryption, used) in [(None, "nip04"), (Some("nip04"), "nip04"), (Some("nip44_v2"), "nip44_v2")] {
        let setup = setup([Manners { encryption, ..Manners::default() }]).await;
        setup.make(5).await.unwrap();
        assert!(matches!(setup.pay(Route::Open).await.0, Payment::Paid(_)));
        assert!(setup.wallets[0].asked().iter().all(|(encryption, _)| encryption == used));
    }
    let setup = setup([Manners { encryption: Some("nip99"), ..Manners::default() }]).await;
    let said = "lightning.nwc.uri: the wallet offers neither of the encryptions nip44_v2 and nip04";
    assert_eq!(setup.make(5).await.unwrap_err().to_string(), said);
}

#[tokio::test]
async fn no_code_makes_a_failure_of_a_payment_that_is_under_way() {
    for code in ["INSUFFICIENT_BALANCE", "PAYMENT_FAILED", "RATE_LIMITED", "UNAUTHORIZED", "INTERNAL", "NEW"] {
        let setup = setup([Manners { pay_error: Some(code), ..Manners::default() }]).await;
        let (payment, _) = setup.pay(Route::Stuck).await;
        assert!(matches!(payment, Payment::Unknown { .. }), "{code}: {payment:?}");
        let (payment, _) = setup.pay(Route::Open).await;
        assert!(matches!(payment, Payment::Paid(_)), "{code}: {payment:?}");
    }
}

#[tokio::test]
async fn a_failure_that_is_in_no_book_is_one_only_where_the_code_excludes_an_attempt() {
    for (code, final_) in [
        ("QUOTA_EXCEEDED", true),
        ("INSUFFICIENT_BALANCE", true),
        ("RESTRICTED", true),
        ("PAYMENT_FAILED", false),
        ("BAD_REQUEST", false),
        ("INTERNAL", false),
        ("OTHER", false),
    ] {
        let manners = Manners { pay_error: Some(code), forgets_failures: true, ..Manners::default() };
        let setup = setup([manners]).await;
        let (payment, hash) = setup.pay(Route::None).await;
        // The wallet may keep a payment to itself while it is at it.
        let state = setup.outgoing(&hash).await;
        assert_eq!(matches!(state, OutgoingState::InFlight), !final_, "{code}: {state:?}");
        assert_eq!(matches!(payment, Payment::Failed { .. }), final_, "{code}: {payment:?}");
        assert_eq!(matches!(payment, Payment::Unknown { .. }), !final_, "{code}: {payment:?}");
    }
}

/// Alby Hub marks a payment as failed when its node reports any error, and settles it later.
#[tokio::test]
async fn what_the_books_call_failed_never_is() {
    for code in ["PAYMENT_FAILED", "INSUFFICIENT_BALANCE", "INTERNAL"] {
        let setup = setup([Manners { pay_error: Some(code), ..Manners::default() }]).await;
        let (payment, hash) = setup.pay(Route::None).await;
        assert!(matches!(payment, Payment::Unknown { .. }), "{code}: {payment:?}");
        setup.node.advance(SETTLED_AFTER);
        assert!(matches!(setup.outgoing(&hash).await, OutgoingState::Unknown { .. }), "{code}");
    }
}

#[tokio::test]
async fn a_payment_without_its_preimage_counts_when_the_books_have_it() {
    let setup = setup([Manners { hides_preimages: true, ..Manners::default() }]).await;
    let (payment, hash) = setup.pay(Route::Open).await;
    let Payment::Paid(receipt) = payment else { panic!("{payment:?}") };
    assert!(receipt.preimage.unwrap().opens(&hash));
    let (payment, _) = setup.pay(Route::Stuck).await;
    assert!(matches!(payment, Payment::Unknown { .. }), "{payment:?}");
}

#[tokio::test]
async fn a_payment_whose_invoice_has_expired_may_still_arrive() {
    let setup = setup([Manners::default()]).await;
    let (_, hash) = setup.pay(Route::Stuck).await;
    setup.node.advance(Duration::from_mins(11));
    assert!(matches!(setup.outgoing(&hash).await, OutgoingState::InFlight));
}

#[tokio::test]
async fn an_invoice_of_the_wallets_own_is_no_payment() {
    let setup = setup([Manners::default()]).await;
    let made = setup.backend.create_invoice(request(5)).await.unwrap();
    assert!(matches!(setup.outgoing(&made.payment_hash).await, OutgoingState::NotFound));
    setup.node.receive(&made.bolt11);
    let error = setup.backend.lookup_outgoing(&made.payment_hash).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Refused, "{error}");
    // And the other way round: what was paid out has not come in.
    let (_, hash) = setup.pay(Route::Open).await;
    assert_eq!(setup.backend.lookup(&hash).await, Ok(InvoiceState::NotFound));
}

#[tokio::test]
async fn parts_of_a_sat_are_refused_before_anything_is_sent() {
    let setup = setup([Manners::default()]).await;
    let error = setup
        .backend
        .create_invoice(InvoiceRequest { amount: Msat::new(5_001).unwrap(), ..request(5) })
        .await
        .unwrap_err();
    assert_eq!(error.kind, FaultKind::Refused);
    assert!(setup.methods(0).is_empty());
}

#[tokio::test]
async fn what_is_not_allowed_is_not_promised() {
    let setup = setup([Manners { methods: Some("get_info make_invoice pay_invoice"), ..Manners::default() }]).await;
    setup.backend.health().await.unwrap();
    let can = setup.backend.capabilities();
    assert!(!can.lookup && !can.pay, "without looking first it is not safe to pay");
    assert!(matches!(setup.pay(Route::Open).await.0, Payment::Failed { .. }));
    assert_eq!(setup.node.payments(), 0);
    let error = setup.backend.lookup(&PaymentHash::from_bytes([1; 32])).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unsupported);
    assert!(!setup.methods(0).contains(&"pay_invoice".to_owned()));
    // It may have been allowed when a payment was ordered: this is no word on whether it was.
    let error = setup.backend.lookup_outgoing(&PaymentHash::from_bytes([1; 32])).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unauthorised);
    assert_eq!(error.to_string(), logged::NWC_NO_LOOKUP);
}

#[tokio::test]
async fn a_connection_that_may_not_receive_is_named() {
    let setup = setup([Manners { methods: Some("get_info lookup_invoice"), ..Manners::default() }]).await;
    let said = "lightning.nwc.uri: the wallet does not allow this connection make_invoice";
    assert_eq!(setup.backend.health().await.unwrap_err().to_string(), said);
    let error = setup.make(5).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{said}: This app does not have the make_invoice scope"));
    assert_eq!(error.kind, FaultKind::Unauthorised);
}

#[tokio::test]
async fn a_wallet_without_get_info_is_healthy_when_it_answers() {
    for methods in ["make_invoice lookup_invoice", "make_invoice"] {
        let setup = setup([Manners { methods: Some(methods), ..Manners::default() }]).await;
        setup.backend.health().await.unwrap();
        assert!(!setup.methods(0).contains(&"get_info".to_owned()));
    }
}

#[tokio::test]
async fn a_wallet_that_the_relay_does_not_know_is_named() {
    let setup = setup([Manners { methods: None, ..Manners::default() }]).await;
    let error = setup.make(5).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    let said =
        "lightning.nwc.uri: relay 1 of 1 does not know the wallet: it is not running, or has deleted the connection";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn a_wallet_that_does_not_know_the_connection_is_named() {
    let node = Arc::new(Node::new(Currency::Regtest));
    let (_, relay) = Wallet::start(node.clone(), Manners::default()).await;
    let error = adapter(&[relay], &"22".repeat(32), node).create_invoice(request(5)).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Interrupted);
    let said = "lightning.nwc.uri: no answer from the wallet within 630ms over relay 1 of 1: it is not running, or has \
                deleted the connection";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_is_named_by_its_place() {
    let node = Arc::new(Node::new(Currency::Regtest));
    let (_, relay) = Wallet::start(node.clone(), Manners::default()).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone: Url = format!("ws://{free}").parse().unwrap();
    let mut encrypted = relay.clone();
    encrypted.set_scheme("wss").unwrap();
    let error =
        adapter(std::slice::from_ref(&gone), SECRET, node.clone()).create_invoice(request(5)).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unreachable);
    let said = error.to_string();
    assert!(said.starts_with("lightning.nwc.uri: relay 1 of 1: no connection: "), "{said}");
    let error = adapter(&[gone.clone(), encrypted], SECRET, node.clone()).health().await.unwrap_err();
    assert!(error.to_string().starts_with("lightning.nwc.uri: relay 2 of 2: no connection: "), "{error}");
    // The next one is taken at once.
    adapter(&[gone, relay], SECRET, node).create_invoice(request(5)).await.unwrap();
}

#[test]
fn a_string_that_is_none_is_refused_before_anything_starts() {
    let clock = Arc::new(Node::new(Currency::Regtest));
    let refusal = |uri: &str| {
        let refused = Nwc::new(&NwcConfig { uri: uri.into() }, Network::Regtest, Duration::from_secs(1), clock.clone());
        refused.err().unwrap().to_string()
    };
    let no_string = "lightning.nwc.uri: this is no connection string: it begins with nostr+walletconnect://";
    assert_eq!(refusal("shop@example.com"), no_string);
    let relays: [Url; 1] = ["ws://1.1.1.1".parse().unwrap()];
    let open = "lightning.nwc.uri: its relay 1 has no TLS (ws://) and is not in a private network";
    assert_eq!(refusal(&uri(&relays, SECRET)), open);
}
