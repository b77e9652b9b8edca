//! Secrets: where they are kept, never what they are.
//!
//! No message here quotes what was typed or read, unless it has been established to be a reference.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::dev_key;
use super::environment::Environment;
use super::error::Problems;
use super::keys::{GatewayKey, KeyRing};
use super::raw::RawSecret;

/// The most that is read of a file that should hold 64 characters.
const MAX_FILE_BYTES: u64 = 4 * 1024;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable of this name.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Where the keys are kept that [`key_ring`] reads, in the same order; where there are none, that of `data_dir`.
pub(super) fn places(raw: &[RawSecret], data_dir: &Path) -> Vec<SecretRef> {
    if raw.is_empty() {
        return vec![SecretRef::File(dev_key::place(data_dir))];
    }
    raw.iter().filter_map(|secret| parse(&secret.0).ok()).collect()
}

/// The configured keys, or nothing and what is wrong under `keys.secrets`.
pub(super) fn key_ring(raw: &[RawSecret], environment: &Environment, problems: &mut Problems) -> Option<KeyRing> {
    let mut keys = Vec::new();
    for (index, secret) in raw.iter().enumerate() {
        match parse(&secret.0).and_then(|reference| read(&reference, environment)) {
            Ok(key) => keys.push(key),
            Err(message) => problems.add(format!("keys.secrets[{index}]"), message),
        }
    }
    if keys.len() < raw.len() {
        return None;
    }
    match KeyRing::new(keys) {
        Ok(ring) => Some(ring),
        Err(error) => {
            problems.add("keys.secrets", error.to_string());
            None
        }
    }
}

/// The names of the variables that `raw` refers to: they are no settings, whatever they are called.
pub(super) fn variables_named<'s>(raw: impl Iterator<Item = &'s RawSecret>) -> Vec<String> {
    let named = |secret: &RawSecret| match parse(&secret.0) {
        Ok(SecretRef::Variable(name)) => Some(name),
        Ok(SecretRef::File(_)) | Err(_) => None,
    };
    raw.filter_map(named).collect()
}

