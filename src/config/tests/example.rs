//! `satforge.example.toml` says what is true.

use super::*;
use crate::config::raw::{RawProvider, RawRoute};
use crate::config::tables::Tables;

const EXAMPLE: &str = include_str!("../../../satforge.example.toml");
const EXAMPLE_KEY: &str = "file:/etc/satforge/gateway.key";

/// What the blocks of providers need besides: a public URL for images, and invoices that buy real work.
const SHOP: &str = "
    [server]
    public_url = 'https://api.example.com'
    [lightning]
    backend = 'lnbits'
    [lightning.lnbits]
    url = 'http://127.0.0.1:5000'
    invoice_key = 'env:KEY'
";
const SECRETS: [(&str, &str); 7] = [
    ("REPLICATE_API_TOKEN", "r8_0"),
    ("REPLICATE_WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"),
    ("FAL_KEY", "a:b"),
    ("OPENROUTER_API_KEY", "sk-or-0"),
    ("COG_WEBHOOK_TOKEN", "c0ffee"),
    ("MESHY_API_KEY", "msy_0"),
    ("TRIPO_API_KEY", "tsk_0"),
];

/// `text` with the keys and sections that it shows as comments.
fn uncommented(text: &str) -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(uncomment).collect()
}

/// The blocks of providers, uncommented. Empty lines in twos stand between them.
fn blocks() -> Vec<String> {
    let blocks = EXAMPLE.split("\n\n\n").filter(|block| block.contains("\n#[providers.") || block.starts_with("#["));
    blocks.map(uncommented).collect()
}

fn load_block(block: &str) -> Config {
    let loaded = load(&format!("{SHOP}{block}{KEYS}"), &SECRETS);
    loaded.unwrap_or_else(|errors| panic!("{errors}\n{block}"))
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
fn each_block_of_a_provider_is_a_whole_example() {
    let mut kinds = BTreeSet::new();
    for block in blocks() {
        let config = load_block(&block);
        assert!(!config.providers.is_empty() && !config.routes.is_empty(), "{block}");
        for account in &config.providers {
            kinds.insert(account.kind.name());
            assert!(config.routes.iter().any(|route| route.provider == account.name), "{block}");
        }
    }
    assert_eq!(kinds, ["cog", "fal", "meshy", "openrouter", "replicate", "tripo", "videos"].into());
}

#[test]
fn cog_can_be_tried_without_real_money() {
    let block = blocks().into_iter().find(|block| block.contains("kind = \"cog\"")).unwrap();
    let config = load(&format!("{block}{KEYS}"), &SECRETS).unwrap();
    assert!(ServiceId::ALL.iter().all(|id| !config.simulated(*id)));
}

#[test]
fn what_it_calls_a_default_of_a_provider_or_a_route_is_one() {
    let defaults = [
        ("replicate", "url"),
        ("replicate", "requests_per_second"),
        ("replicate", "timeout_seconds"),
        ("replicate", "poll_interval_seconds"),
        ("replicate", "name"),
        ("replicate", "result"),
        ("replicate", "price_factor"),
        ("replicate", "concurrency"),
        ("replicate", "ambiguous"),
        ("fal", "jwks_url"),
        ("fal", "platform_url"),
    ];
    let shown = |config: Config| format!("{:?} {:?}", config.providers, config.routes);
    for (kind, key) in defaults {
        let block = blocks().into_iter().find(|block| block.contains(&format!("kind = \"{kind}\""))).unwrap();
        let (line, assignment) = (format!("\n{key} = "), |line: &str| line.starts_with(&format!("{key} = ")));
        assert!(block.contains(&line), "{key}");
        let without: Vec<&str> = block.lines().filter(|line| !assignment(line)).collect();
        let without = without.join(
            "
",
        ) + "
";
        assert_eq!(shown(load_block(&block)), shown(load_block(&without)), "{key}");
    }
}

#[test]
fn it_shows_every_key() {
    let shown: toml::Table = toml::from_str(&uncommented(EXAMPLE)).unwrap();
    let shown = Value::serialize(shown).unwrap();
    for key in shape().keys() {
        // A price is shown in one of its forms.
        let place = key.strip_suffix(".fixed").or_else(|| key.strip_suffix(".per_second")).unwrap_or(&key);
        assert!(shown.find_ref(place).is_some(), "{key} is not documented");
    }
    let accounts: Vec<_> = shown.find_ref("providers").unwrap().as_dict().unwrap().values().collect();
    let routes = ["services.video.routes", "services.3d-model.routes"];
    let routes = routes.map(|path| shown.find_ref(path).unwrap().as_array().unwrap()).into_iter().flatten().collect();
    for (known, all) in [
        (Value::serialize(RawProvider::default()).unwrap(), accounts),
        (Value::serialize(RawRoute::default()).unwrap(), routes),
    ] {
        for key in shape::Shape::new(known).keys() {
            assert!(all.iter().any(|table: &&Value| table.find_ref(&key).is_some()), "{key} is not documented");
        }
    }
}

#[test]
fn every_key_in_it_is_known_and_explained() {
    let mut shown: toml::Table = toml::from_str(&uncommented(EXAMPLE)).unwrap();
    shown.remove("keys");
    let mut shown = Value::serialize(shown).unwrap();
    let mut problems = error::Problems::default();
    Tables::take(&mut shown).read_into(&mut raw::RawConfig::serve(), &mut problems);
    shape().remove_unknown(&mut shown, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    // Keys of providers and routes are explained where they stand first.
    let mut explained = BTreeSet::new();
    let (mut section, mut above) = ("", "");
    for line in EXAMPLE.lines() {
        let shown = line.trim_start_matches('#');
        if shown.starts_with('[') {
            section = if shown.starts_with("[providers.") { "provider" } else { "route" };
            section = if shown.starts_with("[[") || section == "provider" { section } else { "" };
        } else if shown.starts_with(|c: char| c.is_ascii_lowercase()) {
            let key = (section, shown.split(" =").next().unwrap());
            let again = !section.is_empty() && explained.contains(&key);
            assert!(again || above.starts_with("# "), "no comment above {line}");
            explained.insert(key);
        }
        above = line;
    }
}
