//! What the catalogue says about itself: the free metadata of a service, and the facts on its page.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::{PriceRule, ServiceConfig, ServiceKind};
use crate::domain::JobSpec;
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};

use super::price::{self, Quote};
use super::video::DURATIONS;
use super::{callback, images};

/// A priced example.
#[derive(Clone, Debug)]
pub struct PricedExample {
    /// What it is, `5 s video`.
    pub label: String,
    /// What it costs, in sats.
    pub sats: u64,
    /// A body that buys it as it stands, on one line.
    pub body: String,
}

/// A parameter as a page shows it.
#[derive(Clone, Debug)]
pub struct Param {
    /// The field.
    pub name: &'static str,
    /// Its JSON type.
    pub kind: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What is accepted.
    pub rule: String,
    /// What is assumed when it is left out.
    pub default: Option<&'static str>,
}

impl ServiceConfig {
    /// The service's name for people.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self.kind {
            ServiceKind::Video { .. } => "Video",
            ServiceKind::Model3d { .. } => "3D model",
        }
    }

    /// One sentence about it.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        match self.kind {
            ServiceKind::Video { .. } => "Turns a text prompt into a short MP4 video.",
            ServiceKind::Model3d { .. } => "Turns one picture of an object into a textured 3D model (GLB).",
        }
    }

    /// The price in words, `100 sats per second`.
    #[must_use]
    pub fn price_rule(&self) -> String {
        match self.price {
            PriceRule::Fixed(amount) => format!("{} sats per request", amount.sat_rounded_up()),
            PriceRule::PerSecond(amount) => match amount.whole_sat() {
                Some(sats) => format!("{sats} sats per second"),
                None => format!("{} sats per second, in all rounded up to a whole sat", price::decimal(amount)),
            },
        }
    }

    /// Every amount that a request can cost, and what a wallet shows for it.
    #[must_use]
    pub fn quotes(&self) -> Vec<Quote> {
        self.samples().iter().filter_map(|spec| price::quote(self, spec).ok()).collect()
    }

    /// A request for each amount.
    pub(super) fn samples(&self) -> Vec<JobSpec> {
        match &self.kind {
            ServiceKind::Video { .. } => DURATIONS
                .into_iter()
                .map(|duration| {
                    let (prompt, model) = (String::new(), String::new());
                    JobSpec::Video(VideoSpec { prompt, model, duration, camera_fixed: false })
                })
                .collect(),
            ServiceKind::Model3d { .. } => {
                vec![JobSpec::Model3d(ModelSpec { media_type: ImageType::Png, image: Bytes::new() })]
            }
        }
    }

    /// What typical requests cost; the first is the default one.
    #[must_use]
    pub fn priced_examples(&self) -> Vec<PricedExample> {
        match &self.kind {
            ServiceKind::Video { models, .. } => DURATIONS
                .into_iter()
                .filter_map(|duration| {
                    let model = models.first().cloned().unwrap_or_default();
                    let body = video_body(&model, duration);
                    let spec =
                        JobSpec::Video(VideoSpec { prompt: String::new(), model, duration, camera_fixed: false });
                    let sats = price::quote(self, &spec).ok()?.amount.sat_rounded_up();
                    Some(PricedExample { label: format!("{duration} s video"), sats, body })
                })
                .collect(),
            ServiceKind::Model3d { .. } => {
                let (PriceRule::Fixed(amount) | PriceRule::PerSecond(amount)) = self.price;
                vec![PricedExample {
                    label: "3D model".into(),
                    sats: amount.sat_rounded_up(),
                    body: self.example_body(),
                }]
            }
        }
    }

    /// The parameters, in the order of the documentation.
    #[must_use]
    pub fn params(&self) -> Vec<Param> {
        let mut params = match &self.kind {
            ServiceKind::Video { models, max_prompt_chars } => {
                let accepted: Vec<String> = models.iter().map(|model| format!("\"{model}\"")).collect();
                vec![
                    Param {
                        name: "prompt",
                        kind: "string",
                        required: true,
                        rule: format!("What the video shows: 1 to {max_prompt_chars} characters after trimming."),
                        default: None,
                    },
                    Param {
                        name: "model",
                        kind: "string",
                        required: true,
                        rule: format!("Exactly {}.", accepted.join(" or ")),
                        default: None,
                    },
                    Param {
                        name: "duration",
                        kind: "integer",
                        required: false,
                        rule: "Length in seconds: 5 or 10.".into(),
                        default: Some("5"),
                    },
                    Param {
                        name: "camera_fixed",
                        kind: "boolean",
                        required: false,
                        rule: "true keeps the camera still.".into(),
                        default: Some("false"),
                    },
                ]
            }
            ServiceKind::Model3d { .. } => vec![Param {
                name: "image",
                kind: "string",
                required: true,
                rule: format!(
                    "Base64 data URI with its prefix: image/png, image/jpeg or image/webp; {}; the whole body at most {}.",
                    images::in_words(&self.image_bounds()),
                    images::bytes_in_words(u64::try_from(self.body_limit).unwrap_or(u64::MAX)),
                ),
                default: None,
            }],
        };
        params.extend(callback::params(self.private_callbacks));
        params
    }

    /// JSON Schema of the body.
    #[must_use]
    pub fn schema(&self) -> Value {
        let (mut properties, required) = match &self.kind {
            ServiceKind::Video { models, max_prompt_chars } => (
                json!({
                    "prompt": {"type": "string", "minLength": 1, "maxLength": max_prompt_chars},
                    "model": {"type": "string", "enum": models},
                    "duration": {"type": "integer", "enum": DURATIONS, "default": DURATIONS[0]},
                    "camera_fixed": {"type": "boolean", "default": false},
                }),
                json!(["prompt", "model"]),
            ),
            ServiceKind::Model3d { .. } => (json!({"image": self.image_schema()}), json!(["image"])),
        };
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(callback::properties());
            for param in self.params() {
                if let Some(property) = properties.get_mut(param.name).and_then(Value::as_object_mut) {
                    property.insert("description".into(), param.rule.into());
                }
            }
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required,
            "dependentRequired": callback::dependent(),
            "additionalProperties": false,
        })
    }

    /// What no schema can say of an image stands in words.
    fn image_schema(&self) -> Value {
        let accepted = self.image_bounds();
        let mut schema = json!({
            "type": "string",
            "pattern": "^data:image/(png|jpeg|webp);base64,",
            "description": format!("A picture of {}.", images::in_words(&accepted)),
        });
        if let (Some(schema), Some(longest)) = (schema.as_object_mut(), images::longest_data_uri(&accepted)) {
            schema.insert("maxLength".into(), longest.into());
        }
        schema
    }

    /// A body that can be bought as it stands, on one line.
    #[must_use]
    pub fn example_body(&self) -> String {
        match &self.kind {
            ServiceKind::Video { models, .. } => video_body(models.first().map_or("", String::as_str), DURATIONS[0]),
            ServiceKind::Model3d { .. } => format!(r#"{{"image":"{}"}}"#, self.example_image()),
        }
    }
}

