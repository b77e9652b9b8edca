//! A response that was read to its end, and what has to be true of every one.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads a response and holds it against what `wire.md` promises of all of them.
    pub async fn of(response: reqwest::Response) -> Self {
        let is_api = response.url().path().starts_with("/api/l402");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a body that ends");
        let answer = Self { status, headers, body };
        answer.check(is_api);
        answer
    }

    /// The header's value; empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("a header of ASCII")).unwrap_or_default()
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text in UTF-8")
    }

    /// The error code; empty for a success.
    pub fn code(&self) -> &str {
        self.header("x-error-code")
    }

    /// Status and error code, which most tests are about.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// Status line, headers in alphabetical order and body, for a snapshot; `redact` replaces what differs between runs.
    pub fn snapshot(&self, redact: impl Fn(&str) -> String) -> String {
        let mut lines: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "date" | "access-control-expose-headers" | "content-length"))
            .map(|(name, value)| format!("{name}: {}", shown(name, value.to_str().expect("ASCII"))))
            .collect();
        lines.sort_unstable();
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(json) => format!("{json:#}"),
            Err(_) => self.text(),
        };
        redact(&format!("{}\n{}\n\n{body}", self.status, lines.join("\n")))
    }

    fn check(&self, is_api: bool) {
        assert_eq!(self.header("x-request-id").len(), 16, "every response bears X-Request-Id: {self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        assert_eq!(self.header("access-control-allow-origin"), "*", "{self:?}");
        assert_eq!(self.has("www-authenticate"), self.status == 402, "402 alone has WWW-Authenticate: {self:?}");
        if is_api {
            assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        }
        if self.status >= 400 && self.header("content-type").starts_with("application/") {
            self.check_problem();
        }
    }

    /// Every error is a whole problem document, unless it answers `HEAD`.
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert!(!self.code().is_empty(), "{self:?}");
        if self.body.is_empty() {
            return;
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["error_code"], self.code());
        for field in ["type", "title", "detail", "error", "suggestion"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {problem:#}");
        }
        let page = format!("/errors#{}", self.code());
        assert!(problem["type"].as_str().is_some_and(|url| url.ends_with(&page)), "{problem:#}");
        let retry = problem["retry_after_seconds"].as_u64().map(|seconds| seconds.to_string()).unwrap_or_default();
        assert_eq!(retry, self.header("retry-after"), "{problem:#}");
    }
}

fn shown<'a>(name: &HeaderName, value: &'a str) -> &'a str {
    if name == "x-request-id" { "<request id>" } else { value }
}
