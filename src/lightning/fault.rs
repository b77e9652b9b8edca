//! A backend that did not do what it was asked.

use std::time::Duration;

/// A call to a backend that failed. The text is for the log and the operator; it holds no secrets and no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// The adapter's name.
    pub backend: &'static str,
    /// What kind of failure.
    pub kind: FaultKind,
    /// What happened; where the configuration is to blame, it begins with the path of its key.
    pub message: String,
}

/// Failures, by what may be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing was sent: no connection came about.
    Unreachable,
    /// No whole answer came: the backend may or may not have done it.
    Interrupted,
    /// The backend says that it cannot at the moment.
    Failing,
    /// It was asked too often.
    Limited {
        /// How long it wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// It does not accept the credentials, or they do not allow this. The operator has to act.
    Unauthorised,
    /// It understood, and refuses: the request will never work as it is.
    Refused,
    /// Its answer is not what its documentation says.
    Garbled,
    /// This backend cannot do that at all.
    Unsupported,
}

impl FaultKind {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Failing => "failing",
            Self::Limited { .. } => "limited",
            Self::Unauthorised => "unauthorised",
            Self::Refused => "refused",
            Self::Garbled => "garbled",
            Self::Unsupported => "unsupported",
        }
    }
}

impl BackendError {
    /// A failure of `backend`.
    #[must_use]
    pub fn new(backend: &'static str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { backend, kind, message: message.into() }
    }

    /// What `backend` cannot do.
    #[must_use]
    pub fn unsupported(backend: &'static str, what: &str) -> Self {
        Self::new(backend, FaultKind::Unsupported, format!("this backend cannot {what}"))
    }
}
