//! The macaroon: binary format 2 and its chain of signatures.
//!
//! Source: the `macaroon` section of `wire.md`'s contract, checked byte for byte against pymacaroons. Only what a
//! gateway needs is here: first-party caveats, one identifier format. Decoding is canonical, so that one macaroon has
//! one encoding.

use std::fmt;
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Larger macaroons are refused before anything is hashed.
pub const MAX_LEN: usize = 4 * 1024;

/// More caveats than any holder appends: each costs a hash, before anything is known of the sender.
const MAX_CAVEATS: usize = 64;

const VERSION: u8 = 2;
const FIELD_END: u8 = 0;
const FIELD_LOCATION: u8 = 1;
const FIELD_IDENTIFIER: u8 = 2;
const FIELD_VERIFICATION_ID: u8 = 4;
const FIELD_SIGNATURE: u8 = 6;
const SIGNATURE_LEN: usize = 32;

/// A decoded macaroon, borrowing from its bytes. Its signature has not been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Macaroon<'a> {
    location: Option<&'a [u8]>,
    identifier: &'a [u8],
    caveats: Vec<&'a [u8]>,
    signature: [u8; SIGNATURE_LEN],
}

/// Bytes that are not a macaroon which this gateway could have minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Over [`MAX_LEN`] bytes.
    #[error("larger than {MAX_LEN} bytes")]
    TooLong,
    /// Not format 2, cut short, or followed by something.
    #[error("not a version 2 binary macaroon")]
    Malformed,
    /// It needs somebody else's discharge.
    #[error("third-party caveats are not accepted")]
    ThirdParty,
}

/// The root key of one macaroon.
pub struct RootKey([u8; 32]);

impl<'a> Macaroon<'a> {
    /// Mints a macaroon with `caveats` in their order.
    #[must_use]
    pub fn mint(root_key: &RootKey, location: &'a [u8], identifier: &'a [u8], caveats: Vec<&'a [u8]>) -> Self {
        let signature = sign(root_key, identifier, &caveats);
        Self { location: Some(location), identifier, caveats, signature }
    }

    /// Reads exactly one macaroon.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_LEN {
            return Err(DecodeError::TooLong);
        }
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return Err(DecodeError::Malformed);
        }
        let mut field = reader.byte()?;
        let mut location = None;
        if field == FIELD_LOCATION {
            location = Some(reader.packet()?);
            field = reader.byte()?;
        }
        if field != FIELD_IDENTIFIER {
            return Err(DecodeError::Malformed);
        }
        let identifier = reader.packet()?;
        reader.expect(FIELD_END)?;
        let caveats = reader.caveats()?;
        reader.expect(FIELD_SIGNATURE)?;
        let signature = reader.packet()?.try_into().map_err(|_| DecodeError::Malformed)?;
        if !reader.0.is_empty() {
            return Err(DecodeError::Malformed);
        }
        Ok(Self { location, identifier, caveats, signature })
    }

    /// The bytes that [`Macaroon::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        out.push(VERSION);
        if let Some(location) = self.location {
            write_packet(&mut out, FIELD_LOCATION, location);
        }
        write_packet(&mut out, FIELD_IDENTIFIER, self.identifier);
        out.push(FIELD_END);
        for caveat in &self.caveats {
            write_packet(&mut out, FIELD_IDENTIFIER, caveat);
            out.push(FIELD_END);
        }
        out.push(FIELD_END);
        write_packet(&mut out, FIELD_SIGNATURE, &self.signature);
        out
    }

    /// Whether the macaroon was minted with `root_key`, whatever its holder appended; takes the same time for every
    /// signature.
    #[must_use]
    pub fn is_signed_by(&self, root_key: &RootKey) -> bool {
        sign(root_key, self.identifier, &self.caveats).ct_eq(&self.signature).into()
    }

    /// Appends a caveat as a holder does: without the root key.
    #[must_use]
    pub fn with_caveat(mut self, caveat: &'a [u8]) -> Self {
        self.signature = hmac(&self.signature, caveat);
        self.caveats.push(caveat);
        self
    }

    /// What names the token.
    #[must_use]
    pub const fn identifier(&self) -> &'a [u8] {
        self.identifier
    }

    /// The conditions, in their order.
    #[must_use]
    pub fn caveats(&self) -> &[&'a [u8]] {
        &self.caveats
    }
}

