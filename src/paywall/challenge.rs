//! A challenge: the macaroon and the invoice that stand together in a `402` response.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::KeyRing;
use crate::domain::{Invoice, Msat, RequestBinding};
use crate::lightning::{BackendError, DecodedInvoice, InvoiceRequest, LightningBackend, decode_invoice};

use super::caveat;
use super::handed_out::HandedOut;
use super::macaroon::Macaroon;
use super::token::{self, NONCE_LEN, Token};

/// The hint in every macaroon's location.
const LOCATION: &[u8] = b"satforge";

/// What a caller is asked to pay, and the token that the payment activates.
pub struct Challenge {
    /// Standard base64 with padding.
    pub macaroon: String,
    /// The invoice to pay.
    pub invoice: Invoice,
}

/// Why no challenge could be made; nothing was charged.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// The backend did not answer in time.
    #[error("the Lightning backend did not make an invoice within {0:?}")]
    Timeout(Duration),
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The backend made something that must not be handed out.
    #[error("the Lightning backend made an unusable invoice: {0}")]
    Unusable(&'static str),
}

/// Nonces tried for one invoice. One in ten thousand texts has the letters by chance.
const DRAWS: usize = 8;

/// The macaroon for `invoice`, as text. `nonce` is drawn again while the text has the letters `LSAT` in it: one family
/// of clients cuts them out and loses the payment.
///
/// `None`: the letters stand where no nonce can change them, in the payment hash; another invoice is needed.
#[must_use]
pub fn mint(
    ring: &KeyRing,
    invoice: &Invoice,
    binding: &RequestBinding,
    valid_until: u64,
    mut nonce: impl FnMut() -> [u8; NONCE_LEN],
) -> Option<String> {
    let caveats = caveat::mint(binding, valid_until);
    (0..DRAWS).find_map(|_| {
        let token = Token { payment_hash: invoice.payment_hash, nonce: nonce(), amount: invoice.amount };
        let identifier = token.to_identifier();
        let key = token::root_key(ring.newest(), &identifier);
        let caveats = caveats.iter().map(String::as_bytes).collect();
        let text = STANDARD.encode(Macaroon::mint(&key, LOCATION, &identifier, caveats).encode());
        (!text.contains("LSAT")).then_some(text)
    })
}

/// Asks `backend` for an invoice over `request` and holds the answer against it.
///
/// `now` is in Unix seconds. Errors when the backend fails, is slower than `timeout`, or answers with an invoice that
/// is not what was asked for.
pub async fn obtain_invoice(
    backend: &dyn LightningBackend,
    handed_out: &HandedOut,
    request: InvoiceRequest,
    timeout: Duration,
    now: u64,
) -> Result<Invoice, ChallengeError> {
    let amount = request.amount;
    let expires_at = now.saturating_add(request.expiry.as_secs());
    let invoice = tokio::time::timeout(timeout, backend.create_invoice(request))
        .await
        .map_err(|_| ChallengeError::Timeout(timeout))??;
    let decoded = decode_invoice(&invoice.bolt11).map_err(|_| ChallengeError::Unusable("it does not decode"))?;
    distrust(&invoice, &decoded, backend.network(), amount).map_err(ChallengeError::Unusable)?;
    let expires_at = promised_expiry(&decoded, expires_at).map_err(ChallengeError::Unusable)?;
    if !handed_out.insert(invoice.payment_hash, now) {
        return Err(ChallengeError::Unusable("its payment hash was handed out before"));
    }
    // What was said is replaced by what was decoded and asked for: the amount goes into the token and is refunded.
    Ok(Invoice { amount, expires_at, ..invoice })
}

/// A backend may lie or be misconfigured: what is handed out is what was decoded, not what was said.
fn distrust(
    invoice: &Invoice,
    decoded: &DecodedInvoice,
    network: crate::lightning::Network,
    amount: Msat,
) -> Result<(), &'static str> {
    let checks: [(bool, &'static str); 4] = [
        (decoded.payment_hash == invoice.payment_hash, "its payment hash is not the one reported"),
        (decoded.amount == Some(amount), "its amount is not the one asked for"),
        (decoded.network == network, "it is for another network"),
        (!invoice.bolt11.bytes().any(|b| b.is_ascii_uppercase()), "it is not lower case"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, fault)| Err(fault))
}

