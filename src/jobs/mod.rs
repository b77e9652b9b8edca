//! From a verified payment to its one outcome.
//!
//! - [`redeem`]: the insert that consumes a payment. - `recover`: what a payment bought, without its body. - `worker`: claims what is due. - `execution`: one attempt.
//! - [`waiters`]: who wants to know. - `finished`: outcomes that are asked for again. - `retention`: what is deleted.
//! - `elsewhere`: what the operator does from another process.
//! - [`links`]: signed paths for providers. - `notices`: what comes along them. - `nudges`: looking now because of it.
//!
//! Crash rule: a redemption is on disk before anything is dispatched or answered, and every later step is written down
//! before the next one begins. Whatever stops the process in between, the next worker goes on from the last step.

pub mod backoff;
pub mod links;
pub mod redeem;
pub mod waiters;

mod elsewhere;
mod execution;
mod finished;
mod notices;
mod nudges;
mod recover;
mod retention;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::artifacts::ArtifactStore;
use crate::catalog::Catalog;
use crate::clock::{Clock, signed_millis};
use crate::config::{ArtifactsConfig, JobsConfig};
use crate::domain::job::Job;
use crate::domain::{JobState, PublicJobId};
use crate::providers::Providers;
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};

pub use links::Links;
pub use notices::Reception;
pub use recover::Recovered;
pub use redeem::RedeemError;
pub use waiters::Following;

use finished::Finished;
use nudges::Nudges;
use redeem::Redeeming;
use waiters::Waiters;
use worker::Leases;

/// The longest that a job rests after a start, in milliseconds, whatever an earlier process has written.
const LONGEST_REST: i64 = 60_000;
/// Creates with an image in them that are sent at once.
const UPLOADS: usize = 8;

/// A job as its callers and waiters see it: the row, and the news that are nowhere written down.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// How far it is.
    pub news: News,
}

/// How far a generation is, where the provider tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct News {
    /// From 0 to 1.
    pub progress: Option<f32>,
    /// Generations that the provider takes up first.
    pub ahead: Option<u32>,
}

/// The job engine; cloning it is cheap.
#[derive(Clone)]
pub struct Jobs {
    engine: Arc<Engine>,
}

/// What the engine is built from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The files.
    pub artifacts: ArtifactStore,
    /// Who does the work.
    pub providers: Providers,
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Paths for providers.
    pub links: Links,
    /// The URL that callers see, without a slash at its end.
    pub public_url: String,
}

struct Engine {
    store: Store,
    artifacts: ArtifactStore,
    providers: Providers,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    links: Links,
    public_url: String,
    config: JobsConfig,
    retention: Duration,
    sweep_every: Duration,
    waiters: Waiters,
    finished: Finished,
    redeeming: Redeeming,
    leases: Leases,
    nudges: Nudges,
    /// Creates with an image in them: each holds it several times over until it is sent.
    uploads: Semaphore,
    /// Something may be due.
    wake: Notify,
    /// A job whose caller wants to be called back has ended.
    calls_back: Arc<Notify>,
}

impl Jobs {
    /// An engine that stands still until [`Jobs::start`].
    #[must_use]
    pub fn new(parts: Parts, config: JobsConfig, artifacts: &ArtifactsConfig) -> Self {
        let Parts { store, artifacts: files, providers, catalog, clock, links, public_url } = parts;
        Self {
            engine: Arc::new(Engine {
                store,
                artifacts: files,
                providers,
                catalog,
                clock,
                links,
                public_url,
                config,
                retention: artifacts.retention,
                sweep_every: artifacts.sweep_every,
                waiters: Waiters::default(),
                finished: Finished::new(),
                redeeming: Redeeming::new(),
                leases: Leases::default(),
                nudges: Nudges::default(),
                uploads: Semaphore::new(UPLOADS),
                wake: Notify::new(),
                calls_back: Arc::default(),
            }),
        }
    }

