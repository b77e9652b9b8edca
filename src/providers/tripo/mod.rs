//! Tripo's image to 3D, version 3 of its API.
//!
//! The image is uploaded first, which is free, and a create names it by a token that no other create has. A task repeats
//! the token, so that a create whose answer was lost can be recognised, among the tasks that the account's usage lists.
//! Two limits of that:
//!
//! - Whether the list holds tasks before they have ended is not documented: not to find one proves nothing.
//! - Tokens are remembered by this process alone. After a restart a task of ours cannot be told from anybody else's that
//!   the account has paid for, and to guess by the time could hand one caller what was made of another's image. Then
//!   nobody knows, and the route's policy decides.
//!
//! Nothing can be cancelled or deleted: a task that is given up costs what it costs.

mod answers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::domain::JobSpec;
use crate::domain::request::{ImageType, ModelSpec};
use crate::egress::Downloader;

use super::api::{Api, SetupError, open, read, refused_probe, wrong_kind};
use super::misses::Misses;
use super::wire::{Create, in_path, named, number};
use super::{Ending, Found, Order, Poll, Provider, ProviderError, Task};

/// What the account's URL may end with.
const VERSION: &str = "v3";
/// Where files are, beside the account's own hosts.
const HOSTS: [&str; 3] = ["*.data.tripo3d.com", "*.tripo3d.com", "*.tripo3d.ai"];
/// How long a create is looked for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a list that fails may recover.
const RECOVERED: Duration = Duration::from_mins(5);
/// The most milliseconds that Tripo's clock may be behind ours.
const SKEW: i64 = 60_000;
/// Tasks that are looked at in one search.
const LOOKS: usize = 20;
/// Creates whose tokens are remembered.
const REMEMBERED: usize = 1024;

/// An account at Tripo.
pub struct Tripo {
    api: Api,
    downloader: Downloader,
    /// The image's token by the key of the order.
    tokens: Cache<String, String>,
    misses: Misses,
}

impl Tripo {
    /// The account. Errors where its URL, its key or its list of hosts cannot be used.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::Tripo { api_key } = &account.kind else { return Err(wrong_kind(account)) };
        let authorization = format!("Bearer {}", api_key.expose_secret());
        Ok(Self {
            api: Api::below(account, Some(&authorization), VERSION)?,
            downloader: Api::downloader(account, &HOSTS)?,
            tokens: Cache::new(REMEMBERED),
            misses: Misses::new(clock),
        })
    }

    /// Uploads an image and returns its token. Whatever goes wrong, nothing was started.
    async fn upload(&self, image: &ModelSpec) -> Result<String, ProviderError> {
        let name = match image.media_type {
            ImageType::Png => "image.png",
            ImageType::Jpeg => "image.jpg",
            ImageType::WebP => "image.webp",
        };
        let length = u64::try_from(image.image.len()).unwrap_or(u64::MAX);
        let part = Part::stream_with_length(image.image.clone(), length).file_name(name);
        let part = part.mime_str(image.media_type.media_type()).map_err(|_| ProviderError::Refused(Ending::Failed))?;
        let request = self.api.request(Method::POST, "files")?.multipart(Form::new().part("file", part));
        let answer = self.api.ask(request).await;
        answer.and_then(|answer| answers::uploaded(&answer)).map_err(|error| match error {
            ProviderError::Transient(message) | ProviderError::Ambiguous(message) => {
                ProviderError::NotStarted { message: format!("the upload of the image: {message}"), retry_after: None }
            }
            error => error,
        })
    }

    /// The task, as its envelope holds it.
    async fn task(&self, id: &str) -> Result<Value, ProviderError> {
        answers::data(&self.api.get(&format!("tasks/{}", in_path(id))).await?)
    }

    /// The task that was made from the image of that token, among the newest.
    async fn find_by_token(&self, token: &str, since: i64) -> Result<Option<String>, ProviderError> {
        let usage = answers::data(&self.api.get("account/usage?limit=50&offset=0").await?)?;
        for id in answers::recent(&usage, since).into_iter().take(LOOKS) {
            match self.task(&id).await {
                Ok(task) if answers::is_made_from(&task, token) => return Ok(Some(id)),
                // One of another key of the account is not shown.
                Ok(_) | Err(ProviderError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether the account is good and has credits.
    async fn check(&self) -> Result<(), ProviderError> {
        let answer = self.api.get("account/balance").await?;
        if !answer.status.is_success() {
            return Err(refused_probe(&answer, ""));
        }
        let envelope: Value = read(&answer)?;
        if let Some(fault) = answers::fault(&answer, &envelope) {
            return Err(fault);
        }
        match number(&envelope, "/data/balance") {
            Some(credits) if credits <= 0.0 => {
                Err(ProviderError::OperatorFault("the account has no credits left".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Provider for Tripo {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        // Only images are sold to it.
        let JobSpec::Model3d(image) = order.spec else { return Err(ProviderError::Refused(Ending::Failed)) };
        let token = self.upload(image).await.map_err(|error| self.api.blame(error))?;
        self.tokens.insert(order.key.to_owned(), token.clone());
        let own = [("input", Some(token.as_str())), ("model", named(order.model))];
        let create = Create { input: order.input, own: &own };
        let request = self.api.request(Method::POST, "generation/image-to-model")?.json(&create);
        answers::created(&self.api.create(request).await?).map_err(|error| self.api.blame(error))
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let Some(token) = self.tokens.get(order.key) else { return Ok(Found::Unknowable) };
        match self.find_by_token(&token, order.sent_at.saturating_sub(SKEW)).await {
            Ok(Some(id)) => Ok(Found::Started(id)),
            Ok(None) if order.age < PATIENCE => {
                Err(ProviderError::Transient("the create may still be on its way".to_owned()))
            }
            Err(error) if error != ProviderError::Unknown && order.age < RECOVERED => Err(error),
            // Without a list, or without the task in it, nobody knows.
            Ok(None) | Err(_) => Ok(Found::Unknowable),
        }
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        answers::state(&self.misses.judge(task.id, self.task(task.id).await)?)
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        // The URL is signed and may be good for a minute: a fresh one each time.
        let seen = self.misses.judge(task.id, self.task(task.id).await)?;
        let url = answers::file(&seen).ok_or_else(|| ProviderError::Unusable("the task names no file".to_owned()))?;
        open(&self.downloader, url, None, task.limit).await
    }

    async fn discard(&self, _task: &Task<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        self.check().await.map_err(|error| self.api.blame(error))
    }
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &crate::egress::Answer) {
    use super::fuzzing::{sane_id, sane_list, sane_state, short};
    sane_id(answers::created(answer));
    sane_id(answers::uploaded(answer));
    match answers::data(answer) {
        Ok(task) => {
            sane_state(answers::state(&task));
            sane_list(Ok(Found::Among(answers::recent(&task, 1_700_000_000_000))));
            let _ = (answers::file(&task), answers::is_made_from(&task, "token"));
        }
        Err(error) => short(&error),
    }
}
