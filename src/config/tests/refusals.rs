//! What is refused, under which path, and that nothing secret is repeated.

use super::*;

/// The paths and messages of what is wrong with `file`, to which a good key is added.
fn refused(file: &str) -> ConfigErrors {
    load(&format!("{file}\n{KEYS}"), &[]).unwrap_err()
}

pub(super) fn paths(errors: &ConfigErrors) -> Vec<&str> {
    errors.0.iter().map(|error| error.path.as_str()).collect()
}

#[test]
fn what_cannot_be_is_refused_under_its_key() {
    for (file, path) in [
        ("data_dir = ''", "data_dir"),
        ("data_dir = '/dev/null'", "data_dir"),
        ("[server]\nlisten = 'localhost'", "server.listen"),
        ("[server]\nlisten = '0.0.0.0:1'\npublic_url = 'https://a.example'", "server.listen"),
        ("[server]\nlisten = '0.0.0.0:1'\n[sandbox]\npublic = true", "server.public_url"),
        ("[server]\npublic_url = 'https://a.example/'", "server.public_url"),
        ("[server]\ntls_certificate = 'Cargo.toml'", "server.tls_private_key"),
        ("[server]\ntls_private_key = 'Cargo.toml'", "server.tls_certificate"),
        ("[server]\ntls_private_key = 'Cargo.toml'\ntls_certificate = '/no/such'", "server.tls_certificate"),
        ("[server]\ntls_private_key = 'src'\ntls_certificate = 'Cargo.toml'", "server.tls_private_key"),
        (
            "[server]\ntls_private_key = 'Cargo.toml'\ntls_certificate = 'Cargo.toml'\npublic_url = 'http://a.example'",
            "server.public_url",
        ),
        ("[server]\ntrusted_proxies = ['10.0.0.1', 'proxy']", "server.trusted_proxies[1]"),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", "server.trusted_proxies[0]"),
        ("[metrics]\nlisten = 'on'", "metrics.listen"),
        ("[metrics]\nlisten = '127.0.0.1:4020'", "metrics.listen"),
        ("[metrics]\nlisten = '0.0.0.0:4020'", "metrics.listen"),
        ("[log]\nfilter = 'satforge=loud'", "log.filter"),
        ("[log]\nfilter = ''", "log.filter"),
        ("[log]\nformat = 'xml'", "log.format"),
        ("[lightning]\nbackend = 'fedimint'", "lightning.backend"),
        ("[lightning]\ninvoice_expiry_seconds = 59.9", "lightning.invoice_expiry_seconds"),
        ("[lightning]\ninvoice_expiry_seconds = 86401", "lightning.invoice_expiry_seconds"),
        ("[lightning]\ninvoice_timeout_seconds = nan", "lightning.invoice_timeout_seconds"),
        ("[jobs]\nlease_seconds = inf", "jobs.lease_seconds"),
        ("[jobs]\nlease_seconds = -1", "jobs.lease_seconds"),
        ("[jobs]\nbackoff_base_seconds = 31", "jobs.backoff_max_seconds"),
        ("[waiting]\nhold_seconds = 3.9", "waiting.hold_seconds"),
        ("[limits]\nchallenge_burst = 0", "limits.challenge_burst"),
        (
            "[server]\nlisten = '0.0.0.0:1'\npublic_url = 'https://a.example'\n[sandbox]\npublic = true\n[callbacks]\nallow_private = true",
            "callbacks.allow_private",
        ),
        ("[limits]\nbody_memory_bytes = 16777215", "limits.body_memory_bytes"),
        ("[services.video]\nprice = { fixed = 0 }", "services.video.price.fixed"),
        ("[lightning]\nnetwork = 'bitcoin'", "lightning.network"),
        ("[lightning]\nnetwork = 'mainnet'", "lightning.network"),
        ("[lightning]\npayee = '02abc'", "lightning.payee"),
        ("[lightning]\nconcurrency = 0", "lightning.concurrency"),
        ("[lightning.pool]\nmax_age_seconds = 601", "lightning.pool.max_age_seconds"),
        ("[lightning.pool]\nsize = 1001", "lightning.pool.size"),
        ("[services.video]\nprice = { fixed = 1, per_second = 1 }", "services.video.price"),
        ("[services.video]\nprice = {}", "services.video.price"),
        ("[services.video]\nprice = { fixed = 2100000000000001 }", "services.video.price.fixed"),
        ("[services.video]\nprice = { per_second = 210000000000001 }", "services.video.price.per_second"),
        ("[services.video]\nprice = { fixed = 0.5 }", "services.video.price.fixed"),
        ("[services.video]\nprice = 5", "services.video.price"),
        ("[services.3d-model]\nprice = { per_second = 1 }", "services.3d-model.price.per_second"),
        ("[services.3d-model]\nbody_limit_bytes = 67108865", "services.3d-model.body_limit_bytes"),
        ("[services.video]\nbody_limit_bytes = 2255", "services.video.body_limit_bytes"),
        ("[services.video]\nmodels = []", "services.video.models"),
        ("[services.video]\nmodels = ['a', ' b']", "services.video.models[1]"),
        ("[services.video]\nmodels = ['a', 'a']", "services.video.models[1]"),
    ] {
        let errors = refused(file);
        assert_eq!(paths(&errors), [path], "{file}\n{errors}");
    }
}

