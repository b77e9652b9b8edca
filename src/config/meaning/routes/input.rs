//! Input templates: what a model would be told, tried out on every request that can be sold.

use bytes::Bytes;
use figment::value::{Dict, Num, Value as Typed};
use serde_json::{Map, Number, Value};

use super::Route;
use crate::config::error::Problems;
use crate::config::meaning::url::is_public;
use crate::config::{ProviderKind, ServiceKind};
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};
use crate::domain::template::{Given, Parameter};
use crate::domain::{InputTemplate, JobSpec, ServiceId};

/// How the `toml` crate hands on dates and times.
const DATE: &str = "$__toml_private_datetime";

impl Route<'_> {
    /// The template, checked field by field, so that the problems of all fields are found.
    pub(super) fn input(&self, public_url: Option<&str>, p: &mut Problems) -> InputTemplate {
        let path = self.key("input");
        let none = Dict::new();
        let mut whole = Map::new();
        for (name, typed) in self.raw.input.as_ref().unwrap_or(&none) {
            let json = match json(typed) {
                Ok(json) => json,
                Err(message) => {
                    p.add(format!("{path}.{name}"), message);
                    continue;
                }
            };
            let field = Map::from_iter([(name.clone(), json.clone())]);
            match InputTemplate::parse(&field, self.service.id) {
                Ok(template) => self.check_field(&format!("{path}.{name}"), &template, public_url, p),
                Err(error) => p.add(format!("{path}.{}", error.path), error.message),
            }
            whole.insert(name.clone(), json);
        }
        // What is wrong with it has been said.
        let template = InputTemplate::parse(&whole, self.service.id).unwrap_or_default();
        self.check_whole(&path, &template, p);
        template
    }

    fn check_field(&self, path: &str, field: &InputTemplate, public_url: Option<&str>, p: &mut Problems) {
        let given = Given { image_url: Some("https://example.com/image"), seed: 0 };
        for spec in self.samples() {
            if let Err(error) = field.render(&spec, given) {
                let of = match spec {
                    JobSpec::Video(video) => format!(
                        ", which is sold with duration {}, camera_fixed {} and model {:?}",
                        video.duration, video.camera_fixed, video.model
                    ),
                    JobSpec::Model3d(_) => String::new(),
                };
                p.add(path, format!("{error}{of}"));
                break;
            }
        }
        let Some(account) = self.account else { return };
        let is_image = field.uses(Parameter::ImageUrl) || field.uses(Parameter::ImageDataUri);
        if is_image && matches!(account.kind, ProviderKind::Tripo { .. }) {
            p.add(path, "images are uploaded to this kind of provider, and the input's `input` is set by itself");
        }
        let reach = account.gateway_url.as_deref().or(public_url);
        if field.uses(Parameter::ImageUrl) && !account.near && !is_public(reach) {
            p.add(
                path,
                format!(
                    "{{image_url}} is a URL of this gateway, and the provider has no way to it: give an https:// URL \
                     at which the internet reaches the gateway as server.public_url, or as \
                     providers.{}.gateway_url, or send {{image_data_uri}} if the model takes it",
                    account.name
                ),
            );
        }
    }

    fn check_whole(&self, path: &str, template: &InputTemplate, p: &mut Problems) {
        let has_image = template.uses(Parameter::ImageUrl) || template.uses(Parameter::ImageDataUri);
        match (self.service.id, self.account.map(|account| &account.kind)) {
            (ServiceId::Video, _) if !template.uses(Parameter::Prompt) => {
                p.add(path, "{prompt} stands nowhere in it, so all callers would get the same video");
            }
            (ServiceId::Model3d, Some(kind)) if !has_image && !matches!(kind, ProviderKind::Tripo { .. }) => {
                p.add(
                    path,
                    "neither {image_url} nor {image_data_uri} stands in it, so all callers would get the same model",
                );
            }
            _ => {}
        }
    }

    /// A request of every sort that is sold.
    fn samples(&self) -> Vec<JobSpec> {
        let ServiceKind::Video { models, .. } = &self.service.kind else {
            return vec![JobSpec::Model3d(ModelSpec { media_type: ImageType::Png, image: Bytes::new() })];
        };
        let mut samples = Vec::new();
        for model in models {
            for duration in VideoSpec::DURATIONS {
                for camera_fixed in [false, true] {
                    let prompt = "anything".to_owned();
                    samples.push(JobSpec::Video(VideoSpec { prompt, model: model.clone(), duration, camera_fixed }));
                }
            }
        }
        samples
    }
}

/// What was typed, as JSON.
fn json(typed: &Typed) -> Result<Value, &'static str> {
    Ok(match typed {
        Typed::String(_, text) => text.clone().into(),
        Typed::Char(_, c) => c.to_string().into(),
        Typed::Bool(_, is) => (*is).into(),
        Typed::Num(_, number) => self::number(*number)?,
        Typed::Empty(..) => Value::Null,
        Typed::Dict(_, section) if section.contains_key(DATE) => {
            return Err("dates and times have no form in JSON: write it as a text, in quotes");
        }
        Typed::Dict(_, section) => {
            let field = |(name, typed): (&String, &Typed)| json(typed).map(|value| (name.clone(), value));
            Value::Object(section.iter().map(field).collect::<Result<_, _>>()?)
        }
        Typed::Array(_, values) => Value::Array(values.iter().map(json).collect::<Result<_, _>>()?),
    })
}

fn number(number: Num) -> Result<Value, &'static str> {
    let signed = number.to_i128().and_then(|whole| i64::try_from(whole).ok()).map(Value::from);
    let unsigned = || number.to_u128().and_then(|whole| u64::try_from(whole).ok()).map(Value::from);
    let fraction = || number.to_f64().and_then(Number::from_f64).map(Value::Number);
    signed.or_else(unsigned).or_else(fraction).ok_or("JSON has no such number")
}
