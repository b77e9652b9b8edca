//! Files in a bucket of S3 or of a service that speaks its protocol.
//!
//! - `connector`: our HTTP client under `object_store`. - `fault`: what failures are called. - `owner`: whose the prefix
//!   is. - `upload`: a result on its way there. - `strays`: what became of those that did not arrive. - `watch`: whether
//!   the bucket can be used.
//!
//! Architecture invariant: nothing but the configuration decides where requests go and who signs them. No variables of
//! the environment are read and no metadata service is asked.

mod connector;
mod fault;
mod owner;
mod strays;
mod upload;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer as _;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use secrecy::ExposeSecret as _;
use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;
use url::Url;

use crate::config::S3Config;

use super::{ArtifactError, RESULTS};
use connector::Connector;
use owner::Owner;
use strays::Strays;
use watch::Standing;

pub(super) use fault::{is_of_bucket, sentence};
pub(super) use upload::{PART, Upload};

/// A request that failed is tried again this often at the most; jobs have longer patience of their own.
const RETRIES: usize = 3;
/// No further try begins after this time.
const RETRY_FOR: Duration = Duration::from_secs(20);
/// The first pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A bucket, or a part of it.
#[derive(Debug)]
pub(super) struct Bucket {
    client: AmazonS3,
    prefix: ObjectPath,
    /// How long the URLs are good that callers are sent to; `None`: results go through the gateway.
    redirect: Option<Duration>,
    owner: Owner,
    strays: Strays,
    standing: channel::Sender<Standing>,
    /// Whether the next look has to find out as well if the bucket can be written to.
    doubtful: AtomicBool,
    look_now: Notify,
    /// What goes on when whoever began it is gone. A stop does not wait for it.
    tasks: Mutex<JoinSet<()>>,
}

impl Bucket {
    /// The bucket of `config`, for a gateway that keeps its results there. Nothing is sent to it yet.
    pub(super) fn open(config: &S3Config) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(&config.notes).map_err(|error| ArtifactError::Storage(error.to_string()))?;
        let bucket = Self::new(config, Owner::read_or_make(&config.notes)?, Strays::open(&config.notes)?)?;
        // What an earlier process has left is cleared away soon.
        bucket.look_now.notify_one();
        Ok(bucket)
    }

    /// The bucket of `config`, to be tried out: nothing is noted about it.
    pub(super) fn unclaimed(config: &S3Config) -> Result<Self, ArtifactError> {
        Self::new(config, Owner::read(&config.notes), Strays::unnoted())
    }

    fn new(config: &S3Config, owner: Owner, strays: Strays) -> Result<Self, ArtifactError> {
        let endpoint = endpoint(config);
        let retries = RetryConfig {
            backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: Duration::from_secs(2), base: 2.0 },
            max_retries: RETRIES,
            retry_timeout: RETRY_FOR,
        };
        let client = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(!config.path_style)
            .with_region(&config.region)
            .with_access_key_id(config.access_key_id.expose_secret())
            .with_secret_access_key(config.secret_access_key.expose_secret())
            .with_allow_http(endpoint.scheme() == "http")
            .with_http_connector(Connector::new(&endpoint)?)
            // Not all who speak the protocol know how to delete many at once.
            .with_disable_bulk_delete(true)
            .with_retry(retries)
            .build()?;
        Ok(Self {
            client,
            prefix: ObjectPath::from(config.prefix.as_str()),
            redirect: config.redirect,
            owner,
            strays,
            standing: channel::Sender::new(Standing::Unknown),
            doubtful: AtomicBool::new(true),
            look_now: Notify::new(),
            tasks: Mutex::default(),
        })
    }

    /// The files below the prefix.
    pub(super) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::new(PrefixStore::new(self.client.clone(), self.prefix.clone()))
    }

    /// A URL that reads a result without further credentials; `None` when callers are sent nowhere.
    pub(super) async fn signed_url(&self, name: &str) -> Result<Option<String>, ArtifactError> {
        let Some(lifetime) = self.redirect else { return Ok(None) };
        let key = self.key(&[RESULTS, name]);
        Ok(Some(self.client.signed_url(Method::GET, &key, lifetime).await?.into()))
    }

    /// A request to the bucket has failed: nothing is sold until the next look, which comes at once.
    pub(super) fn doubt(&self, error: &ArtifactError) {
        self.doubtful.store(true, Ordering::Relaxed);
        self.settle(Standing::Away, Some(error));
        self.look_now.notify_one();
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are forgotten.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// The whole key of what is called so below the prefix.
    fn key(&self, below: &[&str]) -> ObjectPath {
        let below: ObjectPath = below.iter().copied().collect();
        self.prefix.parts().chain(below.parts()).collect()
    }
}

/// The endpoint that requests go to: with the bucket in front of its host, where that is the style.
fn endpoint(config: &S3Config) -> Url {
    let mut endpoint = config.endpoint.clone();
    if !config.path_style
        && let Some(host) = config.endpoint.host_str()
    {
        // The configuration has been checked: a host that is no name is not accepted with this style.
        let _ = endpoint.set_host(Some(&format!("{}.{host}", config.bucket)));
    }
    endpoint
}
