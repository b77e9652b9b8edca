use bytes::Bytes;
use proptest::prelude::*;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Map;

use super::super::Ending;
use super::wire::Listed;
use super::*;
use crate::clock::ManualClock;

const VERSION: &str = "e8f6c45206993f297372f5436b90350817bd9b4a0d52d2a76df50c1c8afa2b3c";
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const BODY: &[u8] =
    br#"{"id":"ufawqhfynnddngldkgtslldrkq","status":"succeeded","output":"https://replicate.delivery/x.mp4"}"#;
const SIGNED_AT: u64 = 1_700_000_000;
const SIGNATURE: &str = "v1,13zGuLEEEcJNwDZGHKm/mezeTbDb5LJ7gSpa/yWYcY4=";

fn account(webhook_secret: Option<&str>) -> ProviderConfig {
    ProviderConfig {
        name: "replicate".to_owned(),
        kind: ProviderKind::Replicate { api_key: "r8_key".into(), webhook_secret: webhook_secret.map(Into::into) },
        url: "https://api.replicate.com/v1".parse().unwrap(),
        requests_per_second: 20.0,
        timeout: Duration::from_secs(30),
        poll_interval: Duration::from_secs(3),
        result_hosts: Vec::new(),
        near: false,
        gateway_url: None,
    }
}

fn adapter(webhook_secret: Option<&str>) -> Replicate {
    Replicate::new(&account(webhook_secret), Arc::new(ManualClock::new(0))).unwrap()
}

fn answer(status: u16, body: &Value) -> Answer {
    let body = Bytes::from(body.to_string());
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body }
}

fn prediction(value: Value) -> Prediction {
    serde_json::from_value(value).unwrap()
}

fn failed(error: &str) -> Ending {
    prediction(json!({"id": "p", "status": "failed", "error": error})).ending()
}

#[test]
fn each_form_of_a_model_has_its_own_path() {
    let of = |text| {
        let model = Model::parse(text).unwrap();
        (model.create_path(), model.version().map(str::to_owned), model.look_path())
    };
    assert_eq!(of("a/b"), ("models/a/b/predictions".into(), None, Some("models/a/b".into())));
    let versioned = format!("a/b:{VERSION}");
    let look = Some(format!("models/a/b/versions/{VERSION}"));
    assert_eq!(of(&versioned), ("predictions".into(), Some(VERSION.into()), look));
    assert_eq!(of(VERSION), ("predictions".into(), Some(VERSION.into()), None));
    let deployment = ("deployments/a/b/predictions".into(), None, Some("deployments/a/b".into()));
    assert_eq!(of("deployments/a/b"), deployment);
}

#[test]
fn what_is_no_model_is_the_operators_to_mend() {
    for text in ["", "a", "a/b/c", "a/b:", "/b", "a/", "a/b?c", "../b", "a/..", "deployments/a", "a b/c", &VERSION[1..]]
    {
        assert!(matches!(Model::parse(text), Err(ProviderError::OperatorFault(_))), "{text}");
    }
}

#[test]
fn codes_and_words_tell_how_a_prediction_ended() {
    for text in [
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        "Something new (E005)",
        "NSFW content detected. Try running it again, or try a different prompt.",
    ] {
        assert_eq!(failed(text), Ending::Rejected, "{text}");
    }
    for text in [
        "Prediction interrupted; please retry (code: PA)",
        "Director: unexpected error handling prediction (E9828)",
        "Timeout starting prediction (E6716)",
        "Service is temporarily unavailable. Please try again later. (E003) (Ka3xQ9)",
    ] {
        assert_eq!(failed(text), Ending::Transient, "{text}");
    }
    for text in [
        "Service is temporarily unavailable.",
        "Invalid prompt: 'a timeout starting prediction'",
        "Invalid prompt: 'a fox (code: PA) in the snow'",
        "Invalid prompt: '(E003)' (E1001)",
    ] {
        assert_eq!(failed(text), Ending::Perhaps, "{text}");
    }
    for text in ["", "CUDA out of memory", "a prompt about (E99999)", "E005 in words (PAX)", "Out of memory (E1001)"] {
        assert_eq!(failed(text), Ending::Failed, "{text}");
    }
    assert_eq!(prediction(json!({"id": "p", "status": "failed", "error": {"a": 1}})).ending(), Ending::Failed);
    assert_eq!(prediction(json!({"id": "p", "status": "aborted"})).ending(), Ending::Transient);
    assert_eq!(prediction(json!({"id": "p", "status": "canceled"})).ending(), Ending::Failed);
}

