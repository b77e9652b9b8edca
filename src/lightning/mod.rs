//! Lightning backends: who makes the invoices.
//!
//! One trait, one adapter a file; the sandbox is one of them. What a backend answers is never believed: the paywall
//! decodes it with [`decode_invoice`] and holds it against what was asked.

pub mod sandbox;

mod decode;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Invoice, Msat};

pub use decode::{DecodedInvoice, Network, UndecodableInvoice, decode_invoice};

/// A node or wallet that receives payments for this gateway.
#[async_trait]
pub trait LightningBackend: Send + Sync {
    /// The adapter's name in logs and metrics.
    fn name(&self) -> &'static str;

    /// The network that its invoices are for.
    fn network(&self) -> Network;

    /// Makes an invoice.
    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError>;

    /// Whether invoices can be made at the moment. Called by readiness probes, so it must be cheap.
    async fn health(&self) -> Result<(), BackendError>;
}

/// An invoice to make.
#[derive(Clone, Debug)]
pub struct InvoiceRequest {
    /// The exact amount.
    pub amount: Msat,
    /// What the payer's wallet shows.
    pub description: String,
    /// How long it can be paid.
    pub expiry: Duration,
}

/// A backend that did not do what it was asked. The text is for the log and holds no secrets.
#[derive(Debug, thiserror::Error)]
#[error("the Lightning backend {backend} failed: {message}")]
pub struct BackendError {
    /// The adapter's name.
    pub backend: &'static str,
    /// What happened.
    pub message: String,
}
