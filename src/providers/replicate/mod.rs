//! Replicate: any model that it hosts.
//!
//! A model is `owner/name` (an official one), `owner/name:version`, a version's 64 hexadecimal digits alone, or
//! `deployments/owner/name`. Creates carry no name of ours, and none is deduplicated; the list of predictions repeats
//! each one's input, so a create whose answer was lost is found by what it asked for. An input with `{seed}` in it is
//! found for sure, because no other create has the same.
//!
//! Inputs, outputs and files are deleted an hour after the end, and cannot be deleted sooner.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::domain::standard_webhooks::{
    ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookHeaders, WebhookRefusal, WebhookSecret, verify,
};
use crate::egress::{Answer, Downloader};

use super::api::{self, Api};
use super::misses::Misses;
use super::{Found, Notice, NoticeError, Noticed, Order, Poll, Provider, ProviderError, SetupError, Task};
use wire::{Model, Page, Prediction};

/// Where results are.
const RESULT_HOSTS: [&str; 2] = ["replicate.delivery", "*.replicate.delivery"];
/// How old a webhook may be.
const TOLERANCE: Duration = Duration::from_mins(5);
/// How long a create takes to appear in the list, amply.
const SETTLES_AFTER: Duration = Duration::from_secs(45);
/// How much earlier than ours their clock may have shown a create, in milliseconds.
const SKEW_MILLIS: i64 = 120_000;
/// Pages of a hundred that a look-up reads.
const PAGES: usize = 10;
/// The least time that a prediction can be given.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// The adapter of one account.
pub struct Replicate {
    api: Api,
    downloader: Downloader,
    webhook_secret: Option<WebhookSecret>,
    misses: Misses,
}

impl Replicate {
    /// The adapter that `account` describes.
    pub fn new(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let refused = |key, message: &str| SetupError { account: account.name.clone(), key, message: message.into() };
        let ProviderKind::Replicate { api_key, webhook_secret } = &account.kind else {
            return Err(refused("kind", "this is another provider's"));
        };
        let webhook_secret = webhook_secret.as_ref().map(|text| WebhookSecret::parse(text.expose_secret()));
        let webhook_secret =
            webhook_secret.transpose().map_err(|error| refused("webhook_secret", &error.to_string()))?;
        let authorization = format!("Bearer {}", api_key.expose_secret());
        Ok(Self {
            api: Api::new(account, Some(&authorization))?,
            downloader: Api::downloader(account, &RESULT_HOSTS)?,
            webhook_secret,
            misses: Misses::new(clock),
        })
    }

    async fn prediction(&self, id: &str) -> Result<Prediction, ProviderError> {
        let answer = self.api.get(&format!("predictions/{}", wire::segment(id)?)).await?;
        let seen = if answer.status.is_success() { api::read(&answer) } else { Err(look(&answer)) };
        self.misses.judge(id, seen)
    }

    /// Every prediction since `since` (Unix milliseconds) that looks like `order`, the newest first.
    async fn alike(&self, order: &Order<'_>, model: &Model<'_>, since: i64) -> Result<Vec<String>, ProviderError> {
        let mut request = self.api.request(Method::GET, "predictions")?.query(&[("created_after", wire::time(since)?)]);
        let mut alike = Vec::new();
        for _ in 0..PAGES {
            let answer = self.api.ask(request).await?;
            if !answer.status.is_success() {
                return Err(look(&answer));
            }
            let page: Page = api::read(&answer)?;
            let matching = page.results.into_iter().filter(|listed| listed.is_of(model, order.input));
            alike.extend(matching.map(|listed| listed.id));
            let Some(next) = page.next else { return Ok(alike) };
            request = self.api.request_named(Method::GET, &next)?;
        }
        Err(ProviderError::Transient("more predictions than can be looked through".to_owned()))
    }

    async fn expect(&self, path: &str) -> Result<(), ProviderError> {
        let answer = self.api.get(path).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.api.blame(api::refused_probe(&answer, &wire::title(&answer))))
    }
}

/// What the status of a look means.
fn look(answer: &Answer) -> ProviderError {
    api::refused_look(answer, &wire::title(answer))
}

