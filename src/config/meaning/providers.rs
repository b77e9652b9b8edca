//! Accounts with providers.

mod usual;

use std::collections::BTreeMap;

use ::url::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::allowed::HOUR;
use super::lightning::url as api_url;
use super::{is_near, url};
use crate::config::environment::Environment;
use crate::config::error::Problems;
use crate::config::raw::{RawProvider, RawProviderKind, RawSecret};
use crate::config::{ProviderConfig, ProviderKind, secret};
use crate::domain::standard_webhooks::WebhookSecret;
use usual::Usual;

/// Seconds that a provider has for one answer.
const TIMEOUT: f64 = 30.0;
/// The longest name of a provider or of a route.
const LONGEST_NAME: usize = 32;

/// The accounts, by name. `public_url` is where callers reach the gateway.
pub(super) fn providers(
    raw: &BTreeMap<String, RawProvider>,
    environment: &Environment,
    public_url: Option<&str>,
    p: &mut Problems,
) -> Vec<ProviderConfig> {
    let account =
        |(name, raw): (&String, &RawProvider)| Account { name: name.clone(), raw, environment, public_url }.meaning(p);
    raw.iter().filter_map(account).collect()
}

/// What is wrong with the name of a provider or of a route, if anything is.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_fit) {
        return Err("a name is 1 to 32 of the characters a to z, 0 to 9, - and _");
    }
    if name == "sandbox" {
        return Err("this is the name of the simulated provider; choose another one");
    }
    Ok(())
}

struct Account<'a> {
    name: String,
    raw: &'a RawProvider,
    environment: &'a Environment,
    public_url: Option<&'a str>,
}

