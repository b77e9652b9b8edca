//! What is sold: prices and bounds of each service.

use super::allowed::DAY;
use crate::config::error::Problems;
use crate::config::raw::{RawModel3d, RawPrice, RawServices, RawVideo};
use crate::config::{CallbacksConfig, PriceRule, ServiceConfig, ServiceKind};
use crate::domain::{Msat, ServiceId};

/// The longest video in seconds: at `per_second`, this many times the price must still be an amount.
const LONGEST_VIDEO_SECONDS: u64 = 10;
/// The largest body that any service may take.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// What a body holds besides its prompt.
const BODY_AROUND_PROMPT: usize = 256;
const MIB: u64 = 1024 * 1024;

/// The services in the order of [`ServiceId::ALL`].
pub(super) fn services(raw: &RawServices, callbacks: CallbacksConfig, problems: &mut Problems) -> Vec<ServiceConfig> {
    let service = |id| match id {
        ServiceId::Video => video(&raw.video, callbacks, problems),
        ServiceId::Model3d => model_3d(&raw.model_3d, callbacks, problems),
    };
    ServiceId::ALL.into_iter().map(service).collect()
}

fn video(raw: &RawVideo, callbacks: CallbacksConfig, p: &mut Problems) -> ServiceConfig {
    check_models(&raw.models, p);
    let max_prompt_chars = p.number("services.video.max_prompt_chars", raw.max_prompt_chars, 1..=1_000_000, "");
    let body_limit = p.number("services.video.body_limit_bytes", raw.body_limit_bytes, 1_024..=MAX_BODY, " bytes");
    if body_limit < max_prompt_chars.saturating_add(BODY_AROUND_PROMPT) {
        p.add(
            "services.video.body_limit_bytes",
            format!("a prompt of max_prompt_chars = {max_prompt_chars} does not fit into {body_limit} bytes"),
        );
    }
    ServiceConfig {
        id: ServiceId::Video,
        price: price("services.video.price", raw.price, p),
        body_limit,
        deadline: p.seconds("services.video.deadline_seconds", raw.deadline_seconds, 1.0..=DAY),
        result_limit: result_limit("services.video.result_limit_bytes", raw.result_limit_bytes, p),
        private_callbacks: callbacks.allow_private,
        kind: ServiceKind::Video { models: raw.models.clone(), max_prompt_chars },
    }
}

fn model_3d(raw: &RawModel3d, callbacks: CallbacksConfig, p: &mut Problems) -> ServiceConfig {
    if raw.price.per_second.is_some() {
        p.add("services.3d-model.price.per_second", "a 3D model does not last; give its price as `fixed`");
    }
    let kind = ServiceKind::Model3d {
        max_side: p.number("services.3d-model.max_side", raw.max_side, 1..=65_535, " pixels"),
        max_pixels: p.number("services.3d-model.max_pixels", raw.max_pixels, 1..=1_000_000_000, " pixels"),
        max_alloc: p.number("services.3d-model.max_alloc_bytes", raw.max_alloc_bytes, MIB..=16_384 * MIB, " bytes"),
        routes: Vec::new(),
    };
    ServiceConfig {
        id: ServiceId::Model3d,
        price: price("services.3d-model.price", raw.price, p),
        body_limit: p.number("services.3d-model.body_limit_bytes", raw.body_limit_bytes, 1_024..=MAX_BODY, " bytes"),
        deadline: p.seconds("services.3d-model.deadline_seconds", raw.deadline_seconds, 1.0..=DAY),
        result_limit: result_limit("services.3d-model.result_limit_bytes", raw.result_limit_bytes, p),
        private_callbacks: callbacks.allow_private,
        kind,
    }
}

fn result_limit(path: &str, typed: u64, p: &mut Problems) -> u64 {
    p.number(path, typed, MIB..=1024 * 1024 * MIB, " bytes")
}

fn check_models(models: &[String], p: &mut Problems) {
    const PATH: &str = "services.video.models";
    if models.is_empty() {
        p.add(PATH, "at least one name is needed: no request could be accepted");
    }
    for (index, model) in models.iter().enumerate() {
        if model.is_empty() || model.trim() != model {
            p.add(format!("{PATH}[{index}]"), "a name must not be empty, nor begin or end with a space");
        } else if models[..index].contains(model) {
            p.add(format!("{PATH}[{index}]"), "this name is listed twice");
        }
    }
}

fn price(path: &str, raw: RawPrice, p: &mut Problems) -> PriceRule {
    let (rule, key, sats, times): (fn(Msat) -> PriceRule, _, _, _) = match (raw.fixed, raw.per_second) {
        (Some(sats), None) => (PriceRule::Fixed, "fixed", sats, 1),
        (None, Some(sats)) => (PriceRule::PerSecond, "per_second", sats, LONGEST_VIDEO_SECONDS),
        (Some(_), Some(_)) => {
            p.add(path, "give `fixed` or `per_second`, not both");
            return PriceRule::Fixed(Msat::ZERO);
        }
        (None, None) => {
            p.add(path, "give `fixed` or `per_second`, in sats");
            return PriceRule::Fixed(Msat::ZERO);
        }
    };
    let path = format!("{path}.{key}");
    if sats == 0 {
        p.add(&path, "there is no invoice for nothing: a price is at least 1 sat");
    }
    match Msat::from_sat(sats).and_then(|unit| unit.times(times).map(|_| unit)) {
        Ok(unit) => rule(unit),
        Err(error) => {
            p.add(&path, error.to_string());
            rule(Msat::ZERO)
        }
    }
}
