//! The job engine behind a real edge, with a provider that does what the test tells it to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

mod answers;
mod clock;
mod deadline;
mod fake;
mod images;
mod latency;
mod leases;
mod results;
mod reworded;
mod routes;
mod stop;
mod webhooks;
mod world;
