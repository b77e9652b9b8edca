//! cog, self-hosted: a model of the operator's own behind cog's HTTP server.
//!
//! cog tells how a prediction ended once, by webhook, and forgets it. So a webhook is written down before it is
//! answered (`inbox.rs`), and polling reads what was written. Until then cog is asked whether the prediction is under
//! way; one that is neither under way nor written down has been lost with its process, or its webhook is on the way:
//! cog tries again for seven minutes.
//!
//! A prediction has the id of its order, so that the same create again does not run twice while it runs.

mod inbox;
mod notice;
mod output;
mod server;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::artifacts::ByteStream;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::egress::Downloader;

use super::api::{self, Api, SetupError};
use super::{Ending, Found, Notice, NoticeError, Noticed, Order, Poll, Provider, ProviderError, Task};
use inbox::{Ended, Entry, Inbox};
use server::{Look, NoStart, Server, State};

/// The longest pause between two tries of a webhook is 102.4 s, and a try takes 30 s at the most. What has not come
/// by then while the gateway was there has been given up, or was lost.
const LOST_AFTER: Duration = Duration::from_secs(150);
/// The pauses between the tries double: none is longer than what has passed since the first, nor than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(103);
/// The time that a create may be on its way, and a webhook in hand.
const IN_HAND: Duration = Duration::from_secs(2);
/// What else a webhook holds, in bytes.
const ROOM_FOR_LOGS: usize = 4 * 1024 * 1024;
/// What keeps a webhook away is nearly always one of these.
const NO_WEBHOOK: &str = "the prediction has ended and no webhook of it was taken: cog must reach the gateway, and bear \
                          the token of its account's webhook_secret";
/// Nobody waits for a webhook for as long.
const REMEMBERED: Duration = Duration::from_hours(1);

/// A cog server as a provider.
pub struct Cog {
    server: Server,
    inbox: Inbox,
    downloader: Downloader,
    secret: SecretString,
    clock: Arc<dyn Clock>,
    /// When a prediction was first seen to be neither under way nor in the inbox, on the monotonic clock.
    missed: Mutex<HashMap<String, Duration>>,
    fault: Mutex<Option<Fault>>,
}

/// What the operator has to mend, and no health check shows.
struct Fault {
    /// The process that showed it; `None`: it is the gateway's configuration.
    process: Option<String>,
    message: String,
}

impl Cog {
    /// The server of `account`, whose webhooks are kept in `folder`. Nothing is sent.
    pub fn new(account: &ProviderConfig, folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let inbox = Inbox::open(folder, clock.clone()).map_err(|error| SetupError {
            account: account.name.clone(),
            key: "kind",
            message: format!("cannot keep results in {}: {error}", folder.display()),
        })?;
        Self::over(account, inbox, clock)
    }

    /// The server of `account`, to be probed and nothing else: beside a gateway that has the `folder`.
    pub fn on_trial(account: &ProviderConfig, folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        Self::over(account, Inbox::untouched(folder, clock.clone()), clock)
    }

    fn over(account: &ProviderConfig, inbox: Inbox, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let ProviderKind::Cog { webhook_secret } = &account.kind else {
            let message = "this is no account with cog".to_owned();
            return Err(SetupError { account: account.name.clone(), key: "kind", message });
        };
        Ok(Self {
            server: Server::new(Api::new(account, None)?),
            inbox,
            downloader: Api::downloader(account, &[])?,
            secret: webhook_secret.clone(),
            clock,
            missed: Mutex::default(),
            fault: Mutex::default(),
        })
    }

    /// How a prediction ended, or that it is under way, or neither.
    async fn state_of(&self, prediction: &str) -> Result<(Option<Entry>, Look), ProviderError> {
        if let Some(entry) = self.inbox.get(prediction).await.map_err(|error| transient(&error))? {
            return Ok((Some(entry), Look::Absent));
        }
        let look = self.server.look(prediction).await?;
        // It may have ended between the two looks.
        let entry = if look == Look::Absent {
            self.inbox.get(prediction).await.map_err(|error| transient(&error))?
        } else {
            None
        };
        if entry.is_some() || look != Look::Absent {
            self.missed().remove(prediction);
        }
        Ok((entry, look))
    }

    /// How long a prediction has been missed.
    fn missed_for(&self, prediction: &str) -> Duration {
        let now = self.clock.monotonic();
        let mut missed = self.missed();
        missed.retain(|_, since| now.saturating_sub(*since) < REMEMBERED);
        now.saturating_sub(*missed.entry(prediction.to_owned()).or_insert(now))
    }

