//! Lightning backends: who makes the invoices, and who pays money back.
//!
//! One trait, [`LightningBackend`], and one adapter a file; the sandbox is one of them. An adapter translates and
//! decides nothing. Around it:
//!
//! - [`Guarded`]: time limits, so many requests at once, and a circuit that refuses at once while the node is down.
//! - [`Invoices`]: checks every invoice against what was asked for, keeps some ready, limits how many are unpaid, and remembers
//!   which are out.
//! - [`pay()`]: the only caller of [`LightningBackend::pay`]; it looks before it pays.
//!
//! Architecture invariant: what a backend answers is never believed. No credential of a backend is in an error, a log
//! line or a `Debug` output, and none is sent along a redirect ([`crate::egress`]).

pub mod blink;
pub mod cln;
pub mod lightning_address;
pub mod lnbits;
pub mod lnd;
pub mod nwc;
pub mod opennode;
pub mod phoenixd;
pub mod sandbox;
pub mod settlement;

mod backend;
mod checked;
mod decode;
mod fault;
mod guarded;
mod handed_out;
mod invoices;
mod issued;
mod open_invoices;
mod orders;
mod outstanding;
mod pay;
mod pool;
mod rest;
#[cfg(test)]
mod tests;

pub use crate::circuit::Open;
pub use crate::domain::Network;
pub use backend::{
    Capabilities, ExpiryRule, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend, OutgoingState, Payment,
    PaymentOrder, Receipt,
};
pub use decode::{DecodedInvoice, UndecodableInvoice, decode_invoice};
pub use fault::{BackendError, FaultKind};
pub use guarded::{Guarded, NodeError};
pub use invoices::Invoices;
pub use issued::{Issued, IssuedSum};
pub use outstanding::{Outstanding, Tracked};
pub use pay::{Attempt, Payout, pay};
pub use rest::SetupError;
pub use settlement::Unconfirmed;
