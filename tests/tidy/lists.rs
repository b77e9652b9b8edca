//! Lists that must agree with the code: migrations, error codes, metrics, sizes.

use std::collections::BTreeSet;

use satforge::http::error::TABLE;
use sha2::{Digest as _, Sha256};

use crate::source::{Source, code, files, mentions, own_files, words_after};

/// Every migration and the SHA-256 of its file. One that has landed is never edited: a database that has run it would
/// refuse to start. A change of the schema is a new file.
const MIGRATIONS: [(&str, &str); 7] = [
    ("migrations/sqlite/0001_jobs.sql", "cfb2e46d3f9ec8ffa90c691656aa3a93684c1438518f279e6f8fda97f10c70d5"),
    ("migrations/sqlite/0002_settlements.sql", "838925f4b88db76fe7d9e3d6788b7b5abb851d0fb431cf14982da9a38309b376"),
    ("migrations/sqlite/0003_callbacks.sql", "0b79f07ee55f5d6bc7cbbd063f45a3bca1ef16bef6b971835e7ea2377ca2a9ee"),
    ("migrations/sqlite/0004_dispatches.sql", "6ed31f5abae67cf7e1f5bd0fbc40d88232e5a113cac99e9fe8a955262e007b1d"),
    ("migrations/sqlite/0005_refunds.sql", "1434bdc4a553dbbe8e67e812ac2b28fe33300d4521f93ca515ad2b414cb9aeb4"),
    ("migrations/sqlite/0006_dispatch_words.sql", "f299a3477c1bd818d49c1b341af586567fc53ebe31c8cc6e1fdd6cf5fc7ebc45"),
    ("migrations/sqlite/0007_operator.sql", "8cbae61cadde49f0fcf65fb20e4fa4de7a9b4aad919e77f3e90d74661f6f2453"),
];

/// The codes that callers were promised, with their statuses. A client branches on them: none goes, and none moves.
const PROMISED: [(u16, &[&str]); 12] = [
    (400, &["MALFORMED_JSON"]),
    (
        402,
        &[
            "PAYMENT_REQUIRED",
            "CREDENTIAL_MALFORMED",
            "CREDENTIAL_INVALID",
            "PREIMAGE_MISMATCH",
            "BODY_MISMATCH",
            "CREDENTIAL_EXPIRED",
        ],
    ),
    (404, &["NOT_FOUND", "INVOICE_UNKNOWN"]),
    (405, &["METHOD_NOT_ALLOWED"]),
    (410, &["RESULT_EXPIRED", "REDEMPTION_EXPIRED", "INVOICE_EXPIRED"]),
    (413, &["BODY_TOO_LARGE"]),
    (415, &["UNSUPPORTED_MEDIA_TYPE"]),
    (422, &["INVALID_PARAMS"]),
    (429, &["RATE_LIMITED"]),
    (500, &["INTERNAL"]),
    (502, &["GENERATION_FAILED", "CONTENT_REJECTED"]),
    (503, &["LIGHTNING_UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "SHUTTING_DOWN"]),
];

/// Codes beyond the promised ones: the protocol has a status for a body that arrives too slowly, an operator can have
/// payments confirmed by the node, refunds are claimed, and play money is for one machine alone.
const FURTHER: [(u16, &[&str]); 5] = [
    (403, &["CREDENTIAL_REFUSED", "LOCAL_ONLY"]),
    (408, &["REQUEST_TIMEOUT"]),
    (409, &["REFUND_UNAVAILABLE"]),
    (502, &["REFUND_FAILED"]),
    (503, &["PAYMENT_UNCONFIRMED"]),
];

/// The most lines of a file, without the tests at its end.
const MAX_LINES: usize = 300;

#[test]
fn a_migration_that_has_landed_is_never_edited() {
    let found: Vec<_> = files("migrations", &["sql"])
        .into_iter()
        .map(|file| (file.path, hex::encode(Sha256::digest(file.text.as_bytes()))))
        .collect();
    let listed: Vec<_> = MIGRATIONS.iter().map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned())).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_promised_error_code_is_there_and_every_other_one_is_known() {
    let pairs = |table: &[(u16, &'static [&'static str])]| -> BTreeSet<(u16, &'static str)> {
        table.iter().flat_map(|(status, names)| names.iter().map(|name| (*status, *name))).collect()
    };
    let known = pairs(&[&PROMISED[..], &FURTHER[..]].concat());
    let found = TABLE.iter().map(|entry| (entry.status.as_u16(), entry.name)).collect();
    assert_eq!(known, found);
}

#[test]
fn every_error_code_is_used() {
    let code: Vec<_> = code().into_iter().filter(|source| !source.path.starts_with("src/http/error")).collect();
    for entry in &TABLE {
        let named = |line: &str, of: &str| mentions(line, &format!("{of}::{:?}", entry.code));
        // What is turned into a code is turned within an `impl From<…> for ErrorCode`.
        let used = |source: &Source| {
            let turns = source.text.contains("for ErrorCode {");
            source.lines().any(|(_, line)| named(line, "ErrorCode") || turns && named(line, "Self"))
        };
        assert!(code.iter().any(used), "nothing answers with {}", entry.name);
    }
}

#[test]
fn every_metric_is_described_and_every_described_metric_is_measured() {
    let is_telemetry = |source: &Source| source.path.starts_with("src/telemetry");
    let (telemetry, others): (Vec<_>, Vec<_>) = code().into_iter().partition(is_telemetry);
    let names = |sources: &[Source], marker: &str| -> BTreeSet<String> {
        let found = sources.iter().flat_map(|source| words_after(&source.text, marker));
        found.map(|word| format!("satforge_{word}")).collect()
    };
    let measured = names(&others, "\"satforge_");
    assert!(measured.len() > 10, "{measured:?}");
    assert_eq!(measured, names(&telemetry, "\"satforge_"), "measured, and described to Prometheus");
    assert_eq!(measured, names(&telemetry, "`satforge_"), "measured, and in the table");
    for name in &measured {
        let kind =
            ["_total", "_seconds", "_sats", "_open", "_due", "_invoices"].iter().any(|unit| name.ends_with(unit));
        assert!(kind, "{name}: a metric says its unit");
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = own_files().into_iter().filter(|source| source.text.lines().count() > MAX_LINES).collect();
    let said: Vec<_> = long.iter().map(|source| format!("{}: {}", source.path, source.text.lines().count())).collect();
    assert!(said.is_empty(), "more than {MAX_LINES} lines: {said:?}");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|mark| mark.concat());
    let endings = ["rs", "sql", "html", "css", "js", "mjs", "py", "sh", "toml", "md"];
    for folder in ["src", "tests", "benches", "migrations", "templates", "static", "docs", "fuzz"] {
        for source in files(folder, &endings) {
            for (index, line) in source.text.lines().enumerate() {
                let mark = marks.iter().find(|mark| mentions(line, mark));
                assert!(mark.is_none(), "{}:{}: {line}", source.path, index + 1);
            }
        }
    }
}

#[test]
fn no_test_sleeps_or_is_left_out() {
    let marks = [["sle", "ep("], ["#[ig", "nore"], ["sleep_", "until("]].map(|mark| mark.concat());
    for source in files("tests", &["rs"]) {
        for (number, line) in source.lines() {
            let mark = marks.iter().find(|mark| line.contains(mark.as_str()));
            assert!(mark.is_none(), "{}:{number}: {line}", source.path);
        }
    }
}
