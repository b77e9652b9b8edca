//! Sandbox Lightning: really signed regtest invoices, and a wallet that pays them for nothing.
//!
//! Nothing has to be stored for an invoice. Its payment secret is random, its preimage is derived from the sandbox key and
//! that secret, and both its signature and its payment hash prove on sight that this sandbox made it. So an invoice
//! made before a restart can be paid after it.

mod memory;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning_invoice::{Bolt11Invoice, Currency, InvoiceBuilder, PaymentSecret};

use crate::clock::Clock;
use crate::config::GatewayKey;
use crate::domain::{Invoice, Msat, PaymentHash, Preimage};

use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, Receipt,
};
use memory::Memory;

const NAME: &str = "sandbox";
/// Blocks that a payment's last hop keeps in reserve: the usual default of nodes.
const MIN_FINAL_CLTV_EXPIRY: u64 = 18;

/// The sandbox's node and its wallet.
pub struct SandboxLightning {
    secp: Secp256k1<All>,
    node_key: SecretKey,
    preimage_key: GatewayKey,
    clock: Arc<dyn Clock>,
    memory: Memory,
}

/// A payment that the sandbox's wallet made.
#[derive(Debug)]
pub struct SandboxPayment {
    /// What the payer's wallet learns.
    pub preimage: Preimage,
    /// The invoice's hash.
    pub payment_hash: PaymentHash,
}

/// An invoice that a wallet would refuse to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxPayError {
    /// Not an invoice, or not one of this sandbox.
    #[error("this sandbox did not make that invoice")]
    Unknown,
    /// Its time is over.
    #[error("the invoice has expired")]
    Expired,
}

impl SandboxLightning {
    /// A sandbox whose node and preimages are derived from `key`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it cannot happen")]
    pub fn new(key: &GatewayKey, clock: Arc<dyn Clock>) -> Self {
        #[expect(clippy::expect_used, reason = "all but 2^-128 of 32-byte strings are keys, so the first one is")]
        let node_key = (0..8_u8)
            .find_map(|n| SecretKey::from_slice(&key.derive("satforge sandbox node", &[n])).ok())
            .expect("eight strings in a row that are no keys");
        Self {
            secp: Secp256k1::new(),
            node_key,
            preimage_key: GatewayKey::new(key.derive("satforge sandbox preimages", b"")),
            clock,
            memory: Memory::default(),
        }
    }

    /// Pays an invoice of this sandbox, as a wallet would; paying again gives the same answer.
    pub fn pay(&self, bolt11: &str) -> Result<SandboxPayment, SandboxPayError> {
        let bolt11 = bolt11.trim();
        let bolt11 = bolt11.strip_prefix("lightning:").or(bolt11.strip_prefix("LIGHTNING:")).unwrap_or(bolt11);
        let invoice = Bolt11Invoice::from_str(bolt11).map_err(|_| SandboxPayError::Unknown)?;
        let preimage = self.preimage(invoice.payment_secret());
        let payment_hash = PaymentHash::from_bytes(invoice.payment_hash().to_byte_array());
        let node = PublicKey::from_secret_key(&self.secp, &self.node_key);
        if invoice.recover_payee_pub_key() != node || !preimage.opens(&payment_hash) {
            return Err(SandboxPayError::Unknown);
        }
        let expires_at = invoice.duration_since_epoch().saturating_add(invoice.expiry_time());
        let expired = Duration::from_millis(self.clock.unix_millis()) > expires_at;
        if expired && !self.memory.is_settled(&payment_hash) {
            return Err(SandboxPayError::Expired);
        }
        let amount = invoice.amount_milli_satoshis().and_then(|msat| Msat::new(msat).ok()).unwrap_or(Msat::ZERO);
        self.memory.settle(payment_hash, amount, self.clock.unix_seconds());
        Ok(SandboxPayment { preimage, payment_hash })
    }

    fn preimage(&self, secret: &PaymentSecret) -> Preimage {
        Preimage::from_bytes(self.preimage_key.derive("preimage", &secret.0))
    }

    fn sign(&self, request: InvoiceRequest, secret: PaymentSecret) -> Result<Invoice, BackendError> {
        let payment_hash = self.preimage(&secret).payment_hash();
        let now = self.clock.unix_seconds();
        let invoice = InvoiceBuilder::new(Currency::Regtest)
            .description(request.description)
            .amount_milli_satoshis(request.amount.msat())
            .payment_hash(sha256::Hash::from_byte_array(*payment_hash.as_bytes()))
            .payment_secret(secret)
            .duration_since_epoch(Duration::from_secs(now))
            .expiry_time(request.expiry)
            .min_final_cltv_expiry_delta(MIN_FINAL_CLTV_EXPIRY)
            .basic_mpp()
            .build_signed(|hash| self.secp.sign_ecdsa_recoverable(hash, &self.node_key))
            .map_err(|error| BackendError::new(NAME, FaultKind::Refused, error.to_string()))?;
        Ok(Invoice {
            bolt11: invoice.to_string(),
            payment_hash,
            amount: request.amount,
            expires_at: now.saturating_add(request.expiry.as_secs()),
        })
    }
}