impl RootKey {
    /// A root key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

// A macaroon is half of a credential and does not belong into a log.
impl fmt::Debug for Macaroon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Macaroon({} caveats)", self.caveats.len())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), DecodeError> {
        if self.byte()? == wanted { Ok(()) } else { Err(DecodeError::Malformed) }
    }

    fn caveats(&mut self) -> Result<Vec<&'a [u8]>, DecodeError> {
        let mut caveats = Vec::with_capacity(4);
        loop {
            match self.byte()? {
                FIELD_END => return Ok(caveats),
                FIELD_IDENTIFIER if caveats.len() < MAX_CAVEATS => caveats.push(self.packet()?),
                // Only a caveat for a third party tells where that party is.
                FIELD_LOCATION => return Err(DecodeError::ThirdParty),
                _ => return Err(DecodeError::Malformed),
            }
            match self.byte()? {
                FIELD_END => {}
                FIELD_VERIFICATION_ID => return Err(DecodeError::ThirdParty),
                _ => return Err(DecodeError::Malformed),
            }
        }
    }

    fn packet(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.varint()?;
        let (packet, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(packet)
    }

    /// Two bytes hold every length up to [`MAX_LEN`]; a longer or padded number has no canonical meaning.
    fn varint(&mut self) -> Result<usize, DecodeError> {
        let low = self.byte()?;
        if low & 0x80 == 0 {
            return Ok(usize::from(low));
        }
        let high = self.byte()?;
        if high & 0x80 != 0 || high == 0 {
            return Err(DecodeError::Malformed);
        }
        Ok(usize::from(low & 0x7f) | usize::from(high) << 7)
    }
}

fn write_packet(out: &mut Vec<u8>, field: u8, packet: &[u8]) {
    out.push(field);
    let mut len = packet.len();
    while len >= 0x80 {
        out.push(low_seven_bits(len) | 0x80);
        len >>= 7;
    }
    out.push(low_seven_bits(len));
    out.extend_from_slice(packet);
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits fit")]
const fn low_seven_bits(len: usize) -> u8 {
    (len & 0x7f) as u8
}

fn sign(root_key: &RootKey, identifier: &[u8], caveats: &[&[u8]]) -> [u8; SIGNATURE_LEN] {
    static GENERATOR: LazyLock<Hmac<Sha256>> = LazyLock::new(|| keyed(b"macaroons-key-generator"));
    let mut generator = GENERATOR.clone();
    generator.update(&root_key.0);
    let key: [u8; 32] = generator.finalize().into_bytes().into();
    let first = hmac(&key, identifier);
    caveats.iter().fold(first, |signature, caveat| hmac(&signature, caveat))
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; SIGNATURE_LEN] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minted(identifier: &[u8], caveats: &[Vec<u8>]) -> Vec<u8> {
        let caveats = caveats.iter().map(Vec::as_slice).collect();
        Macaroon::mint(&RootKey::new([7; 32]), b"satforge", identifier, caveats).encode()
    }

    proptest! {
        #[test]
        fn decoding_an_encoding_gives_the_same(
            identifier in prop::collection::vec(any::<u8>(), 0..200),
            caveats in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        ) {
            let bytes = minted(&identifier, &caveats);
            let macaroon = Macaroon::decode(&bytes).unwrap();
            prop_assert_eq!(macaroon.identifier(), &identifier[..]);
            prop_assert_eq!(macaroon.caveats().len(), caveats.len());
            prop_assert!(macaroon.is_signed_by(&RootKey::new([7; 32])));
            prop_assert!(!macaroon.is_signed_by(&RootKey::new([8; 32])));
            prop_assert_eq!(macaroon.encode(), bytes);
        }

        #[test]
        fn any_flipped_bit_is_refused(caveat in "[a-z]{1,9}=[a-z]{1,200}", position in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = minted(&[3; 66], &[caveat.into_bytes()]);
            let at = position.index(bytes.len());
            // The location is a hint that the signature does not cover.
            prop_assume!(!(1..=10).contains(&at));
            bytes[at] ^= 1 << bit;
            let accepted = Macaroon::decode(&bytes).is_ok_and(|m| m.is_signed_by(&RootKey::new([7; 32])));
            prop_assert!(!accepted);
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(macaroon) = Macaroon::decode(&bytes) {
                prop_assert_eq!(macaroon.encode(), bytes);
            }
        }

        #[test]
        fn a_holder_can_only_append(caveat in "[a-z]{1,9}=[a-z]{1,20}") {
            let bytes = minted(&[3; 66], &[b"a=b".to_vec()]);
            let key = RootKey::new([7; 32]);
            let appended = Macaroon::decode(&bytes).unwrap().with_caveat(caveat.as_bytes());
            prop_assert!(appended.is_signed_by(&key));
            let mut stripped = appended.clone();
            stripped.caveats.pop();
            prop_assert!(!stripped.is_signed_by(&key));
        }
    }

    #[test]
    fn a_macaroon_of_many_caveats_is_refused() {
        assert!(Macaroon::decode(&minted(&[3; 66], &vec![vec![]; MAX_CAVEATS])).is_ok());
        assert_eq!(Macaroon::decode(&minted(&[3; 66], &vec![vec![]; MAX_CAVEATS + 1])), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_large_macaroon_is_refused_before_it_is_read() {
        assert_eq!(Macaroon::decode(&vec![2; MAX_LEN + 1]), Err(DecodeError::TooLong));
    }
}
