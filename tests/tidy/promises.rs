//! The tests that are named as guards of a promise, in SECURITY.md and beside the invariants in lib.rs, exist.

use std::path::Path;

use crate::source::{Source, files};

/// A test that is named, and the file that it is said to be in.
#[derive(Debug)]
struct Named<'t> {
    file: Option<&'t str>,
    test: &'t str,
}

/// What stands between backticks, with what follows the second one.
fn quoted(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    let pairs: Vec<_> = parts.windows(2).skip(1).step_by(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter()
}

/// Files are named with what holds of them: `` `a.rs`: `one_test`, `another_test` ``. A name of more than two words that
/// follows no file is a test of any.
fn named(text: &str) -> Vec<Named<'_>> {
    let mut found = Vec::new();
    let mut file = None;
    for (word, after) in quoted(text) {
        let is_name = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_file(word) {
            file = after.starts_with(':').then_some(word);
        } else if is_name && (file.is_some() || word.matches('_').count() > 2) {
            found.push(Named { file, test: word });
        }
        // A list goes on after a comma, and a line may end there.
        if !is_file(word) && after.trim() != "," {
            file = None;
        }
    }
    found
}

/// Whether a word is the name of a file of ours.
fn is_file(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "rs")
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn defines(source: &Source, test: &str) -> bool {
    source
        .text
        .match_indices(&format!("fn {test}"))
        .any(|(at, found)| source.text[at + found.len()..].starts_with(['(', '<']) && !source.text[..at].ends_with('/'))
}

/// Those of `text` that nobody has written.
fn missing(text: &str) -> (usize, Vec<String>) {
    let sources: Vec<Source> = [files("src", &["rs"]), files("tests", &["rs"])].into_iter().flatten().collect();
    let all = named(text);
    let is_there = |named: &Named<'_>| {
        let mut there = sources.iter().filter(|source| defines(source, named.test));
        there.any(|source| named.file.is_none_or(|file| source.path == file || source.path == format!("src/{file}")))
    };
    let missing = all.iter().filter(|named| !is_there(named)).map(|named| format!("{named:?}")).collect();
    (all.len(), missing)
}

#[test]
fn every_test_that_is_promised_exists() {
    let documentation: String =
        text_of("src/lib.rs").lines().filter_map(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n");
    for (what, text, least) in [("SECURITY.md", text_of("SECURITY.md"), 50), ("lib.rs", documentation, 8)] {
        let (all, missing) = missing(&text);
        assert!(missing.is_empty(), "{what} names tests that there are not: {missing:#?}");
        assert!(all >= least, "{what}: only {all} tests were found in it");
    }
}

#[test]
fn every_line_about_what_nobody_can_do_names_its_test() {
    let text = text_of("SECURITY.md");
    let mut lines = 0;
    for item in text.split("\n- ").skip(1).filter(|item| item.starts_with("cannot ")) {
        let item = item.split("\n\n").next().unwrap_or_default();
        assert!(!named(item).is_empty(), "{item}");
        lines += 1;
    }
    assert!(lines >= 20, "only {lines} lines");
}

#[test]
fn names_are_found_where_they_stand() {
    let found = named("see `a/b.rs` and `x_y`: (`c.rs`: `one`,\n `two_three`; `four_five_six_seven`), `not_a_test`");
    let shown: Vec<_> = found.iter().map(|named| (named.file, named.test)).collect();
    assert_eq!(shown, [(Some("c.rs"), "one"), (Some("c.rs"), "two_three"), (None, "four_five_six_seven")]);
    let (all, missing) = missing("`tests/tidy/promises.rs`: `names_are_found_where_they_stand`, `there_is_none_of_it`");
    assert_eq!((all, missing.len()), (2, 1), "{missing:?}");
}