#[async_trait]
impl Provider for Replicate {
    fn name(&self) -> &str {
        self.api.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let model = Model::parse(order.model).map_err(|error| self.api.blame(error))?;
        let mut body = json!({"input": order.input});
        if let Some(version) = model.version() {
            body["version"] = version.into();
        }
        if let Some(url) = order.webhook.filter(|_| self.takes_webhooks()) {
            body["webhook"] = url.into();
            body["webhook_events_filter"] = json!(["start", "completed"]);
        }
        let time = order.time_left.max(LEAST_TIME).as_secs();
        let request = self.api.request(Method::POST, &model.create_path())?;
        let answer = self.api.create(request.header("cancel-after", format!("{time}s")).json(&body)).await?;
        if !answer.status.is_success() {
            return Err(self.api.blame(wire::refused(&answer)));
        }
        match api::read::<Prediction>(&answer) {
            Ok(prediction) if wire::segment(&prediction.id).is_ok() => Ok(prediction.id),
            _ => Err(api::refused_create(&answer, "no id")),
        }
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let model = Model::parse(order.model)?;
        let mut alike = self.alike(order, &model, order.sent_at.saturating_sub(SKEW_MILLIS)).await?;
        match alike.len() {
            1 if wire::is_marked(order.input) => Ok(Found::Started(alike.remove(0))),
            // Others may be listed, and ours not yet.
            _ if order.age < SETTLES_AFTER => Err(ProviderError::Transient("it may not be listed yet".to_owned())),
            0 => Ok(Found::Nothing),
            // The list does not tell one picture from another: somebody else's model is worse than none.
            _ if wire::is_blind(order.input) => Ok(Found::Unknowable),
            _ => Ok(Found::Among(alike)),
        }
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let prediction = self.prediction(task.id).await?;
        Ok(match prediction.status.as_str() {
            "succeeded" => {
                prediction.result(task.result)?;
                Poll::Ready { charged: prediction.seconds() }
            }
            "failed" | "canceled" | "aborted" => Poll::Failed(prediction.ending()),
            // What is new to us counts as under way: our own deadline ends it.
            _ => Poll::Pending { progress: prediction.progress(), ahead: None },
        })
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let prediction = self.prediction(task.id).await?;
        let url = prediction.result(task.result)?;
        // Delivery needs no key and must not see it; a file that the API itself serves does.
        let own = reqwest::Url::parse(url).is_ok_and(|url| url.origin() == self.api.base().origin());
        let authorization = self.api.authorization().filter(|_| own);
        api::open(&self.downloader, url, authorization, task.limit).await
    }

    async fn cancel(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let path = format!("predictions/{}/cancel", wire::segment(task.id)?);
        let answer = self.api.ask(self.api.request(Method::POST, &path)?).await?;
        if answer.status.is_success() || answer.status.as_u16() == 404 { Ok(()) } else { Err(look(&answer)) }
    }

    /// There is nothing to tell: it forgets by itself, after an hour.
    async fn discard(&self, _task: &Task<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn probe(&self, model: &str) -> Result<(), ProviderError> {
        let model = Model::parse(model).map_err(|error| self.api.blame(error))?;
        self.expect("account").await?;
        match model.look_path() {
            Some(path) => self.expect(&path).await,
            None => Ok(()),
        }
    }

    fn takes_webhooks(&self) -> bool {
        self.webhook_secret.is_some()
    }

    async fn notice(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        let secret = self.webhook_secret.as_ref().ok_or(NoticeError::Unexpected)?;
        let header = |name| (notice.header)(name).ok_or(NoticeError::Forged);
        let (id, timestamp, signature) = (header(ID_HEADER)?, header(TIMESTAMP_HEADER)?, header(SIGNATURE_HEADER)?);
        let headers = WebhookHeaders { id, timestamp, signature };
        verify(secret, headers, notice.body, notice.now, TOLERANCE).map_err(|refusal| match refusal {
            WebhookRefusal::Stale => NoticeError::Stale,
            WebhookRefusal::Timestamp | WebhookRefusal::Signature => NoticeError::Forged,
        })?;
        noticed(notice.body)
    }
}

/// What a webhook's body tells.
fn noticed(body: &[u8]) -> Result<Noticed, NoticeError> {
    let body: Value = serde_json::from_slice(body).map_err(|_| NoticeError::Garbled)?;
    let id = body["id"].as_str().filter(|id| wire::segment(id).is_ok()).ok_or(NoticeError::Garbled)?;
    Ok(Noticed { id: Some(id.to_owned()) })
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_answers(answer: &Answer) {
    use super::fuzzing::{sane_list, sane_state, short};
    short(&wire::refused(answer));
    short(&look(answer));
    if let Ok(prediction) = api::read::<Prediction>(answer) {
        let progress = prediction.progress();
        sane_state(Ok(Poll::Pending { progress, ahead: None }));
        prediction.result("/0").err().iter().for_each(short);
        let _ = (prediction.seconds(), prediction.ending(), wire::segment(&prediction.id));
    }
    if let (Ok(page), Ok(model)) = (api::read::<Page>(answer), Model::parse("owner/name")) {
        let input = serde_json::Map::from_iter([("prompt".to_owned(), json!("a cat"))]);
        let alike = page.results.into_iter().filter(|listed| listed.is_of(&model, &input));
        let ids = alike.map(|listed| listed.id).filter(|id| wire::segment(id).is_ok()).collect();
        sane_list(Ok(Found::Among(ids)));
    }
}

/// For the fuzz targets: what is signed is read, and nothing else is.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_webhook(header: &str, body: &[u8]) {
    use crate::domain::standard_webhooks::sign;
    const NOW: u64 = 1_800_000_000;
    let Ok(secret) = WebhookSecret::from_bytes(vec![7; 32]) else { return };
    let mut parts = header.splitn(3, ' ');
    let (id, timestamp) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let headers = WebhookHeaders { id, timestamp, signature: parts.next().unwrap_or_default() };
    let signed = format!("v0,AAAA {}", sign(&secret, id, NOW, body));
    let is_ours = headers.signature.split(' ').any(|one| signed.ends_with(one) && one.starts_with("v1,"));
    let good = verify(&secret, headers, body, NOW, TOLERANCE).is_ok();
    assert!(!good || is_ours || timestamp != NOW.to_string(), "a signature that nobody has made");
    let headers = WebhookHeaders { id, timestamp: "1800000000", signature: &signed };
    assert_eq!(verify(&secret, headers, body, NOW, TOLERANCE), Ok(()));
    let _ = noticed(body);
}

#[cfg(test)]
mod tests;
