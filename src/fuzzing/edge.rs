//! What callers send.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use url::Url;

use crate::artifacts::ArtifactName;
use crate::catalog::{self, BodyError, Depth};
use crate::config::{GatewayKey, KeyRing, PriceRule, ServiceConfig, ServiceKind};
use crate::domain::{JobId, Msat, PublicJobId, ServiceId};
use crate::egress::judge_strangers_url;
use crate::http::artifact::wanted;
use crate::http::client::TrustedProxies;
use crate::http::prefer::Preference;
use crate::http::recover::typed;
use crate::jobs::Links;
use crate::paywall::l402::parse_authorization;
use crate::paywall::macaroon::Macaroon;

use super::first_line;

/// What an `Authorization` header holds is bounded by the header, and none crashes or hangs.
pub fn authorization(input: &[u8]) {
    for presented in parse_authorization(input).into_iter().flatten() {
        let decoded: usize = presented.macaroons.iter().map(Vec::len).sum();
        assert!(decoded <= input.len(), "base64 only ever shrinks");
    }
}

/// Decoding is total, and canonical: what decodes encodes to the very bytes that it came from.
pub fn macaroon(input: &[u8]) {
    if let Ok(macaroon) = Macaroon::decode(input) {
        assert_eq!(macaroon.encode(), input);
    }
}

/// What is typed into the page, or sent in its place, is one credential at the most, and as long as it was.
pub fn recover(input: &[u8]) {
    for is_form in [true, false] {
        let Some(credential) = typed(input, is_form) else { continue };
        // Escapes and the replacement of what is no UTF-8 take three bytes for one at the most.
        assert!(credential.len() <= input.len().saturating_mul(3).saturating_add(6));
        assert!(parse_authorization(&credential).len() <= input.len().saturating_add(1));
    }
}

/// Names in paths: what was signed here is read back, and nothing else is.
pub fn names(input: &[u8]) {
    static LINKS: LazyLock<Links> =
        LazyLock::new(|| Links::new(&KeyRing::new(vec![GatewayKey::new([7; 32])]).expect("a key")));
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(name) = ArtifactName::parse(text) {
        assert_eq!(name.as_str(), text);
        HeaderValue::from_str(&name.disposition()).expect("a header");
    }
    if let Ok(id) = PublicJobId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(id) = JobId::parse(text) {
        assert_eq!(JobId::parse(&id.to_string()), Ok(id));
    }
    let (job, number) = some_job(input);
    let (refund, webhook, image) = (LINKS.refund(job, number), LINKS.webhook(job, number), LINKS.input(job, number));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let (webhook, image) = (last(&webhook), last(&image));
    assert_eq!(LINKS.read_refund(&refund), Some((job, number)));
    assert_eq!(LINKS.read_webhook(&webhook), Some((job, number)));
    assert_eq!(LINKS.read_input(&image, number), Some(job));
    assert!(LINKS.read_input(&image, number.saturating_add(1)).is_none() || number == i64::MAX);
    assert!(LINKS.is_k1(&refund, &LINKS.k1(&refund)));
    // A stranger knows none of these names, and can make none of what he knows.
    let signature = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    for (known, read) in [
        (&refund, LINKS.read_refund(text).is_some()),
        (&webhook, LINKS.read_webhook(text).is_some()),
        (&image, LINKS.read_input(text, i64::MIN).is_some()),
    ] {
        assert!(!read || signature(text) == signature(known), "a name was read that was not signed");
    }
    assert!(!LINKS.is_k1(&refund, text) || text.eq_ignore_ascii_case(&LINKS.k1(&refund)));
}

fn some_job(input: &[u8]) -> (JobId, i64) {
    let mut bytes = [0; 16];
    for (byte, given) in bytes.iter_mut().zip(input) {
        *byte = *given;
    }
    let number = i64::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], 0, bytes[15]]);
    (JobId::new(u64::from(bytes[0]), std::array::from_fn(|at| bytes[at])), number)
}

/// A preference that was understood is understood again when it is written down plainly.
pub fn prefer(input: &[u8]) {
    let preference = Preference::of(&headers("prefer", input));
    let mut plain = Vec::new();
    if preference.respond_async {
        plain.push("respond-async".to_owned());
    }
    plain.extend(preference.wait.map(|wait| format!("wait={}", wait.as_secs())));
    assert_eq!(Preference::of(&headers("prefer", plain.join(", ").as_bytes())), preference);
    assert!(preference.wait.is_none_or(|wait| wait.subsec_nanos() == 0 && wait <= Duration::from_secs(u64::MAX)));
}

/// A part of a file lies within it and is not empty.
pub fn range(input: &[u8]) {
    let Some((size, rest)) = input.split_first_chunk::<8>() else { return };
    let (range, known) = first_line(rest);
    let mut headers = headers("range", range);
    if let Ok(known) = HeaderValue::from_bytes(known) {
        headers.insert("if-range", known);
    }
    let size = u64::from_be_bytes(*size);
    if let Ok(Some(part)) = wanted(&headers, size, "\"tag\"") {
        assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
    }
}

