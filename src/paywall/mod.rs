//! Payment as a credential: `402` in, [`VerifiedPayment`] out.
//!
//! - [`challenge`]: macaroon and invoice for a request that was validated and priced.
//! - [`l402`]: the `Authorization` header. [`macaroon`], [`token`], [`caveat`]: what stands in it.
//! - [`verify`]: from a credential to a payment.
//!
//! Architecture invariant: an unpaid challenge stores nothing but its hash in bounded memory; everything needed to
//! honour the payment later is inside the macaroon.

pub mod caveat;
pub mod challenge;
pub mod handed_out;
pub mod l402;
pub mod macaroon;
pub mod token;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Quote;
use crate::clock::Clock;
use crate::config::{KeyRing, LightningConfig, PaywallConfig};
use crate::domain::{Invoice, RequestBinding};
use crate::lightning::{InvoiceRequest, LightningBackend};

pub use challenge::{Challenge, ChallengeError};
pub use verify::{Proof, ProvenCredential, Refusal, VerifiedPayment};

use handed_out::HandedOut;

/// Hashes remembered against a backend that repeats itself: about 10 MB at the most.
const HANDED_OUT_CAPACITY: usize = 100_000;
/// Invoices asked for until one can carry a token. One in 400,000 cannot.
const INVOICES: usize = 3;

/// Makes challenges and verifies credentials.
pub struct Paywall {
    ring: KeyRing,
    backend: Arc<dyn LightningBackend>,
    clock: Arc<dyn Clock>,
    handed_out: HandedOut,
    invoice_expiry: Duration,
    invoice_timeout: Duration,
    redeem_window: Duration,
}

impl Paywall {
    /// A paywall whose invoices come from `backend`.
    #[must_use]
    pub fn new(
        ring: KeyRing,
        backend: Arc<dyn LightningBackend>,
        clock: Arc<dyn Clock>,
        lightning: &LightningConfig,
        paywall: &PaywallConfig,
    ) -> Self {
        Self {
            ring,
            backend,
            clock,
            handed_out: HandedOut::new(lightning.invoice_expiry.as_secs(), HANDED_OUT_CAPACITY),
            invoice_expiry: lightning.invoice_expiry,
            invoice_timeout: lightning.invoice_timeout,
            redeem_window: paywall.redeem_window,
        }
    }

    /// Makes an invoice over `quote` and a macaroon bound to `binding`.
    ///
    /// Errors when the backend cannot make an invoice, or makes one that is not what was asked for.
    pub async fn challenge(&self, binding: &RequestBinding, quote: &Quote) -> Result<Challenge, ChallengeError> {
        for _ in 0..INVOICES {
            let invoice = self.obtain_invoice(quote).await?;
            let valid_until = invoice.expires_at.saturating_add(self.redeem_window.as_secs());
            if let Some(macaroon) = challenge::mint(&self.ring, &invoice, binding, valid_until, rand::random) {
                return Ok(Challenge { macaroon, invoice });
            }
        }
        Err(ChallengeError::Unusable("no readable token can be made for its payment hash"))
    }

    async fn obtain_invoice(&self, quote: &Quote) -> Result<Invoice, ChallengeError> {
        let request = InvoiceRequest {
            amount: quote.amount,
            description: quote.description.clone(),
            expiry: self.invoice_expiry,
        };
        let now = self.clock.unix_seconds();
        challenge::obtain_invoice(&*self.backend, &self.handed_out, request, self.invoice_timeout, now).await
    }

    /// What the `Authorization` headers prove, before the body is known.
    #[must_use]
    pub fn prove<'a>(&self, headers: impl Iterator<Item = &'a [u8]>) -> Proof {
        verify::prove(&self.ring, headers)
    }

    /// The payment for exactly `binding` among `credentials`; a refusal consumes nothing.
    pub fn bind(
        &self,
        credentials: Vec<ProvenCredential>,
        binding: RequestBinding,
    ) -> Result<VerifiedPayment, Refusal> {
        verify::bind(credentials, binding, self.clock.unix_seconds())
    }
}

#[cfg(test)]
mod vectors;
