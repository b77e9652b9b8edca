//! One product a file: what can be wrong with it, and the sentence that says so.
#![expect(clippy::unused_async, reason = "some have to start what is wrong")]

pub mod any;
pub mod blink;
pub mod cln;
pub mod lightning_address;
pub mod lnbits;
pub mod lnd;
pub mod nwc;
pub mod opennode;
pub mod phoenixd;
