//! The `Prefer` header (RFC 7240): how a caller wants to wait.

use std::time::Duration;

use axum::http::HeaderMap;

/// What a caller asked for; what cannot be read is no preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// `wait=N`
    pub wait: Option<Duration>,
    /// `respond-async`
    pub respond_async: bool,
}

impl Preference {
    /// Reads every `Prefer` header. The first mention of a preference counts.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut preference = Self::default();
        for value in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
            for item in value.split(',') {
                preference.read(item);
            }
        }
        preference
    }

    fn read(&mut self, item: &str) {
        let token = item.split(';').next().unwrap_or_default().trim();
        let (name, value) = token.split_once('=').map_or((token, ""), |(name, value)| (name.trim_end(), value.trim()));
        if name.eq_ignore_ascii_case("respond-async") {
            self.respond_async = true;
        } else if name.eq_ignore_ascii_case("wait") && self.wait.is_none() {
            self.wait = seconds(value.trim_matches('"'));
        }
    }
}

/// A whole number of seconds.
#[must_use]
pub fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number beyond 64 bits is still a wish to wait for long.
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn of(values: &[&str]) -> Preference {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_str(value).unwrap());
        }
        Preference::of(&headers)
    }

    #[test]
    fn every_spelling_of_the_specification_is_read() {
        let wait = |seconds| Preference { wait: Some(Duration::from_secs(seconds)), respond_async: false };
        assert_eq!(of(&["wait=10"]), wait(10));
        assert_eq!(of(&["Wait = \"10\"; x=y"]), wait(10));
        assert_eq!(of(&["wait=1, wait=2"]), wait(1));
        assert_eq!(of(&["handling=lenient", "respond-async, wait=7"]).wait, Some(Duration::from_secs(7)));
        assert!(of(&["Respond-Async"]).respond_async);
        assert_eq!(of(&["wait=-1"]), Preference::default());
        assert_eq!(of(&["wait=1.5"]), Preference::default());
        assert_eq!(of(&["wait"]), Preference::default());
        assert_eq!(of(&["wait=99999999999999999999999"]).wait, Some(Duration::from_secs(u64::MAX)));
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "[ -~]{0,100}") {
            of(&[&value]);
        }
    }
}
