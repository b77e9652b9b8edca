//! The edge: HTTP in, HTTP out. The only place for axum and askama.
//!
//! - [`routes`]: the table. [`observe`]: what happens around every request. [`server`], [`tls`]: the listener.
//! - [`generate`] sells, [`redemption`] redeems, [`challenge`] asks for money, [`hold`] waits, [`answer`] tells how a job stands.
//! - [`refund`] gives money back, [`recover`] finds what a payment bought.
//! - [`job`], [`artifact`], [`discovery`], [`sandbox`], [`page`]: one resource each.
//! - [`offer`]: what is for sale now. [`storefront`]: the pages and documents that say so.
//! - [`client`] says who asks. [`budget`], [`misses`]: how often. [`tarpit`]: what whoever is over a limit gets.
//! - [`crowd`], [`unread`]: connections that are too many, or whose peers do not read. [`locality`]: play money stays here.
//! - [`error`], [`problem`]: the error table and its form on the wire.

pub mod answer;
pub mod artifact;
pub mod body;
pub mod buckets;
pub mod budget;
pub mod challenge;
pub mod client;
pub mod crowd;
pub mod discovery;
pub mod error;
pub mod gateway;
pub mod generate;
pub mod hold;
pub mod job;
pub mod locality;
pub mod metrics_page;
pub mod misses;
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
pub mod tarpit;
pub mod tls;
pub mod unread;
pub mod webhook;
