//! The keys that fal signs webhooks with, and the signatures.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Url};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::ProviderConfig;
use crate::egress::Client;

use super::super::{Notice, NoticeError, SetupError};

/// How old a webhook may be, and how far ahead.
const TOLERANCE_SECONDS: u64 = 300;
/// How long the keys are believed.
const LIFETIME: Duration = Duration::from_hours(24);
/// The pause between two fetches: whoever forges signatures must not set the pace.
const PAUSE: Duration = Duration::from_mins(1);
/// The most keys that are tried.
const MOST_KEYS: usize = 32;

type Key = [u8; 32];

/// fal's public keys, fetched when they are needed.
pub(super) struct Keys {
    url: Url,
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched_at: Option<Duration>,
    tried_at: Option<Duration>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    x: Option<String>,
}

impl Keys {
    pub(super) fn new(account: &ProviderConfig, url: &Url, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let client = match url.scheme() {
            "http" => Client::to_near(account.timeout),
            _ => Client::to_own(None, account.timeout),
        };
        let refused = |message| SetupError { account: account.name.clone(), key: "jwks_url", message };
        let client = client.map_err(|error| refused(error.to_string()))?;
        Ok(Self { url: url.clone(), client, clock, known: Mutex::default() })
    }

    /// The request id that a webhook is signed for.
    pub(super) async fn verify<'n>(&self, notice: &Notice<'n>) -> Result<&'n str, NoticeError> {
        let header = |name| (notice.header)(name).ok_or(NoticeError::Forged);
        let (id, user) = (header("x-fal-webhook-request-id")?, header("x-fal-webhook-user-id")?);
        let timestamp = header("x-fal-webhook-timestamp")?;
        let signature = hex::decode(header("x-fal-webhook-signature")?).map_err(|_| NoticeError::Forged)?;
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed_at: u64 = timestamp.parse().ok().filter(|_| digits).ok_or(NoticeError::Forged)?;
        let message = message(id, user, timestamp, &hex::encode(Sha256::digest(notice.body)));
        if !self.signed(message.as_bytes(), &signature).await? {
            return Err(NoticeError::Forged);
        }
        if signed_at.abs_diff(notice.now) > TOLERANCE_SECONDS {
            return Err(NoticeError::Stale);
        }
        Ok(id)
    }

    /// Whether one of the keys has signed this. A signature of none of them may be by a new one: then they are fetched
    /// again, if that was not tried just now.
    async fn signed(&self, message: &[u8], signature: &[u8]) -> Result<bool, NoticeError> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        if since(known.fetched_at).is_none_or(|age| age >= LIFETIME) {
            known.keys.clear();
        } else if is_by_one_of(&known.keys, message, signature) {
            return Ok(true);
        }
        let is_too_soon = since(known.tried_at).is_some_and(|age| age < PAUSE);
        if is_too_soon && !known.keys.is_empty() {
            return Ok(false);
        }
        if is_too_soon {
            return Err(NoticeError::Later("the keys could not be fetched just now".to_owned()));
        }
        known.tried_at = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                known.keys = keys;
                known.fetched_at = Some(now);
                Ok(is_by_one_of(&known.keys, message, signature))
            }
            Err(error) => Err(NoticeError::Later(error)),
        }
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let request = self.client.request(Method::GET, self.url.clone()).map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("the keys' server answers HTTP {}", answer.status.as_u16()));
        }
        let set: KeySet = answer.json().map_err(|error| format!("the keys cannot be read: {:?}", error.classify()))?;
        let keys: Vec<_> = set.keys.iter().filter_map(Jwk::key).take(MOST_KEYS).collect();
        if keys.is_empty() { Err("there are no keys".to_owned()) } else { Ok(keys) }
    }
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        URL_SAFE_NO_PAD.decode(self.x.as_deref()?.trim_end_matches('=')).ok()?.try_into().ok()
    }
}

/// What is signed, of a body with this SHA-256.
pub(super) fn message(id: &str, user: &str, timestamp: &str, hash: &str) -> String {
    format!("{id}\n{user}\n{timestamp}\n{hash}")
}

pub(super) fn is_by_one_of(keys: &[Key], message: &[u8], signature: &[u8]) -> bool {
    keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
}