    /// Takes over what an earlier process left behind, then works until `shutdown`.
    ///
    /// The caller owns the data directory: the leases that stand in it are a dead predecessor's.
    pub async fn start(&self, shutdown: &Shutdown) -> Result<(), StoreError> {
        let released = self.engine.store.release_all_leases().await?;
        if released > 0 {
            tracing::info!(jobs = released, "taking over the jobs of an earlier process");
        }
        // Its clock may have been ahead of ours.
        let now = self.engine.now();
        self.engine.store.set_back(now, 0, now.saturating_add(LONGEST_REST)).await?;
        shutdown.spawn(retention::sweep_after_crash(self.engine.clone(), shutdown.clone()));
        shutdown.spawn(worker::run(self.engine.clone(), shutdown.clone()));
        shutdown.spawn(elsewhere::run(self.engine.clone(), shutdown.clone()));
        shutdown.spawn(worker::renew_leases(self.engine.clone(), shutdown.clone()));
        for route in self.engine.providers.all() {
            let (timeout, route) = (self.engine.config.provider_timeout, route.clone());
            let shutdown = shutdown.clone();
            shutdown.clone().spawn(async move { route.watch(timeout, shutdown.soft()).await });
        }
        shutdown.spawn(retention::run(self.engine.clone(), shutdown.clone()));
        Ok(())
    }

    /// The job with the id that callers see.
    pub async fn by_public_id(&self, id: &PublicJobId) -> Result<Option<JobView>, StoreError> {
        let job = self.engine.store.job_by_public_id(id).await?;
        Ok(job.map(|job| self.engine.view(job)))
    }

    /// The job that has a result of that name.
    pub async fn by_artifact(&self, name: &str) -> Result<Option<JobView>, StoreError> {
        let job = self.engine.store.job_by_artifact(name).await?;
        Ok(job.map(|job| self.engine.view(job)))
    }

    /// Follows a job to its end.
    pub async fn follow(&self, view: JobView) -> Result<Following, StoreError> {
        if view.job.state.is_terminal() {
            return Ok(Following::ended(view));
        }
        // Subscribed first and read afterwards: an end between the two is seen either way.
        let subscription = self.engine.waiters.subscribe(view.job.id);
        let current = self.engine.store.job_by_payment(view.job.payment_hash).await?;
        let current = current.map_or(view, |job| self.engine.view(job));
        Ok(Following::new(current, subscription))
    }

    /// Whether a result's retention is over.
    #[must_use]
    pub fn is_expired(&self, expires_at: i64) -> bool {
        signed_millis(self.engine.clock.unix_millis()) >= expires_at
    }

    /// The paths that are signed here.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.engine.links
    }

    /// Looks for due jobs now, for a clock that was moved by hand.
    pub fn wake(&self) {
        self.engine.wake.notify_one();
    }

    /// What is notified when a job ends whose caller wants to be called back.
    #[must_use]
    pub fn calls_back(&self) -> Arc<Notify> {
        self.engine.calls_back.clone()
    }

    /// Deletes what retention ends, now.
    pub async fn sweep(&self) {
        retention::sweep(&self.engine).await;
    }
}

impl Engine {
    fn view(&self, job: Job) -> JobView {
        let news = if job.state.is_terminal() { News::default() } else { self.waiters.news(job.id) };
        JobView { job, news }
    }

    /// Tells log, metrics and whoever makes callbacks of a job's end.
    fn account(&self, job: &Job) {
        if job.calls_back {
            self.calls_back.notify_one();
        }
        let service = job.binding.service.name();
        let outcome = match &job.state {
            JobState::Failed(failed) => failed.failure.name(),
            other => other.name(),
        };
        let elapsed_ms = self.now().saturating_sub(job.created_at);
        tracing::info!(job.id = %job.id, job.service = service, job.outcome = outcome, elapsed_ms,
            job.dispatches = job.dispatches, "job ended");
        metrics::counter!("satforge_jobs_ended_total", "service" => service, "outcome" => outcome).increment(1);
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a histogram needs no more precision")]
        let seconds = elapsed_ms as f64 / 1_000.0;
        metrics::histogram!("satforge_job_seconds", "service" => service).record(seconds);
    }

    /// How long a job that failed `failures` times waits, in milliseconds.
    fn pause_millis(&self, failures: i64) -> i64 {
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        let pause = backoff::pause(failures, self.config.backoff_base, self.config.backoff_max, rand::random());
        i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
    }

    fn now(&self) -> i64 {
        signed_millis(self.clock.unix_millis())
    }
}
