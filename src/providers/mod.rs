//! Model providers: who does the work.
//!
//! One trait, one adapter a file; the sandbox is one of them. An adapter classifies what happened ([`ProviderError`]);
//! what follows from it (another route, a retry, a look-up, an end) is the job engine's decision alone.
//!
//! A [`Route`] is a way to do one service's work. [`Providers`] holds the routes of each service in the order in which
//! they are tried.
//!
//! Architecture invariant: what a provider says reaches the log and nobody else; callers see our own words.

mod answer;
mod api;
pub mod cog;
pub mod fal;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod meshy;
mod misses;
pub mod openrouter;
mod pace;
pub mod replicate;
mod routes;
pub mod sandbox;
mod seats;
mod selling;
pub mod tripo;
pub mod videos;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::artifacts::ByteStream;
use crate::domain::JobSpec;

pub use answer::{Ending, Found, NoticeError, Poll, ProviderError};
pub use api::SetupError;
pub use routes::{Account, Health, Providers, Route};
pub use seats::{Seat, Seats};

/// The largest webhook that tells of a result and does not carry it.
const WEBHOOK_LIMIT: usize = 1024 * 1024;

/// An upstream that generates results.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The name in logs and metrics: the account's in the configuration.
    fn name(&self) -> &str;

    /// Starts a generation and returns what finds it again: the provider's id for it, or whatever else this adapter
    /// needs for that, as text of at most 4 KiB.
    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError>;

    /// Looks for what an earlier [`Provider::submit`] of the same order may have started. While it is too early to
    /// tell, this is [`ProviderError::Transient`].
    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError>;

    /// How far a generation is. [`ProviderError::OperatorFault`] ends it for good; what may pass is transient.
    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError>;

    /// The finished file.
    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError>;

    /// Stops a generation whose result nobody waits for. It may have ended meanwhile, and where the provider cannot be
    /// told this does nothing.
    async fn cancel(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        self.discard(task).await
    }

    /// Lets the provider forget a generation that has ended. Where it cannot be told, this does nothing.
    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError>;

    /// Finds out, for free, whether the provider would take a create for `model` now, as far as it tells.
    ///
    /// Errors as a create would: [`ProviderError::OperatorFault`] names what the operator has to mend.
    async fn probe(&self, model: &str) -> Result<(), ProviderError>;

    /// Whether [`Order::webhook`] is of any use.
    fn takes_webhooks(&self) -> bool {
        false
    }

    /// The largest webhook in bytes, for results of at most `result_limit` bytes.
    fn webhook_limit(&self, _result_limit: u64) -> usize {
        WEBHOOK_LIMIT
    }

    /// Judges a webhook that came for a create of ours. It only ever says that it is worth polling now; whoever needs
    /// more of it keeps that, safely on disk, before returning.
    async fn notice(&self, _notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        Err(NoticeError::Unexpected)
    }
}

/// A create, as it is meant. The same order again has the same values, but for the times that pass.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The idempotency key, `{uuid}.{number}`: a provider that takes one answers a repetition with the first's id.
    pub key: &'a str,
    /// The validated request.
    pub spec: &'a JobSpec,
    /// The model, in the provider's own words.
    pub model: &'a str,
    /// The model's input, as the route's template makes it of the request.
    pub input: &'a Map<String, Value>,
    /// Where the provider is to send webhooks; `None`: nowhere.
    pub webhook: Option<&'a str>,
    /// Unix milliseconds of the intent, which was written down before anything was sent.
    pub sent_at: i64,
    /// The time since.
    pub age: Duration,
    /// The time that the generation may take.
    pub time_left: Duration,
}

/// A generation that was started.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What [`Provider::submit`] returned.
    pub id: &'a str,
    /// The key of its order.
    pub key: &'a str,
    /// The model of its order.
    pub model: &'a str,
    /// Where the result's URL stands in the model's output, as a JSON pointer.
    pub result: &'a str,
    /// The largest result in bytes.
    pub limit: u64,
}

/// A webhook as it came.
pub struct Notice<'a> {
    /// The key of the order that it is about, from the path that it came to.
    pub key: &'a str,
    /// A header's value by its name in lower case.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// The body, as it was signed.
    pub body: &'a [u8],
    /// Now, in Unix seconds.
    pub now: u64,
}

/// A genuine webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// What [`Provider::submit`] would have returned, where the webhook tells it: an ambiguous create is resolved by
    /// that.
    pub id: Option<String>,
}
