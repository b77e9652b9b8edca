//! `satforge.example.toml` says what is true.

use super::*;

const EXAMPLE: &str = include_str!("../../../satforge.example.toml");
const EXAMPLE_KEY: &str = "file:/etc/satforge/gateway.key";

/// The example with the keys that it shows as comments.
fn with_commented_keys() -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(uncomment).collect()
}

#[test]
fn it_loads() {
    let file = TestFile::new("");
    let key = file.dir.path().join("gateway.key");
    std::fs::write(&key, HEX).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = EXAMPLE.replace(EXAMPLE_KEY, &format!("file:{}", key.display()));
    std::fs::write(file.path(), text).unwrap();
    Config::load_in(&file.path(), &Environment::default()).unwrap();
}

#[test]
fn its_values_are_the_defaults() {
    let mut shown: raw::RawConfig = toml::from_str(EXAMPLE).unwrap();
    let secrets = std::mem::take(&mut shown.keys.secrets);
    assert_eq!(shown, raw::RawConfig::serve());
    assert!(secrets == [raw::RawSecret(EXAMPLE_KEY.into())]);
}

#[test]
fn it_shows_every_key() {
    let shown: toml::Table = toml::from_str(&with_commented_keys()).unwrap();
    let shown = Value::serialize(shown).unwrap();
    for key in shape().keys() {
        // A price is shown in one of its forms.
        let place = key.strip_suffix(".fixed").or_else(|| key.strip_suffix(".per_second")).unwrap_or(&key);
        assert!(shown.find_ref(place).is_some(), "{key} is not documented");
    }
}

#[test]
fn every_key_in_it_is_known_and_explained() {
    let mut shown: toml::Table = toml::from_str(&with_commented_keys()).unwrap();
    shown.remove("keys");
    let mut problems = error::Problems::default();
    shape().remove_unknown(&mut Value::serialize(shown).unwrap(), &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for pair in lines.windows(2) {
        let is_key = pair[1].trim_start_matches('#').starts_with(|c: char| c.is_ascii_lowercase());
        assert!(!is_key || pair[0].starts_with("# "), "no comment above {}", pair[1]);
    }
}