#[test]
fn private_callbacks_end_where_a_public_url_begins() {
    for (url, refusals) in [("https://a.example", 1), ("http://127.0.0.1:4020", 0)] {
        let file = format!("[server]\npublic_url = '{url}'\n[callbacks]\nallow_private = true\n{KEYS}");
        let errors = load(&file, &[]).err().map_or(0, |errors| {
            assert_eq!(paths(&errors), ["callbacks.allow_private"]);
            errors.0.len()
        });
        assert_eq!(errors, refusals, "{url}");
    }
}

/// Whoever rehearses has their own wallet, and perhaps their own receiver, on the machine that they rehearse on.
#[test]
fn a_rehearsal_may_go_to_private_addresses_while_nobody_else_comes() {
    let paid = "[lightning]\nbackend = 'lnd'\n[lightning.lnd]\nurl = 'https://127.0.0.1:8080'\nmacaroon = 'env:KEY'\n";
    let rehearsal = "[sandbox]\nrehearsal = true\n";
    let allow = "[callbacks]\nallow_private = true\n";
    let config = load(&format!("{KEYS}{paid}{rehearsal}{allow}"), &[]).unwrap();
    assert!(config.callbacks.allow_private && config.refunds.allow_private_addresses);
    let config = load(&format!("{KEYS}{paid}{rehearsal}"), &[]).unwrap();
    assert!(!config.callbacks.allow_private && !config.refunds.allow_private_addresses);
    let public = "[server]\npublic_url = 'https://a.example'\n";
    assert_eq!(paths(&refused(&format!("{public}{paid}{rehearsal}{allow}"))), ["callbacks.allow_private"]);
    assert!(paths(&refused(&format!("{paid}{allow}"))).contains(&"callbacks.allow_private"));
}

