//! The insert that consumes a payment.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use crate::artifacts::ArtifactError;
use crate::catalog::{self, Depth, Priced};
use crate::clock::signed_millis;
use crate::config::ServiceConfig;
use crate::domain::job::{Failed, Job};
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};
use crate::domain::{Callback, Failure, JobId, JobSpec, PaymentHash, PublicJobId, RequestBinding, ServiceId};
use crate::paywall::VerifiedPayment;
use crate::store::{Inserted, NewCallback, NewJob, StoreError, StoredInput};

use super::{Engine, JobView, Jobs};

/// Inputs up to this many bytes stand in the row, larger ones in a file.
const INLINE_INPUT: usize = 64 * 1024;
/// Redemptions of one payment wait for each other in one of these.
const STRIPES: usize = 256;
/// Paid bodies that are unpacked at once, on threads of their own.
const UNPACKERS: usize = 2;

/// Why a payment could not be redeemed; it stands, and can be presented again.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// The payment hash has bought something else.
    #[error("the payment was redeemed for another request")]
    BoundElsewhere,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of a large input.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The gateway stopped in the middle.
    #[error("the redemption was interrupted")]
    Interrupted,
    /// A thread of ours panicked.
    #[error("unpacking the body failed")]
    Unpacking,
}

/// Redemptions that are under way.
pub(super) struct Redeeming {
    stripes: Vec<Mutex<()>>,
    unpackers: Semaphore,
}

impl Redeeming {
    pub(super) fn new() -> Self {
        let stripes = std::iter::repeat_with(|| Mutex::new(())).take(STRIPES).collect();
        Self { stripes, unpackers: Semaphore::new(UNPACKERS) }
    }

    /// Presentations of one payment come one after the other, so that only the first unpacks and stores its body.
    async fn turn(&self, hash: &PaymentHash) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        hash.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "only the remainder counts")]
        let stripe = hasher.finish() as usize % STRIPES;
        self.stripes[stripe].lock().await
    }
}

impl Jobs {
    /// What a payment bought, if that has ended lately: without a query, and without consuming the payment.
    #[must_use]
    pub fn recall(&self, payment: &VerifiedPayment) -> Option<Result<JobView, RedeemError>> {
        let job = self.engine.finished.get(&payment.payment_hash())?;
        Some(held_against(&self.engine, job, payment.binding()))
    }

    /// Whether `payment` has bought something already, whatever it was.
    pub async fn was_redeemed(&self, payment: &VerifiedPayment) -> Result<bool, StoreError> {
        Ok(self.engine.store.job_by_payment(payment.payment_hash()).await?.is_some())
    }

    /// Redeems `payment` for `body`, or finds the job that it bought before. `body` is what the payment is bound to.
    ///
    /// Crash rule: when this returns, the redemption is on disk. An error consumes nothing.
    pub async fn redeem(&self, payment: VerifiedPayment, body: Bytes) -> Result<JobView, RedeemError> {
        let engine = &self.engine;
        let hash = payment.payment_hash();
        let binding = payment.binding();
        let _turn = engine.redeeming.turn(&hash).await;
        // A large body is unpacked and stored for a new job alone, so that is looked up first. For a small one the
        // insert itself finds out, which spares every new purchase a query.
        if body.len() > INLINE_INPUT
            && let Some(job) = engine.store.job_by_payment(hash).await?
        {
            return known(engine, job, binding);
        }
        match engine.store.insert_job(engine.new_job(payment, body).await?).await {
            Ok(Inserted::New(job)) => Ok(engine.begin(job)),
            Ok(Inserted::Existing(job)) => known(engine, job, binding),
            // A database that cannot be written to may still know what was redeemed before.
            Err(error) => match engine.store.job_by_payment(hash).await {
                Ok(Some(job)) => known(engine, job, binding),
                Ok(None) | Err(_) => Err(error.into()),
            },
        }
    }
}

/// A payment that was redeemed before.
pub(super) fn known(engine: &Engine, job: Job, binding: RequestBinding) -> Result<JobView, RedeemError> {
    engine.finished.remember(&job);
    held_against(engine, job, binding)
}

/// A second presentation must be for what the first one bought.
pub(super) fn held_against(engine: &Engine, job: Job, binding: RequestBinding) -> Result<JobView, RedeemError> {
    if job.binding != binding {
        return Err(RedeemError::BoundElsewhere);
    }
    Ok(engine.view(job))
}