/// A request is charged to its peer, or to an address that a trusted proxy has written down last.
pub fn forwarded(input: &[u8]) {
    const PROXIES: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"];
    let networks: Vec<IpNet> = PROXIES.iter().filter_map(|network| network.parse().ok()).collect();
    let trusted = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
    let proxies = TrustedProxies::new(networks.clone());
    let headers = headers("x-forwarded-for", input);
    let stranger: IpAddr = [203, 0, 113, 9].into();
    assert_eq!(proxies.client(stranger, &headers), stranger, "nobody believes a stranger");
    let peer: IpAddr = [10, 0, 0, 1].into();
    let client = proxies.client(peer, &headers);
    let text = String::from_utf8_lossy(input);
    let said = text.split(['\n', ',']).filter_map(|hop| hop.trim().parse::<IpAddr>().ok());
    let said: HashSet<IpAddr> = said.map(|hop| hop.to_canonical()).collect();
    assert!(client == peer || said.contains(&client), "{client} was made up");
    let last = text.rsplit(['\n', ',']).next().and_then(|hop| hop.trim().parse::<IpAddr>().ok());
    if let Some(last) = last.filter(|last| !trusted(last.to_canonical()) && is_header(input)) {
        assert_eq!(client, last.to_canonical(), "what our own proxy saw counts");
    }
}

/// A URL that strangers may have called is `https`, to a host that is not known to be private, and stays so.
pub fn callback_url(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let allowed = judge_strangers_url(text, false).is_ok();
    if !allowed {
        return;
    }
    let url = Url::parse(text).expect("it was read before");
    assert_eq!(url.scheme(), "https");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    let host = url.host_str().expect("a host");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    assert!(bare.parse::<IpAddr>().is_ok_and(crate::egress::is_public) || bare.parse::<IpAddr>().is_err(), "{host}");
    assert_eq!(judge_strangers_url(url.as_str(), false), Ok(()), "as it is written on the wire");
    assert_eq!(judge_strangers_url(text, true), Ok(()), "what is public may be called by everybody");
}

/// A body that is sold can be run: once it is paid for, it means the same.
pub fn video_request(input: &[u8]) {
    let kind = ServiceKind::Video { models: vec!["Video Generation".into()], max_prompt_chars: 100 };
    let price = PriceRule::PerSecond(Msat::from_sat(100).expect("a price"));
    judge(&service(ServiceId::Video, price, kind), input);
}

/// The same, with an image: the first line is a media type, and what follows is the image; a body that begins with a
/// brace is taken as it is.
pub fn model_request(input: &[u8]) {
    use base64::Engine as _;
    let kind = ServiceKind::Model3d { max_side: 512, max_pixels: 100_000, max_alloc: 4 << 20, routes: Vec::new() };
    let service = service(ServiceId::Model3d, PriceRule::Fixed(Msat::from_sat(350).expect("a price")), kind);
    if input.starts_with(b"{") {
        return judge(&service, input);
    }
    let (media_type, image) = first_line(input);
    let base64 = base64::engine::general_purpose::STANDARD.encode(image);
    let uri = format!("data:{};base64,{base64}", String::from_utf8_lossy(media_type));
    judge(&service, serde_json::json!({ "image": uri }).to_string().as_bytes());
}

fn service(id: ServiceId, price: PriceRule, kind: ServiceKind) -> ServiceConfig {
    let (deadline, result_limit) = (Duration::from_mins(1), 1 << 20);
    ServiceConfig { id, price, body_limit: 1 << 20, deadline, result_limit, private_callbacks: false, kind }
}

fn judge(service: &ServiceConfig, body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    match catalog::validate(service, &body, Depth::Full) {
        Ok(priced) => {
            let Ok(paid) = catalog::validate(service, &body, Depth::Structure) else {
                panic!("what was sold must be run")
            };
            assert!(paid.spec == priced.spec && paid.callback == priced.callback, "it means something else now");
            assert_eq!(paid.quote.amount, priced.quote.amount);
            assert!(priced.quote.amount > Msat::ZERO);
            assert!(catalog::callback_of(service, &body) == priced.callback);
        }
        Err(BodyError::Invalid(problems)) => {
            assert!((1..=32).contains(&problems.len()), "{} problems", problems.len());
            let told: usize = problems.iter().map(|problem| problem.pointer.len() + problem.detail.len()).sum();
            assert!(told <= 64 * 1024, "{told} bytes about a body");
        }
        Err(BodyError::Malformed(said)) => assert!(said.len() <= 512, "{} bytes about a body", said.len()),
    }
}

/// One header a line, without those that no connection would let through.
fn headers(name: &'static str, input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(100) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

fn is_header(input: &[u8]) -> bool {
    input.split(|byte| *byte == b'\n').count() <= 100
        && input
            .split(|byte| *byte == b'\n')
            .all(|line| HeaderValue::from_bytes(line).is_ok_and(|value| value.to_str().is_ok()))
}
