//! The edge: HTTP in, HTTP out. The only place for axum and askama.
//!
//! - [`routes`]: the table. [`observe`]: what happens around every request. [`server`], [`tls`]: the listener.
//! - [`generate`] sells, [`redemption`] redeems, [`challenge`] asks for money, [`hold`] waits, [`answer`] tells how a job stands.
//! - [`refund`] gives money back, [`recover`] finds what a payment bought.
//! - [`job`], [`artifact`], [`discovery`], [`sandbox`], [`page`]: one resource each.
//! - [`offer`]: what is for sale now. [`storefront`]: the pages and documents that say so.
//! - [`error`], [`problem`]: the error table and its form on the wire.

pub mod answer;
pub mod artifact;
pub mod body;
pub mod budget;
pub mod challenge;
pub mod client;
pub mod discovery;
pub mod error;
pub mod gateway;
pub mod generate;
pub mod hold;
pub mod job;
pub mod metrics_page;
pub mod observe;
pub mod offer;
pub mod page;
pub mod pages;
pub mod prefer;
pub mod problem;
pub mod recover;
pub mod redemption;
pub mod refund;
pub mod routes;
pub mod sandbox;
pub mod server;
pub mod site;
pub mod storefront;
pub mod tls;
pub mod webhook;
