//! The macaroon vectors, made with pymacaroons: every one of both lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::domain::{PaymentHash, Preimage};

use super::caveat;
use super::macaroon::{Macaroon, RootKey};

#[derive(Deserialize)]
struct Vectors {
    verify: Vec<Good>,
    refuse: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    name: String,
    root_key: String,
    preimage: String,
    payment_hash: String,
    token_id: String,
    location: String,
    caveats: Vec<String>,
    body: String,
    signature: String,
    base64: String,
    length: usize,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
struct Bad {
    name: String,
    base64: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../tests/vectors/macaroon.json")).unwrap()
}

fn root_key(text: &str) -> RootKey {
    RootKey::new(hex::decode(text).unwrap().try_into().unwrap())
}

#[test]
fn every_good_vector_is_read_and_written_byte_for_byte() {
    let vectors = vectors();
    assert_eq!(vectors.verify.len(), 7);
    for good in vectors.verify {
        let bytes = STANDARD.decode(&good.base64).unwrap();
        assert_eq!(bytes.len(), good.length, "{}", good.name);
        let macaroon = Macaroon::decode(&bytes).unwrap();
        assert!(macaroon.is_signed_by(&root_key(&good.root_key)), "{}", good.name);
        assert_eq!(macaroon.encode(), bytes, "{}", good.name);
        assert!(hex::encode(&bytes).ends_with(&good.signature), "{}", good.name);

        let hash = PaymentHash::from_hex(&good.payment_hash).unwrap();
        assert!(Preimage::from_hex(good.preimage.as_bytes()).unwrap().opens(&hash), "{}", good.name);
        let identifier = [&[0, 0], &hash.as_bytes()[..], &hex::decode(&good.token_id).unwrap()].concat();
        assert_eq!(macaroon.identifier(), identifier, "{}", good.name);

        let caveats = good.caveats.iter().map(String::as_bytes).collect();
        let minted = Macaroon::mint(&root_key(&good.root_key), good.location.as_bytes(), &identifier, caveats);
        assert_eq!(minted.encode(), bytes, "{}", good.name);
    }
}

#[test]
fn the_caveats_of_good_vectors_bind_their_bodies() {
    for good in vectors().verify {
        let caveats: Vec<&[u8]> = good.caveats.iter().map(String::as_bytes).collect();
        let terms = caveat::read(&caveats);
        if good.note.contains("refused") {
            assert!(terms.is_err(), "{}", good.name);
            continue;
        }
        let body_sha256: [u8; 32] = Sha256::digest(good.body.as_bytes()).into();
        assert_eq!(terms.unwrap().body_sha256, body_sha256, "{}", good.name);
    }
}

#[test]
fn every_bad_vector_is_refused_under_every_key() {
    let vectors = vectors();
    assert_eq!(vectors.refuse.len(), 13);
    let keys: Vec<RootKey> = vectors.verify.iter().map(|good| root_key(&good.root_key)).collect();
    for bad in vectors.refuse {
        let bytes = STANDARD.decode(&bad.base64).unwrap();
        let accepted = Macaroon::decode(&bytes).is_ok_and(|macaroon| {
            keys.iter().any(|key| macaroon.is_signed_by(key)) && caveat::read(macaroon.caveats()).is_ok()
        });
        assert!(!accepted, "{}", bad.name);
    }
}
