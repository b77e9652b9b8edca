//! fal: any model in its queue.
//!
//! A model is the path of its endpoint, `owner/app/path…`. Creates carry no name of ours, none is deduplicated, and no list
//! shows what has not ended yet: a create whose answer was lost is only ever found by its webhook, which comes at the end.
//! It is waited for as long as a quick model takes, and then the route's policy decides.
//!
//! A generation is found again by its request id, and by the URLs that the create named where they are not the usual ones.
//! Inputs are judged when a generation begins, so a bad one is a failed generation and no refused create.

mod keys;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, Url};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::egress::{Answer, Downloader};

use super::api::{self, Api};
use super::misses::Misses;
use super::{Found, Notice, NoticeError, Noticed, Order, Poll, Provider, ProviderError, SetupError, Task};
use keys::Keys;
use wire::{Cancelled, Endpoint, Models, Outcome, Place, Status, Submitted};

/// Where results are.
const RESULT_HOSTS: [&str; 1] = ["*.fal.media"];
/// How long a webhook may bring the id of a create that was never answered.
const WEBHOOK_AFTER: Duration = Duration::from_mins(1);
/// fal takes no shorter time to begin.
const LEAST_TIME: Duration = Duration::from_secs(2);

/// The adapter of one account.
pub struct Fal {
    api: Api,
    platform: Url,
    downloader: Downloader,
    keys: Keys,
    misses: Misses,
    /// Whether the key may delete: ordinary ones may not.
    may_delete: AtomicBool,
}

impl Fal {
    /// The adapter that `account` describes.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::Fal { api_key, jwks_url, platform_url } = &account.kind else {
            let message = "this is another provider's".to_owned();
            return Err(SetupError { account: account.name.clone(), key: "kind", message });
        };
        let authorization = format!("Key {}", api_key.expose_secret());
        let mut platform = platform_url.clone();
        if !platform.path().ends_with('/') {
            platform.set_path(&format!("{}/", platform.path()));
        }
        Ok(Self {
            api: Api::new(account, Some(&authorization))?,
            platform,
            downloader: Api::downloader(account, &RESULT_HOSTS)?,
            keys: Keys::new(account, jwks_url, clock.clone())?,
            misses: Misses::new(clock),
            may_delete: AtomicBool::new(true),
        })
    }

    /// A request to the API that tells of models and requests.
    fn platform(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, ProviderError> {
        let url = self.platform.join(path).map_err(|_| ProviderError::Transient("a path that is none".to_owned()))?;
        self.api.request_to(method, url)
    }

    /// Where the generation of `task` is.
    fn place(&self, task: &Task<'_>) -> Result<Place, ProviderError> {
        Place::of(task.id, &Endpoint::parse(task.model)?, self.api.base())
    }

    async fn ask(&self, method: Method, url: &str) -> Result<Answer, ProviderError> {
        self.api.ask(self.api.request_named(method, url)?).await
    }

    /// What has become of a generation that fal says has ended.
    async fn outcome(&self, place: &Place) -> Result<Outcome, ProviderError> {
        let answer = self.ask(Method::GET, &place.response).await?;
        self.misses.judge(&place.response, wire::outcome(&answer)).map_err(|error| self.api.blame(error))
    }
}

