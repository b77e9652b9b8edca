//! The conditions of a macaroon: ours, and what a holder may add to them.
//!
//! Architecture invariant: a holder's caveat can only narrow. A condition that stands twice must be equal or stricter
//! the second time; conditions that are not ours are skipped, because wallets append their own.

use crate::domain::{RequestBinding, ServiceId};

const SERVICES: &[u8] = b"services";
const BODY_SHA256: &[u8] = b"body_sha256";
const VALID_UNTIL_SUFFIX: &str = "_valid_until";
/// The only tier that is sold.
const TIER_SUFFIX: &str = ":0";

/// What the caveats of one macaroon allow, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The service that was paid for; `None`: one that is not sold here any more.
    pub service: Option<ServiceId>,
    /// The SHA-256 of the body that was paid for.
    pub body_sha256: [u8; 32],
    /// Unix seconds: the end of the first redemption's window, as minted.
    pub redeemable_until: u64,
    /// Unix seconds: a limit on every use that the holder appended.
    pub holder_until: Option<u64>,
}

/// Caveats that no macaroon of ours has, or that try to widen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a caveat of ours is missing, unreadable or widened")]
pub struct InvalidCaveats;

/// The three caveats of a new macaroon, in their order.
#[must_use]
pub fn mint(binding: &RequestBinding, valid_until: u64) -> [String; 3] {
    let service = binding.service.name();
    [
        format!("services={service}{TIER_SUFFIX}"),
        format!("body_sha256={}", hex::encode(binding.body_sha256)),
        format!("{service}{VALID_UNTIL_SUFFIX}={valid_until}"),
    ]
}

/// Reads the caveats of a macaroon whose signature was checked.
pub fn read(caveats: &[&[u8]]) -> Result<Terms, InvalidCaveats> {
    let service = unchanged(caveats, SERVICES, service_name)?;
    let body_sha256 = unchanged(caveats, BODY_SHA256, sha256)?;
    let condition = format!("{service}{VALID_UNTIL_SUFFIX}");
    let mut times = values(caveats, condition.as_bytes()).map(unix_seconds);
    let redeemable_until = times.next().ok_or(InvalidCaveats)??;
    let mut holder_until = None;
    let mut latest = redeemable_until;
    for time in times {
        let time = time?;
        if time > latest {
            return Err(InvalidCaveats);
        }
        latest = time;
        holder_until = Some(time);
    }
    let service = ServiceId::from_name(service).ok();
    Ok(Terms { service, body_sha256, redeemable_until, holder_until })
}

/// The value of a condition that must stand at least once and always say the same.
fn unchanged<'a, T: PartialEq>(
    caveats: &[&'a [u8]],
    condition: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Result<T, InvalidCaveats>,
) -> Result<T, InvalidCaveats> {
    let mut values = values(caveats, condition);
    let first = parse(values.next().ok_or(InvalidCaveats)?)?;
    for value in values {
        if parse(value)? != first {
            return Err(InvalidCaveats);
        }
    }
    Ok(first)
}

fn values<'a>(caveats: &[&'a [u8]], condition: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    caveats.iter().filter_map(move |caveat| caveat.strip_prefix(condition)?.strip_prefix(b"="))
}

fn service_name(value: &[u8]) -> Result<&str, InvalidCaveats> {
    let value = std::str::from_utf8(value).map_err(|_| InvalidCaveats)?;
    let name = value.strip_suffix(TIER_SUFFIX).ok_or(InvalidCaveats)?;
    if name.is_empty() || name.contains([',', ':']) {
        return Err(InvalidCaveats);
    }
    Ok(name)
}

fn sha256(value: &[u8]) -> Result<[u8; 32], InvalidCaveats> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(value, &mut bytes).map_err(|_| InvalidCaveats)?;
    Ok(bytes)
}

fn unix_seconds(value: &[u8]) -> Result<u64, InvalidCaveats> {
    // `u64::from_str` would read a leading plus sign as well.
    if !value.iter().all(u8::is_ascii_digit) {
        return Err(InvalidCaveats);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(InvalidCaveats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BINDING: RequestBinding = RequestBinding { service: ServiceId::Video, body_sha256: [0xab; 32] };

    fn with(extra: &[&str]) -> Result<Terms, InvalidCaveats> {
        let minted = mint(&BINDING, 1_000);
        let caveats: Vec<&[u8]> =
            minted.iter().map(String::as_bytes).chain(extra.iter().map(|e| e.as_bytes())).collect();
        read(&caveats)
    }

    #[test]
    fn what_is_minted_is_read() {
        let terms = Terms {
            service: Some(ServiceId::Video),
            body_sha256: [0xab; 32],
            redeemable_until: 1_000,
            holder_until: None,
        };
        assert_eq!(with(&[]), Ok(terms));
    }

    #[test]
    fn each_of_ours_must_be_present() {
        let minted = mint(&BINDING, 1_000);
        for missing in 0..minted.len() {
            let mut caveats: Vec<&[u8]> = minted.iter().map(String::as_bytes).collect();
            caveats.remove(missing);
            assert_eq!(read(&caveats), Err(InvalidCaveats), "without {}", minted[missing]);
        }
    }

    #[test]
    fn other_conditions_are_skipped() {
        for skipped in ["preimage=11", "3d-model_valid_until=5", "no equals sign", "", "=", "services_of_mine=x"] {
            assert_eq!(with(&[skipped]), with(&[]), "{skipped}");
        }
    }

    #[test]
    fn a_repeat_may_not_widen_or_be_unreadable() {
        let other_body = format!("body_sha256={}", "00".repeat(32));
        for refused in [
            "video_valid_until=1001",
            "video_valid_until=",
            "video_valid_until=+9",
            "video_valid_until=99999999999999999999999",
            "services=3d-model:0",
            "services=video:0,3d-model:0",
            "services=video:1",
            "services=video",
            "body_sha256=zz",
            &other_body,
        ] {
            assert_eq!(with(&[refused]), Err(InvalidCaveats), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn adding_a_caveat_never_widens(times in prop::collection::vec(0..2_000_u64, 1..6)) {
            let extra: Vec<String> = times.iter().map(|t| format!("video_valid_until={t}")).collect();
            let extra: Vec<&str> = extra.iter().map(String::as_str).collect();
            let falling = times.iter().try_fold(1_000, |last, time| (*time <= last).then_some(*time));
            if let Ok(terms) = with(&extra) {
                prop_assert_eq!(terms.redeemable_until, 1_000);
                prop_assert_eq!(terms.holder_until, falling);
            } else {
                prop_assert_eq!(falling, None);
            }
        }
    }
}
