//! The rules of the house that no compiler keeps.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod imports;
mod lists;
mod promises;
mod source;
