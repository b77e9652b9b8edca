//! What one product does that could lose money or mislead, beyond what all of them have to do.

mod blink;
mod cln;
mod lightning_address;
mod lnbits;
mod lnd;
mod nwc;
mod opennode;
mod phoenixd;
