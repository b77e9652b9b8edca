//! Webhooks: the only word of how a prediction ended.

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::providers::{Notice, NoticeError, Noticed};

use super::inbox::{Ended, Entry};
use super::output::Output;
use super::{Cog, name, prediction_of};

/// A webhook's body.
#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    status: String,
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Default, Deserialize)]
struct Metrics {
    #[serde(default)]
    predict_time: Option<f64>,
}

impl Cog {
    /// Writes down how a prediction ended, if this is what the webhook tells.
    pub(super) async fn keep(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        if !self.is_ours((notice.header)("authorization")) {
            return Err(NoticeError::Forged);
        }
        let event: Event<'_> = serde_json::from_slice(notice.body).map_err(|_| NoticeError::Garbled)?;
        let prediction = prediction_of(notice.key);
        if event.id != prediction {
            return Err(NoticeError::Garbled);
        }
        let ended = match event.status.as_str() {
            "succeeded" => Ended::Succeeded,
            "failed" => failure(event.error.as_deref().unwrap_or_default()),
            // Not by us: who cancels does not wait for it.
            "canceled" => Ended::Transient,
            _ => {
                let process = self.server.health().await.map_or_else(|_| String::new(), |health| health.process);
                return Ok(Noticed { id: Some(name(&prediction, &process)) });
            }
        };
        let output = event.output.filter(|_| ended == Ended::Succeeded);
        let (output, files) = output.map(Output::split).unwrap_or_default();
        let (at, seconds) = (self.clock.unix_millis(), event.metrics.predict_time);
        let entry = Entry { at, ended, seconds, output, files: Vec::new() };
        let kept = self.inbox.put(&prediction, entry, files).await;
        kept.map_err(|error| NoticeError::Later(format!("the result cannot be kept: {error}")))?;
        Ok(Noticed { id: Some(name(&prediction, "")) })
    }

    fn is_ours(&self, header: Option<&str>) -> bool {
        let given = header.and_then(|value| value.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        given.is_some_and(|token| token.as_bytes().ct_eq(self.secret.expose_secret().as_bytes()).into())
    }
}

/// Why a prediction failed. What stands in an error is the predictor's to choose, but for what cog says when the worker
/// has died.
fn failure(error: &str) -> Ended {
    if error.starts_with("Worker crashed") || error.starts_with("Failed to send request") {
        Ended::Transient
    } else if error.contains("CONTENT_REJECTED") || error.contains("NSFW") {
        Ended::Rejected
    } else {
        Ended::Failed
    }
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(in crate::providers) fn fuzz_webhook(body: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event<'_>>(body) else { return };
    let _ = failure(event.error.as_deref().unwrap_or_default());
    let (_, files) = event.output.map(Output::split).unwrap_or_default();
    let taken: usize = files.iter().map(|file| file.base64.len()).sum();
    assert!(taken <= body.len(), "a file is not made larger, and is taken out once");
}
