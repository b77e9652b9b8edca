//! A challenge: the macaroon and the invoice that stand together in a `402` response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::KeyRing;
use crate::domain::{Invoice, RequestBinding};
use crate::lightning::NodeError;

use super::caveat;
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// There was no invoice.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No token that every client can read can be made for the invoices that there were.
    #[error("no readable token can be made for the payment hashes that the Lightning backend draws")]
    Unreadable,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GatewayKey;
    use crate::domain::{Msat, PaymentHash, ServiceId};

    const HASH: PaymentHash = PaymentHash::from_bytes([9; 32]);

    fn invoice() -> Invoice {
        Invoice { bolt11: "lnbcrt1".into(), payment_hash: HASH, amount: Msat::from_sat(5).unwrap(), expires_at: 1_600 }
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
}