#[async_trait]
impl LightningBackend for SandboxLightning {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        Network::Regtest
    }

    fn capabilities(&self) -> Capabilities {
        // An invoice is made here within microseconds: there is nothing to gain by keeping some ready.
        Capabilities {
            lookup: true,
            pay: true,
            // Nothing is routed, so it costs nothing.
            fee_limit: FeeLimit::Enforced,
            msat: true,
            expiry: ExpiryRule::AsAsked,
            free_invoices: false,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let invoice = self.sign(request, PaymentSecret(rand::random()))?;
        self.memory.open(invoice.payment_hash, invoice.expires_at);
        Ok(invoice)
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        Ok(self.memory.state(hash, self.clock.unix_seconds()))
    }

    /// It pays its own invoices: in the sandbox everybody has an account at this node.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        match Self::pay(self, &order.bolt11) {
            Ok(payment) => {
                self.memory.send(payment.payment_hash, payment.preimage.clone());
                Payment::Paid(receipt(payment.preimage))
            }
            Err(error) => Payment::failed(error.to_string()),
        }
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let sent = self.memory.sent(hash);
        Ok(sent.map_or(OutgoingState::NotFound, |preimage| OutgoingState::Paid(receipt(preimage))))
    }

    async fn health(&self) -> Result<(), BackendError> {
        Ok(())
    }
}

fn receipt(preimage: Preimage) -> Receipt {
    Receipt { preimage: Some(preimage), fee: Some(Msat::ZERO) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::lightning::decode_invoice;

    const NOW: u64 = 1_800_000_000;

    fn sandbox(key: u8) -> (SandboxLightning, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(NOW * 1_000));
        (SandboxLightning::new(&GatewayKey::new([key; 32]), clock.clone()), clock)
    }

    async fn invoice(sandbox: &SandboxLightning) -> Invoice {
        let request = InvoiceRequest {
            amount: Msat::from_sat(500).unwrap(),
            description: "satforge video, 5 s".into(),
            expiry: Duration::from_mins(10),
        };
        sandbox.create_invoice(request).await.unwrap()
    }

    #[tokio::test]
    async fn an_invoice_says_what_was_asked_for() {
        let (sandbox, _) = sandbox(1);
        let invoice = invoice(&sandbox).await;
        assert!(invoice.bolt11.starts_with("lnbcrt5u1"), "{}", invoice.bolt11);
        let parsed = Bolt11Invoice::from_str(&invoice.bolt11).unwrap();
        parsed.check_signature().unwrap();
        assert!(parsed.description().to_string().contains("satforge video"));
        let decoded = decode_invoice(&invoice.bolt11).unwrap();
        assert_eq!(decoded.amount, Some(invoice.amount));
        assert_eq!(decoded.payment_hash, invoice.payment_hash);
        assert_eq!(decoded.expires_at, NOW + 600);
    }

    #[tokio::test]
    async fn an_invoice_is_paid_by_the_sandbox_that_has_the_same_key() {
        let (before, _) = sandbox(1);
        let invoice = invoice(&before).await;
        let (restarted, _) = sandbox(1);
        let payment = restarted.pay(&invoice.bolt11).unwrap();
        assert!(payment.preimage.opens(&invoice.payment_hash));
        let again = restarted.pay(&invoice.bolt11.to_uppercase()).unwrap();
        assert_eq!(again.preimage.reveal_hex(), payment.preimage.reveal_hex());
        let (stranger, _) = sandbox(2);
        assert_eq!(stranger.pay(&invoice.bolt11).unwrap_err(), SandboxPayError::Unknown);
        assert_eq!(restarted.pay("lnbcrt1garbage").unwrap_err(), SandboxPayError::Unknown);
    }

    #[tokio::test]
    async fn an_expired_invoice_is_refused_unless_it_was_paid() {
        let (sandbox, clock) = sandbox(1);
        let (paid, late) = (invoice(&sandbox).await, invoice(&sandbox).await);
        sandbox.pay(&paid.bolt11).unwrap();
        clock.advance(Duration::from_secs(601));
        assert!(sandbox.pay(&paid.bolt11).is_ok());
        assert_eq!(sandbox.pay(&late.bolt11).unwrap_err(), SandboxPayError::Expired);
    }
}
