//! From what was typed to the [`Config`]: defaults, then the file, then `SATFORGE_` variables, then the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, error};

use super::environment::{Environment, variable_name};
use super::error::{ConfigError, ConfigErrors, Problems};
use super::meaning::{Mode, meaning};
use super::raw::RawConfig;
use super::shape::Shape;
use super::tables::Tables;
use super::{Config, dev_key, secret, tables};

/// What the command line of `satforge dev` may decide.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// Instead of `server.listen`.
    pub listen: Option<SocketAddr>,
    /// Instead of `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// Instead of `server.public_url`.
    pub public_url: Option<String>,
    /// Switches `sandbox.public` on.
    pub public_sandbox: bool,
}

impl Config {
    /// The configuration of `satforge dev`: no file, the variables of this process, then `options`.
    ///
    /// Creates the data directory and the key in it where they are missing, if all else is well. Fails with
    /// everything that is wrong.
    pub fn dev(options: DevOptions) -> Result<Self, ConfigErrors> {
        Self::dev_in(options, &Environment::of_process())
    }

    /// [`Config::dev`] with the variables of `environment`.
    pub fn dev_in(options: DevOptions, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::default();
        let mut overruled = Vec::new();
        let mut raw = read(&RawConfig::dev(), Dict::new(), environment, &mut problems)?;
        if let Some(listen) = options.listen {
            raw.server.listen = listen.to_string();
            overruled.push("server.listen");
        }
        if let Some(data_dir) = options.data_dir {
            raw.data_dir = data_dir;
            overruled.push("data_dir");
        }
        if let Some(public_url) = options.public_url {
            raw.server.public_url = Some(public_url);
            overruled.push("server.public_url");
        }
        if options.public_sandbox {
            raw.sandbox.public = true;
            overruled.push("sandbox.public");
        }
        let variable_of = |path: &str| if overruled.contains(&path) { None } else { set_by(path, environment) };
        let keys = |problems: &mut Problems| {
            if !raw.keys.secrets.is_empty() {
                return secret::key_ring(&raw.keys.secrets, environment, problems);
            }
            // A configuration that will be refused leaves nothing behind.
            if problems.is_empty() { dev_key::open_or_create(&raw.data_dir, problems) } else { None }
        };
        meaning(&raw, Mode::Dev, environment, keys, problems).map_err(|problems| problems.into_errors(variable_of))
    }

    /// The configuration of `satforge serve` and `satforge check`: the TOML file at `path`, then the variables of
    /// this process. Creates nothing. Fails with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_in(path, &Environment::of_process())
    }

    /// [`Config::load`] with the variables of `environment`.
    pub fn load_in(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let file = read_file(path)?;
        let mut problems = Problems::default();
        let raw = read(&RawConfig::serve(), file, environment, &mut problems)?;
        let keys = |problems: &mut Problems| secret::key_ring(&raw.keys.secrets, environment, problems);
        meaning(&raw, Mode::Serve, environment, keys, problems)
            .map_err(|problems| problems.into_errors(|path| set_by(path, environment)))
    }
    /// For how long after a key has stopped minting its tokens can be presented: for a job, and then for the result.
    #[must_use]
    pub fn tokens_live(&self) -> Duration {
        self.lightning.invoice_expiry + self.paywall.redeem_window + self.artifacts.retention
    }

    /// Where the configuration in the file at `path` keeps everything, after the variables of this process. No secret is
    /// read for it. Fails with what was typed wrong.
    pub fn data_dir_of(path: &Path) -> Result<PathBuf, ConfigErrors> {
        let environment = Environment::of_process();
        let mut problems = Problems::default();
        let raw = read(&RawConfig::serve(), read_file(path)?, &environment, &mut problems)?;
        if problems.is_empty() {
            return Ok(raw.data_dir);
        }
        Err(problems.into_errors(|path| set_by(path, &environment)))
    }
}

fn read_file(path: &Path) -> Result<Dict, ConfigErrors> {
    let refused = |message: String| ConfigError { path: path.display().to_string(), message };
    let text = std::fs::read_to_string(path).map_err(|error| refused(format!("the file cannot be read: {error}")))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        // Not the error's own `Display`, which quotes the line: a secret may stand in it.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        refused(format!("line {line}, column {column}: {}", error.message()))
    })?;
    let value = Value::serialize(table).map_err(|error| refused(error.to_string()))?;
    Ok(value.into_dict().unwrap_or_default())
}

