//! What Replicate says, and what it means.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::egress::Answer;

use super::super::api;
use super::super::{Ending, ProviderError};

/// Codes of failures that are the provider's own, after which another try may succeed.
const TRANSIENT_CODES: [&str; 7] = ["PA", "E003", "E1000", "E6716", "E8765", "E9243", "E9828"];
/// The same in words, in lower case.
const TRANSIENT_WORDS: [&str; 5] = [
    "prediction interrupted",
    "director: unexpected error",
    "service is temporarily unavailable",
    "high demand",
    "timeout starting prediction",
];
/// The code of refused content, and the same in words.
const REJECTED_CODE: &str = "E005";
const REJECTED_WORDS: [&str; 6] = [
    "flagged as sensitive",
    "nsfw content detected",
    "content was flagged",
    "content policy",
    "sensitive content",
    "content moderation",
];
/// Operators write small seeds into their templates; ours are random numbers of 31 bits.
const LEAST_RANDOM_SEED: u64 = 65_536;

/// A prediction, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Prediction {
    pub id: String,
    pub status: String,
    #[serde(default)]
    output: Value,
    error: Option<Value>,
    logs: Option<String>,
    #[serde(default)]
    data_removed: bool,
    metrics: Option<HashMap<String, Value>>,
}

/// A page of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub next: Option<String>,
    pub results: Vec<Listed>,
}

/// A prediction in the list.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub id: String,
    model: Option<String>,
    version: Option<String>,
    #[serde(default)]
    input: Value,
}

