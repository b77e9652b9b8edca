//! Text as a literal of the language that a snippet is written in.
//!
//! The payment is bound to the exact bytes of the body, so a literal that a shell or an interpreter would read
//! differently does not merely look wrong: it sells something else.

use std::fmt::Write as _;

/// A single-quoted shell word. Only the quote itself has a meaning in there, in every POSIX shell.
#[must_use]
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A single-quoted literal that Python and JavaScript read alike.
#[must_use]
pub fn script(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\\' | '\'' => literal.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(literal, "\\u{:04x}", u32::from(control));
            }
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_ends_neither_literal() {
        assert_eq!(shell(r#"{"a":"it's $HOME"}"#), r#"'{"a":"it'\''s $HOME"}'"#);
        assert_eq!(script(r#"{"a":"it's \n"}"#), r#"'{"a":"it\'s \\n"}'"#);
        assert_eq!(script("a\nb"), r"'a\u000ab'");
    }
}
