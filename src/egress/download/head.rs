//! What the head of an answer says about the file.

use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, TRANSFER_ENCODING,
};
use reqwest::{Response, StatusCode};

use super::DownloadError;
use crate::egress::retry_after;

/// The error that a status stands for; `None`: it brings a file, or a part of one.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<DownloadError> {
    Some(match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => return None,
        StatusCode::NOT_FOUND | StatusCode::GONE => DownloadError::Gone,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => DownloadError::Refused,
        StatusCode::TOO_MANY_REQUESTS => DownloadError::Unavailable { status, retry_after: retry_after(headers) },
        status if status.is_server_error() => DownloadError::Unavailable { status, retry_after: retry_after(headers) },
        status => DownloadError::Unexpected(status),
    })
}

/// Errors unless the bytes of the body are those of the file, and a body that breaks off can be told from a whole one.
pub(super) fn require_plain(response: &Response) -> Result<(), DownloadError> {
    let headers = response.headers();
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(DownloadError::Unusable("it is compressed, which was not asked for"));
    }
    // Without either, a body ends where the connection ends, for whatever reason.
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().peekable();
    if response.content_length().is_none() && codings.peek().is_none() || !codings.all(is_chunked) {
        return Err(DownloadError::Unusable("it has neither a length nor an end"));
    }
    Ok(())
}

/// By what a server tells that a file has not changed. A weak one says that two files are much the same, which is not
/// enough to put them together.
#[derive(Clone, Debug)]
pub(super) struct Validator {
    header: HeaderName,
    value: HeaderValue,
}

impl Validator {
    /// The strong validator of an answer (RFC 9110, sections 8.8 and 13.1.5).
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if let Some(tag) = headers.get(ETAG) {
            return is_strong(tag).then(|| Self { header: ETAG, value: tag.clone() });
        }
        let modified = headers.get(LAST_MODIFIED)?;
        // In the second of the change, a file may change again unnoticed.
        let is_old = date(modified)? < date(headers.get(DATE)?)?;
        is_old.then(|| Self { header: LAST_MODIFIED, value: modified.clone() })
    }

    /// What `If-Range` sends.
    pub(super) const fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Whether a part is of the same file. A part need not repeat the date, but it must repeat the tag.
    pub(super) fn agrees(&self, headers: &HeaderMap) -> bool {
        match headers.get(&self.header) {
            Some(value) => *value == self.value,
            None => self.header == LAST_MODIFIED && !headers.contains_key(ETAG),
        }
    }
}

fn is_strong(tag: &HeaderValue) -> bool {
    let tag = tag.as_bytes();
    tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"")
}

fn date(value: &HeaderValue) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.to_str().ok()?).ok()
}

/// Which bytes of a file an answer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first of them.
    pub start: u64,
    /// After the last of them.
    pub end: u64,
    /// The size of the file, where it is said.
    pub total: Option<u64>,
}

impl Span {
    /// What `Content-Range` says.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let (range, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (start, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let fits = start <= last && total.is_none_or(|total| last < total);
        fits.then_some(Self { start, end: last.checked_add(1)?, total })
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn validator(lines: &[(&'static str, &'static str)]) -> Option<HeaderValue> {
        Validator::of(&headers(lines)).map(|validator| validator.value().clone())
    }

    const CHANGED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    const LATER: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:38 GMT");

    #[test]
    fn only_what_proves_that_a_file_is_the_same_is_a_validator() {
        assert_eq!(validator(&[("etag", "\"a\"")]).unwrap(), "\"a\"");
        assert_eq!(validator(&[CHANGED, LATER]).unwrap(), CHANGED.1);
        let weak: [&[(&str, &str)]; 8] = [
            &[],
            &[("etag", "W/\"a\"")],
            &[("etag", "\"")],
            &[("etag", "bare")],
            &[("etag", "W/\"a\""), CHANGED, LATER],
            &[CHANGED],
            &[CHANGED, ("date", CHANGED.1)],
            &[("last-modified", "yesterday"), LATER],
        ];
        for lines in weak {
            assert_eq!(validator(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_part_is_held_against_the_validator_of_the_beginning() {
        let tag = Validator::of(&headers(&[("etag", "\"a\"")])).unwrap();
        assert!(tag.agrees(&headers(&[("etag", "\"a\"")])));
        assert!(!tag.agrees(&headers(&[("etag", "\"b\"")])));
        assert!(!tag.agrees(&headers(&[("etag", "W/\"a\"")])));
        assert!(!tag.agrees(&headers(&[])));
        let date = Validator::of(&headers(&[CHANGED, LATER])).unwrap();
        assert!(date.agrees(&headers(&[CHANGED])));
        assert!(date.agrees(&headers(&[])));
        assert!(!date.agrees(&headers(&[("etag", "\"b\"")])));
        assert!(!date.agrees(&headers(&[("last-modified", LATER.1)])));
    }

    #[test]
    fn a_content_range_is_read_strictly() {
        let span = |text: &'static str| Span::of(&headers(&[("content-range", text)]));
        assert_eq!(span("bytes 5-9/10"), Some(Span { start: 5, end: 10, total: Some(10) }));
        assert_eq!(span("bytes 5-5/*"), Some(Span { start: 5, end: 6, total: None }));
        for text in [
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes +5-9/10",
            "bytes 5-/10",
            "bytes -/",
            "items 5-9/10",
            "bytes 5-9",
            "bytes 0-18446744073709551615/*",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
