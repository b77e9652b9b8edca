//! What can go wrong on the way to another server, told apart by what may have happened there.

use std::error::Error;
use std::io;

use tokio_rustls::rustls;

use super::address::WrongPlace;

/// A request without a whole answer. The texts hold no URL and nothing of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// This client must not send there.
    #[error("the URL is refused: {0}")]
    Forbidden(&'static str),
    /// No connection came about, so nothing was sent.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The server's certificate is not to be trusted; nothing was sent.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// Something was sent, but no whole answer came: the server may or may not have done it.
    #[error("the answer did not come: {0}")]
    Interrupted(String),
    /// The answer is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl EgressError {
    /// Whether the request has certainly not reached the server.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        matches!(self, Self::Forbidden(_) | Self::Unreachable(_) | Self::Untrusted(_))
    }

    /// An error in the middle of an answer.
    pub(super) fn in_answer(error: reqwest::Error) -> Self {
        Self::Interrupted(innermost(&error.without_url()))
    }
}

impl From<reqwest::Error> for EgressError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(place) = find::<WrongPlace>(&error) {
            return Self::Forbidden(place.text());
        }
        let untrusted = find::<rustls::Error>(&error);
        if let Some(reason) = untrusted.filter(|reason| matches!(reason, rustls::Error::InvalidCertificate(_))) {
            return Self::Untrusted(reason.to_string());
        }
        let text = if error.is_timeout() { "it took too long".to_owned() } else { innermost(&error) };
        // A request that cannot even be built was not sent either.
        if error.is_connect() || error.is_builder() { Self::Unreachable(text) } else { Self::Interrupted(text) }
    }
}

/// The text of the last error of a chain, which says what really happened.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The first error of this type in a chain. I/O errors hide what they wrap from `source`.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| find::<T>(wrapped)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
