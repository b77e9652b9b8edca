//! Where results are kept: in a folder, or in a bucket.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::allowed::DAY;
use super::lightning::check_url;
use super::work::SHORTEST_PAUSE;
use crate::config::environment::Environment;
use crate::config::error::Problems;
use crate::config::raw::{RawArtifacts, RawSecret, RawServe};
use crate::config::{ArtifactsConfig, S3Config, StorageConfig, secret};

const URL: &str = "artifacts.url";
const ENDPOINT: &str = "artifacts.endpoint";

pub(super) struct Section<'a> {
    pub raw: &'a RawArtifacts,
    pub data_dir: &'a Path,
    pub environment: &'a Environment,
}

impl Section<'_> {
    pub(super) fn meaning(&self, p: &mut Problems) -> ArtifactsConfig {
        let raw = self.raw;
        let days = p.number("artifacts.retention_days", raw.retention_days, 1..=3_650, " days");
        // The signature of a URL can be good for a week at the most.
        let redirect = p.seconds("artifacts.redirect_seconds", raw.redirect_seconds, 10.0..=7.0 * DAY);
        ArtifactsConfig {
            storage: self.storage(redirect, p),
            retention: Duration::from_secs(u64::from(days) * 86_400),
            sweep_every: p.seconds("artifacts.sweep_every_seconds", raw.sweep_every_seconds, SHORTEST_PAUSE..=DAY),
        }
    }

    /// What is typed is never quoted: it may hold a password.
    fn storage(&self, redirect: Duration, p: &mut Problems) -> StorageConfig {
        match self.raw.url.as_deref().map(|url| url.strip_prefix("s3://")) {
            Some(Some(rest)) => StorageConfig::S3(Box::new(self.bucket(rest, redirect, p))),
            typed => {
                if typed.is_some() {
                    p.add(URL, "this must be s3://bucket/prefix; without it, results are kept in data_dir");
                } else {
                    self.refuse_what_needs_a_bucket(p);
                }
                StorageConfig::Folder(self.data_dir.join("artifacts"))
            }
        }
    }

    fn refuse_what_needs_a_bucket(&self, p: &mut Problems) {
        let raw = self.raw;
        for (path, typed) in [
            (ENDPOINT, raw.endpoint.is_some()),
            ("artifacts.access_key_id", raw.access_key_id.is_some()),
            ("artifacts.secret_access_key", raw.secret_access_key.is_some()),
            ("artifacts.serve", raw.serve == RawServe::Redirect),
        ] {
            if typed {
                p.add(path, "this is for results in a bucket only: artifacts.url = \"s3://bucket/prefix\"");
            }
        }
    }

    fn bucket(&self, rest: &str, redirect: Duration, p: &mut Problems) -> S3Config {
        let raw = self.raw;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket(bucket) {
            p.add(URL, "this must name a bucket, in lower case, as in s3://bucket/prefix");
        } else if !prefix.is_empty() && !prefix.split('/').all(is_prefix) {
            p.add(
                URL,
                "the prefix may hold letters, digits, dots, hyphens and underscores, with single slashes between",
            );
        }
        if raw.region.is_empty() || !raw.region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            p.add("artifacts.region", "this must be the name of a region, such as us-east-1 or auto");
        }
        S3Config {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: self.endpoint(p),
            region: raw.region.clone(),
            path_style: raw.path_style,
            access_key_id: self.secret("artifacts.access_key_id", raw.access_key_id.as_ref(), p),
            secret_access_key: self.secret("artifacts.secret_access_key", raw.secret_access_key.as_ref(), p),
            notes: self.data_dir.join("bucket"),
            redirect: (raw.serve == RawServe::Redirect).then_some(redirect),
        }
    }

    fn endpoint(&self, p: &mut Problems) -> Url {
        let amazon = format!("https://s3.{}.amazonaws.com", self.raw.region);
        let endpoint = match check_url(self.raw.endpoint.as_deref().unwrap_or(&amazon)) {
            Ok(endpoint) => endpoint,
            Err(message) => {
                // A region that makes no URL has been complained about already.
                if self.raw.endpoint.is_some() {
                    p.add(ENDPOINT, message);
                }
                #[expect(clippy::expect_used, reason = "it is a constant")]
                return "http://127.0.0.1/".parse().expect("a URL");
            }
        };
        if endpoint.path() != "/" {
            p.add(ENDPOINT, "this must end after its host or port: the bucket belongs into artifacts.url");
        }
        if !self.raw.path_style && !matches!(endpoint.host(), Some(Host::Domain(_))) {
            p.add("artifacts.path_style", "with false the bucket stands before the host, which must then be a name");
        }
        endpoint
    }

    fn secret(&self, path: &str, raw: Option<&RawSecret>, p: &mut Problems) -> SecretString {
        let Some(raw) = raw else {
            p.add(path, "this is missing: `env:NAME` or `file:/path`, where it is kept");
            return SecretString::default();
        };
        secret::credential(path, raw, self.environment, p).unwrap_or_default()
    }
}

fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b))
}

fn is_prefix(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}