/// A model's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model<'a> {
    Official(&'a str),
    Version { model: Option<&'a str>, version: &'a str },
    Deployment(&'a str),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    retry_after: Option<f64>,
}

impl Prediction {
    /// The URL of the result, at `pointer` in the output.
    pub(super) fn result(&self, pointer: &str) -> Result<&str, ProviderError> {
        if self.data_removed && self.output.is_null() {
            return Err(ProviderError::Unknown);
        }
        api::pointed(&self.output, pointer)
    }

    /// The seconds that are billed.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.metrics.as_ref()?.get("predict_time")?.as_f64()
    }

    /// What many models print while they work: a bar with `42%|` in it. Nothing else of the log is looked at.
    pub(super) fn progress(&self) -> Option<f32> {
        let logs = self.logs.as_deref()?;
        let before = &logs[..logs.rfind("%|")?];
        let digits = &before[before.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
        let percent: u8 = digits.parse().ok().filter(|percent| *percent <= 100)?;
        Some(f32::from(percent) / 100.0)
    }

    /// Why it has no result.
    pub(super) fn ending(&self) -> Ending {
        match self.status.as_str() {
            // Its time ran out before it began, for which nothing is charged.
            "aborted" => Ending::Transient,
            "failed" => ending(&self.error.as_ref().map(text_of).unwrap_or_default()),
            _ => Ending::Failed,
        }
    }
}

/// What the text of a failure means. Codes come first: they are what Replicate promises to keep.
fn ending(error: &str) -> Ending {
    let code = code(error);
    let words = error.to_lowercase();
    let said = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if code == Some(REJECTED_CODE) || said(&REJECTED_WORDS) {
        Ending::Rejected
    } else if closing(error).any(|code| TRANSIENT_CODES.contains(&code)) {
        Ending::Transient
    } else if code.is_some_and(|code| TRANSIENT_CODES.contains(&code)) || said(&TRANSIENT_WORDS) {
        Ending::Perhaps
    } else {
        Ending::Failed
    }
}

/// The `E005` of `… (E005)`, or the `PA` of `… (code: PA)`.
fn code(error: &str) -> Option<&str> {
    error.split('(').skip(1).find_map(|rest| {
        let inner = rest.split_once(')')?.0;
        let code = inner.strip_prefix("code: ").unwrap_or(inner);
        let numbered = code
            .strip_prefix('E')
            .is_some_and(|digits| (3..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
        (numbered || code == "PA").then_some(code)
    })
}

/// What stands in brackets after the last word, where Replicate puts its codes: before that, somebody else's words may
/// be repeated.
fn closing(error: &str) -> impl Iterator<Item = &str> {
    let mut rest = error.trim_end();
    std::iter::from_fn(move || {
        let (before, inner) = rest.strip_suffix(')')?.rsplit_once('(')?;
        rest = before.trim_end();
        Some(inner.strip_prefix("code: ").unwrap_or(inner))
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Listed {
    /// Whether this may be the create of `input` for `model`.
    pub(super) fn is_of(&self, model: &Model<'_>, input: &Map<String, Value>) -> bool {
        let is_model = match *model {
            Model::Official(name) => self.model.as_deref() == Some(name),
            Model::Version { version, .. } => self.version.as_deref() == Some(version),
            // The list does not say which deployment a prediction was made by.
            Model::Deployment(_) => true,
        };
        is_model && input.iter().all(|(name, sent)| is_same(sent, self.input.get(name)))
    }
}

/// Whether the list's `shown` can be what was sent. Files that were sent inline may be shown as URLs.
fn is_same(sent: &Value, shown: Option<&Value>) -> bool {
    match (sent, shown) {
        (Value::String(text), Some(_)) if text.starts_with("data:") => true,
        (Value::Array(sent), Some(Value::Array(shown))) => {
            sent.len() == shown.len() && sent.iter().zip(shown).all(|(sent, shown)| is_same(sent, Some(shown)))
        }
        (Value::Null, None) => true,
        (Value::Number(a), Some(Value::Number(b))) => a.as_f64() == b.as_f64(),
        (sent, shown) => shown == Some(sent),
    }
}

/// Whether the list may not show what was sent: see [`is_same`].
pub(super) fn is_blind(input: &Map<String, Value>) -> bool {
    fn holds_file(value: &Value) -> bool {
        match value {
            Value::String(text) => text.starts_with("data:"),
            Value::Array(values) => values.iter().any(holds_file),
            Value::Object(fields) => fields.values().any(holds_file),
            _ => false,
        }
    }
    input.values().any(holds_file)
}

/// Whether no other create can have the same input.
pub(super) fn is_marked(input: &Map<String, Value>) -> bool {
    let is_seed = |(name, value): (&String, &Value)| {
        name.contains("seed") && value.as_u64().is_some_and(|seed| seed >= LEAST_RANDOM_SEED)
    };
    input.iter().any(is_seed)
}

impl<'a> Model<'a> {
    /// Reads a route's `model`.
    pub(super) fn parse(text: &'a str) -> Result<Self, ProviderError> {
        let is_name = |name: &str| name.split('/').count() == 2 && name.split('/').all(|part| segment(part).is_ok());
        let is_version = |version: &str| segment(version).is_ok();
        let parsed = match (text.strip_prefix("deployments/"), text.split_once(':')) {
            (Some(name), _) => is_name(name).then_some(Self::Deployment(name)),
            (None, Some((model, version))) => {
                (is_name(model) && is_version(version)).then_some(Self::Version { model: Some(model), version })
            }
            (None, None) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Some(Self::Version { model: None, version: text })
            }
            (None, None) => is_name(text).then_some(Self::Official(text)),
        };
        parsed.ok_or_else(|| {
            let message =
                "a route's `model` is not owner/name, owner/name:version, a version, or deployments/owner/name";
            ProviderError::OperatorFault(message.to_owned())
        })
    }

    pub(super) fn create_path(&self) -> String {
        match self {
            Self::Official(name) => format!("models/{name}/predictions"),
            Self::Version { .. } => "predictions".to_owned(),
            Self::Deployment(name) => format!("deployments/{name}/predictions"),
        }
    }

    /// What tells whether there is such a model; `None`: nothing does.
    pub(super) fn look_path(&self) -> Option<String> {
        match self {
            Self::Official(name) => Some(format!("models/{name}")),
            Self::Version { model: Some(model), version } => Some(format!("models/{model}/versions/{version}")),
            Self::Version { model: None, .. } => None,
            Self::Deployment(name) => Some(format!("deployments/{name}")),
        }
    }

    pub(super) const fn version(&self) -> Option<&'a str> {
        match *self {
            Self::Version { version, .. } => Some(version),
            Self::Official(_) | Self::Deployment(_) => None,
        }
    }
}

/// A part of a path as it stands, if it needs no encoding.
pub(super) fn segment(text: &str) -> Result<&str, ProviderError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fine = !text.is_empty() && text.len() <= 128 && text.bytes().all(is_plain) && !text.starts_with('.');
    if fine { Ok(text) } else { Err(ProviderError::Transient("an id that no path can hold".to_owned())) }
}

/// Unix milliseconds as the list takes them.
pub(super) fn time(millis: i64) -> Result<String, ProviderError> {
    let time = jiff::Timestamp::from_millisecond(millis);
    time.map(|time| time.to_string()).map_err(|_| ProviderError::Transient("a time out of all bounds".to_owned()))
}

/// What Replicate calls an error, in one of its fixed titles.
pub(super) fn title(answer: &Answer) -> String {
    answer.json::<Problem>().unwrap_or_default().title
}

/// What a create that was not taken means.
pub(super) fn refused(answer: &Answer) -> ProviderError {
    let problem: Problem = answer.json().unwrap_or_default();
    // Told apart from a bad input, which is the caller's.
    if answer.status.as_u16() == 422 && problem.title.eq_ignore_ascii_case("Invalid version or not permitted") {
        return ProviderError::OperatorFault(
            "HTTP 422: the route's `model` has no such version, or not for you".into(),
        );
    }
    match api::refused_create(answer, &problem.title) {
        ProviderError::Busy { retry_after: None } => ProviderError::Busy { retry_after: problem.pause() },
        error => error,
    }
}

impl Problem {
    /// The pause that is asked for in the body: as a number, or in "resets in ~30s".
    fn pause(&self) -> Option<Duration> {
        let told = || {
            let rest = self.detail.split_once("resets in ~")?.1;
            rest.split_once('s')?.0.parse().ok()
        };
        self.retry_after.or_else(told).and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
    }
}
