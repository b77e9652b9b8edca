//! The flavour of `/v1/videos` that `vLLM-Omni` and `LiteLLM` speak: a form goes in, and `seconds` is a text.
//!
//! `vLLM-Omni` lists its generations with what they were made from, and forgets them all when it starts again: what the
//! list does not hold was not created, or is lost. `LiteLLM` passes everything on to another provider. Its list is that
//! provider's, or somebody else's, so nothing follows from it; and it can neither cancel nor delete.

mod answers;
mod list;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::multipart::Form;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::egress::Downloader;

use super::api::{Api, SetupError, open, read, refused_look, refused_probe, wrong_kind};
use super::misses::Misses;
use super::wire::{in_path, items, named, text};
use super::{Found, Order, Poll, Provider, ProviderError, Task};

/// What the account's URL may end with.
const VERSION: &str = "v1";
/// Beside it, whether the server is up.
const HEALTH: &str = "../health";

/// A server that speaks `/v1/videos`.
pub struct Videos {
    api: Api,
    downloader: Downloader,
    misses: Misses,
}

impl Videos {
    /// The account. Errors where its URL, its key or its list of hosts cannot be used.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::Videos { api_key } = &account.kind else { return Err(wrong_kind(account)) };
        let authorization = api_key.as_ref().map(|key| format!("Bearer {}", key.expose_secret()));
        Ok(Self {
            api: Api::below(account, authorization.as_deref(), VERSION)?,
            downloader: Api::downloader(account, &[])?,
            misses: Misses::new(clock),
        })
    }

    /// Whether the server is up, where it has no list of models.
    async fn health(&self) -> Result<(), ProviderError> {
        let answer = self.api.get(HEALTH).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refused_probe(&answer, "")) }
    }

    /// Whether the account is good and has the model.
    async fn check(&self, model: &str) -> Result<(), ProviderError> {
        let answer = self.api.get("models").await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return self.health().await;
        }
        if !answer.status.is_success() {
            return Err(refused_probe(&answer, ""));
        }
        let models: Value = read(&answer)?;
        let served = items(&models, "/data");
        let is_it = |listed: &Value| match text(listed, "/id").strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => text(listed, "/id") == model,
        };
        if model.is_empty() || served.iter().any(is_it) {
            return Ok(());
        }
        Err(ProviderError::OperatorFault(format!("{model:?} is none of the models that are served")))
    }
}

#[async_trait]
impl Provider for Videos {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let request = self.api.request(Method::POST, "videos")?.multipart(form(order.input, order.model));
        answers::created(&self.api.create(request).await?).map_err(|error| self.api.blame(error))
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        list::search(&self.api.get(list::PATH).await?, order)
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let answer = self.api.get(&format!("videos/{}", in_path(task.id))).await?;
        self.misses.judge(task.id, answers::state(&answer))
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let url = format!("{}videos/{}/content", self.api.base(), in_path(task.id));
        open(&self.downloader, &url, self.api.authorization(), task.limit).await
    }

    /// Deleting a generation stops it too.
    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let request = self.api.request(Method::DELETE, &format!("videos/{}", in_path(task.id)))?;
        let answer = self.api.ask(request).await?;
        match answer.status.as_u16() {
            // It is not there any more, or the server cannot delete.
            200..=299 | 404 | 405 | 410 | 501 => Ok(()),
            _ => Err(refused_look(&answer, "")),
        }
    }

    async fn probe(&self, model: &str) -> Result<(), ProviderError> {
        self.check(model).await.map_err(|error| self.api.blame(error))
    }
}

/// A create's form. Lists and objects are said as JSON.
fn form(input: &Map<String, Value>, model: &str) -> Form {
    let model = named(model);
    let fields = input.iter().filter(|(name, value)| !value.is_null() && (model.is_none() || name.as_str() != "model"));
    let form = fields.fold(Form::new(), |form, (name, value)| form.text(name.clone(), said(value)));
    match model {
        Some(model) => form.text("model", model.to_owned()),
        None => form,
    }
}

/// A value as a form says it.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &crate::egress::Answer) {
    use super::fuzzing::{sane_id, sane_list, sane_state};
    use crate::domain::JobSpec;
    use crate::domain::request::VideoSpec;
    sane_id(answers::created(answer));
    sane_state(answers::state(answer));
    let (prompt, model) = ("a fox".to_owned(), "m".to_owned());
    let input = Map::from_iter([("prompt".to_owned(), "a fox".into()), ("seconds".to_owned(), 5.into())]);
    let order = Order {
        key: "k.1",
        spec: &JobSpec::Video(VideoSpec { prompt, model, duration: 5, camera_fixed: false }),
        model: "",
        input: &input,
        webhook: None,
        sent_at: 1_700_000_000_000,
        age: std::time::Duration::from_mins(2),
        time_left: std::time::Duration::from_mins(2),
    };
    sane_list(list::search(answer, &order));
}
