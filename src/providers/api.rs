//! What the adapters that speak HTTP have in common: one client, its pace, and what statuses mean.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;

use serde_json::Value;

use crate::artifacts::ByteStream;
use crate::config::ProviderConfig;
use crate::egress::{Answer, Client, DownloadError, Downloader, EgressError, HostPattern, Limits, Places};

use super::pace::Pace;
use super::{Ending, ProviderError};

/// The most bytes of an answer that are read: some repeat the whole input, with an image in it.
const ANSWER_LIMIT: usize = 24 * 1024 * 1024;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// An account's API.
#[derive(Clone, Debug)]
pub(super) struct Api {
    account: String,
    client: Client,
    base: Url,
    headers: HeaderMap,
    pace: std::sync::Arc<Pace>,
}

/// An adapter that cannot be built from its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("providers.{account}.{key}: {message}")]
pub struct SetupError {
    /// The account's name.
    pub account: String,
    /// The key to blame.
    pub key: &'static str,
    /// What is wrong with it. It never quotes a secret.
    pub message: String,
}

impl Api {
    /// The API of `account`; with `authorization`, the value of that header, in every request.
    pub(super) fn new(account: &ProviderConfig, authorization: Option<&str>) -> Result<Self, SetupError> {
        let refused = |key, message: String| SetupError { account: account.name.clone(), key, message };
        let client = match account.url.scheme() {
            "http" => Client::to_near(account.timeout),
            _ => Client::to_own(None, account.timeout),
        };
        let client = client.map_err(|error| refused("url", error.to_string()))?;
        let mut headers = HeaderMap::new();
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| refused("api_key", "this holds a character that cannot be sent in a header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut base = account.url.clone();
        // A path in the URL is a prefix: `join` would drop its last part without a slash at the end.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let pace = std::sync::Arc::new(Pace::new(account.requests_per_second));
        Ok(Self { account: account.name.clone(), client, base, headers, pace })
    }

    /// As [`Self::new`], for an API that stands below `version`, whether or not the account's URL ends with that.
    pub(super) fn below(
        account: &ProviderConfig,
        authorization: Option<&str>,
        version: &str,
    ) -> Result<Self, SetupError> {
        let mut account = account.clone();
        let path = account.url.path().trim_end_matches('/');
        let root = path.strip_suffix(version).and_then(|root| root.strip_suffix('/')).unwrap_or(path).to_owned();
        account.url.set_path(&format!("{root}/{version}/"));
        Self::new(&account, authorization)
    }

    /// The account's name.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Where the API is, with a slash at its end.
    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// The authorization, for a result that the API itself serves.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.headers.get(AUTHORIZATION)
    }

    /// A request to `path`, which does not begin with a slash and has its parts encoded. Nothing is sent yet.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ProviderError> {
        let url = self.base.join(path).map_err(|_| unsent("the path of a request is no path"))?;
        self.request_to(method, url)
    }

    /// A request to a URL that the provider has named. Refused when it is not where the API is: the key would go along.
    pub(super) fn request_named(&self, method: Method, url: &str) -> Result<RequestBuilder, ProviderError> {
        let url = Url::parse(url).ok().filter(|url| url.origin() == self.base.origin());
        self.request_to(method, url.ok_or_else(|| unsent("the provider names a URL that is not its own"))?)
    }

    /// A request to another host of the same provider, which is to see the key as well.
    pub(super) fn request_to(&self, method: Method, url: Url) -> Result<RequestBuilder, ProviderError> {
        let request = self.client.request(method, url).map_err(|error| unsent(&error.to_string()))?;
        Ok(request.headers(self.headers.clone()))
    }

    /// Sends what may start a generation. Errors where no whole answer came, told apart by whether anything can have
    /// been started; the answer may have any status.
    pub(super) async fn create(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        if let Err(wait) = self.pace.turn(PATIENCE).await {
            return Err(ProviderError::Busy { retry_after: Some(wait) });
        }
        self.client.send_up_to(ANSWER_LIMIT, request).await.map_err(|error| match error {
            error if error.is_unsent() => unsent(&error.to_string()),
            error => ProviderError::Ambiguous(error.to_string()),
        })
    }

    /// Sends what can be repeated. Errors where no whole answer came; the answer may have any status.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        if self.pace.turn(PATIENCE).await.is_err() {
            return Err(ProviderError::Transient("too many requests of ours are waiting for their turn".into()));
        }
        let sent = self.client.send_up_to(ANSWER_LIMIT, request).await;
        sent.map_err(|error: EgressError| ProviderError::Transient(error.to_string()))
    }

    /// A request without a body that can be repeated, to `path`.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, ProviderError> {
        self.ask(self.request(Method::GET, path)?).await
    }

    /// What stands at `path`, for a probe.
    pub(super) async fn inspect(&self, path: &str) -> Result<Value, ProviderError> {
        let answer = self.get(path).await?;
        if answer.status.is_success() { read(&answer) } else { Err(refused_probe(&answer, "")) }
    }

    /// The error, with the account's key in front of what its operator has to mend.
    pub(super) fn blame(&self, error: ProviderError) -> ProviderError {
        match error {
            ProviderError::OperatorFault(message) => {
                ProviderError::OperatorFault(format!("providers.{}: {message}", self.account))
            }
            error => error,
        }
    }

    /// Fetches results from `hosts`, and from the account's own list.
    pub(super) fn downloader(account: &ProviderConfig, hosts: &[&str]) -> Result<Downloader, SetupError> {
        let refused = |message: String| SetupError { account: account.name.clone(), key: "result_hosts", message };
        let typed = account.result_hosts.iter().map(String::as_str);
        let patterns: Result<Vec<_>, _> = hosts.iter().copied().chain(typed).map(HostPattern::parse).collect();
        let mut patterns = patterns.map_err(|error| refused(error.to_string()))?;
        patterns.extend(HostPattern::of(&account.url));
        let places = if account.near { Places::private(patterns) } else { Places::public(patterns) };
        Downloader::new(places, Limits::default()).map_err(|error| refused(error.to_string()))
    }
}

