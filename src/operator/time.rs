//! Times as the operator types and reads them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// RFC 3339 in UTC, to the second.
pub(super) fn rfc3339(unix_millis: i64) -> String {
    let second = Timestamp::from_second(unix_millis.div_euclid(1_000));
    second.map_or_else(|_| unix_millis.to_string(), |time| time.to_string())
}

/// What `typed` means at `now`, in Unix milliseconds: a day (its beginning in UTC), an RFC 3339 time, or so long ago.
///
/// Errors with a sentence for whoever typed it.
pub fn moment(typed: &str, now: i64) -> Result<i64, String> {
    if let Ok(ago) = seconds(typed) {
        let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        return Ok(now.saturating_sub(ago));
    }
    if let Ok(time) = typed.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let day = typed.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    day.map(|day| day.timestamp().as_millisecond()).ok_or_else(|| {
        "a time is a day (2026-11-20), a moment (2026-11-20T12:00:00Z), or so long ago (90s, 30m, 12h, 7d, 4w)".into()
    })
}

/// What `typed` means as a length of time: a number and `s`, `m`, `h`, `d` or `w`.
///
/// Errors with a sentence for whoever typed it.
pub fn seconds(typed: &str) -> Result<Duration, String> {
    let refused = || "a length of time is a number with s, m, h, d or w behind it, such as 90s, 30m or 7d".to_owned();
    let unit = typed.chars().last().ok_or_else(refused)?;
    let number: u64 = typed.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(refused)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(refused()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_moments_and_lengths_are_understood() {
        let now = 1_795_302_000_000;
        assert_eq!(moment("2026-11-20", now), Ok(1_795_132_800_000));
        assert_eq!(moment("2026-11-20T00:00:01Z", now), Ok(1_795_132_801_000));
        assert_eq!(moment("7d", now), Ok(now - 7 * 86_400_000));
        for typed in ["", "yesterday", "7", "-7d", "7y", "2026-13-01", "99999999999999999999w"] {
            assert!(moment(typed, now).is_err(), "{typed}");
        }
        assert_eq!(rfc3339(1_795_132_801_999), "2026-11-20T00:00:01Z");
    }
}