/// Short enough to be read whole in a terminal and on the pages.
fn video_body(model: &str, duration: u32) -> String {
    format!(r#"{{"prompt":"A boat at dusk","model":{},"duration":{duration}}}"#, Value::from(model))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{self, Depth};
    use crate::domain::{Msat, ServiceId};
    use std::time::Duration;

    fn services() -> [ServiceConfig; 2] {
        let service = |id, price, kind| ServiceConfig {
            id,
            price,
            body_limit: 1 << 24,
            deadline: Duration::ZERO,
            result_limit: 1,
            private_callbacks: false,
            kind,
        };
        let sats = |sats| Msat::from_sat(sats).unwrap();
        let video = ServiceKind::Video { models: vec!["Video Generation".into()], max_prompt_chars: 2_000 };
        let model =
            ServiceKind::Model3d { max_side: 8_192, max_pixels: 40_000_000, max_alloc: 128 << 20, routes: vec![] };
        [
            service(ServiceId::Video, PriceRule::PerSecond(sats(100)), video),
            service(ServiceId::Model3d, PriceRule::Fixed(sats(350)), model),
        ]
    }

    #[test]
    fn the_examples_can_be_bought_at_the_price_they_show() {
        for service in services() {
            assert_eq!(service.example_body(), service.priced_examples()[0].body);
            for example in service.priced_examples() {
                let priced = catalog::validate(&service, &Bytes::from(example.body), Depth::Full).unwrap();
                assert_eq!(priced.quote.amount.sat_rounded_up(), example.sats);
            }
        }
    }

    #[test]
    fn the_schema_and_the_table_name_the_same_fields() {
        for service in services() {
            let schema = service.schema();
            let mut in_schema: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            let mut in_table: Vec<_> = service.params().iter().map(|param| param.name.to_owned()).collect();
            in_schema.sort_unstable();
            in_table.sort_unstable();
            assert_eq!(in_schema, in_table);
            for param in service.params() {
                assert_eq!(schema["properties"][param.name]["description"], param.rule, "{}", param.name);
            }
            assert_eq!(schema["dependentRequired"], json!({"callback_id": ["callback_url"]}));
        }
    }
}
