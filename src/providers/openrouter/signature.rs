//! How `OpenRouter` signs webhooks: HMAC-SHA256 over `{time},{body}`, keyed with the secret as it is written.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::providers::NoticeError;

/// The header with `t=`, the time in Unix seconds, and `v1=`, the signature in hex.
pub(super) const HEADER: &str = "x-openrouter-signature";
/// How far from now a webhook may have been signed, in seconds.
const TOLERANCE: u64 = 300;

/// Whether `header` is a signature of `body` that was made with `secret` not long before or after `now`, in Unix
/// seconds. Nothing about the right signature is told by the time that this takes.
pub(super) fn verify(secret: &[u8], header: &str, body: &[u8], now: u64) -> Result<(), NoticeError> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let signed_at = parts().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(NoticeError::Forged)?;
    let expected = mac(secret, signed_at, body);
    // Several stand beside each other while a secret is being changed.
    let good = parts().filter(|(name, _)| *name == "v1").fold(Choice::from(0), |good, (_, presented)| {
        hex::decode(presented).map_or(good, |presented| good | presented.ct_eq(&expected))
    });
    if !bool::from(good) {
        return Err(NoticeError::Forged);
    }
    let signed_at: u64 = signed_at.parse().map_err(|_| NoticeError::Garbled)?;
    if signed_at.abs_diff(now) > TOLERANCE { Err(NoticeError::Stale) } else { Ok(()) }
}

fn mac(secret: &[u8], signed_at: &str, body: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
    for part in [signed_at.as_bytes(), b",", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"whk_0123456789abcdef";
    const BODY: &[u8] = br#"{"type":"video.generation.completed","data":{"id":"job-abc123","status":"completed"}}"#;
    const AT: u64 = 1_700_000_000;
    /// `printf '%s,%s' 1700000000 "$body" | openssl dgst -sha256 -hmac whk_0123456789abcdef`
    const SIGNATURE: &str = "87db35b229aadbc3a759e9547670119b8a5037c9eb3b2c00c2d0ce6e1a820406";

    fn check(header: &str, body: &[u8], now: u64) -> Result<(), NoticeError> {
        verify(SECRET, header, body, now)
    }

    #[test]
    fn a_signature_that_another_tool_has_made_is_good() {
        assert_eq!(check(&format!("t={AT},v1={SIGNATURE}"), BODY, AT), Ok(()));
        assert_eq!(check(&format!("v1=00, v1={SIGNATURE}, t={AT}"), BODY, AT), Ok(()));
    }

    #[test]
    fn what_is_forged_is_refused() {
        let other = SIGNATURE.replace(&SIGNATURE[..4], "0000");
        for header in [
            String::new(),
            format!("t={AT}"),
            format!("v1={SIGNATURE}"),
            format!("t={AT},v1="),
            format!("t={AT},v1={other}"),
            format!("t={AT},v1={}", &SIGNATURE[..62]),
            format!("t={AT},v2={SIGNATURE}"),
            format!("t={},v1={SIGNATURE}", AT + 1),
        ] {
            assert_eq!(check(&header, BODY, AT), Err(NoticeError::Forged), "{header}");
        }
        let header = format!("t={AT},v1={SIGNATURE}");
        assert_eq!(check(&header, b"{}", AT), Err(NoticeError::Forged));
        assert_eq!(verify(b"another", &header, BODY, AT), Err(NoticeError::Forged));
    }

    #[test]
    fn what_is_genuine_and_old_is_told_apart() {
        let header = format!("t={AT},v1={SIGNATURE}");
        for (now, expected) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(NoticeError::Stale)),
            (AT - 301, Err(NoticeError::Stale)),
        ] {
            assert_eq!(check(&header, BODY, now), expected, "{now}");
        }
    }
}
