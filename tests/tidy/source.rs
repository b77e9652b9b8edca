//! The files of the crate, and what stands in them.

use std::path::{Path, PathBuf};

/// A file and its text.
pub struct Source {
    /// Relative to the crate, with `/` between its parts.
    pub path: String,
    pub text: String,
}

/// Folders that hold what others wrote, or what tools made.
const FOREIGN: [&str; 5] = ["node_modules", "target", ".venv", "__pycache__", "corpus"];

/// Every file below `folder` with one of these endings, in the order of their paths.
pub fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&root.join(folder), &mut found);
    found.sort();
    let wanted = |path: &PathBuf| path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        Source { path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text }
    };
    found.into_iter().filter(wanted).map(read).collect()
}

/// The crate's own files as they are read: tests that have a file of their own count, those at the end of one do not.
pub fn own_files() -> Vec<Source> {
    let own = files("src", &["rs"]).into_iter();
    own.map(|source| Source { text: source.without_tests().to_owned(), ..source }).collect()
}

/// The crate's own code, without its tests.
pub fn code() -> Vec<Source> {
    let own = files("src", &["rs"]).into_iter().filter(|source| !source.is_test());
    own.map(|source| Source { text: source.without_tests().to_owned(), ..source }).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !FOREIGN.contains(&name.as_str()) {
            collect(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

impl Source {
    fn is_test(&self) -> bool {
        // The vectors of the paywall are a test under a name of their own.
        let name = self.path.trim_end_matches(".rs");
        name.ends_with("/tests") || name.contains("/tests/") || name.ends_with("/vectors")
    }

    fn without_tests(&self) -> &str {
        let tests = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        &self.text[..tests]
    }

    /// The lines that are code, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where the file stands in the tree of modules: `src/jobs/execution/watch.rs` is jobs, execution, watch.
    pub fn modules(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        if matches!(path, "lib" | "main" | "mod") { Vec::new() } else { path.split('/').collect() }
    }
}

/// Every place after `marker` in `text`, up to whatever cannot stand in a name.
pub fn words_after<'a>(text: &'a str, marker: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(marker).map(move |(at, _)| {
        let rest = &text[at + marker.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Whether `name` stands in `line` by itself, and not as a part of a longer name.
pub fn mentions(line: &str, name: &str) -> bool {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        !before.ends_with(part_of_name) && !after.starts_with(part_of_name)
    })
}

#[test]
fn the_rules_see_the_code() {
    let code = code();
    assert!(code.len() > 80, "{} files", code.len());
    assert!(code.iter().any(|source| source.path == "src/jobs/execution/watch.rs"));
    let watch = Source { path: "src/jobs/execution/watch.rs".into(), text: String::new() };
    assert_eq!(watch.modules(), ["jobs", "execution", "watch"]);
    assert_eq!(words_after("use crate::a::b; crate::c::d()", "crate::").collect::<Vec<_>>(), ["a", "c"]);
    assert!(mentions("use sqlx::query;", "sqlx") && !mentions("the_sqlx_thing", "sqlx"));
}