/// Backends round to their own clock: a few seconds less than asked for is no reason to refuse, but then the caller is
/// told the invoice's own time.
fn promised_expiry(decoded: &DecodedInvoice, asked: u64) -> Result<u64, &'static str> {
    const TOLERANCE: u64 = 5;
    if decoded.expires_at.saturating_add(TOLERANCE) < asked {
        return Err("it expires before the time asked for");
    }
    Ok(decoded.expires_at.min(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::config::GatewayKey;
    use crate::domain::{PaymentHash, ServiceId};
    use crate::lightning::Network;
    use crate::lightning::sandbox::SandboxLightning;
    use std::sync::Arc;

    const HASH: PaymentHash = PaymentHash::from_bytes([9; 32]);

    fn invoice() -> Invoice {
        Invoice { bolt11: "lnbcrt1".into(), payment_hash: HASH, amount: Msat::from_sat(5).unwrap(), expires_at: 1_600 }
    }

    fn decoded() -> DecodedInvoice {
        DecodedInvoice {
            payment_hash: HASH,
            amount: Some(Msat::from_sat(5).unwrap()),
            network: Network::Regtest,
            expires_at: 1_600,
        }
    }

    fn judge(invoice: &Invoice, decoded: &DecodedInvoice) -> Result<u64, &'static str> {
        distrust(invoice, decoded, Network::Regtest, Msat::from_sat(5).unwrap())?;
        promised_expiry(decoded, 1_600)
    }

    #[test]
    fn a_lying_backend_is_not_believed() {
        assert_eq!(judge(&invoice(), &decoded()), Ok(1_600));
        assert_eq!(judge(&invoice(), &DecodedInvoice { expires_at: 1_597, ..decoded() }), Ok(1_597));
        let other_hash = DecodedInvoice { payment_hash: PaymentHash::from_bytes([8; 32]), ..decoded() };
        let lies = [
            other_hash,
            DecodedInvoice { amount: None, ..decoded() },
            DecodedInvoice { amount: Some(Msat::from_sat(4).unwrap()), ..decoded() },
            DecodedInvoice { network: Network::Bitcoin, ..decoded() },
            DecodedInvoice { expires_at: 1_500, ..decoded() },
        ];
        for lie in lies {
            assert!(judge(&invoice(), &lie).is_err(), "{lie:?}");
        }
        assert!(judge(&Invoice { bolt11: "LNBCRT1".into(), ..invoice() }, &decoded()).is_err());
    }

    #[test]
    fn a_text_with_the_old_scheme_in_it_is_minted_again() {
        let ring = KeyRing::new(vec![GatewayKey::new([1; 32])]).unwrap();
        let binding = RequestBinding { service: ServiceId::Video, body_sha256: [0; 32] };
        // The identifier starts at byte 13 and the nonce at byte 47 of the macaroon: with one byte in front, the nonce
        // is on a boundary of three bytes, and these bytes encode to the letters.
        let mut draws = 0;
        let text = mint(&ring, &invoice(), &binding, 2_000, || {
            draws += 1;
            if draws > 1 {
                return [0; NONCE_LEN];
            }
            let mut nonce = [0; NONCE_LEN];
            let lsat = STANDARD.decode("LSAT").unwrap();
            for (at, byte) in nonce.iter_mut().enumerate() {
                *byte = lsat[(at + 2) % 3];
            }
            nonce
        });
        assert_eq!(draws, 2, "the first draw must have given the letters");
        assert!(!text.unwrap().contains("LSAT"));
    }

    #[test]
    fn letters_in_the_payment_hash_end_the_search() {
        let ring = KeyRing::new(vec![GatewayKey::new([1; 32])]).unwrap();
        let binding = RequestBinding { service: ServiceId::Video, body_sha256: [0; 32] };
        // The hash starts at byte 15 of the macaroon, on a boundary of three bytes.
        let mut hash = [0; 32];
        hash[..3].copy_from_slice(&STANDARD.decode("LSAT").unwrap());
        let invoice = Invoice { payment_hash: PaymentHash::from_bytes(hash), ..invoice() };
        assert_eq!(mint(&ring, &invoice, &binding, 2_000, rand::random), None);
    }

    #[tokio::test]
    async fn the_amount_is_what_was_asked_for_whatever_the_backend_says() {
        struct Exaggerating(SandboxLightning);

        #[async_trait::async_trait]
        impl LightningBackend for Exaggerating {
            fn name(&self) -> &'static str {
                "exaggerating"
            }
            fn network(&self) -> Network {
                Network::Regtest
            }
            async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
                let invoice = self.0.create_invoice(request).await?;
                Ok(Invoice { amount: Msat::from_sat(5_000).unwrap(), ..invoice })
            }
            async fn health(&self) -> Result<(), BackendError> {
                Ok(())
            }
        }

        let clock = Arc::new(ManualClock::new(1_000_000));
        let backend = Exaggerating(SandboxLightning::new(&GatewayKey::new([1; 32]), clock));
        let (asked, minute) = (Msat::from_sat(5).unwrap(), Duration::from_mins(1));
        let request = InvoiceRequest { amount: asked, description: "x".into(), expiry: minute };
        let obtained = obtain_invoice(&backend, &HandedOut::new(60, 9), request, minute, 1_000).await;
        assert_eq!(obtained.unwrap().amount, asked);
    }
}
