//! What is wrong with a configuration: all of it at once, each problem under the path of its key.

use std::fmt;

/// One thing that is wrong.
///
/// It never quotes what was typed where a secret belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ConfigError {
    /// The key (`server.listen`, `keys.secrets[0]`), the variable that is no setting, or the file that cannot be read.
    pub path: String,
    /// What is wrong with it, as a clause without a full stop.
    pub message: String,
}

/// Everything that is wrong with a configuration; never empty. `Display` writes one problem a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// Collects what is wrong while the rest is still being read.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl Problems {
    /// Notes a problem, unless there is one at or below `path` already, from which this one may only follow.
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        let is_below = |known: &ConfigError| {
            known.path.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !self.0.iter().any(is_below) {
            self.0.push(ConfigError { path, message: message.into() });
        }
    }

    /// Whether there is a problem with the key or section at `path` itself.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.iter().any(|known| known.path == path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that was found, with the variable's name where `variable_of` knows that one set the key.
    pub(super) fn into_errors(self, variable_of: impl Fn(&str) -> Option<String>) -> ConfigErrors {
        let name_the_variable = |mut error: ConfigError| {
            if let Some(variable) = variable_of(&error.path) {
                error.message = format!("{} (set by {variable})", error.message);
            }
            error
        };
        ConfigErrors(self.0.into_iter().map(name_the_variable).collect())
    }
}
