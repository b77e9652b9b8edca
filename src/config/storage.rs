//! Where files are kept, as it is meant. Secrets are shown by no `Debug` output.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Where files are kept.
#[derive(Clone, Debug)]
pub enum StorageConfig {
    /// A folder of the local disk.
    Folder(PathBuf),
    /// A bucket of S3 or of a service that speaks its protocol.
    S3(Box<S3Config>),
}

/// A bucket, and who may use it.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with, without slashes around it; empty: nothing.
    pub prefix: String,
    /// Where requests go; its host does not name the bucket.
    pub endpoint: Url,
    /// The region that signatures are made for.
    pub region: String,
    /// Whether the bucket stands in the path of a request and not in its host.
    pub path_style: bool,
    /// Whose requests they are.
    pub access_key_id: SecretString,
    /// What they are signed with.
    pub secret_access_key: SecretString,
    /// A folder of the data directory for what has to be known of the bucket.
    pub notes: PathBuf,
    /// How long a URL is good that a caller is sent to; `None`: results go through the gateway.
    pub redirect: Option<Duration>,
}
