//! Who signs webhooks, and who may not.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::*;
use super::{ID, base};
use crate::clock::ManualClock;
use crate::egress::tests::stub::{Reply, Stub};

const SIGNED_AT: u64 = 1_752_019_770;

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
        let stub = Stub::answering(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            match &*keys.lock().unwrap() {
                Ok(keys) => {
                    let keys: Vec<_> = keys.iter().map(|x| json!({"kty": "OKP", "crv": "Ed25519", "x": x})).collect();
                    Reply::json(200, &json!({"keys": keys}))
                }
                Err(()) => Reply::json(502, &json!({})),
            }
        });
        let url = stub.await.url("/jwks.json");
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
