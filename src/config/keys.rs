//! The gateway's secrets: the newest mints macaroons, all of them verify.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;

/// A secret that macaroon root keys are derived from.
pub struct GatewayKey(SecretBox<[u8; 32]>);

/// The configured secrets, newest first; never empty.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<GatewayKey>,
}

/// A list of secrets that is no key ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is nothing to mint with.
    #[error("at least one key is needed")]
    Empty,
    /// The same secret stands in the list twice.
    #[error("the same key is listed twice")]
    Repeated,
}

impl GatewayKey {
    /// A key of these bytes, which should come from a cryptographic random source.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Derives 32 bytes for the use that `label` names, from `input`.
    ///
    /// Different labels give independent keys, so that a macaroon root key says nothing about any other secret.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of every length")]
    pub fn derive(&self, label: &str, input: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of every length");
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(input);
        mac.finalize().into_bytes().into()
    }

    /// A name for this key that may be written down: it gives nothing away.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(&self.derive("satforge key fingerprint", b"")[..8])
    }
}

impl fmt::Debug for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayKey({})", self.fingerprint())
    }
}

impl KeyRing {
    /// A ring of `keys`, newest first. Refuses an empty list and a key that stands in it twice.
    pub fn new(keys: Vec<GatewayKey>) -> Result<Self, KeyRingError> {
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        let mut fingerprints: Vec<String> = keys.iter().map(GatewayKey::fingerprint).collect();
        fingerprints.sort_unstable();
        if fingerprints.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(KeyRingError::Repeated);
        }
        Ok(Self { keys })
    }

    /// The key that new macaroons are minted with.
    #[must_use]
    pub fn newest(&self) -> &GatewayKey {
        &self.keys[0]
    }

    /// Every key, newest first.
    #[must_use]
    pub fn all(&self) -> &[GatewayKey] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_neither_empty_nor_repetitive() {
        assert_eq!(KeyRing::new(vec![]).unwrap_err(), KeyRingError::Empty);
        let twice = vec![GatewayKey::new([1; 32]), GatewayKey::new([2; 32]), GatewayKey::new([1; 32])];
        assert_eq!(KeyRing::new(twice).unwrap_err(), KeyRingError::Repeated);
    }

    #[test]
    fn a_key_is_shown_by_its_fingerprint_alone() {
        let shown = format!("{:?}", GatewayKey::new([0xab; 32]));
        assert!(!shown.contains("abab"), "{shown}");
        assert_ne!(GatewayKey::new([1; 32]).fingerprint(), GatewayKey::new([2; 32]).fingerprint());
    }

    #[test]
    fn labels_give_independent_keys() {
        let key = GatewayKey::new([7; 32]);
        assert_ne!(key.derive("a", b"bc"), key.derive("ab", b"c"));
    }
}
