//! Meshy's image to 3D.
//!
//! A create takes a name, which stands in the list of tasks again: what became of one whose answer was lost can be found
//! out for certain. Deleting a task is the only way to stop it, and whether that saves anything is not documented.

mod answers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::egress::Downloader;

use super::api::{Api, SetupError, open, read, refused_look, wrong_kind};
use super::misses::Misses;
use super::wire::{self, Create, id, in_path, named, number, text};
use super::{Found, Order, Poll, Provider, ProviderError, Task};

/// What the account's URL may end with.
const VERSION: &str = "openapi/v1";
/// Creating, and with an id what was created.
const TASKS: &str = "image-to-3d";
/// Where files are, beside the account's own hosts.
const HOSTS: [&str; 1] = ["assets.meshy.ai"];
/// How long a task may be on its way into the list.
const SETTLED: Duration = Duration::from_secs(45);
/// The most milliseconds that Meshy's clock may be behind ours.
const SKEW: i64 = 60_000;
/// Tasks on a page of the list.
const PAGE: usize = 50;
/// Pages that are read.
const PAGES: usize = 10;

/// An account at Meshy.
pub struct Meshy {
    api: Api,
    downloader: Downloader,
    misses: Misses,
}

impl Meshy {
    /// The account. Errors where its URL, its key or its list of hosts cannot be used.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::Meshy { api_key } = &account.kind else { return Err(wrong_kind(account)) };
        let authorization = format!("Bearer {}", api_key.expose_secret());
        Ok(Self {
            api: Api::below(account, Some(&authorization), VERSION)?,
            downloader: Api::downloader(account, &HOSTS)?,
            misses: Misses::new(clock),
        })
    }

    async fn task(&self, task: &Task<'_>) -> Result<Value, ProviderError> {
        let answer = self.api.get(&format!("{TASKS}/{}", in_path(task.id))).await?;
        let seen = if answer.status.is_success() { read(&answer) } else { Err(refused_look(&answer, "")) };
        self.misses.judge(task.id, seen)
    }

    /// A page of the list, the newest tasks first.
    async fn page(&self, number: usize) -> Result<Vec<Value>, ProviderError> {
        let path = format!("{TASKS}?page_num={number}&page_size={PAGE}&sort_by=-created_at");
        let answer = self.api.get(&path).await?;
        if answer.status.is_success() {
            return read(&answer);
        }
        Err(match refused_look(&answer, "") {
            ProviderError::Unknown => ProviderError::Transient("the list of tasks is not there".to_owned()),
            error => error,
        })
    }

    /// The task of that name; [`Found::Unknowable`] when the list does not reach back to `since`, in Unix milliseconds,
    /// or tells no names.
    async fn find_by_name(&self, name: &str, since: i64) -> Result<Found, ProviderError> {
        let (mut has_tasks, mut has_names) = (false, false);
        for number in 1..=PAGES {
            let page = self.page(number).await?;
            if let Some(task) = page.iter().find(|task| text(task, "/name") == name) {
                return Ok(id(task, "/id").map_or(Found::Unknowable, Found::Started));
            }
            has_tasks |= !page.is_empty();
            has_names |= page.iter().any(|task| task.get("name").is_some());
            let is_older = |task: &Value| wire::integer(task, "/created_at").is_some_and(|at| at < since);
            if page.len() < PAGE || page.last().is_some_and(is_older) {
                return Ok(if has_tasks && !has_names { Found::Unknowable } else { Found::Nothing });
            }
        }
        Ok(Found::Unknowable)
    }

    /// Whether the account is good and has credits.
    async fn check(&self) -> Result<(), ProviderError> {
        match number(&self.api.inspect("balance").await?, "/balance") {
            Some(credits) if credits <= 0.0 => {
                Err(ProviderError::OperatorFault("the account has no credits left".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Provider for Meshy {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let own = [("name", Some(order.key)), ("ai_model", named(order.model))];
        let request = self.api.request(Method::POST, TASKS)?.json(&Create { input: order.input, own: &own });
        answers::created(&self.api.create(request).await?).map_err(|error| self.api.blame(error))
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let found = self.find_by_name(order.key, order.sent_at.saturating_sub(SKEW)).await?;
        if found != Found::Nothing || order.age >= SETTLED {
            return Ok(found);
        }
        Err(ProviderError::Transient("the create may still be on its way".to_owned()))
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        answers::state(&self.task(task).await?)
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        // The URL is signed and good for a while: a fresh one each time.
        let seen = self.task(task).await?;
        let url = text(&seen, "/model_urls/glb");
        if url.is_empty() {
            return Err(ProviderError::Unusable("the task names no GLB file".to_owned()));
        }
        open(&self.downloader, url, None, task.limit).await
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let request = self.api.request(Method::DELETE, &format!("{TASKS}/{}", in_path(task.id)))?;
        let answer = self.api.ask(request).await?;
        match answer.status.as_u16() {
            200..=299 | 404 | 405 | 410 => Ok(()),
            _ => Err(refused_look(&answer, "")),
        }
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        self.check().await.map_err(|error| self.api.blame(error))
    }
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &crate::egress::Answer) {
    super::fuzzing::sane_id(answers::created(answer));
    super::fuzzing::sane_state(answers::state(&super::wire::body(answer)));
}
