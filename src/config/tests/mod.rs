//! Files and variables as an operator would write them, against what comes out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;

use super::*;

mod example;
mod refusals;

const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A variable that holds a good key.
const KEY: (&str, &str) = ("KEY", HEX);
const KEYS: &str = "[keys]\nsecrets = [\"env:KEY\"]\n";

struct TestFile {
    dir: tempfile::TempDir,
}

impl TestFile {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("satforge.toml"), text).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("satforge.toml")
    }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let environment = variables.iter().copied().chain([KEY]).collect();
    Config::load_in(&TestFile::new(text).path(), &environment)
}

fn dev(options: DevOptions, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::dev_in(options, &variables.iter().copied().collect())
}

/// Options with a data directory of their own, which is yet to be made.
fn dev_options(dir: &tempfile::TempDir) -> DevOptions {
    DevOptions { data_dir: Some(dir.path().join("data")), ..DevOptions::default() }
}

fn shape() -> shape::Shape {
    shape::Shape::new(Value::serialize(raw::RawConfig::serve()).unwrap())
}

#[test]
fn dev_needs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = dev(dev_options(&dir), &[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:4020".parse().unwrap());
    assert_eq!(config.metrics_listen, Some("127.0.0.1:0".parse().unwrap()));
    assert_eq!(config.limits.challenges, None);
    assert_eq!(config.log.format, LogFormat::Pretty);
    assert_eq!(config.keys.all().len(), 1);
    let again = dev(dev_options(&dir), &[]).unwrap();
    assert_eq!(config.keys.newest().fingerprint(), again.keys.newest().fingerprint());
}

#[test]
fn dev_keeps_its_data_below_the_working_directory() {
    assert_eq!(raw::RawConfig::dev().data_dir, PathBuf::from("./satforge-data"));
}

#[test]
fn the_command_line_wins_over_variables_and_these_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("SATFORGE_SERVER__LISTEN", "127.0.0.1:1"),
        ("SATFORGE_METRICS__LISTEN", "off"),
        ("SATFORGE_DATA_DIR", "/nowhere"),
        ("SATFORGE_LIMITS__CHALLENGES_PER_MINUTE", "7"),
    ];
    let options = DevOptions {
        listen: Some("0.0.0.0:2".parse().unwrap()),
        public_url: Some("http://satforge.test:2".into()),
        public_sandbox: true,
        ..dev_options(&dir)
    };
    let config = dev(options, &variables).unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:2".parse().unwrap());
    assert_eq!(config.server.public_url.as_deref(), Some("http://satforge.test:2"));
    assert_eq!(config.data_dir, dir.path().join("data"));
    assert!(config.sandbox.public);
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.limits.challenges, Some(ChallengeLimit { per_minute: 7, burst: 60 }));
}

#[test]
fn a_refused_dev_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let options = DevOptions { public_url: Some("nonsense".into()), ..dev_options(&dir) };
    let errors = dev(options, &[]).unwrap_err();
    assert_eq!(errors.to_string(), "server.public_url: this must begin with https:// or http://");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn dev_takes_configured_keys_instead_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("SATFORGE_KEYS__SECRETS", r#"["env:SATFORGE_OLD"]"#), ("SATFORGE_OLD", HEX)];
    dev(dev_options(&dir), &variables).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn serve_has_the_promised_defaults() {
    let config = load(KEYS, &[]).unwrap();
    assert_eq!(config.metrics_listen, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.limits.challenges, Some(ChallengeLimit { per_minute: 30, burst: 60 }));
    assert_eq!(config.waiting.keepalive_after, Some(Duration::from_secs(4)));
    assert_eq!(config.jobs.backoff_base, Duration::from_millis(500));
    assert_eq!(config.artifacts.retention, Duration::from_hours(7 * 24));
    let price = |id| config.service(id).unwrap().price;
    assert_eq!(price(ServiceId::Video), PriceRule::PerSecond(Msat::from_sat(100).unwrap()));
    assert_eq!(price(ServiceId::Model3d), PriceRule::Fixed(Msat::from_sat(350).unwrap()));
}

#[test]
fn loading_creates_nothing() {
    let file = TestFile::new(&format!("data_dir = \"DIR/data\"\n{KEYS}"));
    let text = std::fs::read_to_string(file.path()).unwrap().replace("DIR", file.dir.path().to_str().unwrap());
    std::fs::write(file.path(), text).unwrap();
    Config::load_in(&file.path(), &[KEY].into_iter().collect()).unwrap();
    assert_eq!(std::fs::read_dir(file.dir.path()).unwrap().count(), 1);
}

#[test]
fn variables_win_over_the_file_and_zero_switches_off() {
    let file = format!("{KEYS}[limits]\nchallenges_per_minute = 5\n[waiting]\nkeepalive_after_seconds = 0.2\n");
    let config = load(&file, &[]).unwrap();
    assert_eq!(config.limits.challenges, Some(ChallengeLimit { per_minute: 5, burst: 60 }));
    assert_eq!(config.waiting.keepalive_after, Some(Duration::from_millis(200)));
    let variables =
        [("SATFORGE_LIMITS__CHALLENGES_PER_MINUTE", "0"), ("SATFORGE_WAITING__KEEPALIVE_AFTER_SECONDS", "0")];
    let config = load(&file, &variables).unwrap();
    assert_eq!(config.limits.challenges, None);
    assert_eq!(config.waiting.keepalive_after, None);
}

#[test]
fn a_price_replaces_the_price_before_it() {
    let in_file = format!("{KEYS}[services.video]\nprice = {{ fixed = 9 }}\n");
    let price = |config: Config, id| config.service(id).unwrap().price;
    let sats = |sats| Msat::from_sat(sats).unwrap();
    assert_eq!(price(load(&in_file, &[]).unwrap(), ServiceId::Video), PriceRule::Fixed(sats(9)));
    let variable = [("SATFORGE_SERVICES__VIDEO__PRICE__PER_SECOND", "3")];
    assert_eq!(price(load(&in_file, &variable).unwrap(), ServiceId::Video), PriceRule::PerSecond(sats(3)));
    let variable = [("SATFORGE_SERVICES__3D_MODEL__PRICE__FIXED", "4")];
    assert_eq!(price(load(&in_file, &variable).unwrap(), ServiceId::Model3d), PriceRule::Fixed(sats(4)));
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let keys = shape().keys();
    let names: BTreeSet<String> = keys.iter().map(|key| environment::variable_name(key)).collect();
    assert_eq!(names.len(), keys.len());
    for key in keys {
        // A list of lists fits nowhere, so each variable is refused if it is read at all.
        let name = environment::variable_name(&key);
        let errors = match shape().default_of(&key) {
            Some(Value::String(..)) => continue,
            _ => load(KEYS, &[(&name, "[[true]]")]).unwrap_err(),
        };
        assert!(errors.0[0].path.starts_with(&key), "{errors}");
        assert!(errors.0[0].message.ends_with(&format!("(set by {name})")), "{errors}");
    }
}

#[test]
fn text_is_taken_as_it_is() {
    let variables = [("SATFORGE_DATA_DIR", "7"), ("SATFORGE_LOG__FILTER", "warn,satforge=debug")];
    let config = load(KEYS, &variables).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("7"));
    assert_eq!(config.log.filter, "warn,satforge=debug");
}

#[test]
fn lists_can_be_variables() {
    let config = load(KEYS, &[("SATFORGE_SERVER__TRUSTED_PROXIES", r#"["10.1.2.3/8", "::1"]"#)]).unwrap();
    let proxies: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
}
