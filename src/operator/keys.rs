//! A new secret for the gateway, and when the old ones may go. No secret is ever said.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::clock::{Clock, signed_millis};
use crate::config::{Config, SecretRef, create_key_file};
use crate::store::{MintingKey, Store};

use super::OperatorError;
use super::said::Said;
use super::time::rfc3339;

/// Numbers that are tried for the name of a new file.
const NAMES: u32 = 1_000;

/// Where a configured secret is kept, and what is to be known of it.
struct Old {
    place: SecretRef,
    fingerprint: String,
    /// When it can be dropped.
    drop: String,
}

/// Plans a new secret in front of those of `config`, and makes its file if `write` is set. The configuration itself stays
/// as it is.
///
/// Errors when the file is there already, and when it cannot be told where it should be.
pub async fn rotate(
    config: &Config,
    out: Option<PathBuf>,
    write: bool,
    clock: &dyn Clock,
) -> Result<Said, OperatorError> {
    let path = match out {
        Some(path) => {
            std::path::absolute(&path).map_err(|error| OperatorError::File(path.display().to_string(), error))?
        }
        None => beside(&config.key_places)?,
    };
    let refused = || OperatorError::Refused(format!("{} is there already", path.display()));
    if path.symlink_metadata().is_ok() {
        return Err(refused());
    }
    let old = old_keys(config, signed_millis(clock.unix_millis())).await?;
    if write {
        let made = create_key_file(&path);
        if !made.map_err(|error| OperatorError::File(path.display().to_string(), error))? {
            return Err(refused());
        }
    }
    Ok(said(&path, &old, write))
}

/// A name beside the newest secret that is kept in a file: `gateway.key` is followed by `gateway-2.key`.
fn beside(places: &[SecretRef]) -> Result<PathBuf, OperatorError> {
    let newest = places.iter().find_map(|place| match place {
        SecretRef::File(path) => Some(path),
        SecretRef::Variable(_) => None,
    });
    let Some(newest) = newest else {
        let message = "the secrets are kept in environment variables: say with --out where the new one shall be. If it shall \
                       be in a variable, too, put the file's content there and write `env:NAME` in place of `file:…`";
        return Err(OperatorError::Refused(message.into()));
    };
    let (stem, ending) = (newest.file_stem().unwrap_or_default(), newest.extension());
    let stem = stem.to_string_lossy();
    let stem = match stem.rsplit_once('-') {
        Some((stem, number)) if number.parse::<u32>().is_ok() => stem.to_owned(),
        _ => stem.into_owned(),
    };
    let ending = ending.map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let free = (2..NAMES).map(|number| newest.with_file_name(format!("{stem}-{number}{ending}")));
    let is_free = |path: &PathBuf| path.symlink_metadata().is_err();
    let full = || OperatorError::Refused(format!("no name is free beside {}: use --out", newest.display()));
    free.into_iter().find(is_free).ok_or_else(full)
}

async fn old_keys(config: &Config, now: i64) -> Result<Vec<Old>, OperatorError> {
    let needed = i64::try_from(config.tokens_live().as_millis()).unwrap_or(i64::MAX);
    let store = if Store::exists(&config.data_dir) { Some(Store::open_beside(&config.data_dir).await?) } else { None };
    let known = match &store {
        Some(store) => store.minting_keys().await?,
        None => Vec::new(),
    };
    let mut old = Vec::new();
    for (key, place) in config.keys.all().iter().zip(&config.key_places) {
        let fingerprint = key.fingerprint();
        let minting = known.iter().find(|known| known.fingerprint == fingerprint);
        let mut drop = droppable(minting, needed, now);
        if let (Some(store), Some(_)) = (&store, minting) {
            // Long after all its tokens have expired, refunds alone speak for it.
            let kept: Vec<String> =
                known.iter().map(|known| known.fingerprint.clone()).filter(|known| *known != fingerprint).collect();
            if store
                .dropped_keys(&kept, i64::MAX)
                .await?
                .iter()
                .any(|key| key.fingerprint == fingerprint && key.last_used.is_some())
            {
                drop.push_str(", and not while refunds are due that only its credentials can claim, as now");
            }
        }
        old.push(Old { place: place.clone(), fingerprint, drop });
    }
    if let Some(store) = store {
        store.close().await;
    }
    Ok(old)
}

