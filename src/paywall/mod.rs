//! Payment as a credential: `402` in, [`VerifiedPayment`] out.
//!
//! - [`challenge`]: macaroon and invoice for a request that was validated and priced.
//! - [`l402`]: the `Authorization` header. [`macaroon`], [`token`], [`caveat`]: what stands in it.
//! - [`verify`]: from a credential to a payment.
//! - [`callback`]: what callbacks are signed with.
//!
//! Architecture invariant: an unpaid challenge stores nothing; everything needed to honour the payment later is inside
//! the macaroon.

pub mod callback;
pub mod caveat;
pub mod challenge;
pub mod l402;
pub mod macaroon;
pub mod token;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Quote;
use crate::clock::Clock;
use crate::config::{KeyRing, PaywallConfig};
use crate::domain::{Caller, PaymentHash, RequestBinding, WebhookSecret};
use crate::lightning::Invoices;

pub use challenge::{Challenge, ChallengeError};
pub use verify::{Proof, ProvenCredential, Refusal, VerifiedPayment};

/// Invoices asked for until one can carry a token. One in 400,000 cannot.
const INVOICES: usize = 3;

/// Makes challenges and verifies credentials.
pub struct Paywall {
    ring: KeyRing,
    invoices: Arc<Invoices>,
    clock: Arc<dyn Clock>,
    redeem_window: Duration,
}

impl Paywall {
    /// A paywall that asks for payment of `invoices`.
    #[must_use]
    pub fn new(ring: KeyRing, invoices: Arc<Invoices>, clock: Arc<dyn Clock>, config: &PaywallConfig) -> Self {
        Self { ring, invoices, clock, redeem_window: config.redeem_window }
    }

    /// Makes an invoice over `quote` for `caller` and a macaroon bound to `binding`.
    ///
    /// Errors when the backend cannot make an invoice, or makes one that is not what was asked for.
    pub async fn challenge(
        &self,
        binding: &RequestBinding,
        quote: &Quote,
        caller: Caller,
    ) -> Result<Challenge, ChallengeError> {
        for _ in 0..INVOICES {
            let invoice = self.invoices.obtain(quote.amount, &quote.description, caller).await?;
            let valid_until = invoice.expires_at.saturating_add(self.redeem_window.as_secs());
            if let Some(macaroon) = challenge::mint(&self.ring, &invoice, binding, valid_until, rand::random) {
                self.invoices.count_issued(binding.service, quote.amount);
                return Ok(Challenge { macaroon, invoice });
            }
        }
        Err(ChallengeError::Unreadable)
    }

    /// What callbacks are signed with for a purchase whose macaroon is minted now.
    #[must_use]
    pub fn callback_secret(&self, payment_hash: &PaymentHash) -> WebhookSecret {
        callback::secret(self.ring.newest(), payment_hash)
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

    /// The payment for whatever it was for, among `credentials` that are presented without a body.
    pub fn bind_unseen(&self, credentials: Vec<ProvenCredential>) -> Result<VerifiedPayment, Refusal> {
        verify::bind_unseen(credentials, self.clock.unix_seconds())
    }
}

#[cfg(test)]
mod vectors;
