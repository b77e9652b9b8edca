//! How our parameters are said to a model: which of them go to which of its fields, constants, and changes of type.
//!
//! A template is a JSON object. `"{duration}"` alone becomes the value as it is, `"{duration|string}"` its text, and
//! text around a placeholder makes a text of all. `{"from": "duration", "map": {"5": "short"}}` looks the value up.
//! `{{` and `}}` are braces. Everything else is sent as it stands.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::{JobSpec, ServiceId};

/// Said to models that have no field for a camera that stands still.
const CAMERA_NOTE: &str = " The camera is locked off and does not move.";

/// An input with places for our parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputTemplate {
    fields: BTreeMap<String, Term>,
}

/// A parameter of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// The prompt.
    Prompt,
    /// Whole seconds.
    Duration,
    /// Whether the camera stands still.
    CameraFixed,
    /// A sentence about the camera if it is to stand still, with a space before it; otherwise nothing.
    CameraNote,
    /// The model's public name, as the caller chose it.
    Model,
    /// The URL of the image, which is good for a while.
    ImageUrl,
    /// The image itself, as a data URI.
    ImageDataUri,
    /// A number that no other create has, from 0 to 2³¹ − 1.
    Seed,
}

/// What a request does not hold itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The URL of the image.
    pub image_url: Option<&'a str>,
    /// See [`Parameter::Seed`].
    pub seed: u32,
}

/// A template that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct TemplateError {
    /// The path of the field within the template, with dots.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// A parameter that this request has no value for, or none that the template's table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template has no value for {{{0}}}")]
pub struct NoValue(&'static str);

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Constant(Value),
    Value(Parameter),
    Text(Vec<Piece>),
    Table(Parameter, BTreeMap<String, Value>),
    Object(BTreeMap<String, Self>),
    List(Vec<Self>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Said(String),
    Parameter(Parameter),
}

impl Parameter {
    /// Every parameter.
    pub const ALL: [Self; 8] = [
        Self::Prompt,
        Self::Duration,
        Self::CameraFixed,
        Self::CameraNote,
        Self::Model,
        Self::ImageUrl,
        Self::ImageDataUri,
        Self::Seed,
    ];

    /// The name in templates.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Duration => "duration",
            Self::CameraFixed => "camera_fixed",
            Self::CameraNote => "camera_note",
            Self::Model => "model",
            Self::ImageUrl => "image_url",
            Self::ImageDataUri => "image_data_uri",
            Self::Seed => "seed",
        }
    }

    /// Whether requests to `service` have it.
    #[must_use]
    pub const fn belongs_to(self, service: ServiceId) -> bool {
        match self {
            Self::Seed => true,
            Self::ImageUrl | Self::ImageDataUri => matches!(service, ServiceId::Model3d),
            Self::Prompt | Self::Duration | Self::CameraFixed | Self::CameraNote | Self::Model => {
                matches!(service, ServiceId::Video)
            }
        }
    }

    fn value(self, spec: &JobSpec, given: Given<'_>) -> Result<Value, NoValue> {
        let value = match (self, spec) {
            (Self::Prompt, JobSpec::Video(video)) => video.prompt.clone().into(),
            (Self::Duration, JobSpec::Video(video)) => video.duration.into(),
            (Self::CameraFixed, JobSpec::Video(video)) => video.camera_fixed.into(),
            (Self::CameraNote, JobSpec::Video(video)) => if video.camera_fixed { CAMERA_NOTE } else { "" }.into(),
            (Self::Model, JobSpec::Video(video)) => video.model.clone().into(),
            (Self::ImageUrl, JobSpec::Model3d(_)) => given.image_url.ok_or(NoValue(self.name()))?.into(),
            (Self::ImageDataUri, JobSpec::Model3d(model)) => {
                format!("data:{};base64,{}", model.media_type.media_type(), BASE64.encode(&model.image)).into()
            }
            (Self::Seed, _) => given.seed.into(),
            _ => return Err(NoValue(self.name())),
        };
        Ok(value)
    }
}

impl InputTemplate {
    /// Reads a template for `service`. Errors at the first field that cannot be.
    pub fn parse(template: &Map<String, Value>, service: ServiceId) -> Result<Self, TemplateError> {
        Ok(Self { fields: object(template, service, "")? })
    }

    /// Whether `parameter` stands anywhere in it.
    #[must_use]
    pub fn uses(&self, parameter: Parameter) -> bool {
        self.fields.values().any(|term| term.uses(parameter))
    }

    /// The values of `parameter` that a table of the template knows; `None`: it stands in no table.
    #[must_use]
    pub fn known_values(&self, parameter: Parameter) -> Option<Vec<&str>> {
        self.fields.values().find_map(|term| term.known_values(parameter))
    }

    /// The input of a create.
    pub fn render(&self, spec: &JobSpec, given: Given<'_>) -> Result<Map<String, Value>, NoValue> {
        self.fields.iter().map(|(name, term)| Ok((name.clone(), term.render(spec, given)?))).collect()
    }
}

