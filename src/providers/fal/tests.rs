use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::Ending;
use super::*;
use crate::clock::ManualClock;

const ID: &str = "5057fca7-2eb3-468f-b95d-cefe92b0b9d4";
const SIGNED_AT: u64 = 1_752_019_770;

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

/// The server of the keys, and an adapter that asks it.
struct Signing {
    fal: Fal,
    clock: Arc<ManualClock>,
    served: Arc<Mutex<Result<Vec<String>, ()>>>,
    fetches: Arc<AtomicUsize>,
}

impl Signing {
    async fn new(keys: &[&Ed25519KeyPair]) -> Self {
        let served = Arc::new(Mutex::new(Ok(keys.iter().map(|key| encoded(key)).collect::<Vec<_>>())));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (keys, count) = (served.clone(), fetches.clone());
        let answer = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            match &*keys.lock().unwrap() {
                Ok(keys) => {
                    let keys: Vec<_> = keys.iter().map(|x| json!({"kty": "OKP", "crv": "Ed25519", "x": x})).collect();
                    (axum::http::StatusCode::OK, json!({"keys": keys}).to_string())
                }
                Err(()) => (axum::http::StatusCode::BAD_GATEWAY, String::new()),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/jwks.json", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().route("/jwks.json", get(answer));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let clock = Arc::new(ManualClock::new(0));
        Self { fal: Fal::new(&account(url), clock.clone()).unwrap(), clock, served, fetches }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    async fn notice(&self, webhook: &Webhook, now: u64) -> Result<Noticed, NoticeError> {
        let header = |name: &str| match name {
            "x-fal-webhook-request-id" => Some(webhook.id.as_str()),
            "x-fal-webhook-user-id" => Some(webhook.user.as_str()),
            "x-fal-webhook-timestamp" => Some(webhook.timestamp.as_str()),
            "x-fal-webhook-signature" => Some(webhook.signature.as_str()),
            _ => None,
        };
        self.fal.notice(&Notice { key: "k.1", header: &header, body: webhook.body.as_bytes(), now }).await
    }
}

fn account(jwks_url: Url) -> ProviderConfig {
    let platform_url = "https://api.fal.ai/v1".parse().unwrap();
    ProviderConfig {
        name: "fal".to_owned(),
        kind: ProviderKind::Fal { api_key: "id:secret".into(), jwks_url, platform_url },
        url: base(),
        requests_per_second: 10.0,
        timeout: Duration::from_secs(5),
        poll_interval: Duration::from_secs(2),
        result_hosts: Vec::new(),
        near: false,
        gateway_url: None,
    }
}

#[derive(Clone)]
struct Webhook {
    id: String,
    user: String,
    timestamp: String,
    signature: String,
    body: String,
}

fn key(first: u8) -> Ed25519KeyPair {
    let seed: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap() + first);
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

fn encoded(key: &Ed25519KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(key.public_key().as_ref())
}

fn signed(key: &Ed25519KeyPair, body: &str) -> Webhook {
    let timestamp = SIGNED_AT.to_string();
    let message = format!("{ID}\nusr_1\n{timestamp}\n{}", hex::encode(Sha256::digest(body)));
    let signature = hex::encode(key.sign(message.as_bytes()));
    Webhook { id: ID.into(), user: "usr_1".into(), timestamp, signature, body: body.to_owned() }
}

fn genuine() -> Webhook {
    signed(&key(0), &json!({"request_id": ID, "status": "OK", "payload": {}}).to_string())
}

#[test]
fn the_published_vector_is_what_is_signed() {
    let hash = "fb21a7f6e451e277a49829e5ea2d5127ccfbb1098cf160a54cb6086122b828f6";
    let signature = "3319f66275cc94b04edc3702404d8022a09fcdc12ddb1b2b06423e399e5d720d\
                     73d966057292ff43f19b7fe4215cd909dc1ce7fbddcd6756c23aa24fcdc54d04";
    assert_eq!(encoded(&key(0)), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
    let message = keys::message(ID, "usr_1", "1752019770", hash);
    assert_eq!(hex::encode(key(0).sign(message.as_bytes())), signature);
    let keys = [key(0).public_key().as_ref().try_into().unwrap()];
    assert!(keys::is_by_one_of(&keys, message.as_bytes(), &hex::decode(signature).unwrap()));
}

#[tokio::test]
async fn a_genuine_webhook_tells_the_id() {
    let signing = Signing::new(&[&key(9), &key(0)]).await;
    let told = Ok(Noticed { id: Some(ID.to_owned()) });
    assert_eq!(signing.notice(&genuine(), SIGNED_AT).await, told);
    assert_eq!(signing.notice(&genuine(), SIGNED_AT + 300).await, told);
    for now in [SIGNED_AT + 301, SIGNED_AT - 301] {
        assert_eq!(signing.notice(&genuine(), now).await, Err(NoticeError::Stale));
    }
    assert_eq!(signing.fetches(), 1, "keys are remembered");
}

#[tokio::test]
async fn a_forged_webhook_tells_nothing() {
    let signing = Signing::new(&[&key(0)]).await;
    let change: [fn(&mut Webhook); 8] = [
        |webhook| webhook.id = "5057fca7-2eb3-468f-b95d-cefe92b0b9d5".into(),
        |webhook| webhook.user = "usr_2".into(),
        |webhook| webhook.timestamp = "1752019771".into(),
        |webhook| webhook.timestamp = "+1752019770".into(),
        |webhook| webhook.signature = webhook.signature.replace('3', "4"),
        |webhook| webhook.signature = "not hex".into(),
        |webhook| webhook.signature.clear(),
        |webhook| webhook.body.push(' '),
    ];
    for change in change {
        let mut webhook = genuine();
        change(&mut webhook);
        assert_eq!(signing.notice(&webhook, SIGNED_AT).await, Err(NoticeError::Forged));
    }
    let nobodys = signed(&key(7), &genuine().body);
    assert_eq!(signing.notice(&nobodys, SIGNED_AT).await, Err(NoticeError::Forged));
}

#[tokio::test]
async fn a_webhook_about_another_generation_than_it_is_signed_for_is_garbled() {
    let signing = Signing::new(&[&key(0)]).await;
    for body in [r#"{"request_id":"other"}"#, "{}", "", r#"{"request_id":7}"#] {
        assert_eq!(signing.notice(&signed(&key(0), body), SIGNED_AT).await, Err(NoticeError::Garbled), "{body}");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_and_forgers_do_not_set_the_pace() {
    let signing = Signing::new(&[&key(0)]).await;
    let webhook = signed(&key(7), &genuine().body);
    for _ in 0..5 {
        assert_eq!(signing.notice(&webhook, SIGNED_AT).await, Err(NoticeError::Forged));
    }
    assert_eq!(signing.fetches(), 1);
    *signing.served.lock().unwrap() = Ok(vec![encoded(&key(7))]);
    signing.clock.advance(Duration::from_mins(1));
    assert!(signing.notice(&webhook, SIGNED_AT).await.is_ok());
    assert_eq!(signing.fetches(), 2);
    assert_eq!(signing.notice(&genuine(), SIGNED_AT).await, Err(NoticeError::Forged), "the old key is gone");
    assert_eq!(signing.fetches(), 2);
}

#[tokio::test]
async fn keys_are_not_believed_for_ever_and_without_any_the_webhook_is_to_come_again() {
    let signing = Signing::new(&[&key(0)]).await;
    assert!(signing.notice(&genuine(), SIGNED_AT).await.is_ok());
    *signing.served.lock().unwrap() = Err(());
    signing.clock.advance(Duration::from_hours(23));
    assert!(signing.notice(&genuine(), SIGNED_AT).await.is_ok(), "they are still known");
    signing.clock.advance(Duration::from_hours(1));
    for _ in 0..3 {
        let judged = signing.notice(&genuine(), SIGNED_AT).await;
        assert!(matches!(judged, Err(NoticeError::Later(_))), "{judged:?}");
    }
    assert_eq!(signing.fetches(), 2);
    *signing.served.lock().unwrap() = Ok(vec!["AAAA".to_owned(), encoded(&key(0))]);
    signing.clock.advance(Duration::from_mins(1));
    assert!(signing.notice(&genuine(), SIGNED_AT).await.is_ok());
}
