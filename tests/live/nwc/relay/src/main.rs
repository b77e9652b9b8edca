//! A Nostr relay on the loopback for the tests: `satforge-live-relay [PORT]` prints its address and runs until it is
//! killed. It keeps events in memory alone, so a relay that was started again has forgotten them, as relays may.

use nostr_relay_builder::builder::{RateLimit, RelayBuilder};
use nostr_relay_builder::local::LocalRelay;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The default of 60 events a minute on one connection is less than what a busy wallet says.
    let rate_limit = RateLimit { notes_per_minute: 60_000, ..RateLimit::default() };
    let mut builder = RelayBuilder::default().rate_limit(rate_limit);
    if let Some(port) = std::env::args().nth(1) {
        builder = builder.port(port.parse()?);
    }
    let relay = LocalRelay::new(builder);
    relay.run().await?;
    println!("{}", relay.url().await);
    std::future::pending().await
}
