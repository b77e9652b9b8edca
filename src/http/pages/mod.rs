//! The pages for people: what is sold, what it costs and how to buy it.
//!
//! Pure functions from [`Site`] to HTML. Nothing in here knows of requests or of axum; every page but those about one
//! caller's money is rendered once and served as bytes. The pages carry no inline styles, scripts or handlers and refer to nothing outside
//! of this host, which lets the content security policy be as strict as one can be; without scripts they work whole.

pub mod context;
mod documents;
mod errors;
mod quote;
mod refunds;
pub mod snippets;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use context::{ParamDoc, PricedExample, ServiceDoc, Site, TriggerDoc};
pub use documents::{render_errors, render_guide, render_home, render_not_found, render_service};
pub use errors::{ErrorDoc, ErrorGroup};
pub use refunds::{RecoveredDoc, RefundDoc, RefundStatus, render_recover, render_refund};
