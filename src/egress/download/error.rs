//! What can go wrong with a download, told apart by what is to be done about it.

use std::time::Duration;

use reqwest::StatusCode;

use crate::egress::EgressError;

/// A file that did not come. The texts hold no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// It stands, or a redirect leads, where nothing is to be fetched from.
    #[error("the URL is refused: {0}")]
    Forbidden(&'static str),
    /// There was no connection, or it broke more often than it was worth resuming.
    #[error("the download broke off: {0}")]
    Broken(EgressError),
    /// The server is busy or out of order (429, 5xx).
    #[error("the server answers with {status}")]
    Unavailable {
        /// What it says.
        status: StatusCode,
        /// The pause it asks for.
        retry_after: Option<Duration>,
    },
    /// It broke off, and what the server has to go on with is not the same file, or not certainly the same: whoever
    /// wants it starts over.
    #[error("the download broke off and cannot go on: {0}")]
    Changed(&'static str),
    /// There is no such file, or no longer (404, 410).
    #[error("the file is gone")]
    Gone,
    /// The server wants another authorization (401, 403).
    #[error("the server refuses the download")]
    Refused,
    /// The file is larger than this many bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// A status that has no meaning here.
    #[error("the server answers with {0}")]
    Unexpected(StatusCode),
    /// An answer that is not a file, or whose end nobody could tell.
    #[error("the answer is no download: {0}")]
    Unusable(&'static str),
}

impl DownloadError {
    /// Whether the server may go on with the same file if it is asked again.
    pub(super) const fn is_break(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Unavailable { .. })
    }
}

impl From<EgressError> for DownloadError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Forbidden(reason) => Self::Forbidden(reason),
            other => Self::Broken(other),
        }
    }
}

/// Nothing came for too long.
pub(super) fn late() -> DownloadError {
    DownloadError::Broken(EgressError::Interrupted("it took too long".to_owned()))
}
