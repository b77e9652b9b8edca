//! The two fields that every service takes: where to post the job's document once the job has ended.

use serde_json::{Map, Value as Json, json};

use crate::domain::Callback;
use crate::egress;

use super::Depth;
use super::body::{Fields, Value};
use super::describe::Param;

/// The field with the URL.
pub(super) const URL_FIELD: &str = "callback_url";
/// The field with the caller's own word for the job.
pub(super) const ID_FIELD: &str = "callback_id";
/// The longest URL in bytes.
pub(super) const MAX_URL_BYTES: usize = 2_048;
/// The longest id in Unicode scalars.
pub(super) const MAX_ID_CHARS: usize = 128;

/// Takes both fields out. What was paid for is not held against where callbacks may go by now: what sends them refuses.
pub(super) fn take(fields: &mut Fields<'_>, private: bool, depth: Depth) -> Option<Callback> {
    let asked = fields.has(URL_FIELD);
    let id = take_text(fields, ID_FIELD);
    if let Some(id) = &id {
        let chars = id.chars().count();
        if !(1..=MAX_ID_CHARS).contains(&chars) {
            fields.refuse(ID_FIELD, &format!("must have 1 to {MAX_ID_CHARS} characters; it has {chars}"));
        } else if !asked {
            fields.refuse(ID_FIELD, "means nothing without callback_url");
        }
    }
    let url = take_text(fields, URL_FIELD)?;
    if let Err(detail) = judge(&url, private || depth == Depth::Structure) {
        fields.refuse(URL_FIELD, &detail);
        return None;
    }
    Some(Callback { url, id })
}

/// What the pages say about the two fields.
pub(super) fn params(private: bool) -> [Param; 2] {
    let host = if private { "an absolute http or https URL" } else { "an absolute https URL with a public host" };
    [
        Param {
            name: URL_FIELD,
            kind: "string",
            required: false,
            rule: format!(
                "Where the job's document is posted once the job has ended: {host}, without user name, password and \
                 fragment, of at most {MAX_URL_BYTES} bytes. It is signed with the callback_secret of the 402 answer."
            ),
            default: None,
        },
        Param {
            name: ID_FIELD,
            kind: "string",
            required: false,
            rule: format!(
                "Your own word for the job, 1 to {MAX_ID_CHARS} characters, repeated in the callback; only with \
                 {URL_FIELD}."
            ),
            default: None,
        },
    ]
}

/// The two fields as JSON Schema has them.
pub(super) fn properties() -> Map<String, Json> {
    let url = json!({"type": "string", "format": "uri", "maxLength": MAX_URL_BYTES});
    let id = json!({"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS});
    Map::from_iter([(URL_FIELD.to_owned(), url), (ID_FIELD.to_owned(), id)])
}

/// Which field is refused without which.
pub(super) fn dependent() -> Json {
    json!({ID_FIELD: [URL_FIELD]})
}

fn take_text(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    if let Value::Text(text) = fields.take(name)? {
        return Some(text.into_owned());
    }
    fields.refuse(name, "must be a string");
    None
}

fn judge(url: &str, private: bool) -> Result<(), String> {
    if url.len() > MAX_URL_BYTES {
        return Err(format!("must have at most {MAX_URL_BYTES} bytes; it has {}", url.len()));
    }
    egress::judge_strangers_url(url, private).map_err(|reason| format!("cannot be called: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::BodyError;

    const KNOWN: [&str; 2] = [URL_FIELD, ID_FIELD];

    fn read(body: &Json, private: bool, depth: Depth) -> Result<Option<Callback>, Vec<String>> {
        let body = body.to_string();
        let mut fields = Fields::read(body.as_bytes(), &KNOWN).unwrap();
        let taken = take(&mut fields, private, depth);
        match fields.finish() {
            Ok(()) => Ok(taken),
            Err(BodyError::Invalid(problems)) => Err(problems.into_iter().map(|problem| problem.pointer).collect()),
            Err(other) => panic!("{other}"),
        }
    }

    fn judged(url: &str, private: bool) -> bool {
        read(&json!({"callback_url": url}), private, Depth::Full).is_ok()
    }

    #[test]
    fn a_callback_is_optional_and_its_id_too() {
        assert_eq!(read(&json!({}), false, Depth::Full), Ok(None));
        let url = "https://example.com/hook?x=1";
        let callback = |id: Option<&str>| Ok(Some(Callback { url: url.into(), id: id.map(ToOwned::to_owned) }));
        assert_eq!(read(&json!({"callback_url": url}), false, Depth::Full), callback(None));
        let longest = "é".repeat(128);
        let body = json!({"callback_url": url, "callback_id": longest});
        assert_eq!(read(&body, false, Depth::Full), callback(Some(&longest)));
    }

    #[test]
    fn every_problem_is_reported_at_its_place() {
        let url = "https://example.com";
        for (body, pointers) in [
            (json!({"callback_url": 5, "callback_id": 5}), &["/callback_id", "/callback_url"][..]),
            (json!({"callback_url": null, "callback_id": "x"}), &["/callback_url"]),
            (json!({"callback_id": "x"}), &["/callback_id"]),
            (json!({"callback_url": url, "callback_id": ""}), &["/callback_id"]),
            (json!({"callback_url": url, "callback_id": "é".repeat(129)}), &["/callback_id"]),
            (json!({"callback_url": format!("{url}/{}", "x".repeat(2_048))}), &["/callback_url"]),
            (json!({"callback_url": "nonsense", "callback_id": ""}), &["/callback_id", "/callback_url"]),
        ] {
            assert_eq!(read(&body, false, Depth::Full).unwrap_err(), pointers, "{body}");
        }
    }

    #[test]
    fn a_callback_goes_to_the_open_internet_unless_allowed_otherwise() {
        for url in ["https://example.com", "https://1.1.1.1:8443/x", "https://[2606:4700::1111]/"] {
            assert!(judged(url, false), "{url}");
        }
        for url in [
            "http://example.com",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.0.0.7/hook",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "http://localhost:1",
        ] {
            assert!(!judged(url, false), "{url}");
            assert!(judged(url, true), "{url} where private callbacks are allowed");
            let paid = read(&json!({"callback_url": url}), false, Depth::Structure);
            assert!(paid.is_ok(), "{url} was paid for");
        }
        for url in [
            "",
            "/hook",
            "example.com/hook",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://u@example.com",
            "https://u:p@example.com",
            "https://example.com/#x",
        ] {
            assert!(!judged(url, false) && !judged(url, true), "{url}");
        }
    }
}
