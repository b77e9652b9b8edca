//! Values of the wrong type, in words that do not quote them: they may stand where a secret belongs.

use figment::error::{Actual, Kind};

/// What is wrong with a value that could not be read.
pub(super) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) => {
            format!("this must be {}, but is {}", wanted(expected), found_kind(found))
        }
        Kind::InvalidValue(_, expected) => format!("this must be {}", wanted(expected)),
        Kind::UnknownVariant(_, known) => format!("this must be one of: {}", known.join(", ")),
        Kind::MissingField(name) => format!("`{name}` is missing"),
        _ => "this cannot be read".into(),
    }
}

/// What is wrong with `found` in place of a section.
pub(super) fn not_a_section(found: &Actual) -> String {
    format!("this must be a section, but is {}", found_kind(found))
}

fn wanted(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a string",
        "a map" => "a section",
        _ if expected.starts_with("struct ") => "a section",
        _ if expected.starts_with("enum ") => "a string",
        _ => expected,
    }
}

const fn found_kind(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number with a fraction",
        Actual::Char(_) | Actual::Str(_) => "a string",
        Actual::Seq => "a list",
        Actual::Map => "a section",
        _ => "something else",
    }
}