impl Term {
    fn uses(&self, parameter: Parameter) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Value(used) | Self::Table(used, _) => *used == parameter,
            Self::Text(pieces) => pieces.contains(&Piece::Parameter(parameter)),
            Self::Object(fields) => fields.values().any(|term| term.uses(parameter)),
            Self::List(terms) => terms.iter().any(|term| term.uses(parameter)),
        }
    }

    fn known_values(&self, parameter: Parameter) -> Option<Vec<&str>> {
        match self {
            Self::Table(used, table) if *used == parameter => Some(table.keys().map(String::as_str).collect()),
            Self::Object(fields) => fields.values().find_map(|term| term.known_values(parameter)),
            Self::List(terms) => terms.iter().find_map(|term| term.known_values(parameter)),
            Self::Constant(_) | Self::Value(_) | Self::Table(..) | Self::Text(_) => None,
        }
    }

    fn render(&self, spec: &JobSpec, given: Given<'_>) -> Result<Value, NoValue> {
        Ok(match self {
            Self::Constant(value) => value.clone(),
            Self::Value(parameter) => parameter.value(spec, given)?,
            Self::Table(parameter, table) => {
                let value = text_of(&parameter.value(spec, given)?);
                table.get(&value).cloned().ok_or(NoValue(parameter.name()))?
            }
            Self::Text(pieces) => {
                let pieces = pieces.iter().map(|piece| match piece {
                    Piece::Said(text) => Ok(text.clone()),
                    Piece::Parameter(parameter) => Ok(text_of(&parameter.value(spec, given)?)),
                });
                Value::String(pieces.collect::<Result<_, _>>()?)
            }
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, term)| Ok((name.clone(), term.render(spec, given)?)));
                Value::Object(fields.collect::<Result<_, _>>()?)
            }
            Self::List(terms) => {
                Value::Array(terms.iter().map(|term| term.render(spec, given)).collect::<Result<_, _>>()?)
            }
        })
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn object(
    template: &Map<String, Value>,
    service: ServiceId,
    path: &str,
) -> Result<BTreeMap<String, Term>, TemplateError> {
    let fields = template.iter().map(|(name, value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        Ok((name.clone(), term(value, service, &path)?))
    });
    fields.collect()
}

fn term(value: &Value, service: ServiceId, path: &str) -> Result<Term, TemplateError> {
    match value {
        Value::String(text) => said(text, service, path),
        Value::Array(terms) => {
            let terms =
                terms.iter().enumerate().map(|(index, value)| term(value, service, &format!("{path}[{index}]")));
            Ok(Term::List(terms.collect::<Result<_, _>>()?))
        }
        Value::Object(fields) => match (fields.get("from"), fields.get("map"), fields.len()) {
            (Some(Value::String(from)), Some(Value::Object(table)), 2) => {
                let table = table.iter().map(|(value, meaning)| (value.clone(), meaning.clone()));
                Ok(Term::Table(parameter(from, service, path)?, table.collect()))
            }
            _ => Ok(Term::Object(object(fields, service, path)?)),
        },
        constant => Ok(Term::Constant(constant.clone())),
    }
}

/// A text with its placeholders; one alone keeps its type.
fn said(text: &str, service: ServiceId, path: &str) -> Result<Term, TemplateError> {
    let refused = |message: String| TemplateError { path: path.to_owned(), message };
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        plain.push_str(before);
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            plain.push_str(&brace[..1]);
            rest = after;
            continue;
        }
        let placeholder = brace.strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = placeholder else {
            return Err(refused("a brace stands alone; write `{{` or `}}` for a brace itself".to_owned()));
        };
        let (name, as_text) = name.strip_suffix("|string").map_or((name, false), |name| (name, true));
        let found = parameter(name, service, path)?;
        if before.is_empty() && pieces.is_empty() && plain.is_empty() && after.is_empty() && !as_text {
            return Ok(Term::Value(found));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Said(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Parameter(found));
        rest = after;
    }
    plain.push_str(rest);
    if pieces.is_empty() {
        return Ok(Term::Constant(plain.into()));
    }
    if !plain.is_empty() {
        pieces.push(Piece::Said(plain));
    }
    Ok(Term::Text(pieces))
}

fn parameter(name: &str, service: ServiceId, path: &str) -> Result<Parameter, TemplateError> {
    let mut all = Parameter::ALL.into_iter().filter(|parameter| parameter.belongs_to(service));
    all.clone().find(|parameter| parameter.name() == name).ok_or_else(|| {
        let first = all.next().map_or("", Parameter::name);
        let names = all.fold(format!("{{{first}}}"), |names, parameter| format!("{names}, {{{}}}", parameter.name()));
        let message = format!("there is no {{{name}}} here; there are {names}");
        TemplateError { path: path.to_owned(), message }
    })
}

#[cfg(test)]
mod tests;
