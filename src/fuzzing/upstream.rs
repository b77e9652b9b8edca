//! What other servers answer, and what they send.

use http::HeaderMap;

use crate::egress::Answer;
use crate::providers::fuzzing;

use super::first_line;

/// What a provider answers: the first line is the status, and what follows is the body.
pub fn answers(input: &[u8]) {
    let (status, body) = first_line(input);
    let status = str::from_utf8(status).ok().and_then(|status| status.trim().parse::<u16>().ok());
    let Some(status) = status.and_then(|status| http::StatusCode::from_u16(status).ok()) else { return };
    let body = bytes::Bytes::copy_from_slice(body);
    fuzzing::read_answers(&|| Answer { status, headers: HeaderMap::new(), body: body.clone() });
}

/// What a provider, or somebody who knows where it would, sends: the first line is the header with the signature, and
/// what follows is the body.
pub fn webhooks(input: &[u8]) {
    let (header, body) = first_line(input);
    fuzzing::read_webhooks(&String::from_utf8_lossy(header), body);
}
