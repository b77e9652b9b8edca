//! Files and variables as an operator would write them, against what comes out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;

use super::*;

mod example;
mod inputs;
mod limits;
mod money;
mod providers;
mod refusals;
mod routes;

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
    assert_eq!(config.limits.challenges, Some(RateLimit { per_minute: 7, burst: 60 }));
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
    assert_eq!(config.limits.challenges, Some(RateLimit { per_minute: 30, burst: 60 }));
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
    assert_eq!(config.limits.challenges, Some(RateLimit { per_minute: 5, burst: 60 }));
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
    let proxies = ("SATFORGE_SERVER__TRUSTED_PROXIES", r#"["10.1.2.3/8", "::1"]"#);
    let config = load(KEYS, &[proxies, ("SATFORGE_SANDBOX__PUBLIC", "true")]).unwrap();
    let proxies: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
}

/// The section of a backend, with a secret that is kept in `KEY`.
fn backend(lightning: &str) -> Result<Config, ConfigErrors> {
    load(&format!("{KEYS}\n[sandbox]\nrehearsal = true\n[lightning]\n{lightning}"), &[])
}

#[test]
fn a_backend_of_ones_own_is_for_real_money_unless_it_says_otherwise() {
    let section = "[lightning.lnd]\nurl = 'https://127.0.0.1:8080'\nmacaroon = 'env:KEY'";
    let config = backend(&format!("backend = 'lnd'\n{section}")).unwrap();
    assert!(config.lightning.is_real_money());
    let LightningBackendConfig::Lnd(lnd) = &config.lightning.backend else { panic!("another backend") };
    assert_eq!(lnd.url.as_str(), "https://127.0.0.1:8080/");
    assert!(!format!("{config:?}").contains(HEX), "{config:?}");
    let config = backend(&format!("backend = 'lnd'\nnetwork = 'signet'\n{section}")).unwrap();
    assert!(!config.lightning.is_real_money());
}

#[test]
fn simulated_work_is_not_sold_to_strangers_for_real_money() {
    let section = "backend = 'lnd'\n[lightning.lnd]\nurl = 'https://127.0.0.1:8080'\nmacaroon = 'env:KEY'\n";
    let serve = |rest: &str| load(&format!("{KEYS}\n[lightning]\n{section}{rest}"), &[]);
    let refused = |rest: &str| serve(rest).unwrap_err().to_string();
    assert!(refused("").starts_with("lightning.network: "), "{}", refused(""));
    assert!(serve("[sandbox]\nrehearsal = true").is_ok());
    let public = "[server]\nlisten = '0.0.0.0:4020'\npublic_url = 'https://a.example'\n";
    let said = refused(&format!("{public}[sandbox]\nrehearsal = true\npublic = true"));
    assert!(said.starts_with("server.listen: sandbox.rehearsal sells simulated work for real money"), "{said}");
    let test_money = format!("{KEYS}\n[lightning]\nnetwork = 'signet'\n{section}{public}");
    let said = load(&test_money, &[]).unwrap_err().to_string();
    assert!(said.contains("could pay with money of signet that is worth nothing"), "{said}");
    assert!(load(&format!("{test_money}[sandbox]\npublic = true"), &[]).is_ok());
}

#[test]
fn keys_do_not_cross_the_internet_in_the_clear() {
    let lnbits =
        |url: &str| backend(&format!("backend = 'lnbits'\n[lightning.lnbits]\nurl = '{url}'\ninvoice_key = 'env:KEY'"));
    for url in [
        "https://lnbits.example.com",
        "http://127.0.0.1:5000",
        "http://localhost:5000/lnbits",
        "http://lnbits:5000",
        "http://umbrel.local:3007",
        "http://192.168.1.7:5000",
        "http://100.101.102.103:5000",
        "http://[fd00::7]:5000",
        "http://[::1]:5000",
    ] {
        assert!(lnbits(url).is_ok(), "{url}");
    }
    for url in [
        "http://lnbits.example.com",
        "http://8.8.8.8:5000",
        "http://[2001:db8::1]:5000",
        "ftp://127.0.0.1",
        "127.0.0.1:5000",
        "https://user:pass@127.0.0.1",
        "https://127.0.0.1/?usr=c0ffee",
    ] {
        let said = lnbits(url).unwrap_err().to_string();
        assert!(said.starts_with("lightning.lnbits.url: ") && !said.contains("c0ffee"), "{url}: {said}");
    }
}

#[test]
fn a_wallet_that_tells_strangers_preimages_has_to_confirm_payments() {
    let lnbits = "backend = 'lnbits'\n[lightning.lnbits]\nurl = 'http://127.0.0.1:5000'\ninvoice_key = 'env:KEY'";
    assert!(backend(lnbits).unwrap().lightning.require_settled);
    assert!(!backend(&format!("require_settled = false\n{lnbits}")).unwrap().lightning.require_settled);
    let address = "backend = 'lightning_address'\n[lightning.lightning_address]\naddress = 'You@Example.com'";
    assert!(!backend(address).unwrap().lightning.require_settled);
    assert!(backend(&format!("require_settled = true\n{address}")).is_err());
}

#[test]
fn what_a_backend_needs_is_asked_for() {
    for (name, missing) in [
        ("lnd", &["url", "macaroon"][..]),
        ("cln", &["url", "rune"]),
        ("phoenixd", &["password", "url"]),
        ("lnbits", &["url", "invoice_key"]),
        ("blink", &["api_key"]),
        ("opennode", &["api_key"]),
        ("nwc", &["uri"]),
        ("lightning_address", &["address"]),
    ] {
        let errors = backend(&format!("backend = '{name}'")).unwrap_err();
        let found: Vec<_> = errors.0.iter().map(|error| error.path.clone()).collect();
        let expected: Vec<_> = missing.iter().map(|key| format!("lightning.{name}.{key}")).collect();
        assert_eq!(found, expected, "{errors}");
    }
}

#[test]
fn a_macaroon_may_be_kept_as_lnd_writes_it() {
    let kept = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kept.path(), [2, 1, 3, 0xff, 0]).unwrap();
    let section = format!("[lightning.lnd]\nurl = 'https://127.0.0.1'\nmacaroon = 'file:{}'", kept.path().display());
    let config = backend(&format!("backend = 'lnd'\n{section}")).unwrap();
    let LightningBackendConfig::Lnd(lnd) = &config.lightning.backend else { panic!("another backend") };
    assert_eq!(secrecy::ExposeSecret::expose_secret(&lnd.macaroon), "020103ff00");
}
