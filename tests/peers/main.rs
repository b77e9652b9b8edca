//! The part of the adapters' contract about working backends, against a real node or wallet. `cargo test` leaves it out;
//! the suites in `tests/live` that have such a peer run it, and so can anybody:
//!
//! ```sh
//! PEERS_CONFIG=satforge.toml PEERS_CAN='lookup pay' PEER_PAY=… PEER_INVOICE=… PEER_RECEIVED=… cargo test --test peers -- --show-output
//! ```
//!
//! - `PEERS_CONFIG`: the file that `satforge serve` would take. Its backend is the one under test. **It pays, too**, where
//!   it may: a handful of invoices over 21 sats.
//! - `PEERS_CAN`: what it must be able to, of `lookup`, `pay` and `msat` in this order; without this, the tests of what a
//!   wallet cannot do would hold for one that has lost it.
//!
//! The other variables are commands that drive another wallet, which must be able to pay the backend and to be paid by it:
//!
//! - `PEER_PAY BOLT11` pays, and prints the preimage in hexadecimal.
//! - `PEER_INVOICE SATS SECONDS` makes an invoice that can be paid so long, and prints it.
//! - `PEER_RECEIVED BOLT11` prints how many msat have arrived for such an invoice, over all payments of it.
//!
//! A variable that is missing is a failure: nothing here is ever skipped.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::expect_used, reason = "a panic says which variable is missing")]
#![expect(clippy::print_stdout, reason = "figures are for whoever runs it")]

mod figures;
mod peer;
#[path = "../lightning/working.rs"]
mod working;

use peer::{Peer, variable};
use working::{World as _, request};

working::tests_in!(Peer, a_fee_limit_is_kept);

#[tokio::test]
async fn it_can_do_what_is_expected() {
    let peer = Peer::start().await;
    let backend = peer.backend();
    // With some wallets it shows only with the first invoice whether they can be asked.
    backend.create_invoice(request(backend, 1)).await.unwrap();
    let can = backend.capabilities();
    let able = [("lookup", can.lookup), ("pay", can.pay), ("msat", can.msat)];
    let able: Vec<_> = able.into_iter().filter_map(|(name, able)| able.then_some(name)).collect();
    assert_eq!(able.join(" "), variable("PEERS_CAN"));
}
