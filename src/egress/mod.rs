//! Requests to other people's servers.
//!
//! One client for all of them, in three kinds. [`Client::to_own`] is for a server that the operator has named: it may be
//! in a private network, and its certificate can be pinned. Without TLS it must be there: [`Client::to_near`].
//! [`Client::to_stranger`] is for a URL that somebody else has
//! chosen: `https` only, and never to a private address, whatever its name resolves to.
//!
//! [`Connector`] opens a [`WebSocket`] to a server of the first kind. A [`Downloader`] fetches files from a list of
//! hosts, over redirects and interruptions.
//!
//! Architecture invariant: no request is without a time limit, no answer without a limit of its size, no redirect is
//! followed by a [`Client`] (a credential would go along), and no proxy of the environment is used. Errors never show a
//! URL, because its path or query may hold a secret. The exception is [`Client::transfer`], for the operator's own storage:
//! it limits the pauses within an answer, and neither its size nor the whole of it.

mod address;
mod download;
mod error;
mod post;
mod tls;
mod transfer;
mod websocket;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;

pub use address::is_public;
pub use download::{Download, DownloadError, Downloader, HostError, HostPattern, Limits, Places};
pub use error::EgressError;
pub use post::{host_of, judge_strangers_url};
pub use tls::{Trust, TrustError, client_config};
pub use transfer::TransferBody;
pub use websocket::{Connector, Message, WebSocket, Wire};

/// The time that a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections are closed before most servers close them: a request on a connection that is just being closed
/// fails without need.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes of an answer that are read. Answers to API calls are a few kilobytes.
const ANSWER_LIMIT: usize = 512 * 1024;

/// An HTTP client with limits; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    reach: Reach,
}

/// Whom a client talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Whoever the operator named.
    Own,
    /// Addresses of this machine and of private networks, because nothing is encrypted.
    Near,
    /// Public addresses over `https`.
    Public,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Client {
    /// A client for a server that the operator has named; with `certificates`, a PEM file, nothing is trusted but what
    /// stands in it. Each request has `timeout` in all.
    pub fn to_own(certificates: Option<&Path>, timeout: Duration) -> Result<Self, TrustError> {
        let trust = certificates.map_or(Ok(Trust::System), Trust::only)?;
        Ok(Self { inner: build(trust, Reach::Own, timeout)?, reach: Reach::Own })
    }

    /// A client for a server that the operator has named by an `http` URL: what is sent crosses no public network,
    /// wherever the server's name leads. Each request has `timeout` in all.
    pub fn to_near(timeout: Duration) -> Result<Self, TrustError> {
        Ok(Self { inner: build(Trust::System, Reach::Near, timeout)?, reach: Reach::Near })
    }

    /// A client for URLs that strangers choose. Each request has `timeout` in all.
    pub fn to_stranger(timeout: Duration) -> Result<Self, TrustError> {
        Ok(Self { inner: build(Trust::System, Reach::Public, timeout)?, reach: Reach::Public })
    }

    /// A request; refused here if it would go where this client must not.
    ///
    /// [`RequestBuilder::timeout`] gives it another time than the client's. With less than a few seconds, a connection
    /// that does not come about may be reported as [`EgressError::Interrupted`].
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, EgressError> {
        self.reach.require(&url)?;
        Ok(self.inner.request(method, url))
    }

    /// Sends a request and reads the whole answer, whatever its status. It is sent once: after an error,
    /// [`EgressError::is_unsent`] tells whether the server can have received it.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, EgressError> {
        read(request, ANSWER_LIMIT, |_| false).await
    }

    /// As [`Self::send`], with a `limit` of the answer's size in bytes: some answers carry a file.
    pub async fn send_up_to(&self, limit: usize, request: RequestBuilder) -> Result<Answer, EgressError> {
        read(request, limit, |_| false).await
    }

    /// Sends a request and reads the first line of the answer: of a stream that tells first how things stand.
    pub async fn send_for_line(&self, request: RequestBuilder) -> Result<Answer, EgressError> {
        let mut answer = read(request, ANSWER_LIMIT, |body| body.contains(&b'\n')).await?;
        if let Some(end) = answer.body.iter().position(|byte| *byte == b'\n') {
            answer.body.truncate(end);
        }
        Ok(answer)
    }
}

/// The answer as far as it is wanted.
async fn read(request: RequestBuilder, limit: usize, is_enough: impl Fn(&[u8]) -> bool) -> Result<Answer, EgressError> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(EgressError::in_answer)? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(EgressError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
        if is_enough(&chunk) {
            break;
        }
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The pause that `Retry-After` asks for, where it is a number of seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn build(trust: Trust, reach: Reach, timeout: Duration) -> Result<reqwest::Client, TrustError> {
    // A connection has less time than the whole request, or nobody could tell which of them was late.
    finish(builder(trust, reach)?.connect_timeout(CONNECT_TIMEOUT.min(timeout / 2)).timeout(timeout))
}

/// A client that has no time limits yet, save for connections.
fn builder(trust: Trust, reach: Reach) -> Result<ClientBuilder, TrustError> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(trust)?)
        .user_agent(concat!("satforge/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true);
    Ok(match reach {
        Reach::Own => builder,
        Reach::Near => builder.dns_resolver(address::NearOnly),
        Reach::Public => builder.https_only(true).dns_resolver(address::PublicOnly),
    })
}

fn finish(builder: ClientBuilder) -> Result<reqwest::Client, TrustError> {
    builder.build().map_err(|error| TrustError::Unusable(error.without_url().to_string()))
}

impl Reach {
    /// Errors when `url` leads elsewhere, as far as it shows: the resolver sees to names.
    fn require(self, url: &Url) -> Result<(), EgressError> {
        match self {
            Self::Own => Ok(()),
            Self::Near => require_near(url),
            Self::Public => require_public(url),
        }
    }
}

/// Addresses in a URL are not resolved, so the resolver never sees them.
fn require_near(url: &Url) -> Result<(), EgressError> {
    if literal(url).is_some_and(is_public) {
        return Err(EgressError::Forbidden("it is not encrypted, and its host is a public address"));
    }
    Ok(())
}

fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn require_public(url: &Url) -> Result<(), EgressError> {
    if url.scheme() != "https" {
        return Err(EgressError::Forbidden("it is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressError::Forbidden("it holds a user name or a password"));
    }
    if url.host_str().is_none() {
        return Err(EgressError::Forbidden("it has no host"));
    }
    if literal(url).is_some_and(|address| !is_public(address)) {
        return Err(EgressError::Forbidden("its host is a private address"));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
