//! Every adapter against one contract, through the whole gateway: a buyer pays, and a stub stands in for the vendor.
//!
//! A stub (`vendors`) answers as the vendor's documentation and SDKs say, from one vendor-neutral memory (`upstream`) of
//! what was started and how it goes. Between the two stands what misbehaves (`serve`). What must come of it is in
//! `contract`; what a vendor cannot do it declares as data (`vendor`), and the contract holds it to that as well.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

mod contract;
mod sandbox;
mod serve;
#[allow(dead_code, reason = "each vendor uses its part")]
mod upstream;
#[allow(dead_code, reason = "each vendor uses its part")]
mod vendor;
mod vendors;
mod world;

contract::for_every_vendor! {
    cog: crate::vendors::cog::Cog,
    fal: crate::vendors::fal::Fal,
    meshy: crate::vendors::meshy::Meshy,
    openrouter: crate::vendors::openrouter::OpenRouter,
    replicate: crate::vendors::replicate::Replicate,
    replicate_models: crate::vendors::replicate_models::Models,
    tripo: crate::vendors::tripo::Tripo,
    videos: crate::vendors::videos::Videos,
}
