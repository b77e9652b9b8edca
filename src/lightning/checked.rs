//! What a backend made, held against what it was asked for. Nothing that it says is believed.

use bitcoin::secp256k1::PublicKey;
use lightning_invoice::SignedRawBolt11Invoice;

use crate::domain::Invoice;

use super::{DecodedInvoice, ExpiryRule, InvoiceRequest, Network, decode_invoice};

/// A backend has a clock of its own: that it differs by so many seconds is no reason to refuse an invoice.
const TOLERANCE: u64 = 60;
/// A backend that chooses the expiry itself must leave at least this much time to pay, in seconds.
const SHORTEST: u64 = 60;

/// What an invoice must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub request: &'a InvoiceRequest,
    pub network: Network,
    pub expiry: ExpiryRule,
    /// The node's key, if it is pinned.
    pub payee: Option<&'a PublicKey>,
    /// Unix seconds.
    pub now: u64,
}

/// The invoice as it may be handed out, or what is wrong with it.
///
/// What the backend said is replaced by what was decoded and asked for: the amount goes into the token and is refunded.
pub(super) fn check(invoice: Invoice, expected: Expected<'_>) -> Result<Invoice, &'static str> {
    let decoded = decode_invoice(&invoice.bolt11).map_err(|_| "it does not decode, or is not lower case")?;
    distrust(&invoice, &decoded, expected)?;
    if let Some(payee) = expected.payee {
        check_payee(&invoice.bolt11, payee)?;
    }
    if decoded.made_at.saturating_add(TOLERANCE) < expected.now {
        return Err(
            "it was made more than a minute before it was asked for: it is somebody else's, or the clocks differ",
        );
    }
    let expires_at = promised_expiry(&decoded, expected)?;
    Ok(Invoice { amount: expected.request.amount, expires_at, ..invoice })
}

fn distrust(invoice: &Invoice, decoded: &DecodedInvoice, expected: Expected<'_>) -> Result<(), &'static str> {
    let checks: [(bool, &'static str); 4] = [
        (decoded.payment_hash == invoice.payment_hash, "its payment hash is not the one reported"),
        (decoded.amount == Some(expected.request.amount), "its amount is not the one asked for"),
        (decoded.network == expected.network, "it is for another network than lightning.network"),
        (!invoice.bolt11.bytes().any(|b| b.is_ascii_uppercase()), "it is not lower case"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, fault)| Err(fault))
}

/// The caller is told the invoice's own time, if that is less than was asked for.
fn promised_expiry(decoded: &DecodedInvoice, expected: Expected<'_>) -> Result<u64, &'static str> {
    let asked = expected.now.saturating_add(expected.request.expiry.as_secs());
    match expected.expiry {
        ExpiryRule::Own if decoded.expires_at < expected.now.saturating_add(SHORTEST) => {
            Err("it can be paid for less than a minute")
        }
        ExpiryRule::AsAsked | ExpiryRule::WholeMinutes if decoded.expires_at.saturating_add(TOLERANCE) < asked => {
            Err("it expires more than a minute before the time asked for; compare the clocks of both machines")
        }
        _ => Ok(decoded.expires_at.min(asked)),
    }
}

/// The key that signed, recovered from the signature. It takes longer than all other checks, so only a pinned key is
/// looked for. Read without its features, which some wallets leave out.
fn check_payee(bolt11: &str, payee: &PublicKey) -> Result<(), &'static str> {
    let parsed: SignedRawBolt11Invoice = bolt11.parse().map_err(|_| "its signature cannot be read")?;
    let signer = parsed.recover_payee_pub_key().map_err(|_| "its signature is not valid")?;
    // A payee that is named in the invoice must be the one that signed.
    if !parsed.check_signature() || signer.0 != *payee {
        return Err("it is not signed by the key in lightning.payee");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::GatewayKey;
    use crate::domain::{Msat, PaymentHash};
    use crate::lightning::LightningBackend as _;
    use crate::lightning::sandbox::SandboxLightning;

    const NOW: u64 = 1_000;

    fn request() -> InvoiceRequest {
        let amount = Msat::from_sat(5).unwrap();
        InvoiceRequest { amount, description: "x".into(), expiry: Duration::from_mins(10) }
    }

    fn expected(request: &InvoiceRequest) -> Expected<'_> {
        Expected { request, network: Network::Regtest, expiry: ExpiryRule::AsAsked, payee: None, now: NOW }
    }

    async fn invoice() -> Invoice {
        made(request()).await
    }

    async fn made(request: InvoiceRequest) -> Invoice {
        let clock = Arc::new(ManualClock::new(NOW * 1_000));
        SandboxLightning::new(&GatewayKey::new([1; 32]), clock).create_invoice(request).await.unwrap()
    }

    #[tokio::test]
    async fn an_honest_invoice_passes_with_its_own_time_at_most() {
        let request = request();
        let checked = check(invoice().await, expected(&request)).unwrap();
        assert_eq!((checked.amount, checked.expires_at), (request.amount, NOW + 600));
        let shorter = InvoiceRequest { expiry: Duration::from_mins(5), ..request.clone() };
        assert_eq!(check(invoice().await, expected(&shorter)).unwrap().expires_at, NOW + 300);
        let late = Expected { now: NOW + 3, ..expected(&request) };
        assert_eq!(check(invoice().await, late).unwrap().expires_at, NOW + 600, "its clock is three seconds behind");
    }

    #[tokio::test]
    async fn a_lying_backend_is_not_believed() {
        let request = request();
        let honest = expected(&request);
        let dearer = InvoiceRequest { amount: Msat::from_sat(6).unwrap(), ..request.clone() };
        let longer = InvoiceRequest { expiry: Duration::from_mins(12), ..request.clone() };
        let invoice = invoice().await;
        let other_hash = Invoice { payment_hash: PaymentHash::from_bytes([8; 32]), ..invoice.clone() };
        let upper_case = Invoice { bolt11: invoice.bolt11.to_uppercase(), ..invoice.clone() };
        for (lie, expected) in [
            (other_hash, honest),
            (upper_case, honest),
            (invoice.clone(), Expected { request: &dearer, ..honest }),
            (invoice.clone(), Expected { request: &longer, ..honest }),
            (invoice.clone(), Expected { network: Network::Bitcoin, ..honest }),
            (invoice.clone(), Expected { now: NOW + 61, expiry: ExpiryRule::Own, ..honest }),
        ] {
            assert!(check(lie, expected).is_err(), "{expected:?}");
        }
        let short = InvoiceRequest { expiry: Duration::from_secs(50), ..request.clone() };
        let brief = Expected { request: &short, expiry: ExpiryRule::Own, ..honest };
        assert!(check(made(short.clone()).await, brief).is_err(), "nobody pays within 50 seconds");
        let own_time = Expected { request: &longer, expiry: ExpiryRule::Own, ..honest };
        assert_eq!(check(invoice, own_time).unwrap().expires_at, NOW + 600);
    }

    #[tokio::test]
    async fn what_the_backend_says_of_the_amount_does_not_count() {
        let request = request();
        let exaggerated = Invoice { amount: Msat::from_sat(5_000).unwrap(), ..invoice().await };
        assert_eq!(check(exaggerated, expected(&request)).unwrap().amount, request.amount);
    }

    #[tokio::test]
    async fn only_the_pinned_key_may_sign() {
        let (request, invoice) = (request(), invoice().await);
        let signer = invoice.bolt11.parse::<SignedRawBolt11Invoice>().unwrap().recover_payee_pub_key().unwrap().0;
        check(invoice.clone(), Expected { payee: Some(&signer), ..expected(&request) }).unwrap();
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let other = bitcoin::secp256k1::SecretKey::from_slice(&[7; 32]).unwrap().public_key(&secp);
        assert!(check(invoice, Expected { payee: Some(&other), ..expected(&request) }).is_err());
    }
}
