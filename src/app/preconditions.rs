//! What must hold before a gateway starts: a data directory of its own, secrets that are all there, usable TLS files.

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio_rustls::TlsAcceptor;

use crate::clock::{Clock, signed_millis};
use crate::config::{Config, GatewayKey, TlsConfig};
use crate::http::tls;
use crate::store::Store;

/// A configuration that cannot be served as things stand.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(super) String);

pub(super) fn tls_acceptor(config: &TlsConfig) -> Result<TlsAcceptor, Refused> {
    tls::acceptor(config).map_err(|error| Refused(error.to_string()))
}

/// Takes the lock on a data directory, which is made when it is missing.
pub(super) fn lock_data_dir(data_dir: &Path) -> anyhow::Result<File> {
    // Prompts and the names of results stand in there: other users of the machine have no business with them.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("cannot make {}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write to {}", data_dir.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("another satforge works in {}", data_dir.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Results can be fetched with a credential until their retention is over, so that long its secret is needed.
pub(super) async fn refuse_dropped_keys(config: &Config, store: &Store, clock: &dyn Clock) -> anyhow::Result<()> {
    let needed = i64::try_from(config.tokens_live().as_millis()).unwrap_or(i64::MAX);
    let since = signed_millis(clock.unix_millis()).saturating_sub(needed);
    let configured: Vec<String> = config.keys.all().iter().map(GatewayKey::fingerprint).collect();
    let dropped = store.dropped_keys(&configured, since).await?;
    let Some(key) = dropped.first() else { return Ok(()) };
    bail!(Refused(format!(
        "keys.secrets: the key with the fingerprint {} is missing, but tokens that it minted can still be presented. \
         Put it back behind the newest key, and drop it {} days after it has stopped minting.",
        key.fingerprint,
        (needed / 86_400_000).saturating_add(1),
    )))
}
