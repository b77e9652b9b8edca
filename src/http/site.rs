//! What the pages tell about this instance, drawn from its catalogue and configuration.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::config::{Config, ServiceConfig};
use crate::domain::ServiceId;
use crate::providers::sandbox::trigger;

use super::offer::Offer;
use super::pages::context::sats;
use super::pages::{ParamDoc, PricedExample, ServiceDoc, Site, TriggerDoc};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What is simulated here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// Payments.
    pub payments: bool,
    /// The models of these services.
    pub models: Vec<ServiceId>,
}

/// The facts for the pages of an instance at `public_url`.
#[must_use]
pub fn describe(config: &Config, catalog: &Catalog, public_url: String, simulated: &Simulated) -> Site {
    let is_simulated = |service: &ServiceConfig| simulated.models.contains(&service.id);
    Site {
        public_url,
        version: env!("CARGO_PKG_VERSION"),
        sandbox_payments: simulated.payments,
        // A stand-in beside a real model is told of on its own page.
        sandbox_models: catalog.services().iter().all(is_simulated),
        private_callbacks: config.callbacks.allow_private,
        network: config.lightning.network,
        services: catalog.services().iter().map(|service| service_doc(service, is_simulated(service))).collect(),
        hold_seconds: config.waiting.hold.as_secs(),
        keepalive_after_seconds: config.waiting.keepalive_after.map(|after| rounded_up(after, 1)),
        result_retention_days: rounded_up(config.artifacts.retention, DAY),
        invoice_expiry_minutes: rounded_up(config.lightning.invoice_expiry, MINUTE),
        redeem_window_hours: rounded_up(config.paywall.redeem_window, HOUR),
    }
}

/// The same facts, but for what is for sale and at what price: that is as `offers` have it.
#[must_use]
pub fn as_offered(site: &Site, offers: &[Offer]) -> Site {
    let mut site = site.clone();
    for doc in &mut site.services {
        let offer = offers.iter().find(|offer| offer.service.id.name() == doc.id);
        doc.available = offer.is_some_and(|offer| offer.available);
        if let Some(offer) = offer {
            set_price(doc, &offer.service);
        }
    }
    site
}

fn service_doc(service: &ServiceConfig, simulated_models: bool) -> ServiceDoc {
    let mut doc = ServiceDoc {
        id: service.id.name(),
        title: service.title().to_owned(),
        summary: service.summary().to_owned(),
        path: service.id.path().to_owned(),
        result_field: service.id.result_field(),
        result_file: match service.id {
            ServiceId::Video => "video.mp4",
            ServiceId::Model3d => "model.glb",
        },
        available: true,
        price_headline: String::new(),
        price_rule: String::new(),
        example_sats: 0,
        examples: Vec::new(),
        params: service.params().into_iter().map(param_doc).collect(),
        triggers: if simulated_models { triggers() } else { Vec::new() },
    };
    set_price(&mut doc, service);
    doc
}

fn set_price(doc: &mut ServiceDoc, service: &ServiceConfig) {
    doc.examples = service
        .priced_examples()
        .into_iter()
        .map(|example| PricedExample { label: example.label, sats: example.sats, body: example.body })
        .collect();
    doc.example_sats = doc.examples.first().map_or(0, |example| example.sats);
    let from = if doc.examples.len() > 1 { "from " } else { "" };
    doc.price_headline = format!("{from}{}", sats(doc.example_sats));
    doc.price_rule = service.price_rule();
}

fn param_doc(param: crate::catalog::describe::Param) -> ParamDoc {
    ParamDoc {
        name: param.name.to_owned(),
        kind: param.kind.to_owned(),
        required: param.required,
        rule: param.rule,
        default: param.default.map(str::to_owned),
    }
}

fn triggers() -> Vec<TriggerDoc> {
    trigger::DOCUMENTED
        .iter()
        .map(|(text, effect)| TriggerDoc { text: (*text).to_owned(), effect: (*effect).to_owned() })
        .collect()
}

fn rounded_up(duration: Duration, unit: u64) -> u64 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    seconds.div_ceil(unit)
}
