//! What a Lightning payment consists of.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Msat;

/// The SHA-256 of a preimage; the identity of a purchase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentHash([u8; 32]);

/// The secret that a payer's node learns by paying. It never reaches a log: its `Debug` says nothing.
#[derive(Clone)]
pub struct Preimage([u8; 32]);

/// Text that is not 64 hexadecimal characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hexadecimal characters")]
pub struct NotHex32;

impl PaymentHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal characters in either case.
    pub fn from_hex(text: &str) -> Result<Self, NotHex32> {
        decode_hex32(text.as_bytes()).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal characters.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Preimage {
    /// The preimage with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal characters in either case.
    pub fn from_hex(text: &[u8]) -> Result<Self, NotHex32> {
        decode_hex32(text).map(Self)
    }

    /// The hash that an invoice for this preimage carries.
    #[must_use]
    pub fn payment_hash(&self) -> PaymentHash {
        PaymentHash(Sha256::digest(self.0).into())
    }

    /// Whether this preimage belongs to `hash`; takes the same time for every answer.
    #[must_use]
    pub fn opens(&self, hash: &PaymentHash) -> bool {
        self.payment_hash().0.ct_eq(&hash.0).into()
    }

    /// 64 lower-case hexadecimal characters: the form that a wallet shows.
    #[must_use]
    pub fn reveal_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preimage(redacted)")
    }
}

/// An invoice as a Lightning backend made it.
#[derive(Clone, Debug)]
pub struct Invoice {
    /// The BOLT 11 text, lower case.
    pub bolt11: String,
    /// The hash that the payer's preimage must open.
    pub payment_hash: PaymentHash,
    /// The amount asked for.
    pub amount: Msat,
    /// When it can no longer be paid, in Unix seconds.
    pub expires_at: u64,
}

fn decode_hex32(text: &[u8]) -> Result<[u8; 32], NotHex32> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex32)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_preimage_is_not_shown_by_debug() {
        let preimage = Preimage::from_bytes([0x11; 32]);
        assert_eq!(format!("{preimage:?}"), "Preimage(redacted)");
    }

    proptest! {
        #[test]
        fn a_preimage_opens_its_own_hash_and_no_other(bytes: [u8; 32], bit in 0..256_usize) {
            let preimage = Preimage::from_bytes(bytes);
            let hash = preimage.payment_hash();
            prop_assert!(preimage.opens(&hash));
            let mut other = *hash.as_bytes();
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!preimage.opens(&PaymentHash::from_bytes(other)));
        }

        #[test]
        fn hex_is_read_in_either_case(bytes: [u8; 32]) {
            let hash = PaymentHash::from_bytes(bytes);
            prop_assert_eq!(PaymentHash::from_hex(&hash.to_hex()).unwrap(), hash);
            prop_assert_eq!(PaymentHash::from_hex(&hash.to_hex().to_uppercase()).unwrap(), hash);
        }

        #[test]
        fn nothing_but_64_hex_characters_is_read(text in ".{0,80}") {
            prop_assume!(!(text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())));
            prop_assert!(PaymentHash::from_hex(&text).is_err());
        }
    }
}
