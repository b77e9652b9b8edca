//! `OpenRouter`'s flavour of `/v1/videos`: JSON, dollars in the answers, and nothing but create, look and fetch.
//!
//! There is neither a list of generations nor a field of one's own in a create. What became of a create whose answer was
//! lost is told by a webhook alone, and that comes at the end; after half a minute the route's policy decides. Nothing
//! can be cancelled or deleted: a generation that is given up costs what it costs.

mod answers;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::egress::Downloader;

use super::api::{Api, SetupError, open, wrong_kind};
use super::misses::Misses;
use super::wire::{self, Create, in_path, named, number, text};
use super::{Found, Notice, NoticeError, Noticed, Order, Poll, Provider, ProviderError, Task};

/// What the account's URL may end with.
const VERSION: &str = "api/v1";
/// How long a webhook has to tell the id of a create whose answer was lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// An account at `OpenRouter`.
pub struct OpenRouter {
    api: Api,
    downloader: Downloader,
    webhook_secret: Option<SecretString>,
    misses: Misses,
}

impl OpenRouter {
    /// The account. Errors where its URL, its key or its list of hosts cannot be used.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::OpenRouter { api_key, webhook_secret } = &account.kind else {
            return Err(wrong_kind(account));
        };
        let authorization = format!("Bearer {}", api_key.expose_secret());
        Ok(Self {
            api: Api::below(account, Some(&authorization), VERSION)?,
            downloader: Api::downloader(account, &[])?,
            webhook_secret: webhook_secret.clone(),
            misses: Misses::new(clock),
        })
    }

    /// Whether the account is good and has the model.
    async fn check(&self, model: &str) -> Result<(), ProviderError> {
        let key = self.api.inspect("key").await?;
        if number(&key, "/data/limit_remaining").is_some_and(|left| left <= 0.0) {
            return Err(ProviderError::OperatorFault("the limit of `api_key` is used up".to_owned()));
        }
        let models = self.api.inspect("videos/models").await?;
        // What stands after a colon chooses among those who run the model.
        let base = model.split(':').next().unwrap_or(model);
        let is_it =
            |listed: &Value| ["/id", "/canonical_slug"].iter().any(|at| [model, base].contains(&text(listed, at)));
        if wire::items(&models, "/data").iter().any(is_it) {
            return Ok(());
        }
        Err(ProviderError::OperatorFault(format!("{model:?} is none of the models that make videos")))
    }
}

#[async_trait]
impl Provider for OpenRouter {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let webhook = order.webhook.filter(|_| self.takes_webhooks());
        let own = [("model", named(order.model)), ("callback_url", webhook)];
        let request = self.api.request(Method::POST, "videos")?.json(&Create { input: order.input, own: &own });
        answers::created(self.api.create(request).await?).map_err(|error| self.api.blame(error))
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        if order.age < PATIENCE {
            return Err(ProviderError::Transient("a webhook may tell what became of the create".to_owned()));
        }
        Ok(Found::Unknowable)
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        // The URL that a create names is relative in one document and absolute in another: ours is known to be right.
        let answer = self.api.get(&format!("videos/{}", in_path(task.id))).await?;
        self.misses.judge(task.id, answers::state(answer))
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let path = format!("{}videos/{}/content?index=0", self.api.base(), in_path(task.id));
        open(&self.downloader, &path, self.api.authorization(), task.limit).await
    }

    async fn discard(&self, _task: &Task<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn probe(&self, model: &str) -> Result<(), ProviderError> {
        self.check(model).await.map_err(|error| self.api.blame(error))
    }

    fn takes_webhooks(&self) -> bool {
        self.webhook_secret.is_some()
    }

    async fn notice(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        let secret = self.webhook_secret.as_ref().ok_or(NoticeError::Unexpected)?;
        let header = (notice.header)(signature::HEADER).ok_or(NoticeError::Forged)?;
        signature::verify(secret.expose_secret().as_bytes(), header, notice.body, notice.now)?;
        noticed(notice.body)
    }
}

/// What a webhook's body tells.
fn noticed(body: &[u8]) -> Result<Noticed, NoticeError> {
    let event: Value = serde_json::from_slice(body).map_err(|_| NoticeError::Garbled)?;
    Ok(Noticed { id: Some(wire::id(&event, "/data/id").ok_or(NoticeError::Garbled)?) })
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &dyn Fn() -> crate::egress::Answer) {
    super::fuzzing::sane_id(answers::created(answer()));
    super::fuzzing::sane_state(answers::state(answer()));
}

/// For the fuzz targets: nobody guesses a signature.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_webhook(header: &str, body: &[u8]) {
    assert!(signature::verify(b"a secret that nobody knows", header, body, 1_800_000_000).is_err());
    if let Ok(Noticed { id }) = noticed(body) {
        super::fuzzing::sane_id(id.ok_or(ProviderError::Unknown));
    }
}
