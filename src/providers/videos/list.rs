//! Looking for a create in the list of generations.

use std::time::Duration;

use serde_json::Value;

use crate::egress::Answer;
use crate::providers::api::{read, refused_look};
use crate::providers::wire::{id, integer, text};
use crate::providers::{Found, Order, ProviderError};

/// The newest generations.
pub(super) const PATH: &str = "videos?limit=100&order=desc";
/// The most seconds that the server's clock may be behind ours.
const SKEW: i64 = 60;
/// How long a create may be on its way into the list, and an id on its way to us.
const SETTLED: Duration = Duration::from_secs(10);
/// How long a list that fails may recover.
const RECOVERED: Duration = Duration::from_mins(1);
/// `LiteLLM` begins names of headers with this.
const LITELLM: &str = "x-litellm";

/// What the list says of a create. A generation keeps neither a key nor a seed: one that was made from the same words
/// and values is as good as the one that was meant.
pub(super) fn search(answer: &Answer, order: &Order<'_>) -> Result<Found, ProviderError> {
    match answer.status.as_u16() {
        200..=299 => {}
        400 | 404 | 405 | 410 | 422 => return Ok(Found::Unknowable),
        500 | 501 if order.age >= RECOVERED => return Ok(Found::Unknowable),
        _ => return Err(refused_look(answer, "")),
    }
    if answer.headers.keys().any(|name| name.as_str().starts_with(LITELLM)) {
        return Ok(Found::Unknowable);
    }
    let list: Value = read(answer)?;
    let Some(listed) = list.get("data").and_then(Value::as_array) else {
        return Err(ProviderError::Transient("the list is none".to_owned()));
    };
    // Until then it may be on its way, and one that looks like it may be another's whose id is not known yet either.
    if order.age < SETTLED {
        return Err(ProviderError::Transient("it is too early to tell".to_owned()));
    }
    let since = order.sent_at.div_euclid(1000).saturating_sub(SKEW);
    let recent = || listed.iter().filter(|item| integer(item, "/created_at").is_none_or(|at| at >= since));
    let found: Vec<_> = recent().filter(|item| is_made_from(item, order)).filter_map(|item| id(item, "/id")).collect();
    if !found.is_empty() {
        return Ok(Found::Among(found));
    }
    let is_cut = list.pointer("/has_more") == Some(&Value::Bool(true)) && recent().count() == listed.len();
    let is_opaque = recent().any(|item| text(item, "/prompt").is_empty());
    Ok(if is_cut || is_opaque { Found::Unknowable } else { Found::Nothing })
}

/// Whether nothing that both say differs, the prompt above all.
fn is_made_from(item: &Value, order: &Order<'_>) -> bool {
    let agrees = |name: &str| match (order.input.get(name), item.get(name)) {
        (Some(sent), Some(kept)) if !kept.is_null() => super::said(sent) == super::said(kept),
        _ => true,
    };
    let prompt = order.input.get("prompt").and_then(Value::as_str).unwrap_or_default();
    text(item, "/prompt") == prompt && agrees("size") && agrees("seconds")
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::JobSpec;
    use crate::domain::request::VideoSpec;
    use crate::providers::wire::answered;

    const SENT_AT: i64 = 1_700_000_000_400;

    fn search_in(answer: &Answer, age: u64) -> Result<Found, ProviderError> {
        let spec = JobSpec::Video(VideoSpec {
            prompt: "a fox".to_owned(),
            model: "m".to_owned(),
            duration: 5,
            camera_fixed: false,
        });
        let Value::Object(input) = json!({"prompt": "a fox", "seconds": 5, "size": "1280x720", "seed": 7}) else {
            unreachable!()
        };
        let order = Order {
            key: "k.1",
            spec: &spec,
            model: "",
            input: &input,
            webhook: None,
            sent_at: SENT_AT,
            age: Duration::from_secs(age),
            time_left: Duration::from_mins(5),
        };
        search(answer, &order)
    }

    fn listed(items: &[Value]) -> Answer {
        answered(200, &json!({"object": "list", "data": items, "has_more": false}).to_string())
    }

    fn item(id: &str, changed: Value) -> Value {
        let mut item = Map::new();
        for (name, value) in [
            ("id", json!(id)),
            ("prompt", json!("a fox")),
            ("seconds", json!("5")),
            ("size", json!("1280x720")),
            ("created_at", json!(1_700_000_001)),
        ] {
            item.insert(name.to_owned(), value);
        }
        if let Value::Object(changed) = changed {
            item.extend(changed);
        }
        item.into()
    }

    #[test]
    fn what_was_made_from_the_same_is_found() {
        let list = listed(&[
            item("newer", json!({})),
            item("unsized", json!({"size": null})),
            item("clock", json!({"created_at": 1_699_999_945})),
            item("older", json!({"created_at": 1_699_999_900})),
            item("words", json!({"prompt": "a fox "})),
            item("length", json!({"seconds": "10"})),
            item("size", json!({"size": "720x1280"})),
        ]);
        let found = ["newer", "unsized", "clock"].map(str::to_owned).to_vec();
        assert!(matches!(search_in(&list, 9), Err(ProviderError::Transient(_))));
        assert_eq!(search_in(&list, 10), Ok(Found::Among(found)));
    }

    #[test]
    fn what_is_not_there_was_not_created_once_it_could_be_there() {
        for list in [listed(&[]), listed(&[item("other", json!({"prompt": "a dog"}))])] {
            assert!(matches!(search_in(&list, 9), Err(ProviderError::Transient(_))));
            assert_eq!(search_in(&list, 10), Ok(Found::Nothing));
        }
    }

    #[test]
    fn a_list_that_does_not_tell_enough_proves_nothing() {
        let opaque = listed(&[item("a", json!({"prompt": null}))]);
        assert_eq!(search_in(&opaque, 60), Ok(Found::Unknowable));
        let old = listed(&[item("a", json!({"prompt": null, "created_at": 1_699_999_000}))]);
        assert_eq!(search_in(&old, 60), Ok(Found::Nothing));
        let other = item("a", json!({"prompt": "a dog"}));
        let cut = answered(200, &json!({"data": [other], "has_more": true}).to_string());
        assert_eq!(search_in(&cut, 60), Ok(Found::Unknowable));
        let mut passed_on = listed(&[]);
        passed_on.headers.insert(HeaderName::from_static("x-litellm-version"), HeaderValue::from_static("1"));
        assert_eq!(search_in(&passed_on, 60), Ok(Found::Unknowable));
    }

    #[test]
    fn a_server_without_a_list_never_knows_and_one_that_fails_may_recover() {
        for status in [400, 404, 405] {
            assert_eq!(search_in(&answered(status, "{}"), 0), Ok(Found::Unknowable), "{status}");
        }
        for status in [401, 429, 502, 503] {
            let answer = search_in(&answered(status, "{}"), 600);
            assert!(matches!(answer, Err(ProviderError::Transient(_))), "{status}");
        }
        assert!(matches!(search_in(&answered(500, "{}"), 59), Err(ProviderError::Transient(_))));
        assert_eq!(search_in(&answered(500, "{}"), 60), Ok(Found::Unknowable));
        for garbage in ["<html>", "{}", "[]"] {
            let answer = search_in(&answered(200, garbage), 60);
            assert!(matches!(answer, Err(ProviderError::Transient(_))), "{garbage}");
        }
    }
}
