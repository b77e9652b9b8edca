//! Files from other people's servers.
//!
//! [`Downloader::open`] follows redirects itself, because every step is held against the same list of hosts, and because
//! the authorization must not leave the server that it is for. What it returns is a stream that goes on by itself where
//! a connection broke (`transfer.rs`), if the server proves that it is still the same file.
//!
//! A download has no time limit of its own as long as something comes: whoever reads it knows their deadline.

mod error;
mod head;
mod places;
mod transfer;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode};
use url::Url;

pub use error::DownloadError;
pub use places::{HostError, HostPattern, Places};

use super::{CONNECT_TIMEOUT, EgressError, Reach, Trust, TrustError, builder, finish};
use transfer::Transfer;

/// The most redirects that one request follows.
const REDIRECTS: usize = 5;

/// Fetches files from a list of hosts; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Downloader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    places: Places,
    limits: Limits,
    encrypted: reqwest::Client,
    /// For what is near and not encrypted.
    clear: Option<reqwest::Client>,
}

/// How long a download waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the head of an answer, the connection included; a redirect has as long again.
    pub head: Duration,
    /// For the next bytes.
    pub idle: Duration,
    /// Before it resumes for the first time; twice as long each time that nothing came.
    pub pause: Duration,
}

/// A file that is on its way.
pub struct Download {
    /// Its size in bytes, where the server says it.
    pub length: Option<u64>,
    /// Its bytes. The errors are [`DownloadError`]s, and nothing comes after one. A file that turns out to be too large
    /// ends with [`DownloadError::TooLarge`] after the bytes that were too many, so that whoever stores it with the same
    /// limit has seen it too.
    pub stream: BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>,
}

/// What is fetched, and on whose behalf.
struct Source {
    url: Url,
    authorization: Option<HeaderValue>,
}

impl Default for Limits {
    /// Half a minute for everything, and a quarter of a second for a pause.
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        Self { head: half_a_minute, idle: half_a_minute, pause: Duration::from_millis(250) }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Downloader {
    /// Fetches from `places`, believing the authorities that this machine trusts.
    pub fn new(places: Places, limits: Limits) -> Result<Self, TrustError> {
        Self::trusting(&Trust::System, places, limits, &|builder| builder)
    }

    fn trusting(
        trust: &Trust,
        places: Places,
        limits: Limits,
        adapt: &dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, TrustError> {
        let connect = CONNECT_TIMEOUT.min(limits.head / 2);
        let client = |reach| finish(adapt(builder(trust.clone(), reach)?.connect_timeout(connect)));
        let encrypted = client(if places.is_private() { Reach::Own } else { Reach::Public })?;
        let clear = places.is_private().then(|| client(Reach::Near)).transpose()?;
        Ok(Self { inner: Arc::new(Inner { places, limits, encrypted, clear }) })
    }

    /// Begins to fetch a file of at most `limit` bytes. `authorization` is the value of that header; no other server than
    /// the one of `url` gets to see it.
    ///
    /// Errors when nothing is to be fetched from there, or no file comes.
    pub async fn open(
        &self,
        url: &str,
        authorization: Option<&HeaderValue>,
        limit: u64,
    ) -> Result<Download, DownloadError> {
        let url = Url::parse(url).map_err(|_| DownloadError::Forbidden("it is no URL"))?;
        let authorization = authorization.cloned().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let source = Source { url, authorization };
        let response = self.get(&source, HeaderMap::new()).await?;
        let transfer = Transfer::begin(self.clone(), source, response, limit)?;
        Ok(Download { length: transfer.total(), stream: transfer.into_stream() })
    }

    /// The head of the answer that stands at the end of the redirects.
    async fn get(&self, source: &Source, headers: HeaderMap) -> Result<Response, DownloadError> {
        let mut url = source.url.clone();
        let mut authorization = source.authorization.as_ref();
        for _ in 0..=REDIRECTS {
            let response = self.step(&url, authorization, &headers).await?;
            if !is_redirect(response.status()) {
                return head::refusal(response.status(), response.headers()).map_or(Ok(response), Err);
            }
            let next = target(&url, response.headers())?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(DownloadError::Forbidden("a redirect leads from https to something else"));
            }
            // Another server could lead back to any URL of the first one: what has been left behind stays behind.
            authorization = authorization.filter(|_| next.origin() == source.url.origin());
            url = next;
        }
        Err(DownloadError::Unusable("it redirects too often"))
    }

    async fn step(
        &self,
        url: &Url,
        authorization: Option<&HeaderValue>,
        headers: &HeaderMap,
    ) -> Result<Response, DownloadError> {
        let client = match (self.inner.places.reach(url)?, &self.inner.clear) {
            (Reach::Own | Reach::Public, _) => &self.inner.encrypted,
            (Reach::Near, Some(clear)) => clear,
            (Reach::Near, None) => return Err(DownloadError::Forbidden("it is not https")),
        };
        // A compressed file has other lengths and ranges than the one that is wanted.
        let mut request = client
            .get(url.clone())
            .headers(headers.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let sent = tokio::time::timeout(self.inner.limits.head, request.send()).await;
        Ok(sent.map_err(|_| error::late())?.map_err(EgressError::from)?)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn target(url: &Url, headers: &HeaderMap) -> Result<Url, DownloadError> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    target.ok_or(DownloadError::Unusable("it redirects to nowhere"))
}

#[cfg(test)]
mod tests;
