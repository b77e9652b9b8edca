//! What providers answer.

use std::time::Duration;

/// What a look-up of an earlier create says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The create had arrived.
    Started(String),
    /// It is one of these, if it arrived: generations that look like it, of which others may be somebody else's.
    Among(Vec<String>),
    /// It had surely not.
    Nothing,
    /// The provider cannot tell, now or ever: the route's policy decides.
    Unknowable,
}

/// The state of a generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// Under way.
    Pending {
        /// How far, from 0 to 1, where the provider tells it.
        progress: Option<f32>,
        /// Generations that come first, where the provider tells it.
        ahead: Option<u32>,
    },
    /// The file can be fetched.
    Ready {
        /// What the provider says it charged, in its own unit: dollars, credits, seconds.
        charged: Option<f64>,
    },
    /// It ended without a result.
    Failed(Ending),
}

/// How a generation ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another attempt may succeed, as the provider says with a code or a status of its own.
    Transient,
    /// Another attempt may succeed, going by words alone. They may repeat the prompt, and with it words of a caller who
    /// would have it made again and again: worth one more create and no further.
    Perhaps,
    /// The model cannot do this.
    Failed,
    /// The provider's rules refuse the content.
    Rejected,
}

/// What went wrong with a call to a provider. The texts are for the log: none quotes what a provider says in prose,
/// which may repeat the prompt.
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
    /// Surely nothing was started, for want of room alone: this says nothing against the provider.
    #[error("no room")]
    Busy {
        /// What the provider asked to wait.
        retry_after: Option<Duration>,
    },
    /// Perhaps something was started.
    #[error("ambiguous: {0}")]
    Ambiguous(String),
    /// A call that can be repeated failed.
    #[error("{0}")]
    Transient(String),
    /// The provider does not know the id, and with it any result is lost.
    #[error("the provider does not know this generation")]
    Unknown,
    /// The result's file is not where it should be, or not yet.
    #[error("the result's file is not there")]
    Gone,
    /// The request was refused for good.
    #[error("refused")]
    Refused(Ending),
    /// What the provider has made is not what was asked for, or stands where nothing may be fetched from.
    #[error("unusable: {0}")]
    Unusable(String),
    /// The operator's account, or their configuration, is refused; the text names the key to look at.
    #[error("the operator's account: {0}")]
    OperatorFault(String),
}

/// A webhook that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// This provider sends none, or was not told to.
    #[error("no webhooks are expected")]
    Unexpected,
    /// It is not the provider's.
    #[error("it is not signed by the provider")]
    Forged,
    /// It is genuine, and so old, or so far ahead, that somebody may be repeating it.
    #[error("its time is outside the window")]
    Stale,
    /// It is genuine, and cannot be read.
    #[error("it cannot be read")]
    Garbled,
    /// It could not be judged or kept; the provider should send it again.
    #[error("not now: {0}")]
    Later(String),
}
