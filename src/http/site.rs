//! What the pages tell about this instance, drawn from its catalogue and configuration.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::config::{Config, ServiceConfig};
use crate::domain::ServiceId;
use crate::providers::sandbox::trigger;

use super::pages::context::sats;
use super::pages::{ParamDoc, PricedExample, ServiceDoc, Site, TriggerDoc};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What is simulated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// Payments.
    pub payments: bool,
    /// Models.
    pub models: bool,
}

/// The facts for the pages of an instance at `public_url`.
#[must_use]
pub fn describe(config: &Config, catalog: &Catalog, public_url: String, simulated: Simulated) -> Site {
    Site {
        public_url,
        version: env!("CARGO_PKG_VERSION"),
        sandbox_payments: simulated.payments,
        sandbox_models: simulated.models,
        private_callbacks: config.callbacks.allow_private,
        network: config.lightning.network,
        services: catalog.services().iter().map(|service| service_doc(service, simulated.models)).collect(),
        hold_seconds: config.waiting.hold.as_secs(),
        keepalive_after_seconds: config.waiting.keepalive_after.map(|after| rounded_up(after, 1)),
        result_retention_days: rounded_up(config.artifacts.retention, DAY),
        invoice_expiry_minutes: rounded_up(config.lightning.invoice_expiry, MINUTE),
        redeem_window_hours: rounded_up(config.paywall.redeem_window, HOUR),
    }
}

fn service_doc(service: &ServiceConfig, simulated_models: bool) -> ServiceDoc {
    let examples: Vec<PricedExample> = service
        .priced_examples()
        .into_iter()
        .map(|example| PricedExample { label: example.label, sats: example.sats, body: example.body })
        .collect();
    let example_sats = examples.first().map_or(0, |example| example.sats);
    let from = if examples.len() > 1 { "from " } else { "" };
    ServiceDoc {
        id: service.id.name(),
        title: service.title().to_owned(),
        summary: service.summary().to_owned(),
        path: service.id.path().to_owned(),
        result_field: service.id.result_field(),
        result_file: match service.id {
            ServiceId::Video => "video.mp4",
            ServiceId::Model3d => "model.glb",
        },
        price_headline: format!("{from}{}", sats(example_sats)),
        price_rule: service.price_rule(),
        example_sats,
        examples,
        params: service.params().into_iter().map(param_doc).collect(),
        triggers: if simulated_models { triggers() } else { Vec::new() },
    }
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
