//! Signatures of webhooks in the form of the Standard Webhooks specification, version 1 of its symmetric scheme.
//!
//! What is signed is `{webhook-id}.{webhook-timestamp}.{body}`, with HMAC-SHA256 under a secret that is written
//! `whsec_` and base64. The header `webhook-signature` holds `v1,` and the base64 of the result, several of them
//! separated by spaces while a secret is being changed.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// The header with the delivery's id, which stays the same when it is tried again.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of this try, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const SECRET_PREFIX: &str = "whsec_";
const VERSION_PREFIX: &str = "v1,";
/// The shortest and the longest secret in bytes. The specification asks for 24 to 64; a longer one is no weaker.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// A secret that sender and receiver share.
pub struct WebhookSecret(SecretBox<Vec<u8>>);

/// Text or bytes that are no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `whsec_` and the base64 of 16 to 256 bytes")]
pub struct NotAWebhookSecret;

/// The three headers of a webhook as they came.
#[derive(Clone, Copy, Debug)]
pub struct WebhookHeaders<'a> {
    /// The value of [`ID_HEADER`].
    pub id: &'a str,
    /// The value of [`TIMESTAMP_HEADER`].
    pub timestamp: &'a str,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: &'a str,
}

/// Why a webhook is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// The timestamp is no number of seconds.
    #[error("its timestamp cannot be read")]
    Timestamp,
    /// It was signed too long ago, or in the future: an old one may be a repetition.
    #[error("its timestamp is too far from now")]
    Stale,
    /// No signature of it is by this secret.
    #[error("its signature is not good")]
    Signature,
}

impl WebhookSecret {
    /// The secret of these bytes, which should come from a cryptographic source.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NotAWebhookSecret> {
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(NotAWebhookSecret);
        }
        Ok(Self(SecretBox::new(Box::new(bytes))))
    }

    /// The secret of these bytes, which should be a derived key.
    #[must_use]
    pub fn from_key(key: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(key.to_vec())))
    }

    /// Reads `whsec_` and standard base64 with padding.
    pub fn parse(text: &str) -> Result<Self, NotAWebhookSecret> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(NotAWebhookSecret)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| NotAWebhookSecret)?)
    }

    /// The form that a receiver is told.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.0.expose_secret()))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of every length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(redacted)")
    }
}

/// The value of [`SIGNATURE_HEADER`] for a body that is sent at `unix_seconds` as the delivery `id`.
#[must_use]
pub fn sign(secret: &WebhookSecret, id: &str, unix_seconds: u64, body: &[u8]) -> String {
    let mac = secret.mac(id, &unix_seconds.to_string(), body);
    format!("{VERSION_PREFIX}{}", STANDARD.encode(mac))
}