/// What was typed, in its shape; what does not fit is a problem, and the default takes its place.
fn read(
    defaults: &RawConfig,
    file: Dict,
    environment: &Environment,
    problems: &mut Problems,
) -> Result<RawConfig, ConfigErrors> {
    let internal = |error: error::Error| ConfigError { path: "defaults".into(), message: error.to_string() };
    let default_values = Value::serialize(defaults).map_err(internal)?;
    let shape = Shape::new(default_values.clone());
    let (variables, unknown) = variables(&shape, environment, problems);

    // A price is one decision: `fixed` typed in a later layer must not meet `per_second` from an earlier one.
    let mut layers = [default_values.into_dict().unwrap_or_default(), file, variables];
    for later in 1..layers.len() {
        let (earlier, rest) = layers.split_at_mut(later);
        for layer in earlier {
            drop_replaced_prices(layer, &rest[0]);
        }
    }
    let merge = |figment: Figment, layer: Dict| figment.merge(Serialized::defaults(layer));
    let mut typed = layers.into_iter().fold(Figment::new(), merge).find_value("").map_err(internal)?;

    let tables = Tables::take(&mut typed);
    shape.remove_unknown(&mut typed, problems);
    let Some(mut raw) = shape.fit::<RawConfig>(typed, problems) else {
        return Err(std::mem::take(problems).into_errors(|_| None));
    };
    tables.read_into(&mut raw, problems);
    refuse_unknown_variables(&shape, unknown, &raw, problems);
    Ok(raw)
}

/// The keys that variables set, and the names of the variables that set none.
fn variables<'e>(shape: &Shape, environment: &'e Environment, problems: &mut Problems) -> (Dict, Vec<&'e str>) {
    let (mut values, mut unknown) = (Value::from(Dict::new()), Vec::new());
    let keys = shape.keys();
    for (name, typed) in environment.settings() {
        let Some(path) = keys.iter().find(|path| variable_name(path) == name) else {
            unknown.push(name);
            continue;
        };
        match typed.to_str() {
            Some(text) => insert(&mut values, path, value_of(text, shape.default_of(path))),
            None => problems.add(path, "the value is not UTF-8"),
        }
    }
    (values.into_dict().unwrap_or_default(), unknown)
}

/// What `text` stands for. Where text is wanted it is taken as it is: a directory may be called `7` or `true`.
fn value_of(text: &str, default: Option<&Value>) -> Value {
    match default {
        Some(Value::String(..)) => Value::from(text),
        _ => text.parse().unwrap_or_else(|_| Value::from(text)),
    }
}

fn insert(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for name in path.split('.') {
        let Value::Dict(_, section) = place else { return };
        place = section.entry(name.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    }
    *place = value;
}

fn drop_replaced_prices(earlier: &mut Dict, later: &Dict) {
    let Some(Value::Dict(_, later)) = later.get("services") else { return };
    let Some(Value::Dict(_, earlier)) = earlier.get_mut("services") else { return };
    for (name, service) in earlier {
        if let Some(Value::Dict(_, later)) = later.get(name)
            && let (Some(_), Value::Dict(_, service)) = (later.get("price"), service)
        {
            service.remove("price");
        }
    }
}

/// A variable that sets nothing is a typing error, unless it holds a secret that the configuration refers to.
fn refuse_unknown_variables(shape: &Shape, unknown: Vec<&str>, raw: &RawConfig, problems: &mut Problems) {
    let referred_to = secret::variables_named(raw.secrets());
    for name in unknown.into_iter().filter(|name| !referred_to.iter().any(|named| named == name)) {
        let message = tables::refused_variable(name).unwrap_or_else(|| shape.unknown_variable(name));
        problems.add(name, message);
    }
}

/// The variable that set the key at `path`, if one did.
fn set_by(path: &str, environment: &Environment) -> Option<String> {
    if tables::hold(path) {
        return None;
    }
    let key = path.split('[').next().unwrap_or(path);
    let name = variable_name(key);
    environment.get(&name).map(|_| name)
}
