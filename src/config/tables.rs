//! Sections that the operator names or counts: `[providers.NAME]` and `[[services.NAME.routes]]`.
//!
//! They have no defaults to be merged with, and no variables: the file alone decides them.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::environment::variable_name;
use super::error::Problems;
use super::mismatch;
use super::raw::{RawConfig, RawProvider, RawRoute};
use super::shape::Shape;
use crate::domain::ServiceId;

const PROVIDERS: &str = "providers";

/// What was typed in these sections.
pub(super) struct Tables {
    providers: Option<Value>,
    routes: Vec<(ServiceId, Option<Value>)>,
}

impl Tables {
    /// Takes them out of `typed`.
    pub(super) fn take(typed: &mut Value) -> Self {
        let routes = |id| (id, take(typed, &routes_path(id)));
        let routes = ServiceId::ALL.into_iter().map(routes).collect();
        Self { providers: take(typed, PROVIDERS), routes }
    }

    /// Reads them; what does not fit is a problem, and stands for nothing.
    pub(super) fn read_into(self, raw: &mut RawConfig, problems: &mut Problems) {
        raw.providers = self.providers.map_or_else(BTreeMap::new, |typed| providers(typed, problems));
        for (id, typed) in self.routes {
            let routes = typed.map_or_else(Vec::new, |typed| routes(&routes_path(id), typed, problems));
            match id {
                ServiceId::Video => raw.services.video.routes = routes,
                ServiceId::Model3d => raw.services.model_3d.routes = routes,
            }
        }
    }
}

/// Whether the key at `path` stands in such a section.
pub(super) fn hold(path: &str) -> bool {
    let below =
        |section: &str| path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    sections().any(|section| below(&section))
}

/// What is said of the variable `name` if it would set a key in such a section.
pub(super) fn refused_variable(name: &str) -> Option<String> {
    let sets = |section: String| {
        let rest = name.strip_prefix(variable_name(&section).as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
    };
    sections().any(sets).then(|| {
        "providers and routes are set in the configuration file and not by variables; their secrets can be variables, \
         which the file refers to as `env:NAME`"
            .into()
    })
}

fn sections() -> impl Iterator<Item = String> {
    ServiceId::ALL.into_iter().map(routes_path).chain([PROVIDERS.to_owned()])
}

fn routes_path(id: ServiceId) -> String {
    format!("services.{id}.routes")
}

fn take(typed: &mut Value, path: &str) -> Option<Value> {
    let Value::Dict(_, section) = typed else { return None };
    match path.split_once('.') {
        Some((name, rest)) => take(section.get_mut(name)?, rest),
        None => section.remove(path),
    }
}

fn providers(typed: Value, problems: &mut Problems) -> BTreeMap<String, RawProvider> {
    let Value::Dict(_, named) = typed else {
        problems.add(PROVIDERS, "each provider has a section of its own: write [providers.NAME]");
        return BTreeMap::new();
    };
    let provider = |(name, typed): (String, Value)| {
        let provider = section(format!("{PROVIDERS}.{name}"), typed, problems);
        (name, provider)
    };
    named.into_iter().map(provider).collect()
}

fn routes(path: &str, typed: Value, problems: &mut Problems) -> Vec<RawRoute> {
    match typed {
        Value::Array(_, routes) => {
            let numbered = routes.into_iter().enumerate();
            numbered.map(|(index, typed)| section(format!("{path}[{index}]"), typed, problems)).collect()
        }
        // The section of the defaults.
        Value::Dict(_, none) if none.is_empty() => Vec::new(),
        _ => {
            problems.add(path, format!("there can be several routes, so each begins with [[{path}]]"));
            Vec::new()
        }
    }
}

/// Reads the section at `path`.
fn section<T>(path: String, mut typed: Value, problems: &mut Problems) -> T
where
    T: Default + Serialize + DeserializeOwned,
{
    if typed.as_dict().is_none() {
        problems.add(&path, mismatch::not_a_section(&typed.to_actual()));
        return T::default();
    }
    let known = Value::serialize(T::default()).unwrap_or_else(|_| Value::from(Dict::new()));
    let shape = Shape::at(path, known);
    shape.remove_unknown(&mut typed, problems);
    shape.fit(typed, problems).unwrap_or_default()
}
