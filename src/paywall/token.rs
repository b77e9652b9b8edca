//! The identifier inside a macaroon: which payment it is for, and how much that payment is.

use crate::config::{GatewayKey, KeyRing};
use crate::domain::{Msat, PaymentHash};

use super::macaroon::{Macaroon, RootKey};

/// Random bytes that make each token its own.
pub const NONCE_LEN: usize = 24;

const FORMAT: u16 = 0;
const TOKEN_ID_LEN: usize = NONCE_LEN + 8;
/// The identifier's length in bytes.
pub const IDENTIFIER_LEN: usize = 2 + 32 + TOKEN_ID_LEN;

/// What an identifier says: `u16 version · payment_hash[32] · nonce[24] · price in msat as u64`, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The payment that the macaroon is for.
    pub payment_hash: PaymentHash,
    /// Random bytes.
    pub nonce: [u8; NONCE_LEN],
    /// What was asked for; redemption honours it and refunds return it.
    pub amount: Msat,
}

impl Token {
    /// The identifier's bytes.
    #[must_use]
    pub fn to_identifier(&self) -> [u8; IDENTIFIER_LEN] {
        let mut bytes = [0; IDENTIFIER_LEN];
        bytes[..2].copy_from_slice(&FORMAT.to_be_bytes());
        bytes[2..34].copy_from_slice(self.payment_hash.as_bytes());
        bytes[34..58].copy_from_slice(&self.nonce);
        bytes[58..].copy_from_slice(&self.amount.msat().to_be_bytes());
        bytes
    }

    /// Reads an identifier; `None` for another version, another length or an impossible amount.
    #[must_use]
    pub fn from_identifier(identifier: &[u8]) -> Option<Self> {
        let identifier: &[u8; IDENTIFIER_LEN] = identifier.try_into().ok()?;
        if identifier[..2] != FORMAT.to_be_bytes() {
            return None;
        }
        Some(Self {
            payment_hash: PaymentHash::from_bytes(identifier[2..34].try_into().ok()?),
            nonce: identifier[34..58].try_into().ok()?,
            amount: Msat::new(u64::from_be_bytes(identifier[58..].try_into().ok()?)).ok()?,
        })
    }
}

/// The key that a macaroon with this identifier is signed with: derived, so that nothing has to be stored.
#[must_use]
pub fn root_key(key: &GatewayKey, identifier: &[u8; IDENTIFIER_LEN]) -> RootKey {
    RootKey::new(key.derive("satforge macaroon root key", &identifier[IDENTIFIER_LEN - TOKEN_ID_LEN..]))
}

/// The token of a macaroon that one of the ring's keys signed, and that key; `None` for any other.
#[must_use]
pub fn authenticate<'r>(ring: &'r KeyRing, macaroon: &Macaroon<'_>) -> Option<(Token, &'r GatewayKey)> {
    let identifier: &[u8; IDENTIFIER_LEN] = macaroon.identifier().try_into().ok()?;
    let token = Token::from_identifier(identifier)?;
    let key = ring.all().iter().find(|key| macaroon.is_signed_by(&root_key(key, identifier)))?;
    Some((token, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn identifiers_survive_the_way_there_and_back(hash: [u8; 32], nonce: [u8; 24], sat in 0..1_000_000_000_u64) {
            let token =
                Token { payment_hash: PaymentHash::from_bytes(hash), nonce, amount: Msat::from_sat(sat).unwrap() };
            prop_assert_eq!(Token::from_identifier(&token.to_identifier()), Some(token));
        }

        #[test]
        fn another_version_is_not_read(version in 1..=u16::MAX) {
            let mut identifier = [0; IDENTIFIER_LEN];
            identifier[..2].copy_from_slice(&version.to_be_bytes());
            prop_assert_eq!(Token::from_identifier(&identifier), None);
        }
    }
}