impl Account<'_> {
    fn key(&self, key: &str) -> String {
        format!("providers.{}.{key}", self.name)
    }

    /// `None`: it cannot be said what kind of provider it is.
    fn meaning(&self, p: &mut Problems) -> Option<ProviderConfig> {
        let path = format!("providers.{}", self.name);
        if p.has(&path) {
            // It is no section.
            return None;
        }
        if let Err(message) = check_name(&self.name) {
            p.add(path, message);
        }
        let Some(kind) = self.raw.kind else {
            p.add(
                self.key("kind"),
                "this is missing: replicate, fal, openrouter, videos, cog, meshy or tripo, whichever it is",
            );
            return None;
        };
        let usual = Usual::of(kind);
        let url = self.url("url", usual.url, p);
        let (rate, pause) = (self.raw.requests_per_second, self.raw.poll_interval_seconds);
        let account = ProviderConfig {
            name: self.name.clone(),
            kind: self.kind(kind, p),
            requests_per_second: p.number(
                &self.key("requests_per_second"),
                rate.unwrap_or(usual.requests_per_second),
                0.01..=1_000.0,
                "",
            ),
            timeout: p.seconds(&self.key("timeout_seconds"), self.raw.timeout_seconds.unwrap_or(TIMEOUT), 0.1..=HOUR),
            poll_interval: p.seconds(
                &self.key("poll_interval_seconds"),
                pause.unwrap_or(usual.poll_interval_seconds),
                0.01..=HOUR,
            ),
            result_hosts: self.result_hosts(p),
            near: url.host().is_some_and(|host| is_near(&host)),
            gateway_url: self.gateway_url(p),
            url,
        };
        self.refuse_what_it_has_no_use_for(usual.keys, account.kind.name(), p);
        self.refuse_results_that_cannot_arrive(&account, p);
        Some(account)
    }

    fn kind(&self, kind: RawProviderKind, p: &mut Problems) -> ProviderKind {
        match kind {
            RawProviderKind::Replicate => {
                ProviderKind::Replicate { api_key: self.api_key(p), webhook_secret: self.standard_webhook_secret(p) }
            }
            RawProviderKind::Fal => ProviderKind::Fal {
                api_key: self.fal_key(p),
                jwks_url: self.url("jwks_url", Some(usual::FAL_JWKS), p),
                platform_url: self.url("platform_url", Some(usual::FAL_PLATFORM), p),
            },
            RawProviderKind::OpenRouter => {
                ProviderKind::OpenRouter { api_key: self.api_key(p), webhook_secret: self.webhook_secret(p) }
            }
            RawProviderKind::Videos => {
                ProviderKind::Videos { api_key: self.optional("api_key", self.raw.api_key.as_ref(), p) }
            }
            RawProviderKind::Cog => {
                let message = "this is missing: `env:NAME` or `file:/path`, where the WEBHOOK_AUTH_TOKEN is kept that \
                               cog was started with; without it anybody could send results";
                let secret = self.needed("webhook_secret", self.raw.webhook_secret.as_ref(), message, p);
                ProviderKind::Cog { webhook_secret: secret }
            }
            RawProviderKind::Meshy => ProviderKind::Meshy { api_key: self.api_key(p) },
            RawProviderKind::Tripo => ProviderKind::Tripo { api_key: self.api_key(p) },
        }
    }

    fn api_key(&self, p: &mut Problems) -> SecretString {
        let message = "this is missing: `env:NAME` or `file:/path`, where it is kept";
        self.needed("api_key", self.raw.api_key.as_ref(), message, p)
    }

    fn fal_key(&self, p: &mut Problems) -> SecretString {
        let key = self.api_key(p);
        if !key.expose_secret().contains(':') {
            p.add(self.key("api_key"), "this is no key of fal's: both its parts are needed, with a colon between them");
        }
        key
    }

    fn webhook_secret(&self, p: &mut Problems) -> Option<SecretString> {
        self.optional("webhook_secret", self.raw.webhook_secret.as_ref(), p)
    }

    fn standard_webhook_secret(&self, p: &mut Problems) -> Option<SecretString> {
        let secret = self.webhook_secret(p);
        let parsed = secret.as_ref().map(|secret| WebhookSecret::parse(secret.expose_secret()));
        if let Some(Err(error)) = parsed {
            p.add(self.key("webhook_secret"), format!("what is kept there is {error}"));
        }
        secret
    }

    fn needed(&self, key: &str, raw: Option<&RawSecret>, missing: &str, p: &mut Problems) -> SecretString {
        if raw.is_none() {
            p.add(self.key(key), missing);
        }
        self.optional(key, raw, p).unwrap_or_default()
    }

    fn optional(&self, key: &str, raw: Option<&RawSecret>, p: &mut Problems) -> Option<SecretString> {
        secret::credential(&self.key(key), raw?, self.environment, p)
    }

    fn url(&self, key: &str, usual: Option<&str>, p: &mut Problems) -> Url {
        let typed = match key {
            "jwks_url" => &self.raw.jwks_url,
            "platform_url" => &self.raw.platform_url,
            _ => &self.raw.url,
        };
        api_url(&self.key(key), typed.as_deref().or(usual), p)
    }

    fn gateway_url(&self, p: &mut Problems) -> Option<String> {
        let typed = self.raw.gateway_url.as_deref()?;
        if let Err(message) = url::parse(typed) {
            p.add(self.key("gateway_url"), message);
        }
        Some(typed.to_owned())
    }

    fn result_hosts(&self, p: &mut Problems) -> Vec<String> {
        let typed = self.raw.result_hosts.as_deref().unwrap_or_default();
        for (index, host) in typed.iter().enumerate() {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let is_fit = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(is_fit) {
                p.add(
                    format!("{}[{index}]", self.key("result_hosts")),
                    "this must be a host, such as files.example.com, *.example.com or 192.0.2.1:8000, and no URL",
                );
            }
        }
        typed.to_vec()
    }

    fn refuse_what_it_has_no_use_for(&self, used: &[&str], kind: &str, p: &mut Problems) {
        let raw = self.raw;
        for (key, typed) in [
            ("api_key", raw.api_key.is_some()),
            ("webhook_secret", raw.webhook_secret.is_some()),
            ("gateway_url", raw.gateway_url.is_some()),
            ("jwks_url", raw.jwks_url.is_some()),
            ("platform_url", raw.platform_url.is_some()),
        ] {
            if typed && !used.contains(&key) {
                p.add(self.key(key), format!("a provider of the kind `{kind}` has no use for this: take it out"));
            }
        }
    }

    /// cog sends its results and cannot be asked for them.
    fn refuse_results_that_cannot_arrive(&self, account: &ProviderConfig, p: &mut Problems) {
        let is_cog = matches!(account.kind, ProviderKind::Cog { .. });
        if is_cog && !account.near && !url::is_public(account.gateway_url.as_deref().or(self.public_url)) {
            p.add(
                self.key("gateway_url"),
                "cog sends its results to this gateway, and from where it is it cannot: give here, or as \
                 server.public_url, an https:// URL at which the internet reaches the gateway",
            );
        }
    }
}