/// The credential that `raw` refers to: text, or bytes in hexadecimal if they are no text. Where it cannot be read,
/// nothing, and what is wrong under `path`.
pub(super) fn credential(
    path: &str,
    raw: &RawSecret,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<SecretString> {
    let text = parse(&raw.0).and_then(|reference| read_text(&reference, environment));
    text.map_err(|message| problems.add(path, message)).ok()
}

fn read_text(reference: &SecretRef, environment: &Environment) -> Result<SecretString, String> {
    let (bytes, place) = match reference {
        SecretRef::File(path) => (read_file(path)?, format!("the file {}", path.display())),
        SecretRef::Variable(name) => {
            let value = environment.get(name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
            (value.as_encoded_bytes().to_vec(), format!("the environment variable {name}"))
        }
    };
    let printable = |text: &&str| text.chars().all(|c| !c.is_control());
    let text = match std::str::from_utf8(bytes.trim_ascii()).ok().filter(printable) {
        Some(text) => text.to_owned(),
        // LND writes its macaroons as bytes.
        None => hex::encode(bytes),
    };
    if text.is_empty() { Err(format!("{place} is empty")) } else { Ok(text.into()) }
}

/// Reads the key in the file at `path`, which nobody but its owner may touch.
pub(super) fn read_key_file(path: &Path) -> Result<GatewayKey, String> {
    let bytes = read_file(path)?;
    parse_key(&bytes).ok_or_else(|| format!("the file {} does not hold 64 hexadecimal characters", path.display()))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("the file {} cannot be read: {error}", path.display());
    // Asked before opening, because opening a named pipe waits for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    let file = File::open(path).map_err(unreadable)?;
    // Asked of what was opened: the name may lead elsewhere by now.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "the file {} has mode {mode:04o}, so users other than its owner can get at the key; run `chmod 600` on it",
            path.display()
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file {} is larger than any secret, {MAX_FILE_BYTES} bytes", path.display()));
    }
    Ok(bytes)
}

fn parse(typed: &str) -> Result<SecretRef, String> {
    if let Some(name) = typed.strip_prefix("env:") {
        // A key may have been pasted where a name belongs; it must not come back in a message.
        if !is_variable_name(name) || looks_like_key(name) {
            return Err("`env:` must be followed by the name of an environment variable".into());
        }
        return Ok(SecretRef::Variable(name.into()));
    }
    if let Some(path) = typed.strip_prefix("file:") {
        if !path.starts_with('/') {
            return Err("`file:` must be followed by an absolute path".into());
        }
        return Ok(SecretRef::File(path.into()));
    }
    Err("a secret must not stand here itself: write `env:NAME` or `file:/path`, where it is kept".into())
}

fn read(reference: &SecretRef, environment: &Environment) -> Result<GatewayKey, String> {
    match reference {
        SecretRef::File(path) => read_key_file(path),
        SecretRef::Variable(name) => {
            let value = environment.get(name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
            parse_key(value.as_encoded_bytes())
                .ok_or_else(|| format!("the environment variable {name} does not hold 64 hexadecimal characters"))
        }
    }
}

fn parse_key(bytes: &[u8]) -> Option<GatewayKey> {
    let mut key = [0; 32];
    hex::decode_to_slice(bytes.trim_ascii(), &mut key).ok()?;
    Some(GatewayKey::new(key))
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn looks_like_key(text: &str) -> bool {
    text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn refusal(typed: &str, environment: &Environment) -> String {
        let mut problems = Problems::default();
        assert!(key_ring(&[RawSecret(typed.into())], environment, &mut problems).is_none());
        problems.into_errors(|_| None).to_string()
    }

    fn file(content: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_key_is_read_from_a_variable_and_from_a_file() {
        let kept = file(&format!("{HEX}\n"), 0o600);
        let environment = [("KEY", HEX.to_uppercase().replace('A', "B"))].into_iter().collect();
        let raw = [RawSecret("env:KEY".into()), RawSecret(format!("file:{}", kept.path().display()))];
        let mut problems = Problems::default();
        let ring = key_ring(&raw, &environment, &mut problems).unwrap();
        let mut bytes = [0; 32];
        hex::decode_to_slice(HEX, &mut bytes).unwrap();
        assert_eq!(ring.all()[1].fingerprint(), GatewayKey::new(bytes).fingerprint());
        assert_ne!(ring.newest().fingerprint(), ring.all()[1].fingerprint());
    }

    #[test]
    fn what_is_typed_in_place_of_a_reference_is_not_repeated() {
        for typed in [
            HEX.to_owned(),
            format!("env:{HEX}"),
            format!("env:{}", &HEX.to_uppercase()[20..60]),
            format!("file:{HEX}"),
        ] {
            let said = refusal(&typed, &Environment::default());
            assert!(said.starts_with("keys.secrets[0]: "), "{said}");
            assert!(!said.to_lowercase().contains("2233"), "{said}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let too_short = &HEX[1..];
        let environment = [("KEY", too_short)].into_iter().collect();
        let kept = file(too_short, 0o600);
        for typed in ["env:KEY".to_owned(), format!("file:{}", kept.path().display())] {
            let said = refusal(&typed, &environment);
            assert!(said.contains("does not hold 64 hexadecimal characters") && !said.contains("2233"), "{said}");
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let none = Environment::default();
        assert_eq!(refusal("env:KEY", &none), "keys.secrets[0]: the environment variable KEY is not set");
        assert!(refusal("file:/no/such/key", &none).contains("/no/such/key cannot be read"));
        assert!(refusal("file:/", &none).contains("is not a file"));
    }

    #[test]
    fn a_key_file_that_others_can_get_at_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let kept = file(HEX, mode);
            let said = refusal(&format!("file:{}", kept.path().display()), &Environment::default());
            assert!(said.contains(&format!("has mode {mode:04o}")) && said.contains("chmod 600"), "{said}");
        }
        let kept = file(HEX, 0o400);
        assert!(read_key_file(kept.path()).is_ok());
    }

    #[test]
    fn the_same_key_twice_is_refused() {
        let environment = [("A", HEX), ("B", HEX)].into_iter().collect();
        let mut problems = Problems::default();
        assert!(
            key_ring(&[RawSecret("env:A".into()), RawSecret("env:B".into())], &environment, &mut problems).is_none()
        );
        assert_eq!(problems.into_errors(|_| None).to_string(), "keys.secrets: the same key is listed twice");
    }
}