/// A good section for a bucket, but for `line`, which stands for its key's.
fn bucket(line: &str) -> String {
    let good = [
        "url = 's3://results/a/b'",
        "endpoint = 'https://s3.example.com'",
        "access_key_id = 'env:KEY'",
        "secret_access_key = 'env:KEY'",
    ];
    let key = line.split(' ').next();
    let kept: Vec<&str> = good.into_iter().filter(|good| good.split(' ').next() != key).collect();
    format!("[artifacts]\n{}\n{}", kept.join("\n"), if line.contains('=') { line } else { "" })
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_under_its_key() {
    for (line, path) in [
        ("url = 'file:///srv/results'", "artifacts.url"),
        ("url = 's3://'", "artifacts.url"),
        ("url = 's3://Results'", "artifacts.url"),
        ("url = 's3://results//a'", "artifacts.url"),
        ("url = 's3://results/../a'", "artifacts.url"),
        ("url = 's3://user:c0ffee@results'", "artifacts.url"),
        ("endpoint = 's3.example.com'", "artifacts.endpoint"),
        ("endpoint = 'http://s3.example.com'", "artifacts.endpoint"),
        ("endpoint = 'https://s3.example.com/results'", "artifacts.endpoint"),
        ("endpoint = 'https://a:c0ffee@s3.example.com'", "artifacts.endpoint"),
        ("endpoint = 'https://10.0.0.1'\npath_style = false", "artifacts.path_style"),
        ("region = ''", "artifacts.region"),
        ("region = 'a/b'", "artifacts.region"),
        ("access_key_id", "artifacts.access_key_id"),
        ("secret_access_key", "artifacts.secret_access_key"),
        ("secret_access_key = 'c0ffee'", "artifacts.secret_access_key"),
        ("redirect_seconds = 9", "artifacts.redirect_seconds"),
        ("redirect_seconds = 604801", "artifacts.redirect_seconds"),
        ("serve = 'both'", "artifacts.serve"),
    ] {
        let errors = refused(&bucket(line));
        assert!(paths(&errors).contains(&path) && errors.0.len() <= 2, "{line}\n{errors}");
        assert!(!errors.to_string().contains("c0ffee"), "{errors}");
    }
    for (line, path) in [
        ("endpoint = 'https://s3.example.com'", "artifacts.endpoint"),
        ("access_key_id = 'env:KEY'", "artifacts.access_key_id"),
        ("secret_access_key = 'env:KEY'", "artifacts.secret_access_key"),
        ("serve = 'redirect'", "artifacts.serve"),
    ] {
        assert_eq!(paths(&refused(&format!("[artifacts]\n{line}"))), [path]);
    }
}

#[test]
fn the_edges_of_what_can_be_are_accepted() {
    for file in [
        "[server]\nlisten = '0.0.0.0:1'\npublic_url = 'https://a.example'\n[sandbox]\npublic = true",
        "[server]\nlisten = '[::1]:4020'\n[metrics]\nlisten = '127.0.0.1:4020'",
        "[server]\nlisten = '127.0.0.1:0'\n[metrics]\nlisten = '127.0.0.1:0'",
        "[lightning]\ninvoice_expiry_seconds = 60\n[waiting]\nhold_seconds = 4",
        "[limits]\nchallenge_burst = 0\nchallenges_per_minute = 0",
        "[limits]\nbody_memory_bytes = 16777216",
        "[services.video]\nprice = { fixed = 2100000000000000 }\nbody_limit_bytes = 2256",
        "[services.video]\nprice = { per_second = 210000000000000 }",
        &bucket("endpoint = 'http://127.0.0.1:9000'"),
        &bucket("endpoint = 'https://s3.example.com'\npath_style = false\nserve = 'redirect'"),
        &bucket("url = 's3://results'"),
        &bucket("endpoint"),
    ] {
        let loaded = load(&format!("{file}\n{KEYS}"), &[]);
        assert!(loaded.is_ok(), "{file}\n{}", loaded.unwrap_err());
    }
}

#[test]
fn everything_is_said_at_once() {
    let file = "
        datadir = '.'
        [server]
        listen = 4020
        max_connections = 'many'
        [services.video]
        price = { fixed = 0 }
        modles = []
        [services.music]
        price = { fixed = 1 }
        [keys]
        secrets = ['env:NOT_SET']
    ";
    let errors = load(file, &[("SATFORGE_JOBS__CONCURRENCY", "0"), ("SATFORGE_JOBS__LEASE", "9")]).unwrap_err();
    let lines: Vec<String> = errors.to_string().lines().map(ToOwned::to_owned).collect();
    assert_eq!(
        lines,
        [
            "datadir: there is no such key; did you mean `data_dir`?",
            "services.music: there is no such key",
            "services.video.modles: there is no such key; did you mean `services.video.models`?",
            "server.listen: this must be a string, but is a whole number",
            "server.max_connections: this must be a whole number, 0 or more, but is a string",
            "SATFORGE_JOBS__LEASE: there is no such setting",
            "services.video.price.fixed: there is no invoice for nothing: a price is at least 1 sat",
            "jobs.concurrency: this must lie between 1 and 10000, but is 0 (set by SATFORGE_JOBS__CONCURRENCY)",
            "keys.secrets[0]: the environment variable NOT_SET is not set",
        ]
    );
}

#[test]
fn a_key_in_the_wrong_section_is_recognised() {
    let said = |file: &str| refused(file).to_string();
    assert!(said("hold_seconds = 1").ends_with("did you mean `waiting.hold_seconds`?"));
    assert!(said("[server]\ndata_dir = '.'").ends_with("did you mean `data_dir`?"));
    assert!(said("[services.3d_model]\nmax_side = 1").ends_with("did you mean `services.3d-model`?"));
    assert!(said("[colour]\nred = 1").ends_with("there is no such key"));
}

#[test]
fn a_section_that_is_none_is_refused() {
    let errors = refused("limits = 5\nlog = []\nsandbox = 'yes'");
    assert_eq!(paths(&errors), ["limits", "log", "sandbox"]);
    assert!(errors.0[0].message.contains("must be a section, but is a whole number"), "{errors}");
}

#[test]
fn unknown_variables_are_refused_unless_they_hold_a_secret() {
    let errors = load(KEYS, &[("SATFORGE_LIMITS__CHALENGES_PER_MINUTE", "0")]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "SATFORGE_LIMITS__CHALENGES_PER_MINUTE: there is no such setting; \
         did you mean `SATFORGE_LIMITS__CHALLENGES_PER_MINUTE`?"
    );
    let file = "[keys]\nsecrets = ['env:SATFORGE_KEY', 'env:SATFORGE_KEYS']";
    let other = HEX.replace("00", "11");
    let variables = [("SATFORGE_KEY", HEX), ("SATFORGE_KEYS", other.as_str())];
    assert_eq!(load(file, &variables).unwrap().keys.all().len(), 2);
    assert_eq!(paths(&load(KEYS, &variables).unwrap_err()), ["SATFORGE_KEY", "SATFORGE_KEYS"]);
}

#[test]
fn a_secret_typed_in_the_wrong_place_is_not_repeated() {
    let key = HEX;
    for file in [
        format!("[keys]\nsecrets = ['{key}']"),
        format!("[keys]\nsecrets = '{key}'"),
        format!("[keys]\nsecrets = [[\"{key}\"]]"),
        format!("[keys]\nsecrets = {{ key = '{key}' }}"),
        format!("keys = '{key}'"),
        format!("[keys]\nsecret = '{key}'"),
        format!("[keys]\nsecrets = [{key}]"),
        format!("[keys]\nsecrets = ['{key}"),
        format!("[keys]\nsecrets = [1122334455]\n{KEYS}"),
        format!("[server]\nmax_connections = '{key}'\npublic_url = 'https://u:{key}@a.example'"),
        format!("[log]\nformat = '{key}'"),
    ] {
        for variables in [&[][..], &[("SATFORGE_KEYS__SECRETS", key)]] {
            let errors = load(&file, variables).unwrap_err();
            let said = format!("{errors} {errors:?}");
            assert!(!said.contains("2233"), "{said}");
        }
    }
}

#[test]
fn without_a_key_nothing_is_served() {
    let errors = load("", &[]).unwrap_err();
    assert_eq!(errors.to_string(), "keys.secrets: at least one key is needed");
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let file = TestFile::new("data_dir = '.'\n[log]\n  format = pretty\n");
    let errors = Config::load_in(&file.path(), &Environment::default()).unwrap_err();
    assert_eq!(errors.0[0].path, file.path().display().to_string());
    assert!(errors.0[0].message.starts_with("line 3, column 12: "), "{errors}");
    let missing = file.dir.path().join("missing.toml");
    let errors = Config::load_in(&missing, &Environment::default()).unwrap_err();
    assert!(errors.to_string().contains("missing.toml: the file cannot be read"), "{errors}");
}

#[test]
fn the_command_line_is_not_taken_for_a_variable() {
    let dir = tempfile::tempdir().unwrap();
    let options = DevOptions { listen: Some("0.0.0.0:1".parse().unwrap()), ..dev_options(&dir) };
    let errors = dev(options, &[("SATFORGE_SERVER__LISTEN", "127.0.0.1:1")]).unwrap_err();
    assert_eq!(paths(&errors), ["server.listen"]);
    assert!(errors.0[0].message.contains("--public-sandbox") && !errors.0[0].message.contains("SATFORGE_"), "{errors}");
}
