//! Who does each service's work: routes, in the order in which they are tried.

mod input;

use std::collections::BTreeMap;

use super::allowed::DAY;
use super::providers::check_name;
use crate::config::error::Problems;
use crate::config::raw::{RawAmbiguous, RawCost, RawImage, RawProvider, RawRoute, RawServices};
use crate::config::shape::nearest;
use crate::config::{Ambiguous, CostRule, ImageBounds, ProviderConfig, ProviderKind, RouteConfig, ServiceConfig};
use crate::domain::{Msat, ServiceId};

/// Generations at once where a provider does many.
const CONCURRENCY: usize = 20;
/// What a unit may cost at the most, in sats.
const DEAREST_UNIT: f64 = 1e9;
const MIB: u64 = 1024 * 1024;

pub(super) struct Routes<'a> {
    pub services: &'a RawServices,
    pub sold: &'a [ServiceConfig],
    pub providers: &'a BTreeMap<String, RawProvider>,
    pub accounts: &'a [ProviderConfig],
    /// Where callers reach the gateway.
    pub public_url: Option<&'a str>,
}

/// A route that is being read.
struct Route<'a> {
    path: String,
    raw: &'a RawRoute,
    service: &'a ServiceConfig,
    /// `None`: it is not known yet, which is a problem of its own.
    account: Option<&'a ProviderConfig>,
}

impl Routes<'_> {
    /// As many routes as were typed, service by service.
    pub(super) fn meaning(&self, p: &mut Problems) -> Vec<RouteConfig> {
        let mut routes: Vec<RouteConfig> = Vec::new();
        for service in self.sold {
            let before = routes.len();
            for (index, raw) in self.services.routes(service.id).iter().enumerate() {
                let path = format!("services.{}.routes[{index}]", service.id);
                // What is no section has no keys to be blamed.
                let mut unheard = Problems::default();
                let p = if p.has(&path) { &mut unheard } else { &mut *p };
                let account = self.account(&format!("{path}.provider"), raw, p);
                let route = Route { path, raw, service, account };
                let name = route.name(&routes[before..], p);
                routes.push(route.meaning(name, self.public_url, p));
            }
        }
        routes
    }

    fn account(&self, path: &str, raw: &RawRoute, p: &mut Problems) -> Option<&ProviderConfig> {
        let Some(name) = &raw.provider else {
            p.add(path, "this is missing: the NAME of a section [providers.NAME]");
            return None;
        };
        if !self.providers.contains_key(name) {
            let similar = nearest(name, self.providers.keys().cloned());
            let similar = similar.map_or_else(String::new, |(_, similar)| format!("; did you mean `{similar}`?"));
            p.add(path, format!("there is no section [providers.{name}]{similar}"));
        }
        self.accounts.iter().find(|account| account.name == *name)
    }
}

