//! What a rune allows, read from the rune itself.
//!
//! It is URL-safe base64 of 32 bytes of authentication and a text: restrictions joined by `&` that must all hold, each
//! of them alternatives joined by `|` of which one must, and an alternative is a field, a condition and a value
//! (`ccan/rune/coding.c`). Only the conditions on the method are known beforehand; the others depend on the request or
//! on the time, and may hold.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes that prove where the rune is from.
const AUTHENTICATION: usize = 32;
const CONDITIONS: &str = "!=/^$~<>{}#";

/// A rune's restrictions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rune(Vec<Restriction>);

/// Alternatives.
type Restriction = Vec<Alternative>;

#[derive(Debug, PartialEq, Eq)]
struct Alternative {
    field: String,
    condition: char,
    value: String,
}

impl Rune {
    /// `None`: it is no rune.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let text = std::str::from_utf8(bytes.get(AUTHENTICATION..)?).ok()?;
        // The first restriction is the rune's number: without one lightningd has not made it.
        let restrictions: Vec<_> = split(text, '&').into_iter().map(restriction).collect::<Option<_>>()?;
        Some(Self(restrictions))
    }

    /// Whether some request for `method` is allowed.
    pub(super) fn allows(&self, method: &str) -> bool {
        self.0.iter().all(|alternatives| alternatives.iter().any(|alternative| alternative.may_hold(method)))
    }
}

impl Alternative {
    fn may_hold(&self, method: &str) -> bool {
        let value = self.value.as_str();
        match (self.field.as_str(), self.condition) {
            ("method", '=') => method == value,
            ("method", '/') => method != value,
            ("method", '^') => method.starts_with(value),
            ("method", '$') => method.ends_with(value),
            ("method", '~') => method.contains(value),
            ("method", '{') => method < value,
            ("method", '}') => method > value,
            // It is there, and it is no number.
            ("method", '!' | '<' | '>') => false,
            _ => true,
        }
    }
}

fn restriction(text: &str) -> Option<Restriction> {
    split(text, '|').into_iter().map(alternative).collect()
}

fn alternative(text: &str) -> Option<Alternative> {
    // A field's name ends with the first punctuation, which must be a condition.
    let end = text.find(|c: char| c.is_ascii_punctuation() && c != '_')?;
    let (field, rest) = text.split_at(end);
    let mut rest = rest.chars();
    let condition = rest.next().filter(|c| CONDITIONS.contains(*c))?;
    Some(Alternative { field: field.to_owned(), condition, value: unescaped(rest.as_str()) })
}

/// The parts between the separators that have no backslash before them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let separates = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
    .collect()
}

fn unescaped(text: &str) -> String {
    let mut escaped = false;
    text.chars()
        .filter(|c| {
            let is_escape = *c == '\\' && !escaped;
            escaped = is_escape;
            !is_escape
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE;
    use proptest::prelude::*;

    fn rune(restrictions: &str) -> Rune {
        Rune::parse(&URL_SAFE.encode([&[7; 32], restrictions.as_bytes()].concat())).unwrap()
    }

    fn allowed(restrictions: &str) -> Vec<&'static str> {
        let rune = rune(restrictions);
        ["invoice", "listinvoices", "xpay", "listpays"].into_iter().filter(|method| rune.allows(method)).collect()
    }

    #[test]
    fn what_it_allows_is_read() {
        assert_eq!(allowed("=5"), ["invoice", "listinvoices", "xpay", "listpays"]);
        assert_eq!(allowed("=5&method=invoice|method=listinvoices"), ["invoice", "listinvoices"]);
        assert_eq!(allowed("=5&method^list|method^get&method/listpays"), ["listinvoices"]);
        assert_eq!(
            allowed("=5&method/xpay|pnamemaxfee<50001&method/pay"),
            ["invoice", "listinvoices", "xpay", "listpays"]
        );
        assert_eq!(allowed("=5&method~pay&method$s"), ["listpays"]);
        assert_eq!(allowed("=5&method}k&method{m"), ["listinvoices", "listpays"]);
        assert_eq!(allowed("=5&method!|method<3"), [""; 0]);
        assert_eq!(
            allowed("=5-2&rate=60&time<1700000000&#for satforge"),
            ["invoice", "listinvoices", "xpay", "listpays"]
        );
    }

    #[test]
    fn separators_can_be_escaped() {
        assert_eq!(allowed(r"=5&id=a\|method=b&method=xpay"), ["xpay"]);
        assert_eq!(allowed(r"=5&#a\&method=b\\&method=xpay"), ["xpay"]);
        assert_eq!(allowed(r"=5&method=x\pay"), ["xpay"]);
    }

    #[test]
    fn anything_else_is_no_rune() {
        for text in ["", "c0ffee", "{\"rune\": \"abc\"}", "0201036c6e64", &"A".repeat(200), &URL_SAFE.encode([7; 32])] {
            assert_eq!(Rune::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text: String) {
            let _ = Rune::parse(&text);
            if let Some(rune) = Rune::parse(&URL_SAFE.encode([&[7; 32], text.as_bytes()].concat())) {
                rune.allows("invoice");
            }
        }
    }
}
