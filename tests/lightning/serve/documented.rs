//! docs/lightning.md says what is printed, and everything that is printed.

use std::collections::BTreeSet;

use super::{purchases, sentences};
use crate::logged;

pub const DOCUMENT: &str = include_str!("../../../docs/lightning.md");
/// The section of what holds for every backend.
const ANY: &str = "What is the same for all";

/// The sentences in the tables of a section; `log`: of those that stand in the log, else of what `check` says.
fn documented(heading: &str, log: bool) -> BTreeSet<String> {
    let (_, rest) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = rest.split("\n## ").next().unwrap();
    let head = if log { "| the log says |" } else { "| `check` says |" };
    let tables = section.split(head).skip(1);
    let rows = tables.flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')));
    let rows: Vec<String> = rows.map(sentence).collect();
    let all: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), all.len(), "a sentence stands twice in {heading}");
    all
}

/// The code in the first cell of a row, without backticks.
fn sentence(row: &str) -> String {
    let code = row.trim_start_matches("| ");
    let fence = &code[..code.len() - code.trim_start_matches('`').len()];
    assert!(!fence.is_empty(), "no code in {row}");
    let (code, _) = code[fence.len()..].split_once(fence).unwrap();
    plain(code.trim())
}

fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn heading(backend: &str) -> &'static str {
    let link = format!("| `{backend}` |");
    let row = DOCUMENT.lines().find(|line| line.contains(&link)).unwrap_or_else(|| panic!("no row for {backend}"));
    let anchor = row.split_once("](#").unwrap().1.split_once(')').unwrap().0;
    let headings = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## "));
    headings.into_iter().find(|heading| heading.to_lowercase().replace(' ', "-") == anchor).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_is_printed_and_every_printed_sentence_is_documented() {
    let mut said = vec![(ANY, sentences::any::all().iter().map(|case| case.said).collect::<Vec<_>>())];
    for (backend, sentences) in super::said().await {
        said.push((heading(backend), sentences));
    }
    for (heading, said) in said {
        let said: BTreeSet<String> = said.into_iter().map(plain).collect();
        let elsewhere = elsewhere(heading);
        let documented = documented(heading, false);
        let documented: BTreeSet<_> = documented.difference(&elsewhere).cloned().collect();
        assert_eq!(documented, said, "{heading}");
    }
}

#[test]
fn every_sentence_of_the_log_is_asserted_and_every_asserted_one_is_documented() {
    for (backend, heading) in logged::BACKENDS.map(|backend| (backend, heading(backend))) {
        let asserted = logged::ALL.iter().filter(|logged| logged.backend == backend);
        let asserted: BTreeSet<String> = asserted.map(|logged| plain(logged.said)).collect();
        assert_eq!(documented(heading, true), asserted, "{heading}");
    }
}

/// Sentences of `check` that no test can bring about on a machine without the internet: that a name leads to a public
/// address. The adapter puts the relay's place before what `egress::websocket` says.
fn elsewhere(heading: &str) -> BTreeSet<String> {
    if heading != self::heading("nwc") {
        return BTreeSet::new();
    }
    let said = "the URL is refused: without TLS (ws://) it must be on this machine or in a private network";
    let tested = include_str!("../../../src/egress/websocket.rs");
    let (_, why) = said.split_once(": ").unwrap();
    assert!(tested.contains(why), "nobody says {why}");
    [format!("lightning.nwc.uri: relay 1 of 1: {said}")].into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_check_prints_what_is_shown() {
    let (_, rest) = DOCUMENT.split_once("A good check says, for instance:\n\n```text\n").unwrap();
    let shown = rest.split_once("```").unwrap().0;
    let printed = purchases::good_check().await.replace("regtest", "bitcoin");
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace().map(|word| if word.parse::<u64>().is_ok() { "N".into() } else { word.into() }).collect()
    };
    assert_eq!(words(shown), words(&printed));
}
