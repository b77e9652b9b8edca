//! The process's environment, and how the names of its variables stand for keys.
//!
//! `SATFORGE_` and the key's path in upper case, with two underscores between its parts and one in place of a
//! hyphen: `services.3d-model.price.fixed` is `SATFORGE_SERVICES__3D_MODEL__PRICE__FIXED`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// What every variable that sets a key begins with.
const PREFIX: &str = "SATFORGE_";

/// Environment variables, taken once, so that tests can bring their own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The variables that this process was started with. Names that are not UTF-8 stand for nothing and are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// The variables that begin as settings do, by name.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_os_str()))
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The variable that sets the key at `path`.
pub(super) fn variable_name(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('-', "_").replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_follow_paths() {
        assert_eq!(variable_name("data_dir"), "SATFORGE_DATA_DIR");
        assert_eq!(variable_name("limits.challenges_per_minute"), "SATFORGE_LIMITS__CHALLENGES_PER_MINUTE");
        assert_eq!(variable_name("services.3d-model.price.fixed"), "SATFORGE_SERVICES__3D_MODEL__PRICE__FIXED");
    }

    #[test]
    fn values_are_not_shown() {
        let environment: Environment = [("SATFORGE_KEY", "c0ffee")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"SATFORGE_KEY"}"#);
    }
}