/// An account of another kind was given to an adapter.
pub(super) fn wrong_kind(account: &ProviderConfig) -> SetupError {
    SetupError { account: account.name.clone(), key: "kind", message: "this is another provider's".to_owned() }
}

/// What the status of a create means by itself. `code` is what the provider calls it, if it does; no prose.
pub(super) fn refused_create(answer: &Answer, code: &str) -> ProviderError {
    let status = answer.status;
    let message = told(status, code);
    match status.as_u16() {
        408 | 409 | 425 | 429 => ProviderError::Busy { retry_after: answer.retry_after() },
        400 | 413 | 422 => ProviderError::Refused(Ending::Failed),
        401..=403 => ProviderError::OperatorFault(message),
        404 | 405 | 410 => {
            ProviderError::OperatorFault(format!("{message}: there is no such model, or `url` is wrong"))
        }
        300..=399 => ProviderError::OperatorFault(format!("{message}: a redirect; `url` is wrong")),
        // 5xx, and 2xx of which the id cannot be read: something may have been started.
        _ => ProviderError::Ambiguous(message),
    }
}

/// What the status of a look at a generation means by itself. What the operator can mend passes.
pub(super) fn refused_look(answer: &Answer, code: &str) -> ProviderError {
    match answer.status.as_u16() {
        404 | 410 => ProviderError::Unknown,
        _ => ProviderError::Transient(told(answer.status, code)),
    }
}

/// What the status of a probe means by itself: whoever is refused, or misses the model, has something to mend.
pub(super) fn refused_probe(answer: &Answer, code: &str) -> ProviderError {
    let message = told(answer.status, code);
    match answer.status.as_u16() {
        401..=403 | 404 | 405 | 410 | 300..=399 => ProviderError::OperatorFault(message),
        _ => ProviderError::Transient(message),
    }
}

/// The body of an answer; nothing of it is quoted.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    answer.json().map_err(|error| {
        ProviderError::Transient(format!("HTTP {}: the answer cannot be read: {:?}", answer.status, error.classify()))
    })
}

/// The URL that stands at `pointer` in a model's output.
pub(super) fn pointed<'v>(output: &'v Value, pointer: &str) -> Result<&'v str, ProviderError> {
    let unusable =
        || ProviderError::Unusable(format!("the model's output has no URL at the route's `result` {pointer:?}"));
    output.pointer(pointer).and_then(Value::as_str).ok_or_else(unusable)
}

/// Begins to fetch a result. Only the server that `url` names sees the `authorization`.
pub(super) async fn open(
    downloader: &Downloader,
    url: &str,
    authorization: Option<&HeaderValue>,
    limit: u64,
) -> Result<ByteStream, ProviderError> {
    let download = downloader.open(url, authorization, limit).await.map_err(|error| match error {
        DownloadError::Forbidden(_) | DownloadError::TooLarge(_) | DownloadError::Unusable(_) => {
            ProviderError::Unusable(error.to_string())
        }
        DownloadError::Gone => ProviderError::Gone,
        error => ProviderError::Transient(error.to_string()),
    })?;
    Ok(download.stream)
}

fn told(status: StatusCode, code: &str) -> String {
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c)).take(60).collect();
    if code.is_empty() { format!("HTTP {}", status.as_u16()) } else { format!("HTTP {} {code}", status.as_u16()) }
}

fn unsent(message: &str) -> ProviderError {
    ProviderError::NotStarted { message: message.to_owned(), retry_after: None }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body: Bytes::new() }
    }

    #[test]
    fn no_room_and_a_conflict_mean_that_nothing_was_created_and_say_how_long_to_wait() {
        for status in [408, 409, 425, 429] {
            let waiting = answer(status, &[("retry-after", "7")]);
            let expected = ProviderError::Busy { retry_after: Some(Duration::from_secs(7)) };
            assert_eq!(refused_create(&waiting, ""), expected, "{status}");
        }
    }

    #[test]
    fn a_bad_request_is_final_and_owed_back() {
        for status in [400, 413, 422] {
            assert_eq!(refused_create(&answer(status, &[]), "x"), ProviderError::Refused(Ending::Failed), "{status}");
        }
    }

    #[test]
    fn a_bad_key_an_empty_account_and_a_wrong_model_are_the_operators_fault() {
        for status in [401, 402, 403, 404, 302] {
            let error = refused_create(&answer(status, &[]), "no_credit");
            assert!(matches!(error, ProviderError::OperatorFault(text) if text.contains("no_credit")), "{status}");
        }
    }

    #[test]
    fn a_server_error_is_ambiguous() {
        for status in [500, 502, 503, 504, 200] {
            assert!(matches!(refused_create(&answer(status, &[]), ""), ProviderError::Ambiguous(_)), "{status}");
        }
    }

    #[test]
    fn only_codes_are_repeated() {
        assert_eq!(told(StatusCode::BAD_REQUEST, "a \"b\"\n{c}"), "HTTP 400 a bc");
    }
}
