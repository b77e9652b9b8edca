//! What comes from providers unasked: webhooks, and requests for a job's image.
//!
//! Architecture invariant: to the engine a webhook is only ever a reason to look now. What the look says is the truth, so a
//! forged, late or lost one costs a moment and nothing else. An adapter may keep what a genuine one carries and look there,
//! where the provider tells a result in no other way (`providers/cog`): a lost one costs another generation then.

use bytes::Bytes;

use crate::domain::request::ImageType;
use crate::domain::{JobId, JobSpec};
use crate::providers::{Notice, NoticeError, Route};
use crate::store::StoreError;

use super::Jobs;
use super::redeem::RedeemError;

/// Where a webhook's path leads.
pub enum Reception {
    /// Nowhere: it was not signed here, or the job or its route is no more.
    Unknown,
    /// To a create that nobody waits for any more.
    Over,
    /// To a create that is under way.
    Awaited(Awaited),
}

/// A create whose provider may send webhooks.
pub struct Awaited {
    job: JobId,
    seq: i64,
    key: String,
    route: std::sync::Arc<Route>,
    limit: usize,
}

impl Awaited {
    /// The largest webhook in bytes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

impl Jobs {
    /// Whether a webhook with that last part of its path is awaited.
    pub async fn receive(&self, name: &str) -> Result<Reception, StoreError> {
        let engine = &self.engine;
        let Some((id, seq)) = engine.links.read_webhook(name) else { return Ok(Reception::Unknown) };
        let Some(job) = engine.store.job(id).await? else { return Ok(Reception::Unknown) };
        if job.state.is_terminal() || seq != job.dispatches {
            return Ok(Reception::Over);
        }
        let Some(dispatch) = engine.store.dispatch(id, seq).await? else { return Ok(Reception::Unknown) };
        let Some(route) = engine.providers.by_name(job.binding.service, &dispatch.route).cloned() else {
            return Ok(Reception::Unknown);
        };
        let result_limit = engine.catalog.service(job.binding.service).map_or(0, |service| service.result_limit);
        let limit = route.provider().webhook_limit(result_limit);
        Ok(Reception::Awaited(Awaited { job: id, seq, key: format!("{id}.{seq}"), route, limit }))
    }

    /// Lets the provider's adapter judge a webhook, and looks at the generation if it is genuine.
    pub async fn notice<'n>(
        &self,
        awaited: &'n Awaited,
        header: &'n (dyn Fn(&str) -> Option<&'n str> + Sync),
        body: &'n [u8],
    ) -> Result<(), NoticeError> {
        let engine = &self.engine;
        let Awaited { job, seq, key, route, .. } = awaited;
        let notice = Notice { key, header, body, now: engine.clock.unix_seconds() };
        let judged = tokio::time::timeout(engine.config.provider_timeout, route.provider().notice(&notice)).await;
        let judged = judged.unwrap_or_else(|_| Err(NoticeError::Later("no answer within the timeout".into())));
        let outcome = match &judged {
            Ok(_) => "accepted",
            Err(NoticeError::Later(_)) => "later",
            Err(_) => "refused",
        };
        let name = route.name().to_owned();
        metrics::counter!("satforge_webhooks_total", "provider" => name, "outcome" => outcome).increment(1);
        let noticed = judged.inspect_err(|error| match error {
            // Nobody but the provider knows the path.
            NoticeError::Forged => {
                tracing::error!(job.id = %job, route = route.name(), account = route.settings().provider,
                "a webhook is not signed as its account's webhook_secret demands: compare the two");
            }
            error => tracing::warn!(job.id = %job, route = route.name(), %error, "a webhook was not taken"),
        })?;
        let later = |error: StoreError| NoticeError::Later(error.to_string());
        if let Some(id) = noticed.id {
            engine.store.hint_upstream(*job, *seq, id).await.map_err(later)?;
        }
        if !engine.nudges.nudge(*job) {
            engine.store.hasten(*job, engine.now()).await.map_err(later)?;
            engine.wake.notify_one();
        }
        Ok(())
    }

    /// The image of an open job, for whoever has the last part of its signed path.
    pub async fn image(&self, name: &str) -> Result<Option<(ImageType, Bytes)>, RedeemError> {
        let engine = &self.engine;
        let Some(id) = engine.links.read_input(name, engine.now()) else { return Ok(None) };
        let Some(job) = engine.store.job(id).await?.filter(|job| !job.state.is_terminal()) else { return Ok(None) };
        Ok(match engine.load_spec(&job).await? {
            Some(JobSpec::Model3d(model)) => Some((model.media_type, model.image)),
            Some(JobSpec::Video(_)) | None => None,
        })
    }
}