#[test]
fn the_last_bar_in_the_log_is_the_progress() {
    let progress = |logs: &str| prediction(json!({"id": "p", "status": "processing", "logs": logs})).progress();
    assert_eq!(progress("  0%|   | 0/30\n 42%|████▏ | 13/30"), Some(0.42));
    assert_eq!(progress("100%|██████████| 30/30"), Some(1.0));
    for text in ["", "%|", "half done", "step 3 of 7", "250%|", "é%|"] {
        assert_eq!(progress(text), None, "{text}");
    }
}

#[test]
fn a_result_is_where_the_route_says_or_lost_or_unusable() {
    let ready = prediction(json!({"id": "p", "status": "succeeded", "output": ["https://x/1", "https://x/2"]}));
    assert_eq!(ready.result("/1"), Ok("https://x/2"));
    assert!(matches!(ready.result("/2"), Err(ProviderError::Unusable(_))));
    let removed = prediction(json!({"id": "p", "status": "succeeded", "output": null, "data_removed": true}));
    assert_eq!(removed.result(""), Err(ProviderError::Unknown));
    let empty = prediction(json!({"id": "p", "status": "succeeded", "output": null}));
    assert!(matches!(empty.result(""), Err(ProviderError::Unusable(_))));
}

#[test]
fn a_version_that_is_not_there_is_told_from_a_bad_input() {
    let version = json!({"title": "Invalid version or not permitted", "detail": "…", "status": 422});
    assert!(matches!(wire::refused(&answer(422, &version)), ProviderError::OperatorFault(_)));
    let input = json!({"title": "Input validation failed", "detail": "- input: prompt is required\n"});
    assert_eq!(wire::refused(&answer(422, &input)), ProviderError::Refused(Ending::Failed));
}

#[test]
fn the_pause_that_a_full_house_asks_for_may_stand_in_the_body() {
    let busy = |seconds: u64| ProviderError::Busy { retry_after: Some(Duration::from_secs(seconds)) };
    let told = json!({"detail": "Request was throttled. Your rate limit resets in ~30s.", "status": 429});
    assert_eq!(wire::refused(&answer(429, &told)), busy(30));
    assert_eq!(wire::refused(&answer(429, &json!({"detail": "…", "retry_after": 7}))), busy(7));
    let silent = ProviderError::Busy { retry_after: None };
    for body in [json!({"detail": "resets in ~nans"}), json!({"retry_after": -1}), json!([])] {
        assert_eq!(wire::refused(&answer(429, &body)), silent, "{body}");
    }
}

fn listed(input: &Value) -> Listed {
    serde_json::from_value(json!({"id": "p", "model": "a/b", "version": VERSION, "input": input})).unwrap()
}

fn input(value: Value) -> Map<String, Value> {
    let Value::Object(input) = value else { panic!("an object") };
    input
}

#[test]
fn a_create_is_known_by_what_it_asked_for_and_defaults_do_not_matter() {
    let sent = input(json!({"prompt": "a boat", "duration": 5, "image": "data:image/png;base64,AA", "files": ["x"]}));
    let shown = json!({"prompt": "a boat", "duration": 5.0, "image": "https://replicate.delivery/i.png", "files": ["x"], "fps": 24});
    let model = Model::parse("a/b").unwrap();
    assert!(listed(&shown).is_of(&model, &sent));
    assert!(!listed(&shown).is_of(&Model::parse("a/c").unwrap(), &sent));
    assert!(listed(&shown).is_of(&Model::parse(VERSION).unwrap(), &sent));
    for (name, other) in
        [("prompt", json!("a ship")), ("duration", json!(10)), ("files", json!([])), ("image", Value::Null)]
    {
        let mut shown = shown.clone();
        if other.is_null() {
            shown.as_object_mut().unwrap().remove(name);
        } else {
            shown[name] = other;
        }
        assert!(!listed(&shown).is_of(&model, &sent), "{name}");
    }
}