#[async_trait]
impl Provider for Fal {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let endpoint = Endpoint::parse(order.model).map_err(|error| self.api.blame(error))?;
        let mut request = self.api.request(Method::POST, endpoint.path())?;
        if let Some(url) = order.webhook {
            request = request.query(&[("fal_webhook", url)]);
        }
        // The time to begin in; afterwards it is cancelled at our deadline.
        let time = order.time_left.max(LEAST_TIME).as_secs();
        let answer = self.api.create(request.header("x-fal-request-timeout", time).json(order.input)).await?;
        if !answer.status.is_success() {
            return Err(self.api.blame(wire::refused(&answer)));
        }
        match api::read::<Submitted>(&answer) {
            Ok(submitted) if wire::is_id(&submitted.request_id) => Ok(submitted.into_id(&endpoint, self.api.base())),
            _ => Err(api::refused_create(&answer, "no id")),
        }
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        if order.webhook.is_some() && order.age < WEBHOOK_AFTER {
            return Err(ProviderError::Transient("a webhook may tell its id".to_owned()));
        }
        Ok(Found::Unknowable)
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let place = self.place(task)?;
        let answer = self.ask(Method::GET, &place.status).await?;
        let seen = if answer.status.is_success() { api::read::<Status>(&answer) } else { Err(wire::look(&answer)) };
        let seen = self.misses.judge(task.id, seen)?;
        if seen.status != "COMPLETED" {
            // What is new to us counts as under way: our own deadline ends it.
            return Ok(Poll::Pending { progress: None, ahead: seen.queue_position });
        }
        Ok(match self.outcome(&place).await? {
            Outcome::Pending => Poll::Pending { progress: None, ahead: None },
            Outcome::Failed(ending) => Poll::Failed(ending),
            Outcome::Ready { output, charged } => {
                api::pointed(&output, task.result)?;
                Poll::Ready { charged }
            }
        })
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let Outcome::Ready { output, .. } = self.outcome(&self.place(task)?).await? else {
            return Err(ProviderError::Transient("the result is not there any more".to_owned()));
        };
        // Files are public, and no host of them is to see the key.
        api::open(&self.downloader, api::pointed(&output, task.result)?, None, task.limit).await
    }

    async fn cancel(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let answer = self.ask(Method::PUT, &self.place(task)?.cancel).await?;
        // Which status carries which word is not promised.
        let over = answer.json::<Cancelled>().is_ok_and(|said| said.is_over());
        if answer.status.is_success() || over { Ok(()) } else { Err(wire::look(&answer)) }
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        if !self.may_delete.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = format!("models/requests/{}/payloads", wire::request_id(task.id));
        let answer = self.api.ask(self.platform(Method::DELETE, &path)?).await?;
        match answer.status.as_u16() {
            401 | 403 => {
                self.may_delete.store(false, Ordering::Relaxed);
                tracing::info!(
                    account = self.name(),
                    "the key may not delete what was generated; fal keeps it for as long as it likes"
                );
                Ok(())
            }
            200..=299 | 404 => Ok(()),
            _ => Err(wire::look(&answer)),
        }
    }

    async fn probe(&self, model: &str) -> Result<(), ProviderError> {
        let endpoint = Endpoint::parse(model).map_err(|error| self.api.blame(error))?;
        let of_it = [("endpoint_id", endpoint.path()), ("limit", "1")];
        let requests = self.platform(Method::GET, "models/requests/by-endpoint")?.query(&of_it);
        let answer = self.api.ask(requests).await?;
        if !answer.status.is_success() && !wire::is_known_key(&answer) {
            return Err(self.api.blame(api::refused_probe(&answer, &wire::code(&answer))));
        }
        let models = self.platform(Method::GET, "models")?.query(&[("endpoint_id", endpoint.path())]);
        let answer = self.api.ask(models).await?;
        let none = answer.status.is_success() && api::read::<Models>(&answer)?.models.is_empty();
        if none {
            return Err(self.api.blame(ProviderError::OperatorFault("the route's `model` is not known".to_owned())));
        }
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.api.blame(api::refused_probe(&answer, &wire::code(&answer))))
    }

    fn takes_webhooks(&self) -> bool {
        true
    }

    async fn notice(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        let signed = self.keys.verify(notice).await?;
        noticed(notice.body, signed)
    }
}

/// What a webhook's body tells that was signed for the request `signed`.
fn noticed(body: &[u8], signed: &str) -> Result<Noticed, NoticeError> {
    let body: Value = serde_json::from_slice(body).map_err(|_| NoticeError::Garbled)?;
    let id = body["request_id"].as_str().filter(|id| *id == signed && wire::is_id(id));
    Ok(Noticed { id: Some(id.ok_or(NoticeError::Garbled)?.to_owned()) })
}

/// For the fuzz targets: the key goes nowhere but to fal.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &Answer) {
    use super::fuzzing::{sane_state, short};
    short(&wire::refused(answer));
    short(&wire::look(answer));
    match wire::outcome(answer) {
        Ok(Outcome::Ready { output, charged }) => {
            sane_state(Ok(Poll::Ready { charged }));
            api::pointed(&output, "/video/url").err().iter().for_each(short);
        }
        Ok(Outcome::Pending | Outcome::Failed(_)) => {}
        Err(error) => short(&error),
    }
    let _ = (api::read::<Status>(answer), api::read::<Models>(answer), api::read::<Cancelled>(answer));
    let (Ok(endpoint), Ok(base)) = (Endpoint::parse("owner/app/path"), Url::parse("https://queue.fal.run/")) else {
        return;
    };
    let submitted = api::read::<Submitted>(answer).ok().filter(|submitted| wire::is_id(&submitted.request_id));
    let Some(id) = submitted.map(|submitted| submitted.into_id(&endpoint, &base)) else { return };
    assert!(id.len() <= 4096, "it is kept");
    let Ok(place) = Place::of(&id, &endpoint, &base) else { return };
    for url in [place.status, place.response, place.cancel] {
        assert!(Url::parse(&url).is_ok_and(|url| url.origin() == base.origin()), "{url}");
    }
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_webhook(header: &str, body: &[u8]) {
    let message = keys::message(header, "user", "1800000000", "hash");
    assert!(!keys::is_by_one_of(&[[7; 32]], message.as_bytes(), header.as_bytes()), "nobody has signed that");
    if let Ok(Noticed { id: Some(id) }) = noticed(body, header) {
        assert_eq!(id, header);
    }
}

#[cfg(test)]
mod tests;
