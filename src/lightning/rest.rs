//! What the adapters that speak HTTP have in common.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::egress::{Answer, Client, EgressError, TrustError};

use super::{BackendError, FaultKind};

/// The most characters of a server's own error text that are repeated to the operator.
const QUOTED: usize = 200;

/// A server with an API, as the configuration describes it.
#[derive(Clone)]
pub(super) struct Rest {
    backend: &'static str,
    client: Client,
    base: Url,
    headers: HeaderMap,
    /// The keys to blame when the server cannot be reached, or cannot be trusted.
    keys: Keys,
}

/// Paths of keys of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// Where the server is.
    pub url: &'static str,
    /// Whom it must prove to be, where that can be configured.
    pub certificate: Option<&'static str>,
}

/// An adapter that cannot be built from its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct SetupError {
    /// The path of the key to blame.
    pub key: &'static str,
    /// What is wrong with it. It never quotes a secret.
    pub message: String,
}

impl Rest {
    /// A client for the server at `base`; every request has `timeout`, unless it is given another one.
    pub(super) fn new(
        backend: &'static str,
        base: &Url,
        certificate: Option<&Path>,
        keys: Keys,
        timeout: Duration,
    ) -> Result<Self, SetupError> {
        let client = match base.scheme() {
            "http" => Client::to_near(timeout),
            _ => Client::to_own(certificate, timeout),
        };
        let client = client.map_err(|error| {
            let key = match error {
                TrustError::Unreadable { .. } => keys.certificate.unwrap_or(keys.url),
                TrustError::Unusable(_) => keys.url,
            };
            SetupError { key, message: error.to_string() }
        })?;
        Ok(Self::over(backend, client, base, keys))
    }

    /// The server at `base`, asked by `client`.
    pub(super) fn over(backend: &'static str, client: Client, base: &Url, keys: Keys) -> Self {
        let mut base = base.clone();
        // A path in the URL is a prefix: `join` would drop its last part without a slash at the end.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Self { backend, client, base, headers: HeaderMap::new(), keys }
    }

    /// With a header in every request that no `Debug` output shows.
    pub(super) fn secret_header(
        mut self,
        name: HeaderName,
        value: &str,
        key: &'static str,
    ) -> Result<Self, SetupError> {
        let message = "this holds a character that cannot be sent in a header".to_owned();
        let mut value = HeaderValue::from_str(value).map_err(|_| SetupError { key, message })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// A request to `path`, which does not begin with a slash.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, BackendError> {
        let url =
            self.base.join(path).map_err(|_| self.fault(FaultKind::Refused, "the path of a request is no path"))?;
        let request = self.client.request(method, url).map_err(|error| self.no_answer(&error))?;
        Ok(request.headers(self.headers.clone()))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, BackendError> {
        self.send(self.request(Method::GET, path)?).await
    }

    /// What stands at a URL that the server has named: its own headers stay away from there.
    pub(super) async fn get_elsewhere(&self, url: Url) -> Result<Answer, BackendError> {
        let request = self.client.request(Method::GET, url).map_err(|error| self.no_answer(&error))?;
        self.send(request).await
    }

    pub(super) async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Answer, BackendError> {
        self.send(self.request(Method::POST, path)?.json(body)).await
    }

    /// The whole answer, whatever its status.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, BackendError> {
        self.client.send(request).await.map_err(|error| self.no_answer(&error))
    }

    /// The first line of a stream.
    pub(super) async fn send_for_line(&self, request: RequestBuilder) -> Result<Answer, BackendError> {
        self.client.send_for_line(request).await.map_err(|error| self.no_answer(&error))
    }

    /// What the answer says, if it is what the documentation promises.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, BackendError> {
        answer.json().map_err(|error| {
            // Its category and place; the text itself may quote what it read.
            let message = format!("the answer (HTTP {}) cannot be read: {:?}", answer.status, error.classify());
            self.fault(FaultKind::Garbled, message)
        })
    }

    /// A failure of this backend.
    pub(super) fn fault(&self, kind: FaultKind, message: impl Into<String>) -> BackendError {
        BackendError::new(self.backend, kind, message)
    }

    /// What a status means by itself, where the backend's own error text says nothing better. `said` is that text.
    pub(super) fn by_status(&self, answer: &Answer, said: &str) -> BackendError {
        let status = answer.status;
        let kind = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FaultKind::Unauthorised,
            StatusCode::TOO_MANY_REQUESTS => FaultKind::Limited { retry_after: answer.retry_after() },
            status if status.is_server_error() => FaultKind::Failing,
            status if status.is_client_error() => FaultKind::Refused,
            _ => FaultKind::Garbled,
        };
        // A redirect is not followed: the credentials would go along.
        let message = if status.is_redirection() {
            format!(
                "{}: the server answers with a redirect (HTTP {status}); give the URL that it leads to",
                self.keys.url
            )
        } else {
            format!("HTTP {status}: {}", quoted(said))
        };
        self.fault(kind, message)
    }

    fn no_answer(&self, error: &EgressError) -> BackendError {
        let certificate = self.keys.certificate.unwrap_or(self.keys.url);
        match error {
            EgressError::Forbidden(_) | EgressError::Unreachable(_) => {
                self.fault(FaultKind::Unreachable, format!("{}: {error}", self.keys.url))
            }
            EgressError::Untrusted(_) => self.fault(FaultKind::Unreachable, format!("{certificate}: {error}")),
            EgressError::Interrupted(_) => self.fault(FaultKind::Interrupted, error.to_string()),
            EgressError::TooLarge(_) => self.fault(FaultKind::Garbled, error.to_string()),
        }
    }
}

/// The beginning of a foreign text, on one line, without URLs: those may hold a password.
pub(super) fn quoted(text: &str) -> String {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(8 * QUOTED).collect();
    let words = text.split(' ').map(|word| if word.contains("://") { "(a URL)" } else { word });
    let line: String = words.collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect();
    if line.is_empty() { "no explanation".to_owned() } else { line }
}