#[test]
fn only_a_random_seed_makes_a_create_unique() {
    assert!(wire::is_marked(&input(json!({"seed": 1_923_456_789}))));
    assert!(wire::is_marked(&input(json!({"random_seed": 65_536}))));
    for not in [json!({"seed": 42}), json!({"seed": "1923456789"}), json!({"count": 1_923_456_789}), json!({})] {
        assert!(!wire::is_marked(&input(not)));
    }
}

async fn notice(
    adapter: &Replicate,
    headers: [Option<&str>; 3],
    body: &[u8],
    now: u64,
) -> Result<Noticed, NoticeError> {
    let header = |name: &str| {
        let at = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].iter().position(|header| *header == name);
        headers[at?]
    };
    adapter.notice(&Notice { key: "k.1", header: &header, body, now }).await
}

#[tokio::test]
async fn a_genuine_webhook_tells_the_id() {
    let genuine = [Some("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"), Some("1700000000"), Some(SIGNATURE)];
    let id = Some("ufawqhfynnddngldkgtslldrkq".to_owned());
    let adapter = adapter(Some(SECRET));
    assert_eq!(notice(&adapter, genuine, BODY, SIGNED_AT).await, Ok(Noticed { id: id.clone() }));
    assert_eq!(notice(&adapter, genuine, BODY, SIGNED_AT + 300).await, Ok(Noticed { id }));
    assert_eq!(notice(&adapter, genuine, BODY, SIGNED_AT + 301).await, Err(NoticeError::Stale));
}

#[tokio::test]
async fn a_forged_webhook_tells_nothing() {
    let (id, at, signature) = (Some("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"), Some("1700000000"), Some(SIGNATURE));
    let adapter = adapter(Some(SECRET));
    for headers in [
        [None, at, signature],
        [id, None, signature],
        [id, at, None],
        [Some("msg_1"), at, signature],
        [id, Some("1700000001"), signature],
        [id, Some("soon"), signature],
        [id, at, Some("v1,AAAA")],
    ] {
        assert_eq!(notice(&adapter, headers, BODY, SIGNED_AT).await, Err(NoticeError::Forged), "{headers:?}");
    }
    assert_eq!(notice(&adapter, [id, at, signature], b"{}", SIGNED_AT).await, Err(NoticeError::Forged));
}

#[tokio::test]
async fn a_genuine_webhook_without_an_id_is_garbled() {
    use crate::domain::standard_webhooks::sign;
    let (adapter, secret) = (adapter(Some(SECRET)), WebhookSecret::parse(SECRET).unwrap());
    for body in [&b"{}"[..], b"", b"[1]", br#"{"id":"../x"}"#, br#"{"id":7}"#] {
        let signature = sign(&secret, "msg_1", SIGNED_AT, body);
        let headers = [Some("msg_1"), Some("1700000000"), Some(signature.as_str())];
        assert_eq!(notice(&adapter, headers, body, SIGNED_AT).await, Err(NoticeError::Garbled));
    }
}

#[tokio::test]
async fn without_a_secret_no_webhook_is_asked_for_or_taken() {
    let adapter = adapter(None);
    assert!(!adapter.takes_webhooks());
    let genuine = [Some("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"), Some("1700000000"), Some(SIGNATURE)];
    assert_eq!(notice(&adapter, genuine, BODY, SIGNED_AT).await, Err(NoticeError::Unexpected));
}

#[test]
fn settings_that_cannot_be_are_refused_under_their_key() {
    let clock = || Arc::new(ManualClock::new(0));
    let refused = |account: &ProviderConfig| Replicate::new(account, clock()).err().unwrap();
    let error = refused(&account(Some("hunter2")));
    assert_eq!(error.key, "webhook_secret");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let meshy = ProviderConfig { kind: ProviderKind::Meshy { api_key: "k".into() }, ..account(None) };
    assert_eq!(refused(&meshy).key, "kind");
    let hosts = ProviderConfig { result_hosts: vec!["*".to_owned()], ..account(None) };
    assert_eq!(refused(&hosts).key, "result_hosts");
}

proptest! {
    #[test]
    fn no_text_of_theirs_is_too_much(error in ".{0,80}", logs in ".{0,80}") {
        let prediction = prediction(json!({"id": "p", "status": "failed", "error": error, "logs": logs}));
        let _ = prediction.ending();
        prop_assert!(prediction.progress().is_none_or(|progress| (0.0..=1.0).contains(&progress)));
    }
}
