//! The real binary is killed at each step of a job and started again: the same credential gets its result, for one
//! payment, from one generation.
//!
//! A generation takes an hour before the crash and no time after it, so a job stands still where it is to be killed.
//! The steps that last for microseconds are written into the row while no process runs, exactly as a crash would have
//! left them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

mod backup;
mod callbacks;
mod files;
mod operator;
mod scene;
mod steps;
mod stop;
mod upstream;
