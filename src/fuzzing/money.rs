//! Where refunds are to go.

use std::str::FromStr as _;

use bitcoin::bech32::primitives::gf32::Fe32;
use bitcoin::bech32::primitives::iter::Fe32IterExt as _;
use bitcoin::bech32::{Bech32, Hrp};
use bitcoin::hashes::Hash as _;
use lightning_invoice::SignedRawBolt11Invoice;
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::domain::{Msat, Network};
use crate::http::refund::claim::destination;
use crate::http::refund::withdraw::value_of;
use crate::lightning::{DecodedInvoice, decode_invoice};
use crate::refunds::{Destination, payable, plausible_address};

use super::first_line;

const NOW: u64 = 1_800_000_000;

/// An invoice means to us what it means to the library that others read it with, and none but one over exactly the
/// amount is taken. The checksum is made here, or next to nothing would come through it.
pub fn invoice(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    judge_invoice(text);
    if let Some(whole) = with_checksum(text) {
        judge_invoice(&whole);
    }
}

fn judge_invoice(text: &str) {
    let decoded = decode_invoice(text);
    if let Ok(decoded) = &decoded {
        agree_with_the_library(text, decoded);
    }
    let network = decoded.as_ref().map_or(Network::Bitcoin, |decoded| decoded.network);
    let amount = decoded.ok().and_then(|decoded| decoded.amount).unwrap_or(Msat::ZERO);
    for amount in [amount, Msat::new(amount.msat() + 1).unwrap_or(amount)] {
        let Ok(taken) = payable(text, amount, network, NOW) else { continue };
        let again = decode_invoice(&taken.bolt11).expect("what is to be paid is an invoice");
        assert_eq!((again.amount, again.network), (Some(amount), network));
        assert_eq!(again.payment_hash, taken.payment_hash);
        assert!(again.expires_at > NOW, "it can still be paid");
        assert!(payable(&taken.bolt11, amount, network, NOW).is_ok_and(|same| same == taken));
        assert!(taken.bolt11.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    }
}

fn agree_with_the_library(text: &str, decoded: &DecodedInvoice) {
    let Ok(theirs) = SignedRawBolt11Invoice::from_str(text) else { return };
    let hash = theirs.payment_hash().map(|hash| hash.0.to_byte_array());
    assert_eq!(hash.as_ref(), Some(decoded.payment_hash.as_bytes()), "the hash that is paid is the hash that is kept");
    assert_eq!(theirs.amount_pico_btc(), decoded.amount.map(|amount| amount.msat() * 10));
    assert_eq!(theirs.data.timestamp.as_unix_timestamp(), decoded.made_at);
}

/// The text with the six characters at its end that make it whole.
fn with_checksum(text: &str) -> Option<String> {
    let (human, data) = text.rsplit_once('1')?;
    let human = Hrp::parse(human).ok()?;
    let words: Vec<Fe32> = data.chars().map(Fe32::from_char).collect::<Result<_, _>>().ok()?;
    let words = words.get(..words.len().checked_sub(6)?)?;
    Some(words.iter().copied().with_checksum::<Bech32>(&human).chars().collect())
}

/// What a wallet's call holds is read as it was meant: the first of each name.
pub fn withdraw(input: &[u8]) {
    let Ok(query) = str::from_utf8(input) else { return };
    for name in ["k1", "pr"] {
        let value = value_of(query, name);
        // Three bytes stand in the place of one that is no UTF-8.
        assert!(value.is_none_or(|value| value.len() <= query.len().saturating_mul(3)));
    }
    let (k1, pr) = first_line(input);
    let (k1, pr) = (String::from_utf8_lossy(k1), String::from_utf8_lossy(pr));
    let mut call = form_urlencoded::Serializer::new(String::new());
    call.append_pair("k1", &k1).append_pair("pr", &pr).append_pair("k1", "another").append_pair("pr", "another");
    let call = call.finish();
    assert_eq!((value_of(&call, "k1").as_deref(), value_of(&call, "pr").as_deref()), (Some(&*k1), Some(&*pr)));
}

/// A claim names one destination, and a Lightning address leads nowhere but to its well-known path at its host.
pub fn claim(input: &[u8]) {
    let named = destination(input);
    if let Ok(destination) = &named {
        let body = match destination {
            Destination::Invoice(invoice) => json!({ "invoice": invoice }),
            Destination::Address(address) => json!({ "lightning_address": address }),
        };
        assert!(crate::fuzzing::money::destination(body.to_string().as_bytes()).is_ok_and(|same| same == *destination));
    }
    let typed = match named {
        Ok(Destination::Address(address)) => address,
        _ => String::from_utf8_lossy(input).into_owned(),
    };
    let Ok(address) = plausible_address(&typed) else { return };
    assert!(plausible_address(&address).is_ok_and(|same| same == address));
    let (user, host) = address.split_once('@').expect("an address");
    let Ok(base) = Url::parse(&format!("https://{host}/")) else { return };
    let url = base.join(&format!(".well-known/lnurlp/{user}")).expect("a path");
    assert_eq!(url.path(), format!("/.well-known/lnurlp/{user}"));
    assert_eq!((url.host_str(), url.port(), url.scheme()), (base.host_str(), base.port(), "https"));
    assert!(url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
}

/// What the server behind a Lightning address answers.
pub fn lightning_address(input: &[u8]) {
    crate::lightning::lightning_address::fuzz(input);
}