/// Whether a webhook that came at `now` (Unix seconds) was signed with `secret` and not longer than `tolerance` before
/// or after it. Nothing about the right signature is told by the time that this takes.
///
/// Within the tolerance a webhook can be repeated by whoever has seen it: a receiver to whom that matters remembers ids.
pub fn verify(
    secret: &WebhookSecret,
    headers: WebhookHeaders<'_>,
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), WebhookRefusal> {
    let digits = !headers.timestamp.is_empty() && headers.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at: u64 = headers.timestamp.parse().ok().filter(|_| digits).ok_or(WebhookRefusal::Timestamp)?;
    if signed_at.abs_diff(now) > tolerance.as_secs() {
        return Err(WebhookRefusal::Stale);
    }
    let expected = secret.mac(headers.id, headers.timestamp, body);
    // Signatures of other versions stand beside ours and are passed over.
    let presented = headers.signature.split(' ').filter_map(|one| one.strip_prefix(VERSION_PREFIX));
    let good = presented.fold(Choice::from(0), |good, encoded| {
        STANDARD.decode(encoded).map_or(good, |presented| good | presented.ct_eq(&expected))
    });
    if bool::from(good) { Ok(()) } else { Err(WebhookRefusal::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
    const AT: u64 = 1_700_000_000;
    const BODY: &[u8] =
        br#"{"id":"ufawqhfynnddngldkgtslldrkq","status":"succeeded","output":"https://replicate.delivery/x.mp4"}"#;
    const SIGNATURE: &str = "v1,13zGuLEEEcJNwDZGHKm/mezeTbDb5LJ7gSpa/yWYcY4=";
    const TOLERANCE: Duration = Duration::from_mins(5);

    fn headers<'a>(timestamp: &'a str, signature: &'a str) -> WebhookHeaders<'a> {
        WebhookHeaders { id: ID, timestamp, signature }
    }

    fn check(headers: WebhookHeaders<'_>, body: &[u8], now: u64) -> Result<(), WebhookRefusal> {
        verify(&WebhookSecret::parse(SECRET).unwrap(), headers, body, now, TOLERANCE)
    }

    #[test]
    fn the_published_vector_is_signed_and_verified() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        assert_eq!(sign(&secret, ID, AT, BODY), SIGNATURE);
        assert_eq!(check(headers("1700000000", SIGNATURE), BODY, AT), Ok(()));
        assert_eq!(secret.reveal(), SECRET);
    }

    #[test]
    fn one_good_signature_among_others_is_enough() {
        let forged = SIGNATURE.replace("13z", "14z");
        let both = format!("v1a,c2ln {forged} {SIGNATURE}");
        assert_eq!(check(headers("1700000000", &both), BODY, AT), Ok(()));
        let bare = SIGNATURE.trim_start_matches("v1,");
        for bad in [&*forged, "", "v1,", "v1", "v1,!", bare, &SIGNATURE.replace("v1", "v2"), "v1,13zGuLEEEcI="] {
            assert_eq!(check(headers("1700000000", bad), BODY, AT), Err(WebhookRefusal::Signature), "{bad}");
        }
    }

    #[test]
    fn id_time_and_body_are_all_signed() {
        let wrong = Err(WebhookRefusal::Signature);
        let other_id = WebhookHeaders { id: "msg_3", ..headers("1700000000", SIGNATURE) };
        assert_eq!(check(other_id, BODY, AT), wrong);
        assert_eq!(check(headers("1700000001", SIGNATURE), BODY, AT), wrong);
        assert_eq!(check(headers("1700000000", SIGNATURE), b"{}", AT), wrong);
        let secret = WebhookSecret::from_bytes(vec![7; 24]).unwrap();
        assert_eq!(verify(&secret, headers("1700000000", SIGNATURE), BODY, AT, TOLERANCE), wrong);
    }

    #[test]
    fn what_was_signed_long_ago_or_will_be_is_refused() {
        for (now, expected) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(WebhookRefusal::Stale)),
            (AT - 301, Err(WebhookRefusal::Stale)),
        ] {
            assert_eq!(check(headers("1700000000", SIGNATURE), BODY, now), expected, "{now}");
        }
        for bad in ["", "+1700000000", "1700000000.0", "-1", "99999999999999999999", "1700000000 "] {
            assert_eq!(check(headers(bad, SIGNATURE), BODY, AT), Err(WebhookRefusal::Timestamp), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_shown_by_nothing_but_reveal() {
        let shown = format!("{:?}", WebhookSecret::parse(SECRET).unwrap());
        assert_eq!(shown, "WebhookSecret(redacted)");
        for bad in
            ["", "whsec_", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_AAEC", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFR%%"]
        {
            assert!(WebhookSecret::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies(key in prop::collection::vec(any::<u8>(), 24..=64), id in "[ -~]{0,40}", at: u32, body: Vec<u8>) {
            let secret = WebhookSecret::parse(&WebhookSecret::from_bytes(key).unwrap().reveal()).unwrap();
            let (at, signature) = (u64::from(at), sign(&secret, &id, at.into(), &body));
            let timestamp = at.to_string();
            let headers = WebhookHeaders { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert_eq!(verify(&secret, headers, &body, at, TOLERANCE), Ok(()));
        }
    }
}