impl Route<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Its name, which `others` of the service must not have.
    fn name(&self, others: &[RouteConfig], p: &mut Problems) -> String {
        let provider = self.raw.provider.clone().unwrap_or_default();
        let name = match &self.raw.name {
            Some(typed) => {
                if let Err(message) = check_name(typed) {
                    p.add(self.key("name"), message);
                }
                typed.clone()
            }
            None => match others.iter().filter(|other| other.provider == provider).count() {
                0 => provider,
                before => format!("{provider}-{}", before + 1),
            },
        };
        if let Some(index) = others.iter().position(|other| other.name == name && !name.is_empty()) {
            let first = format!("services.{}.routes[{index}]", self.service.id);
            p.add(self.key("name"), format!("{first} is called `{name}` already: give one of them another name"));
        }
        name
    }

    fn meaning(&self, name: String, public_url: Option<&str>, p: &mut Problems) -> RouteConfig {
        let raw = self.raw;
        if let Some(account) = self.account.filter(|account| !account.kind.does(self.service.id)) {
            let kind = account.kind.name();
            p.add(
                self.key("provider"),
                format!("a provider of the kind `{kind}` does not do the work of this service"),
            );
        }
        let usual = if self.is_cog() { 1 } else { CONCURRENCY };
        let concurrency = raw.concurrency.unwrap_or(usual);
        RouteConfig {
            name,
            service: self.service.id,
            provider: raw.provider.clone().unwrap_or_default(),
            model: self.model(p),
            input: self.input(public_url, p),
            result: self.result(p),
            image: self.image(&raw.image, p),
            deadline: raw.deadline_seconds.map(|typed| self.deadline(typed, p)),
            price_factor: p.number(&self.key("price_factor"), raw.price_factor.unwrap_or(1.0), 0.01..=100.0, ""),
            concurrency: p.number(&self.key("concurrency"), concurrency, 1..=10_000, ""),
            ambiguous: match raw.ambiguous {
                Some(RawAmbiguous::Again) => Ambiguous::Again,
                Some(RawAmbiguous::Refund) => Ambiguous::Refund,
                None => Ambiguous::default(),
            },
            cost: self.cost(raw.cost, p),
        }
    }

    fn is_cog(&self) -> bool {
        self.account.is_some_and(|account| matches!(account.kind, ProviderKind::Cog { .. }))
    }

    fn model(&self, p: &mut Problems) -> String {
        let path = self.key("model");
        let Some(account) = self.account else { return String::new() };
        match (&self.raw.model, &account.kind) {
            (Some(_), ProviderKind::Cog { .. }) => {
                p.add(path, "a cog server has one model and asks for no name: take it out");
            }
            (None, ProviderKind::Cog { .. } | ProviderKind::Videos { .. }) => {}
            (None, _) => p.add(path, "this is missing: the name that the provider has for the model"),
            (Some(typed), _) => {
                if typed.is_empty() || typed.trim() != typed || typed.chars().any(char::is_control) {
                    p.add(path, "this is no name of a model; mind spaces at its ends");
                }
            }
        }
        self.raw.model.clone().unwrap_or_default()
    }

    /// The JSON pointer, for providers whose answers depend on the model.
    fn result(&self, p: &mut Problems) -> String {
        let path = self.key("result");
        let Some(account) = self.account else { return String::new() };
        let usual = match (&account.kind, self.service.id) {
            (ProviderKind::Replicate { .. } | ProviderKind::Cog { .. }, _) => Some(""),
            (ProviderKind::Fal { .. }, ServiceId::Video) => Some("/video/url"),
            (ProviderKind::Fal { .. }, ServiceId::Model3d) => None,
            (kind, _) => {
                if self.raw.result.is_some() {
                    let kind = kind.name();
                    p.add(path, format!("a provider of the kind `{kind}` has one place for results: take this out"));
                }
                return String::new();
            }
        };
        let Some(pointer) = self.raw.result.as_deref().or(usual) else {
            p.add(path, "this is missing: where the URL stands in the model's answer, such as /model_mesh/url");
            return String::new();
        };
        let is_pointer = pointer.is_empty() || pointer.starts_with('/');
        let mut after_tildes = pointer.split('~').skip(1);
        if !is_pointer || !after_tildes.all(|after| after.starts_with(['0', '1'])) {
            p.add(path, "this must be a JSON pointer, such as /video/url, or empty if the URL is all of the answer");
        }
        pointer.to_owned()
    }

    fn image(&self, raw: &RawImage, p: &mut Problems) -> ImageBounds {
        let path = self.key("image");
        if self.service.id == ServiceId::Video && *raw != RawImage::default() {
            p.add(&path, "there are no images in requests to this service: take this out");
        }
        let side = |p: &mut Problems, key: &str, typed: Option<u32>| {
            typed.map(|typed| p.number(&format!("{path}.{key}"), typed, 1..=65_535, " pixels"))
        };
        let bounds = ImageBounds {
            max_bytes: raw.max_bytes.map(|n| p.number(&format!("{path}.max_bytes"), n, 1..=1024 * MIB, " bytes")),
            min_side: side(p, "min_side", raw.min_side),
            max_side: side(p, "max_side", raw.max_side),
            max_pixels: raw
                .max_pixels
                .map(|n| p.number(&format!("{path}.max_pixels"), n, 1..=1_000_000_000, " pixels")),
        };
        if let (Some(least), Some(most)) = (bounds.min_side, bounds.max_side)
            && least > most
        {
            p.add(format!("{path}.min_side"), "no image has a shorter side that is longer than max_side");
        }
        bounds
    }

    fn deadline(&self, typed: f64, p: &mut Problems) -> std::time::Duration {
        let path = self.key("deadline_seconds");
        let deadline = p.seconds(&path, typed, 1.0..=DAY);
        if deadline > self.service.deadline {
            let id = self.service.id;
            p.add(path, format!("services.{id}.deadline_seconds ends the job before that: make that one longer"));
        }
        deadline
    }

    fn cost(&self, raw: RawCost, p: &mut Problems) -> CostRule {
        match (raw.fixed_sats, raw.per_unit_sats) {
            (None, None) => CostRule::Unknown,
            (Some(sats), None) => match Msat::from_sat(sats) {
                Ok(cost) => CostRule::Fixed(cost),
                Err(error) => {
                    p.add(self.key("cost.fixed_sats"), error.to_string());
                    CostRule::Unknown
                }
            },
            (None, Some(sats)) => {
                CostRule::PerUnit(p.number(&self.key("cost.per_unit_sats"), sats, 0.0..=DEAREST_UNIT, " sats"))
            }
            (Some(_), Some(_)) => {
                p.add(self.key("cost"), "give `fixed_sats` or `per_unit_sats`, not both");
                CostRule::Unknown
            }
        }
    }
}
