//! The gateway through its HTTP edge: each test starts the whole application on a free port, with a database of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod artifacts;
mod bodies;
mod browsers;
mod bucket;
mod callback_secrets;
mod callbacks;
mod challenge;
mod credentials;
mod discovery;
mod errors;
mod failures;
mod floods;
mod jobs;
mod keepalive;
mod lightning;
mod limits;
mod locality;
mod metrics;
mod pages;
mod purchase;
mod recover;
mod refunds;
mod refused;
mod restarts;
mod retention;
mod sandbox;
mod selling;
mod sockets;
mod stolen;
mod support;
mod thieves;
mod unwritable;
mod waiting;
