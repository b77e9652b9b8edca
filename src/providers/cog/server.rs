//! cog's HTTP server: what is sent to it, and what its answers mean.

use std::fmt;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::egress::Answer;
use crate::providers::api::{self, Api};
use crate::providers::{Ending, ProviderError};

/// The most characters of a field's name that are repeated.
const NAME_LENGTH: usize = 60;

/// A cog server.
pub(super) struct Server {
    api: Api,
}

/// How the server is.
#[derive(Debug)]
pub(super) struct Health {
    pub state: State,
    /// Which process it is: when its setup began. What an earlier one ran is lost.
    pub process: String,
}

/// What the server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Busy,
    Starting,
    SetupFailed,
    /// Its worker is dead, or the predictor's own check fails.
    Unhealthy,
    /// Nothing that is known.
    Unknown,
}

/// Whether a prediction is under way.
#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// It is.
    UnderWay(Option<f32>),
    /// It has never come, has ended, or was lost with the process.
    Absent,
}

/// Why a prediction was not started, or may not have been.
#[derive(Debug)]
pub(super) enum NoStart {
    /// The route's input lacks fields that the model wants, whatever the caller says.
    Misfit(String),
    Other(ProviderError),
}

impl From<ProviderError> for NoStart {
    fn from(error: ProviderError) -> Self {
        Self::Other(error)
    }
}

#[derive(Deserialize)]
struct Invalid {
    detail: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    loc: Vec<Value>,
    #[serde(rename = "type")]
    kind: String,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::Starting => "still starting",
            Self::SetupFailed => "up, but the model's setup has failed",
            Self::Unhealthy => "unhealthy: its worker is dead, or the model's own check fails",
            Self::Unknown => "in a state that is not known",
        })
    }
}

impl Server {
    pub(super) const fn new(api: Api) -> Self {
        Self { api }
    }

    /// The account's name.
    pub(super) fn account(&self) -> &str {
        self.api.account()
    }

    /// How the server is; the errors are those of a probe.
    pub(super) async fn health(&self) -> Result<Health, ProviderError> {
        #[derive(Deserialize)]
        struct Said {
            status: String,
            setup: Setup,
        }
        #[derive(Deserialize)]
        struct Setup {
            started_at: String,
        }
        let answer = self.api.get("health-check").await?;
        if answer.status != StatusCode::OK {
            return Err(api::refused_probe(&answer, ""));
        }
        let said: Said = api::read(&answer)?;
        let state = match said.status.as_str() {
            "READY" => State::Ready,
            "BUSY" => State::Busy,
            "STARTING" => State::Starting,
            "SETUP_FAILED" => State::SetupFailed,
            "UNHEALTHY" | "DEFUNCT" => State::Unhealthy,
            _ => State::Unknown,
        };
        Ok(Health { state, process: said.setup.started_at })
    }

    /// Starts the prediction `id`, which tells `webhook` when it begins and when it ends.
    pub(super) async fn start(&self, id: &str, input: &Map<String, Value>, webhook: &str) -> Result<(), NoStart> {
        let events = ["start", "completed"];
        let body = json!({"input": input, "webhook": webhook, "webhook_events_filter": events});
        // Any other word here, and cog answers when it has finished.
        let request = self.prediction(Method::PUT, id, "")?.header("prefer", "respond-async").json(&body);
        let answer = self.api.create(request).await?;
        match answer.status.as_u16() {
            // Even if it has ended at once: the webhook tells how.
            200..=202 if is_told(&answer) => Ok(()),
            422 => Err(missing(&answer).map_or(ProviderError::Refused(Ending::Failed).into(), |names| {
                NoStart::Misfit(format!("the model wants {names}, which the route's `input` does not send"))
            })),
            503 if is_cogs_own(&answer) => {
                let message = "the model's setup has not finished".to_owned();
                Err(ProviderError::NotStarted { message, retry_after: None }.into())
            }
            _ => Err(api::refused_create(&answer, "").into()),
        }
    }

    /// Whether the prediction `id` is under way. Nothing is run: the input is one that no model takes, and before cog
    /// looks at it, it says how a prediction of that id is that it has in its hands.
    pub(super) async fn look(&self, id: &str) -> Result<Look, ProviderError> {
        #[derive(Deserialize)]
        struct Snapshot {
            #[serde(default)]
            metrics: Metrics,
        }
        #[derive(Default, Deserialize)]
        struct Metrics {
            #[serde(default)]
            progress: Value,
        }
        let request = self.prediction(Method::PUT, id, "")?.json(&json!({"input": 0}));
        let answer = self.api.ask(request).await?;
        match answer.status.as_u16() {
            202 => {
                let progress = api::read::<Snapshot>(&answer)?.metrics.progress.as_f64();
                Ok(Look::UnderWay(progress.map(fraction)))
            }
            409 | 422 => Ok(Look::Absent),
            // Without a schema for its input cog says so with a 200, and while it starts with a 503.
            200 | 503 if is_cogs_own(&answer) => Ok(Look::Absent),
            status => Err(ProviderError::Transient(format!("HTTP {status}"))),
        }
    }

    /// Stops the prediction `id`, if it is under way.
    pub(super) async fn cancel(&self, id: &str) -> Result<(), ProviderError> {
        let answer = self.api.ask(self.prediction(Method::POST, id, "/cancel")?).await?;
        match answer.status.as_u16() {
            200..=299 | 404 => Ok(()),
            status => Err(ProviderError::Transient(format!("HTTP {status}"))),
        }
    }

    fn prediction(&self, method: Method, id: &str, action: &str) -> Result<RequestBuilder, ProviderError> {
        self.api.request(method, &format!("predictions/{id}{action}"))
    }
}

/// Whether an answer is about a prediction, and not from something in front of cog.
fn is_told(answer: &Answer) -> bool {
    answer.json::<Value>().is_ok_and(|body| body["status"].is_string())
}

/// Whether a refusal is cog's, and not that of something in front of it.
fn is_cogs_own(answer: &Answer) -> bool {
    answer.json::<Value>().is_ok_and(|body| body["status"] == "failed")
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a percent does not matter")]
fn fraction(progress: f64) -> f32 {
    progress.clamp(0.0, 1.0) as f32
}

/// The fields that a refused input lacks.
fn missing(answer: &Answer) -> Option<String> {
    let details = answer.json::<Invalid>().ok()?.detail;
    let missing = details.iter().filter(|detail| detail.kind == "value_error.missing");
    let names: Vec<String> = missing.filter_map(|detail| Some(plain(detail.loc.last()?.as_str()?))).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn plain(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).collect();
    format!("`{}`", &name[..name.len().min(NAME_LENGTH)])
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(in crate::providers) fn fuzz_answers(answer: &Answer) {
    let _ = is_cogs_own(answer);
    // A name is cut, and there is no more of them than of fields.
    let most = answer.body.len().saturating_mul(NAME_LENGTH);
    assert!(missing(answer).is_none_or(|names| names.len() <= most));
}
