//! Every Lightning adapter against one contract.
//!
//! Its part about backends that work (`working`) holds for the sandbox, too, and the target `peers` runs it against real
//! nodes and wallets. Here the products are stood in for by stubs that answer as the products' documentation and source
//! say, and that misbehave when they are told to (`contract`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

mod contract;
mod logged;
mod node;
mod products;
mod sandbox;
mod scripted;
mod serve;
mod stub;
mod stubbed;
mod tls;
mod traps;
mod working;

use products::blink::BlinkProduct;
use products::cln::ClnProduct;
use products::lightning_address::LightningAddressProduct;
use products::lnbits::LnbitsProduct;
use products::lnd::LndProduct;
use products::nwc::NwcProduct;
use products::opennode::OpenNodeProduct;
use products::phoenixd::PhoenixdProduct;

contract::for_every_product! {
    blink: BlinkProduct,
    cln: ClnProduct,
    lightning_address: LightningAddressProduct,
    lnbits: LnbitsProduct,
    lnd: LndProduct,
    opennode: OpenNodeProduct,
    phoenixd: PhoenixdProduct,
    nwc: NwcProduct,
}
