//! What is particular to LND.

use std::sync::Arc;

use lightning_invoice::Currency;
use satforge::config::LndConfig;
use satforge::domain::PaymentHash;
use satforge::lightning::lnd::Lnd;
use satforge::lightning::{FaultKind, LightningBackend as _, Network};

use crate::node::Node;
use crate::stub::TIMEOUT;

/// A macaroon for invoices:write alone.
const WRITES_INVOICES: &str = concat!(
    "0201036c6e640229030a10070707070707070707070707070707071201301a110a08696e766f6963657312057772697465",
    "00000620",
    "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
);

#[tokio::test]
async fn what_the_macaroon_does_not_allow_is_not_asked_for() {
    // Nobody is there to be asked.
    let url = "http://127.0.0.1:1/".parse().unwrap();
    let config = LndConfig { url, macaroon: WRITES_INVOICES.into(), tls_certificate: None };
    let clock = Arc::new(Node::new(Currency::Regtest));
    let lnd = Lnd::new(&config, Network::Regtest, TIMEOUT, clock).unwrap();
    assert!(!lnd.capabilities().lookup);
    let error = lnd.lookup(&PaymentHash::from_bytes([7; 32])).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Unsupported);
    assert_eq!(error.to_string(), "this backend cannot look invoices up: the macaroon lacks invoices:read");
}
