//! What fal says, word by word.

mod webhooks;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;

use super::super::Ending;
use super::*;

const ID: &str = "5057fca7-2eb3-468f-b95d-cefe92b0b9d4";

fn base() -> Url {
    "https://queue.fal.run/".parse().unwrap()
}

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: headers.collect(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn ending(status: u16, headers: &[(&'static str, &'static str)], body: &Value) -> Option<Ending> {
    match wire::outcome(&answer(status, headers, &body.to_string())) {
        Ok(Outcome::Failed(ending)) => Some(ending),
        _ => None,
    }
}

#[test]
fn urls_are_kept_when_they_are_not_the_usual_ones() {
    let endpoint = Endpoint::parse("fal-ai/kling-video/v2.6/pro/text-to-video").unwrap();
    let submitted = |at: &str| -> Submitted {
        let urls = json!({
            "request_id": ID, "status_url": format!("{at}/status"), "response_url": at, "cancel_url": format!("{at}/cancel"),
        });
        serde_json::from_value(urls).unwrap()
    };
    let usual = format!("https://queue.fal.run/fal-ai/kling-video/requests/{ID}");
    let id = submitted(&usual).into_id(&endpoint, &base());
    assert_eq!(id, ID, "what a webhook would tell, too");
    let place = Place::of(&id, &endpoint, &base()).unwrap();
    assert_eq!((place.response.as_str(), place.cancel), (usual.as_str(), format!("{usual}/cancel")));

    let moved = format!("https://queue.fal.run/v2/{ID}");
    let id = submitted(&moved).into_id(&endpoint, &base());
    let place = Place::of(&id, &endpoint, &base()).unwrap();
    assert_eq!(place, Place { status: format!("{moved}/status"), cancel: format!("{moved}/cancel"), response: moved });
    assert_eq!(wire::request_id(&id), ID);

    for elsewhere in ["https://evil.example/x", "http://queue.fal.run/x", "https://queue.fal.run:8443/x", "no url"] {
        assert_eq!(submitted(elsewhere).into_id(&endpoint, &base()), ID, "the key must not go to {elsewhere}");
    }
    let long = format!("https://queue.fal.run/{}", "x".repeat(2_000));
    assert_eq!(submitted(&long).into_id(&endpoint, &base()), ID);
    assert_eq!(Place::of("../x", &endpoint, &base()), Err(ProviderError::Unknown));
}

#[test]
fn requests_are_found_under_the_app() {
    let response = |model| Place::of("r", &Endpoint::parse(model).unwrap(), &base()).unwrap().response;
    assert_eq!(response("fal-ai/trellis"), "https://queue.fal.run/fal-ai/trellis/requests/r");
    assert_eq!(response("workflows/acme/film/fast"), "https://queue.fal.run/workflows/acme/film/requests/r");
    for text in ["", "trellis", "fal-ai/", "/trellis", "fal-ai/../x", "fal-ai/a b", "fal-ai/a?b", "comfy/acme"] {
        assert!(matches!(Endpoint::parse(text), Err(ProviderError::OperatorFault(_))), "{text}");
    }
}

#[test]
fn types_tell_how_a_generation_ended() {
    let told = |kind: &str| json!({"detail": [{"loc": ["body"], "msg": "…", "type": kind}]});
    let infrastructure = |kind: &str| json!({"detail": "…", "error_type": kind});
    for (status, body, expected) in [
        (422, told("content_policy_violation"), Ending::Rejected),
        (422, told("image_too_small"), Ending::Failed),
        (422, told("no_media_generated"), Ending::Failed),
        (504, told("generation_timeout"), Ending::Transient),
        (400, told("downstream_service_error"), Ending::Transient),
        (500, json!({"detail": "Internal Server Error"}), Ending::Transient),
        (503, infrastructure("runner_disconnected"), Ending::Transient),
        (504, infrastructure("request_timeout"), Ending::Transient),
        (499, infrastructure("client_cancelled"), Ending::Failed),
        (400, infrastructure("bad_request"), Ending::Failed),
        (422, json!({"detail": "a text of old"}), Ending::Failed),
    ] {
        assert_eq!(ending(status, &[], &body), Some(expected), "{status} {body}");
    }
    let (yes, no) = ([("x-fal-retryable", "true")], [("x-fal-retryable", "false")]);
    assert_eq!(ending(422, &yes, &told("value_error")), Some(Ending::Transient));
    assert_eq!(ending(500, &no, &told("internal_server_error")), Some(Ending::Failed));
    assert_eq!(ending(422, &yes, &told("content_policy_violation")), Some(Ending::Rejected));
}

#[test]
fn what_is_no_word_of_the_models_ends_nothing() {
    let outcome = |status, body: &str| wire::outcome(&answer(status, &[], body));
    assert!(matches!(outcome(202, "{}"), Ok(Outcome::Pending)));
    assert!(matches!(outcome(400, r#"{"detail":"Request is still in progress"}"#), Ok(Outcome::Pending)));
    let locked = r#"{"detail":"User is locked. Reason: Exhausted balance."}"#;
    for (status, body) in [(403, locked), (401, "{}"), (429, "{}"), (502, "<html>"), (503, ""), (200, "<html>")] {
        assert!(matches!(outcome(status, body), Err(ProviderError::Transient(_))), "{status}");
    }
    assert!(matches!(outcome(404, r#"{"detail":"Request not found"}"#), Err(ProviderError::Unknown)));
    let path = r#"{"detail":"Path /text-to-film not found"}"#;
    assert!(matches!(outcome(404, path), Err(ProviderError::OperatorFault(_))));
}

#[test]
fn billable_units_are_read_from_the_header() {
    let charged = |value| match wire::outcome(&answer(200, &[("x-fal-billable-units", value)], "{}")) {
        Ok(Outcome::Ready { charged, .. }) => charged,
        other => panic!("{other:?}"),
    };
    assert_eq!(charged("5.25"), Some(5.25));
    assert_eq!(charged("many"), None);
    assert_eq!(charged("inf"), None);
}

#[test]
fn an_empty_account_is_named_and_nothing_of_the_prose() {
    let locked = answer(403, &[], r#"{"detail":"User is locked. Reason: Exhausted balance. Top up at …"}"#);
    let ProviderError::OperatorFault(message) = wire::refused(&locked) else { panic!("it is the operator's") };
    assert!(message.contains("credit") && !message.contains("Top up"), "{message}");
    let rejected = answer(422, &[], r#"{"detail":[{"type":"content_policy_violation"}]}"#);
    assert_eq!(wire::refused(&rejected), ProviderError::Refused(Ending::Rejected));
}