/// When a secret can be dropped whose tokens are good for `needed` milliseconds.
fn droppable(minting: Option<&MintingKey>, needed: i64, now: i64) -> String {
    match minting {
        None => "it has never signed anything: at any time".into(),
        Some(MintingKey { last_used: Some(last_used), .. }) => {
            let over = last_used.saturating_add(needed);
            let word = if over <= now { "since" } else { "from" };
            format!("{word} {} on", rfc3339(over))
        }
        Some(MintingKey { last_used: None, .. }) => {
            let over = rfc3339(now.saturating_add(needed));
            format!("it signs until the restart: from {over} on if that is now, and as much later as it is")
        }
    }
}

fn said(path: &Path, old: &[Old], written: bool) -> Said {
    let new = SecretRef::File(path.to_owned());
    let line = |place: &SecretRef| format!("  {:?},", place.to_string());
    let lines: Vec<String> = std::iter::once(&new).chain(old.iter().map(|old| &old.place)).map(line).collect();
    let first = if written {
        format!("Made {} with a new secret, for its owner alone.", path.display())
    } else {
        format!(
            "Nothing was made yet: with --write, {} is made with a new secret, for its owner alone.",
            path.display()
        )
    };
    let dates = old.iter().map(|old| format!("- {} (fingerprint {}): {}", old.place, old.fingerprint, old.drop));
    let text = format!(
        "{first}\n\nPut this into the configuration, newest first. The gateway's user must be able to read the file.\n\n\
         [keys]\nsecrets = [\n{}\n]\n\n\
         (`satforge dev` has no file: set SATFORGE_KEYS__SECRETS to the same list on one line.)\n\
         Then run `satforge check`, and restart: from that start on the new secret signs, and all of them verify.\n\n\
         The old ones can be taken out of the list, and their files deleted:\n{}\n\
         Payments that were never presented can be recognised only while their secret is there: keep it longer if you can.",
        lines.join("\n"),
        dates.collect::<Vec<_>>().join("\n"),
    );
    let json = json!({
        "written": written, "file": path.display().to_string(),
        "secrets": std::iter::once(new.to_string()).chain(old.iter().map(|old| old.place.to_string())).collect::<Vec<_>>(),
        "old": old.iter().map(|old| json!({
            "place": old.place.to_string(), "fingerprint": old.fingerprint, "drop": old.drop,
        })).collect::<Vec<_>>(),
    });
    Said { json, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_lies_beside_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| SecretRef::File(dir.path().join(name));
        std::fs::write(dir.path().join("gateway.key"), "").unwrap();
        assert_eq!(beside(&[place("gateway.key")]).unwrap(), dir.path().join("gateway-2.key"));
        std::fs::write(dir.path().join("gateway-2.key"), "").unwrap();
        let both = [place("gateway-2.key"), place("gateway.key")];
        assert_eq!(beside(&both).unwrap(), dir.path().join("gateway-3.key"));
        let refused = beside(&[SecretRef::Variable("KEY".into())]).unwrap_err().to_string();
        assert!(refused.contains("--out"), "{refused}");
    }

    #[test]
    fn a_secret_goes_when_its_tokens_have_expired() {
        let key = |last_used| MintingKey { fingerprint: "f".into(), last_used };
        let day = 86_400_000;
        assert_eq!(droppable(Some(&key(Some(day))), 8 * day, 3 * day), "from 1970-01-10T00:00:00Z on");
        assert_eq!(droppable(Some(&key(Some(day))), 8 * day, 9 * day), "since 1970-01-10T00:00:00Z on");
        assert!(droppable(Some(&key(None)), 8 * day, day).contains("1970-01-10"));
        assert!(droppable(None, day, day).contains("never"));
    }
}
