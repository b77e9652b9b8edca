//! Talking to a provider: what is said about an order and about a generation, and the calls themselves.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::domain::JobSpec;
use crate::domain::template::Given;
use crate::providers::{Order, ProviderError, Route, Task};
use crate::store::Dispatch;

use super::{Execution, Stop};

/// A create of this job, sent or about to be.
pub(super) struct Sent {
    pub route: Arc<Route>,
    key: String,
    spec: JobSpec,
    input: Map<String, Value>,
    webhook: Option<String>,
    pub at: i64,
    age: Duration,
    time_left: Duration,
    /// A hash of what it can be looked for by.
    pub words: String,
}

/// A generation that was started for this job.
pub(super) struct Generation {
    pub route: Arc<Route>,
    id: String,
    key: String,
    limit: u64,
}

impl Sent {
    pub(super) fn order(&self) -> Order<'_> {
        Order {
            key: &self.key,
            spec: &self.spec,
            model: &self.route.settings().model,
            input: &self.input,
            webhook: self.webhook.as_deref(),
            sent_at: self.at,
            age: self.age,
            time_left: self.time_left,
        }
    }
}

impl Generation {
    pub(super) fn task(&self) -> Task<'_> {
        let settings = self.route.settings();
        Task { id: &self.id, key: &self.key, model: &settings.model, result: &settings.result, limit: self.limit }
    }
}

impl Execution {
    /// The create number `seq`, which goes out at `sent_at` or went out then. `None`: the route's template has no words
    /// for this request.
    pub(super) fn sent(&self, route: &Arc<Route>, seq: i64, spec: JobSpec, sent_at: i64) -> Option<Sent> {
        let (links, now, key) = (&self.engine.links, self.engine.now(), self.key(seq));
        let base = route.gateway_url().unwrap_or(&self.engine.public_url);
        let image_url = format!("{base}{}", links.input(self.job.id, self.job.deadline_at));
        let given = Given { image_url: Some(&image_url), seed: seed(&key) };
        let input = route.settings().input.render(&spec, given);
        let input =
            input.inspect_err(|error| tracing::error!(job.id = %self.job.id, route = route.name(), %error)).ok()?;
        let is_told = route.provider().takes_webhooks() && route.reaches(base);
        let webhook = is_told.then(|| format!("{base}{}", links.webhook(self.job.id, seq)));
        let time_left = millis(self.ends_at(route, sent_at).saturating_sub(now));
        let age = millis(now.saturating_sub(sent_at));
        let words = words(route, &input);
        Some(Sent { route: route.clone(), key, spec, input, webhook, at: sent_at, age, time_left, words })
    }

    /// When a generation that was asked for at `sent_at` has to be done, in Unix milliseconds.
    pub(super) fn ends_at(&self, route: &Route, sent_at: i64) -> i64 {
        let own = route.settings().deadline.map(|deadline| i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX));
        own.map_or(self.job.deadline_at, |own| self.job.deadline_at.min(sent_at.saturating_add(own)))
    }

    /// When the last create went out; a job from before that was written down is as old as itself.
    pub(super) async fn sent_at(&self) -> Result<i64, Stop> {
        Ok(self.intent(self.job.dispatches).await?.sent_at)
    }

    /// What was written down before the create number `seq` went out, and what is known of it since.
    pub(super) async fn intent(&self, seq: i64) -> Result<Dispatch, Stop> {
        let unwritten =
            || Dispatch { route: String::new(), sent_at: self.job.created_at, words: None, upstream_id: None };
        Ok(self.engine.store.dispatch(self.job.id, seq).await?.unwrap_or_else(unwritten))
    }

    /// The generation that the last create has started.
    pub(super) fn generation(&self, route: &Arc<Route>, upstream_id: &str) -> Generation {
        let service = self.engine.catalog.service(self.job.binding.service);
        Generation {
            route: route.clone(),
            id: upstream_id.to_owned(),
            key: self.key(self.job.dispatches),
            limit: service.map_or(0, |service| service.result_limit),
        }
    }

    /// The idempotency key: one for each create that is meant.
    fn key(&self, seq: i64) -> String {
        format!("{}.{seq}", self.job.id)
    }

    /// Tells the provider that nobody needs this any more, once the attempt has `ended` with all written down: whoever
    /// waits must not wait for this too, and whoever has lost the lease must not take the generation from whoever has
    /// it now. It costs nothing but storage if it fails.
    pub(super) async fn discard_after(&self, ended: Result<(), Stop>, generation: &Generation) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done)) {
            let route = &generation.route;
            let discarded = self.call(route, "discard", route.provider().discard(&generation.task())).await;
            if let Err(error) = discarded {
                tracing::debug!(job.id = %self.job.id, %error, "discarding upstream failed");
            }
        }
        ended
    }

    /// Like [`Execution::discard_after`], for a generation that may be under way.
    pub(super) async fn cancel_after(&self, ended: Result<(), Stop>, generation: &Generation) -> Result<(), Stop> {
        if matches!(ended, Err(Stop::Done)) {
            let route = &generation.route;
            if let Err(error) = self.call(route, "cancel", route.provider().cancel(&generation.task())).await {
                tracing::warn!(job.id = %self.job.id, %error, "cancelling upstream failed; it may cost all the same");
            }
        }
        ended
    }

    /// Every call to a provider has a timeout and is measured.
    pub(super) async fn call<T>(
        &self,
        route: &Route,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let began = tokio::time::Instant::now();
        let limit = route.time_limit().unwrap_or(self.engine.config.provider_timeout);
        let answer = tokio::time::timeout(limit, call).await;
        let name = route.name().to_owned();
        metrics::histogram!("satforge_provider_seconds", "provider" => name, "operation" => operation)
            .record(began.elapsed().as_secs_f64());
        answer.unwrap_or_else(|_| Err(ProviderError::Ambiguous("no answer within the timeout".into())))
    }
}

/// A number that belongs to this create alone: most models take one, and a list of generations that repeats their input
/// shows by it which of them is ours.
fn seed(key: &str) -> u32 {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(key.as_bytes()));
    u32::from_be_bytes([a, b, c, d]) >> 1
}

/// What a create can be looked for by, as a hash: it repeats no prompt. Whoever changes the route, the public URL or the
/// key that signs an image's path would look for something else.
fn words(route: &Route, input: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    let said = (&route.settings().provider, &route.settings().model, input);
    // Neither a hash nor JSON of strings as keys refuses anything.
    let _ = serde_json::to_writer(HashWriter(&mut hash), &said);
    hex::encode(hash.finalize())
}

/// Hashes a large input without a copy of it.
struct HashWriter<'h>(&'h mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn millis(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
