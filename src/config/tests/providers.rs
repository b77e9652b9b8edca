//! `[providers.NAME]`: what comes out, and what is refused under which path.

use secrecy::ExposeSecret as _;

use super::*;

const SECRETS: [(&str, &str); 4] = [
    ("TOKEN", "c0ffee-token"),
    ("FAL_KEY", "c0ffee:c0ffee"),
    ("WHSEC", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"),
    ("COG", "c0ffee-cog"),
];

pub(super) fn serve(file: &str) -> Result<Config, ConfigErrors> {
    load(&format!("{file}\n{KEYS}"), &SECRETS)
}

/// The paths of everything that is wrong with `file`.
pub(super) fn refused(file: &str) -> Vec<String> {
    let errors = serve(file).unwrap_err();
    assert!(!format!("{errors} {errors:?}").contains("c0ffee"), "{errors}");
    errors.0.into_iter().map(|error| error.path).collect()
}

/// What is said about `file`.
pub(super) fn said(file: &str) -> String {
    serve(file).unwrap_err().to_string()
}

fn account(section: &str) -> ProviderConfig {
    let config = serve(&format!("[providers.x]\n{section}")).unwrap();
    config.provider("x").unwrap().clone()
}

#[test]
fn each_kind_has_defaults_of_its_own() {
    for (section, url, rate, pause) in [
        ("kind = 'replicate'\napi_key = 'env:TOKEN'", "https://api.replicate.com/v1", 20.0, 3),
        ("kind = 'fal'\napi_key = 'env:FAL_KEY'", "https://queue.fal.run/", 10.0, 2),
        ("kind = 'openrouter'\napi_key = 'env:TOKEN'", "https://openrouter.ai/api/v1", 5.0, 15),
        ("kind = 'videos'\nurl = 'http://127.0.0.1:8091'", "http://127.0.0.1:8091/", 20.0, 2),
        ("kind = 'cog'\nurl = 'http://127.0.0.1:5301'\nwebhook_secret = 'env:COG'", "http://127.0.0.1:5301/", 50.0, 1),
        ("kind = 'meshy'\napi_key = 'env:TOKEN'", "https://api.meshy.ai/", 10.0, 5),
        ("kind = 'tripo'\napi_key = 'env:TOKEN'", "https://openapi.tripo3d.ai/", 10.0, 3),
    ] {
        let account = account(section);
        assert!(section.contains(account.kind.name()), "{account:?}");
        assert_eq!(account.url.as_str(), url);
        assert!((account.requests_per_second - rate).abs() < f64::EPSILON, "{section}");
        assert_eq!(account.poll_interval, Duration::from_secs(pause), "{section}");
        assert_eq!(account.timeout, Duration::from_secs(30));
        assert_eq!(account.near, url.contains("127.0.0.1"), "{section}");
        assert_eq!(account.bills(), !account.near, "{section}");
        assert!(account.result_hosts.is_empty() && account.gateway_url.is_none());
    }
}

#[test]
fn everything_can_be_said() {
    let account = account(
        "kind = 'fal'\napi_key = 'env:FAL_KEY'\nurl = 'https://queue.example'\nrequests_per_second = 1\n\
         timeout_seconds = 5\npoll_interval_seconds = 0.5\nresult_hosts = ['*.example.com', '192.0.2.1:8000', '[::1]']\n\
         gateway_url = 'https://gateway.example'\njwks_url = 'https://keys.example/jwks'\n\
         platform_url = 'https://api.example/v1'",
    );
    assert_eq!(account.url.as_str(), "https://queue.example/");
    assert_eq!((account.timeout, account.poll_interval), (Duration::from_secs(5), Duration::from_millis(500)));
    assert_eq!(account.result_hosts, ["*.example.com", "192.0.2.1:8000", "[::1]"]);
    assert_eq!(account.gateway_url.as_deref(), Some("https://gateway.example"));
    let ProviderKind::Fal { api_key, jwks_url, platform_url } = &account.kind else { panic!("another kind") };
    assert_eq!(api_key.expose_secret(), "c0ffee:c0ffee");
    assert_eq!((jwks_url.as_str(), platform_url.as_str()), ("https://keys.example/jwks", "https://api.example/v1"));
    assert!(!format!("{account:?}").contains("c0ffee"), "{account:?}");
}

#[test]
fn what_a_kind_needs_is_asked_for_and_what_it_has_no_use_for_refused() {
    let all = ["api_key", "gateway_url", "jwks_url", "platform_url", "url", "webhook_secret"];
    for (kind, needed, used) in [
        ("replicate", &["api_key"][..], &["api_key", "gateway_url", "url", "webhook_secret"][..]),
        ("fal", &["api_key"], &["api_key", "gateway_url", "jwks_url", "platform_url", "url"]),
        ("openrouter", &["api_key"], &["api_key", "gateway_url", "url", "webhook_secret"]),
        ("videos", &["url"], &["api_key", "url"]),
        ("cog", &["url", "webhook_secret"], &["gateway_url", "url", "webhook_secret"]),
        ("meshy", &["api_key"], &["api_key", "gateway_url", "url"]),
        ("tripo", &["api_key"], &["api_key", "url"]),
    ] {
        let paths = |keys: Vec<&str>| keys.iter().map(|key| format!("providers.x.{key}")).collect::<BTreeSet<_>>();
        let nothing = refused(&format!("[providers.x]\nkind = '{kind}'"));
        assert_eq!(BTreeSet::from_iter(nothing), paths(needed.to_vec()), "{kind}");
        let key = if kind == "fal" { "env:FAL_KEY" } else { "env:TOKEN" };
        let everything = format!(
            "[providers.x]\nkind = '{kind}'\napi_key = '{key}'\nwebhook_secret = 'env:WHSEC'\nurl = 'https://a.example'\n\
             gateway_url = 'https://b.example'\njwks_url = 'https://c.example'\nplatform_url = 'https://d.example'"
        );
        let useless = all.into_iter().filter(|key| !used.contains(key)).collect();
        assert_eq!(BTreeSet::from_iter(refused(&everything)), paths(useless), "{kind}");
    }
}

#[test]
fn what_cannot_be_is_refused_under_its_key() {
    let replicate = "[providers.r]\nkind = 'replicate'\napi_key = 'env:TOKEN'\n";
    for (file, path) in [
        ("[providers.r]\napi_key = 'env:TOKEN'".to_owned(), "providers.r.kind"),
        ("[providers.r]\nkind = 'runway'".to_owned(), "providers.r.kind"),
        ("[providers.r]\nkind = 'replicate'\napi_key = 'c0ffee'".to_owned(), "providers.r.api_key"),
        ("[providers.r]\nkind = 'replicate'\napi_key = 'env:NOT_SET'".to_owned(), "providers.r.api_key"),
        ("[providers.r]\nkind = 'fal'\napi_key = 'env:TOKEN'".to_owned(), "providers.r.api_key"),
        ("[providers.sandbox]\nkind = 'replicate'\napi_key = 'env:TOKEN'".to_owned(), "providers.sandbox"),
        ("[providers.R]\nkind = 'replicate'\napi_key = 'env:TOKEN'".to_owned(), "providers.R"),
        ("[providers.'']\nkind = 'replicate'\napi_key = 'env:TOKEN'".to_owned(), "providers."),
        ("providers = 5".to_owned(), "providers"),
        ("[[providers]]\nkind = 'replicate'".to_owned(), "providers"),
        ("[providers]\nreplicate = 'env:TOKEN'".to_owned(), "providers.replicate"),
        ("[provider.r]\nkind = 'replicate'".to_owned(), "provider"),
        (format!("{replicate}apikey = 'c0ffee'"), "providers.r.apikey"),
        (format!("{replicate}webhook_secret = 'env:TOKEN'"), "providers.r.webhook_secret"),
        (format!("{replicate}url = 'http://api.example'"), "providers.r.url"),
        (format!("{replicate}url = 'https://u:c0ffee@api.example'"), "providers.r.url"),
        (format!("{replicate}gateway_url = 'https://a.example/'"), "providers.r.gateway_url"),
        (format!("{replicate}requests_per_second = 0"), "providers.r.requests_per_second"),
        (format!("{replicate}timeout_seconds = inf"), "providers.r.timeout_seconds"),
        (format!("{replicate}timeout_seconds = '5'"), "providers.r.timeout_seconds"),
        (format!("{replicate}poll_interval_seconds = 0"), "providers.r.poll_interval_seconds"),
        (format!("{replicate}result_hosts = '*.example.com'"), "providers.r.result_hosts"),
        (format!("{replicate}result_hosts = ['a.example', 5]"), "providers.r.result_hosts[1]"),
        (format!("{replicate}result_hosts = ['a.example', 'https://b.example']"), "providers.r.result_hosts[1]"),
        (format!("{replicate}result_hosts = ['*']"), "providers.r.result_hosts[0]"),
        (format!("{replicate}result_hosts = ['a.*.example']"), "providers.r.result_hosts[0]"),
    ] {
        assert_eq!(refused(&file), [path], "{file}");
    }
}

#[test]
fn a_key_that_is_spelt_wrongly_is_recognised() {
    let replicate = "[providers.r]\nkind = 'replicate'\napi_key = 'env:TOKEN'\n";
    let ends = |file: &str, end: &str| assert!(said(file).ends_with(end), "{}", said(file));
    ends(&format!("{replicate}webhook_secrets = 'env:WHSEC'"), "did you mean `providers.r.webhook_secret`?");
    ends("[provider.r]\nkind = 'replicate'", "did you mean `providers`?");
    ends("[providers.r]\nkind = 5", "providers.r.kind: this must be a string, but is a whole number");
    ends("[providers.r]\nkind = 'x'", "must be one of: replicate, fal, openrouter, videos, cog, meshy, tripo");
    ends("[providers]\nfal = 'x'", "providers.fal: this must be a section, but is a string");
}

#[test]
fn cog_must_have_a_way_to_send_its_results() {
    let cog = |url: &str, more: &str| {
        format!("[providers.c]\nkind = 'cog'\nurl = '{url}'\nwebhook_secret = 'env:COG'\n{more}")
    };
    let public = "[server]\npublic_url = 'https://gateway.example'";
    for file in [
        cog("http://127.0.0.1:5301", ""),
        cog("http://10.0.0.7:5301", "gateway_url = 'http://10.0.0.8:4020'"),
        cog("https://cog.example", public),
        cog("https://cog.example", "gateway_url = 'https://gateway.example'"),
    ] {
        serve(&file).unwrap();
    }
    for file in [
        cog("https://cog.example", ""),
        cog("https://cog.example", "[server]\npublic_url = 'http://gateway.example'"),
        cog("https://cog.example", &format!("gateway_url = 'https://10.0.0.8'\n{public}")),
    ] {
        assert_eq!(refused(&file), ["providers.c.gateway_url"], "{file}");
    }
}

#[test]
fn variables_hold_their_secrets_and_set_nothing_else() {
    let file = format!("{KEYS}[providers.r]\nkind = 'replicate'\napi_key = 'env:SATFORGE_PROVIDERS__R__API_KEY'");
    let variable = ("SATFORGE_PROVIDERS__R__API_KEY", "c0ffee");
    load(&file, &[variable]).unwrap();
    // It holds the secret, so what is wrong with the key was not set by it.
    let wrong = file.replace("replicate", "fal");
    let errors = load(&wrong, &[variable]).unwrap_err().to_string();
    assert!(errors.starts_with("providers.r.api_key: ") && !errors.contains("set by"), "{errors}");
    for name in [
        "SATFORGE_PROVIDERS",
        "SATFORGE_PROVIDERS__R__URL",
        "SATFORGE_SERVICES__VIDEO__ROUTES",
        "SATFORGE_SERVICES__3D_MODEL__ROUTES__0__MODEL",
    ] {
        let errors = load(KEYS, &[(name, "c0ffee")]).unwrap_err().to_string();
        let said = format!("{name}: providers and routes are set in the configuration file and not by variables");
        assert!(errors.starts_with(&said) && !errors.contains("c0ffee"), "{errors}");
    }
}
