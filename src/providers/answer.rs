//! What providers answer.

use std::time::Duration;

/// What a look-up of an earlier create says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The create had arrived.
    Started(String),
    /// It had surely not.
    Nothing,
    /// The provider cannot tell: the route's policy decides.
    Unknowable,
}

/// The state of a generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// Under way.
    Pending {
        /// How far, from 0 to 1, where the provider tells it.
        progress: Option<f32>,
    },
    /// The file can be fetched.
    Ready,
    /// It ended without a result.
    Failed(Ending),
}

/// How a generation ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another attempt may succeed.
    Transient,
    /// The model cannot do this.
    Failed,
    /// The provider's rules refuse the content.
    Rejected,
}

/// What went wrong with a call to a provider. The texts are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Surely nothing was started.
    #[error("not started: {message}")]
    NotStarted {
        /// What happened.
        message: String,
        /// What the provider asked to wait.
        retry_after: Option<Duration>,
    },
    /// Perhaps something was started.
    #[error("ambiguous: {0}")]
    Ambiguous(String),
    /// A call that can be repeated failed.
    #[error("transient: {0}")]
    Transient(String),
    /// The provider does not know the id.
    #[error("the provider does not know this generation")]
    Unknown,
    /// The request was refused for good.
    #[error("refused")]
    Refused(Ending),
    /// The provider refuses the operator's account.
    #[error("the operator's account: {0}")]
    OperatorFault(String),
}
