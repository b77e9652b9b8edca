//! What the JSON of several providers has in common: fields that may be missing or of another type than documented, ids,
//! and prose where no code says what happened.

use std::fmt::Write as _;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::egress::Answer;

use super::Ending;

/// The longest id that is kept, in bytes.
const LONGEST_ID: usize = 4096;

/// Words of those who refuse what is in a prompt or an image.
const MODERATION: [&str; 17] = [
    "moderat",
    "safety",
    "policy",
    "policies",
    "content_filter",
    "content filter",
    "contentpolicy",
    "sensitive",
    "flagged",
    "prohibited",
    "blocked",
    "nsfw",
    "inappropriate",
    "violat",
    "likeness",
    "celebrit",
    "copyright",
];

/// Words of those who could not, this time.
const PASSING: [&str; 13] = [
    "busy",
    "timeout",
    "timed out",
    "internal",
    "try again",
    "retry",
    "overload",
    "unavailable",
    "rate limit",
    "high demand",
    "capacity",
    "temporar",
    "interrupted",
];

/// A create's body: the model's input, in which nothing takes the place of what the adapter says itself.
pub(super) struct Create<'a> {
    pub input: &'a Map<String, Value>,
    /// Fields of the adapter's; those without a value are left out.
    pub own: &'a [(&'a str, Option<&'a str>)],
}

impl Serialize for Create<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = || self.own.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.input.iter().filter(|(name, _)| own().all(|(own, _)| own != name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in own() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The name of a model, unless it is left to the provider.
pub(super) fn named(model: &str) -> Option<&str> {
    Some(model).filter(|model| !model.is_empty())
}

/// The body as JSON; null where it is none.
pub(super) fn body(answer: &Answer) -> Value {
    answer.json().unwrap_or(Value::Null)
}

/// The text that stands at `pointer`; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number that stands at `pointer`, as such or in a text.
pub(super) fn number(value: &Value, pointer: &str) -> Option<f64> {
    let found = value.pointer(pointer)?;
    found.as_f64().or_else(|| found.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

/// The whole number that stands at `pointer`, as such or in a text.
pub(super) fn integer(value: &Value, pointer: &str) -> Option<i64> {
    let found = value.pointer(pointer)?;
    found.as_i64().or_else(|| found.as_str()?.trim().parse().ok())
}

/// The percentage that stands at `pointer`, from 0 to 1.
pub(super) fn percentage(value: &Value, pointer: &str) -> Option<f32> {
    let percent = number(value, pointer)?.clamp(0.0, 100.0);
    #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 1")]
    let part = (percent / 100.0) as f32;
    Some(part)
}

/// The items of the list that stands at `pointer`; none where there is none.
pub(super) fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The id that stands at `pointer`, if it can be kept and can be asked for.
pub(super) fn id(value: &Value, pointer: &str) -> Option<String> {
    let id = text(value, pointer);
    // URLs take dots for a step up, even encoded.
    let dots = id.bytes().all(|byte| byte == b'.');
    let usable = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) && !dots;
    usable.then(|| id.to_owned())
}

/// An id as a part of a path.
pub(super) fn in_path(id: &str) -> String {
    let mut part = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => part.push(byte.into()),
            _ => {
                // Writing to a `String` does not fail.
                let _ = write!(part, "%{byte:02X}");
            }
        }
    }
    part
}

/// Whether somebody refuses the content with these words.
pub(super) fn is_moderation(said: &str) -> bool {
    let said = said.to_lowercase();
    MODERATION.iter().any(|word| said.contains(word))
}

/// What these words, by which a generation has failed, mean for another attempt: it is never more than worth a try.
pub(super) fn ending(said: &str) -> Ending {
    if is_moderation(said) {
        return Ending::Rejected;
    }
    let said = said.to_lowercase();
    if PASSING.iter().any(|word| said.contains(word)) { Ending::Perhaps } else { Ending::Failed }
}

/// An answer for tests of what adapters make of it.
#[cfg(test)]
pub(super) fn answered(status: u16, body: &str) -> Answer {
    let status = reqwest::StatusCode::from_u16(status).unwrap();
    Answer { status, headers: reqwest::header::HeaderMap::new(), body: bytes::Bytes::copy_from_slice(body.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_adapter_says_itself_stands_once_and_wins() {
        let input = json!({"name": "theirs", "image_url": "x", "ai_model": "kept"});
        let create = Create { input: input.as_object().unwrap(), own: &[("name", Some("ours")), ("ai_model", None)] };
        let sent = serde_json::to_string(&create).unwrap();
        assert_eq!(sent, r#"{"ai_model":"kept","image_url":"x","name":"ours"}"#);
    }

    #[test]
    fn numbers_may_come_as_text() {
        let value = json!({"a": 12.5, "b": "12.5", "c": "x", "d": null, "e": "NaN"});
        assert_eq!(number(&value, "/a"), Some(12.5));
        assert_eq!(number(&value, "/b"), Some(12.5));
        for missing in ["/c", "/d", "/e", "/f"] {
            assert_eq!(number(&value, missing), None, "{missing}");
        }
        assert_eq!(percentage(&json!({"p": 250}), "/p"), Some(1.0));
        assert_eq!(percentage(&json!({"p": 40}), "/p"), Some(0.4));
        assert_eq!(percentage(&json!({"p": -1}), "/p"), Some(0.0));
    }

    #[test]
    fn an_id_that_could_not_be_asked_for_is_none() {
        for bad in ["", " ", ".", "..", "a b", "a\n", "é", &"x".repeat(4097)] {
            assert_eq!(id(&json!({"id": bad}), "/id"), None, "{bad:?}");
        }
        assert_eq!(id(&json!({"id": 7}), "/id"), None);
        let long = "x".repeat(4096);
        assert_eq!(id(&json!({"id": long}), "/id"), Some(long));
    }

    #[test]
    fn an_id_stays_one_part_of_a_path() {
        assert_eq!(in_path("video_gen-1"), "video_gen-1");
        assert_eq!(in_path("../a/b?c#d=%2B+"), "%2E%2E%2Fa%2Fb%3Fc%23d%3D%252B%2B");
        let base: url::Url = "http://h/v1/".parse().unwrap();
        assert_eq!(
            base.join(&format!("videos/{}", in_path("a.b/../c"))).unwrap().path(),
            "/v1/videos/a%2Eb%2F%2E%2E%2Fc"
        );
    }

    #[test]
    fn words_tell_what_another_attempt_is_worth() {
        for said in ["Content policy violation", "The prompt was FLAGGED; try again", "NSFW content detected"] {
            assert_eq!(ending(said), Ending::Rejected, "{said}");
        }
        for said in ["The server is busy. Please try again later.", "Internal error", "upstream timed out"] {
            assert_eq!(ending(said), Ending::Perhaps, "{said}");
        }
        for said in ["", "the image has no subject"] {
            assert_eq!(ending(said), Ending::Failed, "{said}");
        }
    }
}