    fn missed(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a probe cannot see.
    fn fault(&self, process: Option<String>, message: String) -> ProviderError {
        let fault = Fault { process, message: message.clone() };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        ProviderError::OperatorFault(message)
    }
}

#[async_trait]
impl Provider for Cog {
    fn name(&self) -> &str {
        self.server.account()
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let Some(webhook) = order.webhook else {
            let key = format!("providers.{}.gateway_url", self.name());
            return Err(self.fault(None, format!("cog sends its results to the gateway: set {key}")));
        };
        let health = self.server.health().await.map_err(not_started)?;
        match health.state {
            State::Ready => {}
            State::Busy => return Err(ProviderError::Busy { retry_after: None }),
            state => return Err(not_started(ProviderError::Transient(format!("cog is {state}")))),
        }
        let prediction = prediction_of(order.key);
        match self.server.start(&prediction, order.input, webhook).await {
            Ok(()) => Ok(name(&prediction, &health.process)),
            Err(NoStart::Misfit(message)) => Err(self.fault(Some(health.process), message)),
            Err(NoStart::Other(error)) => Err(error),
        }
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let prediction = prediction_of(order.key);
        match self.state_of(&prediction).await? {
            (Some(_), _) => Ok(Found::Started(name(&prediction, ""))),
            (None, Look::UnderWay(_)) => Ok(Found::Started(name(&prediction, &self.server.health().await?.process))),
            (None, Look::Absent) => {
                let missed = self.missed_for(&prediction);
                // If it has ended while the gateway was away, its webhook comes again before as long has passed again.
                let pause = order.age.saturating_sub(missed).min(LONGEST_PAUSE);
                if missed < pause + IN_HAND {
                    return Err(ProviderError::Transient("its webhook may be on the way".to_owned()));
                }
                self.missed().remove(&prediction);
                Ok(Found::Nothing)
            }
        }
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let (prediction, process) = task.id.split_once('@').ok_or(ProviderError::Unknown)?;
        match self.state_of(prediction).await? {
            (Some(entry), _) => Ok(match entry.ended {
                Ended::Succeeded => Poll::Ready { charged: entry.seconds },
                Ended::Transient => Poll::Failed(Ending::Transient),
                Ended::Failed => Poll::Failed(Ending::Failed),
                Ended::Rejected => Poll::Failed(Ending::Rejected),
            }),
            (None, Look::UnderWay(progress)) => Ok(Poll::Pending { progress, ahead: None }),
            (None, Look::Absent) => {
                let lost = !process.is_empty() && self.server.health().await?.process != process;
                match self.missed_for(prediction) {
                    missed if lost || missed >= LOST_AFTER => {
                        self.missed().remove(prediction);
                        Err(ProviderError::Unknown)
                    }
                    missed if missed < IN_HAND => Ok(Poll::Pending { progress: None, ahead: None }),
                    _ => Err(ProviderError::Transient(NO_WEBHOOK.to_owned())),
                }
            }
        }
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let (prediction, _) = task.id.split_once('@').ok_or(ProviderError::Unknown)?;
        let entry =
            self.inbox.get(prediction).await.map_err(|error| transient(&error))?.ok_or(ProviderError::Unknown)?;
        if let Some(number) = entry.files.iter().position(|pointer| pointer == task.result) {
            return self.inbox.file(prediction, number).await.map_err(|error| transient(&error));
        }
        api::open(&self.downloader, api::pointed(&entry.output, task.result)?, None, task.limit).await
    }

    async fn cancel(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let (prediction, _) = task.id.split_once('@').ok_or(ProviderError::Unknown)?;
        self.server.cancel(prediction).await?;
        self.discard(task).await
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let (prediction, _) = task.id.split_once('@').ok_or(ProviderError::Unknown)?;
        self.missed().remove(prediction);
        self.inbox.forget(prediction).await.map_err(|error| transient(&error))
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        let health = self.server.health().await?;
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*fault {
            if found.process.as_ref().is_none_or(|process| *process == health.process) {
                return Err(ProviderError::OperatorFault(found.message.clone()));
            }
            // Another process may have another model.
            *fault = None;
        }
        match health.state {
            State::Ready | State::Busy => Ok(()),
            state => Err(ProviderError::Transient(format!("cog is {state}"))),
        }
    }

    fn takes_webhooks(&self) -> bool {
        true
    }

    fn webhook_limit(&self, result_limit: u64) -> usize {
        // A result is in it in base64, and the model's log beside it.
        usize::try_from(result_limit.saturating_mul(4) / 3).unwrap_or(usize::MAX).saturating_add(ROOM_FOR_LOGS)
    }

    async fn notice(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        self.keep(notice).await
    }
}

/// The prediction of an order: cog makes a folder of that name, and parts of a path stand around it.
fn prediction_of(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    key.chars().map(plain).collect()
}

/// What finds a prediction again; an empty `process` is not known.
fn name(prediction: &str, process: &str) -> String {
    format!("{prediction}@{process}")
}

/// A look that failed has started nothing.
fn not_started(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Transient(message) => ProviderError::NotStarted { message, retry_after: None },
        error => error,
    }
}

fn transient(error: &std::io::Error) -> ProviderError {
    ProviderError::Transient(format!("the folder of results: {error}"))
}

#[cfg(any(test, fuzzing))]
pub(super) use notice::fuzz_webhook;
#[cfg(any(test, fuzzing))]
pub(super) use server::fuzz_answers;
#[cfg(test)]
mod tests;
