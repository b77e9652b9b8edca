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
pub mod sandbox;

mod routes;

use async_trait::async_trait;

use crate::artifacts::ByteStream;
use crate::domain::JobSpec;

pub use answer::{Ending, Found, Poll, ProviderError};
pub use routes::{Health, Providers, Route};

/// An upstream that generates results.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The name in logs and metrics.
    fn name(&self) -> &str;

    /// Starts a generation and returns what finds it again: the provider's id for it, or whatever else this adapter
    /// needs for that, as text.
    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError>;

    /// Looks for what an earlier `submit` with `key` may have started.
    async fn find(&self, key: &str) -> Result<Found, ProviderError>;

    /// How far a generation is.
    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError>;

    /// The finished file.
    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError>;

    /// Stops a generation whose result nobody waits for. It may have ended meanwhile.
    async fn cancel(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        self.discard(task).await
    }

    /// Lets the provider forget a generation that has ended. Where it cannot be told, this does nothing.
    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError>;

    /// Finds out, for free, whether the provider would take a create now, as far as it tells.
    ///
    /// Errors as a create would: [`ProviderError::OperatorFault`] names what the operator has to mend.
    async fn probe(&self) -> Result<(), ProviderError>;
}

/// A create, as it is meant.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The idempotency key: a provider that takes one answers a repetition with the first's id.
    pub key: &'a str,
    /// The validated request.
    pub spec: &'a JobSpec,
}

/// A generation that was started.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What [`Provider::submit`] returned.
    pub id: &'a str,
}