impl Engine {
    /// A payment that was redeemed just now.
    pub(super) fn begin(&self, job: Job) -> JobView {
        let service = job.binding.service.name();
        metrics::counter!("satforge_redemptions_total", "service" => service).increment(1);
        tracing::info!(job.id = %job.id, job.service = service, job.state = job.state.name(),
            payment.amount_msat = job.amount.msat(), "payment redeemed");
        if job.state.is_terminal() {
            self.finished.remember(&job);
            self.account(&job);
        } else {
            self.wake.notify_one();
        }
        self.view(job)
    }

    async fn new_job(&self, payment: VerifiedPayment, body: Bytes) -> Result<NewJob, RedeemError> {
        let now = self.clock.unix_millis();
        let id = JobId::new(now, rand::random());
        let binding = payment.binding();
        let deadline = self.catalog.service(binding.service).map_or(0, |service| millis(service.deadline));
        let Unpacked { spec, callback } = self.unpack(binding.service, body).await?;
        let input = match spec {
            _ if payment.is_late(now / 1_000) => Err(Failure::RedemptionExpired),
            Some(spec) => Ok(self.store_input(id, spec).await?),
            None => Err(Failure::NotRunnable),
        };
        let created_at = signed_millis(now);
        let (payment_hash, amount) = (payment.payment_hash(), payment.amount());
        let callback = callback.map(|callback| NewCallback {
            callback,
            delivery_id: format!("msg_{:032x}", rand::random::<u128>()),
            secret: payment.into_callback_secret(),
        });
        Ok(NewJob {
            id,
            public_id: PublicJobId::new(rand::random()),
            payment_hash,
            binding,
            amount,
            created_at,
            deadline_at: created_at.saturating_add(deadline),
            input: input.map_err(|failure| Failed { failure, finished_at: created_at }),
            callback,
        })
    }

    /// What the paid body asks for; no specification when it can no longer be run. It was validated before it was
    /// invoiced, so its image is not decoded again.
    async fn unpack(&self, service: ServiceId, body: Bytes) -> Result<Unpacked, RedeemError> {
        let Some(config) = self.catalog.service(service) else { return Ok(Unpacked { spec: None, callback: None }) };
        if body.len() <= INLINE_INPUT {
            return Ok(Unpacked::of(config, &body));
        }
        let _turn = self.redeeming.unpackers.acquire().await.map_err(|_| RedeemError::Unpacking)?;
        let config = config.clone();
        let unpacked = tokio::task::spawn_blocking(move || Unpacked::of(&config, &body));
        unpacked.await.map_err(|_| RedeemError::Unpacking)
    }

    async fn store_input(&self, id: JobId, spec: JobSpec) -> Result<StoredInput, RedeemError> {
        match spec {
            JobSpec::Video(video) => Ok(StoredInput { params: to_json(&video), bytes: None, file: None }),
            JobSpec::Model3d(ModelSpec { media_type, image }) => {
                let params = to_json(&ModelParams { media_type });
                if image.len() <= INLINE_INPUT {
                    return Ok(StoredInput { params, bytes: Some(image.to_vec()), file: None });
                }
                // Flushed before the row that names it; without the row it is swept.
                self.artifacts.put_input(&id.to_string(), image).await?;
                Ok(StoredInput { params, bytes: None, file: Some(id.to_string()) })
            }
        }
    }

    /// What [`Engine::store_input`] stored; `None` when it cannot be read any more.
    pub(super) async fn load_spec(&self, job: &Job) -> Result<Option<JobSpec>, RedeemError> {
        let Some(input) = self.store.job_input(job.id).await? else { return Ok(None) };
        match job.binding.service {
            ServiceId::Video => Ok(serde_json::from_str::<VideoSpec>(&input.params).ok().map(JobSpec::Video)),
            ServiceId::Model3d => {
                let Ok(ModelParams { media_type }) = serde_json::from_str(&input.params) else { return Ok(None) };
                let image = match (input.bytes, input.file) {
                    (Some(bytes), _) => Bytes::from(bytes),
                    (None, Some(file)) => self.artifacts.input(&file).await?,
                    (None, None) => return Ok(None),
                };
                Ok(Some(JobSpec::Model3d(ModelSpec { media_type, image })))
            }
        }
    }
}

/// What a paid body asks for.
struct Unpacked {
    spec: Option<JobSpec>,
    callback: Option<Callback>,
}

impl Unpacked {
    fn of(service: &ServiceConfig, body: &Bytes) -> Self {
        match catalog::validate(service, body, Depth::Structure) {
            Ok(Priced { spec, callback, .. }) => Self { spec: Some(spec), callback },
            Err(_) => Self { spec: None, callback: catalog::callback_of(service, body) },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ModelParams {
    media_type: ImageType,
}

fn to_json(params: &impl Serialize) -> String {
    // Strings, numbers and booleans always serialise.
    serde_json::to_string(params).unwrap_or_default()
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
