//! What the fuzz targets have the adapters read.

use super::{Found, Poll, ProviderError};
use crate::egress::Answer;

/// Each adapter's reading of one answer. The adapters hold what they read against `sane_…`.
pub(crate) fn read_answers(answer: &dyn Fn() -> Answer) {
    super::cog::fuzz_answers(&answer());
    super::fal::fuzz_answers(&answer());
    super::meshy::fuzz_answers(&answer());
    super::openrouter::fuzz_answers(answer);
    super::replicate::fuzz_answers(&answer());
    super::tripo::fuzz_answers(&answer());
    super::videos::fuzz_answers(&answer());
}

/// Each adapter's reading of one webhook.
pub(crate) fn read_webhooks(header: &str, body: &[u8]) {
    super::cog::fuzz_webhook(body);
    super::fal::fuzz_webhook(header, body);
    super::openrouter::fuzz_webhook(header, body);
    super::replicate::fuzz_webhook(header, body);
}

/// An id can be kept and asked for: it stays one part of a path.
pub(super) fn sane_id(id: Result<String, ProviderError>) {
    match id {
        Ok(id) => {
            assert!((1..=4096).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
            let part = super::wire::in_path(&id);
            assert!(!part.contains(['/', '?', '#', '\\', '.']), "{part}");
        }
        Err(error) => short(&error),
    }
}

/// A state has a progress that is one, and a charge that is a number.
pub(super) fn sane_state(state: Result<Poll, ProviderError>) {
    match state {
        Ok(Poll::Pending { progress, .. }) => assert!(progress.is_none_or(|part| (0.0..=1.0).contains(&part))),
        Ok(Poll::Ready { charged }) => assert!(charged.is_none_or(f64::is_finite)),
        Ok(Poll::Failed(_)) => {}
        Err(error) => short(&error),
    }
}

pub(super) fn sane_list(found: Result<Found, ProviderError>) {
    match found {
        Ok(Found::Among(ids)) => ids.into_iter().for_each(|id| sane_id(Ok(id))),
        Ok(Found::Started(id)) => sane_id(Ok(id)),
        Ok(Found::Nothing | Found::Unknowable) => {}
        Err(error) => short(&error),
    }
}

/// What stands in the log does not grow with what a provider says.
pub(super) fn short(error: &ProviderError) {
    assert!(error.to_string().len() <= 2_048, "{} bytes in the log", error.to_string().len());
}
