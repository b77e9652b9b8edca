//! satforge: a gateway that sells AI generation by the call for bitcoin over Lightning.

pub mod app;
pub mod artifacts;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod lightning;
pub mod paywall;
pub mod providers;
pub mod shutdown;
pub mod store;
pub mod telemetry;
