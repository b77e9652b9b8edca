//! The keys that there are, learnt from the serialised defaults, and what is said about any other.

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::environment::variable_name;
use super::error::Problems;
use super::mismatch;

/// The keys that there are, as a tree: dictionaries are sections, anything else is a key with its default.
pub(super) struct Shape {
    /// The path of the section that this is the shape of; empty: the whole configuration.
    root: String,
    known: Value,
}

impl Shape {
    /// The shape of serialised defaults.
    pub(super) const fn new(defaults: Value) -> Self {
        Self { root: String::new(), known: defaults }
    }

    /// The shape of the section at `root`, from its serialised defaults.
    pub(super) const fn at(root: String, defaults: Value) -> Self {
        Self { root, known: defaults }
    }

    /// The path of every key, without the sections.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        collect_keys(&self.known, &self.root, &mut keys);
        keys
    }

    /// The default of the key at `path` below this section; `None` for sections and for what is no key.
    pub(super) fn default_of(&self, path: &str) -> Option<&Value> {
        self.known.find_ref(path).filter(|value| value.as_dict().is_none())
    }

    /// Takes every unknown key out of `typed` and says so.
    pub(super) fn remove_unknown(&self, typed: &mut Value, problems: &mut Problems) {
        if let (Value::Dict(_, typed), Value::Dict(_, known)) = (typed, &self.known) {
            self.remove_unknown_in(typed, known, &self.root, problems);
        }
    }

    fn remove_unknown_in(&self, typed: &mut Dict, known: &Dict, prefix: &str, problems: &mut Problems) {
        typed.retain(|name, value| {
            let path = join(prefix, name);
            match (known.get(name), value) {
                (Some(Value::Dict(_, known)), Value::Dict(_, typed)) => {
                    self.remove_unknown_in(typed, known, &path, problems);
                }
                (Some(_), _) => {}
                (None, _) => {
                    problems.add(&path, unknown("key", self.similar_to(&path, known, prefix)));
                    return false;
                }
            }
            true
        });
    }

    /// Reads `typed` again and again, with the default in place of each value that does not fit, until all are known.
    /// `None` if there is no end of that.
    pub(super) fn fit<T: DeserializeOwned>(&self, mut typed: Value, problems: &mut Problems) -> Option<T> {
        // Every round mends one key or one section, so there cannot be more.
        for _ in 0..=2 * self.keys().len() {
            let error = match T::deserialize(&typed) {
                Ok(fitting) => return Some(fitting),
                Err(error) => error,
            };
            let restored = join(&self.root, &restore(&mut typed, &self.known, &error.path));
            let index = error.path.last().filter(|name| name.chars().all(|c| c.is_ascii_digit()));
            let path = index.map_or_else(|| restored.clone(), |index| format!("{restored}[{index}]"));
            problems.add(path, mismatch::describe(&error.kind));
        }
        None
    }

    /// What is said of the variable `name`, which sets nothing.
    pub(super) fn unknown_variable(&self, name: &str) -> String {
        let names = self.keys().into_iter().map(|key| variable_name(&key));
        unknown("setting", nearest(name, names).map(|(_, similar)| similar))
    }

    /// A key that may have been meant: a neighbour that is spelt nearly so, or one of that name in another section.
    fn similar_to(&self, path: &str, neighbours: &Dict, prefix: &str) -> Option<String> {
        let neighbour = nearest(path, neighbours.keys().map(|name| join(prefix, name)));
        let elsewhere = nearest(last(path), self.keys().iter().map(|key| last(key).to_owned()));
        match (neighbour, elsewhere) {
            (Some((distance, key)), Some((other, _))) if distance <= other => Some(key),
            (_, Some((_, name))) => self.keys().into_iter().find(|key| last(key) == name),
            (neighbour, None) => neighbour.map(|(_, key)| key),
        }
    }
}

/// Puts the default in place of what was typed at `path`, or of the key or section that it lies in, and says where that
/// was.
fn restore(typed: &mut Value, known: &Value, path: &[String]) -> String {
    if let Some((name, rest)) = path.split_first()
        && let Some(known) = known.as_dict().and_then(|section| section.get(name))
        && let Value::Dict(_, section) = &mut *typed
        && let Some(typed) = section.get_mut(name)
    {
        let deeper = restore(typed, known, rest);
        return if deeper.is_empty() { name.clone() } else { join(name, &deeper) };
    }
    *typed = known.clone();
    String::new()
}

fn collect_keys(value: &Value, path: &str, keys: &mut Vec<String>) {
    match value {
        Value::Dict(_, section) => {
            for (name, inner) in section {
                collect_keys(inner, &join(path, name), keys);
            }
        }
        _ => keys.push(path.to_owned()),
    }
}

fn unknown(what: &str, similar: Option<String>) -> String {
    match similar {
        Some(similar) => format!("there is no such {what}; did you mean `{similar}`?"),
        None => format!("there is no such {what}"),
    }
}

fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}.{name}"),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The candidate that differs least from `typed`, if it is near enough to be what was meant, and how far it is.
pub(super) fn nearest(typed: &str, candidates: impl Iterator<Item = String>) -> Option<(usize, String)> {
    candidates
        .map(|candidate| (edits(&typed.to_ascii_lowercase(), &candidate.to_ascii_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= (last(candidate).len() / 3).min(4))
        .min()
}

/// The Levenshtein distance, in characters.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, have) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, want) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(have != *want);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, distance) in [("", "abc", 3), ("kitten", "sitting", 3), ("listen", "listen", 0), ("a", "", 1)] {
            assert_eq!(edits(from, to), distance, "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn edits_are_a_distance(a in "[a-d]{0,6}", b in "[a-d]{0,6}", c in "[a-d]{0,6}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
