//! Posting something to a URL that a stranger has chosen, where nothing but the status of the answer matters.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::{Client, EgressError, require_public};

/// Whether something may be sent to a URL that a stranger has typed; `private` allows `http` and private addresses.
///
/// Only addresses that stand in the URL are judged here: a client [to strangers](Client::to_stranger) judges those that
/// its host's name leads to.
pub fn judge_strangers_url(text: &str, private: bool) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no absolute URL")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it is not https");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password");
    }
    if url.fragment().is_some() {
        return Err("it holds a fragment");
    }
    if private {
        return Ok(());
    }
    require_public(&url).map_err(|error| match error {
        EgressError::Forbidden(reason) => reason,
        _ => "it is not allowed",
    })
}

/// The host of a URL, by which strangers' servers are told apart; empty where there is none.
#[must_use]
pub fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

impl Client {
    /// Posts JSON and returns the answer's status. No byte of the answer's body is read.
    pub async fn post_json(
        &self,
        url: &str,
        headers: [(&'static str, &str); 3],
        body: Bytes,
    ) -> Result<u16, EgressError> {
        let url = Url::parse(url).map_err(|_| EgressError::Forbidden("it is no absolute URL"))?;
        let mut request = self.request(Method::POST, url)?;
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        Ok(request.body(body).send().await?.status().as_u16())
    }
}
