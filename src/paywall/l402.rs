//! The `Authorization` header as deployed clients send it.
//!
//! Clients differ in the scheme's case and old name (`LSAT`), in the base64 alphabet and padding, and in how many
//! headers they send. Whatever does not parse is a refused credential: nothing in a header can be an error of ours.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::domain::Preimage;

use super::macaroon::MAX_LEN;

/// More credentials or macaroons than any client sends are not looked at.
const MAX_MACAROONS: usize = 8;
const MAX_CREDENTIALS: usize = 8;
/// The base64 text of the largest macaroon, padding included.
const MAX_TEXT: usize = MAX_LEN.div_ceil(3) * 4;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One `macaroon[,macaroon…]:preimage`.
#[derive(Clone)]
pub struct Presented {
    /// The macaroons' bytes; at least one.
    pub macaroons: Vec<Vec<u8>>,
    /// The proof of payment.
    pub preimage: Preimage,
}

// What is presented is a credential and does not belong into a log.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({} macaroons)", self.macaroons.len())
    }
}

/// A header that bears our scheme but no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form `L402 <macaroon>:<preimage>`")]
pub struct Malformed;

/// Reads one header's value: an entry for each credential in it, none when the scheme is another.
///
/// Proxies join repeated headers with a comma, so a comma may be followed by another macaroon or by another credential.
#[must_use]
pub fn parse_authorization(value: &[u8]) -> Vec<Result<Presented, Malformed>> {
    let mut credentials: Vec<Vec<&[u8]>> = Vec::new();
    for piece in value.split(|b| *b == b',') {
        let piece = piece.trim_ascii();
        if let Some(rest) = strip_scheme(piece) {
            if credentials.len() == MAX_CREDENTIALS {
                break;
            }
            credentials.push(vec![rest]);
        } else if let Some(pieces) = credentials.last_mut().filter(|_| !piece.is_empty()) {
            pieces.push(piece);
        }
        // What stands in front of the first of ours is another scheme's.
    }
    credentials.into_iter().map(|pieces| parse_credential(&pieces)).collect()
}

/// The text after `L402` or `LSAT`.
fn strip_scheme(text: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = text.split_at_checked(4)?;
    if !scheme.eq_ignore_ascii_case(b"L402") && !scheme.eq_ignore_ascii_case(b"LSAT") {
        return None;
    }
    match rest.first() {
        None => Some(rest),
        Some(b' ' | b'\t') => Some(rest.trim_ascii()),
        Some(_) => None,
    }
}

fn parse_credential(pieces: &[&[u8]]) -> Result<Presented, Malformed> {
    let (last, before) = pieces.split_last().ok_or(Malformed)?;
    let colon = last.iter().rposition(|b| *b == b':').ok_or(Malformed)?;
    let preimage = Preimage::from_hex(last[colon + 1..].trim_ascii()).map_err(|_| Malformed)?;
    if before.len() >= MAX_MACAROONS {
        return Err(Malformed);
    }
    let texts = before.iter().copied().chain([last[..colon].trim_ascii()]);
    let macaroons = texts.map(decode_base64).collect::<Result<_, _>>()?;
    Ok(Presented { macaroons, preimage })
}

/// Standard or URL-safe, padded or not.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(Malformed);
    }
    let decoded = if text.iter().any(|b| matches!(b, b'-' | b'_')) {
        let standard: Vec<u8> = text
            .iter()
            .map(|b| match b {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        LENIENT.decode(standard)
    } else {
        LENIENT.decode(text)
    };
    decoded.map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    const PREIMAGE: &str = "11AAbb1111111111111111111111111111111111111111111111111111111111";

    fn one(value: &str) -> Result<Presented, Malformed> {
        let mut all = parse_authorization(value.as_bytes());
        assert_eq!(all.len(), 1, "{value}");
        all.remove(0)
    }

    #[test]
    fn other_schemes_are_no_credential() {
        for value in ["", "Bearer abc", "Basic eDp5", "L402x a:b", "Payment L402"] {
            assert!(parse_authorization(value.as_bytes()).is_empty(), "{value}");
        }
    }

    #[test]
    fn garbage_under_our_scheme_is_malformed() {
        let no_macaroon = format!("L402 :{PREIMAGE}");
        let nine = format!("L402 {}:{PREIMAGE}", ["AgE"; 9].join(","));
        let long = format!("L402 {}:{PREIMAGE}", "A".repeat(MAX_TEXT + 4));
        let not_base64 = format!("L402 a*b:{PREIMAGE}");
        for value in ["L402", "L402 ", "lsat x", "L402 AgE:zz", &no_macaroon, &nine, &long, &not_base64] {
            assert_eq!(one(value).err(), Some(Malformed), "{value}");
        }
    }

    #[test]
    fn several_macaroons_and_several_credentials_are_told_apart() {
        assert_eq!(one(&format!("L402 AgEB,AgEC:{PREIMAGE}")).unwrap().macaroons.len(), 2);
        let joined = format!("LSAT AgEB:{PREIMAGE}, L402 AgEC:{PREIMAGE}");
        assert_eq!(parse_authorization(joined.as_bytes()).len(), 2);
        for joined in [
            format!("Bearer x, L402 AgEC:{PREIMAGE}"),
            format!("L402 AgEC:{PREIMAGE},"),
            format!(",L402 AgEC:{PREIMAGE}, ,"),
        ] {
            assert!(one(&joined).is_ok(), "{joined}");
        }
        let broken_first = format!("LSAT ???, L402 AgEC:{PREIMAGE}");
        let all = parse_authorization(broken_first.as_bytes());
        assert!(all[0].is_err() && all[1].is_ok());
    }

    proptest! {
        #[test]
        fn every_spelling_gives_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                for scheme in ["L402", "l402", "LSAT", "Lsat"] {
                    let presented = one(&format!("{scheme}  {}:{PREIMAGE}", engine.encode(&bytes))).unwrap();
                    prop_assert_eq!(&presented.macaroons[0], &bytes);
                }
            }
        }

        #[test]
        fn no_header_panics(value in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_authorization(&value);
            let _ = parse_authorization(&[b"L402 ", &value[..]].concat());
        }
    }
}
