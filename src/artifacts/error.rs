//! What can go wrong with files. No text names a result: its name is all that is needed to read it.

use super::s3;

/// Storage that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No file of that name.
    #[error("no such file")]
    NotFound,
    /// The disk; the text names no file.
    #[error("storage: {0}")]
    Storage(String),
    /// The bucket did not answer, or refused; the text is a sentence for the operator and names no file.
    #[error("{0}")]
    Unreachable(String),
    /// Another gateway keeps its files there; the text is the key of its mark.
    #[error(
        "artifacts.url: another satforge keeps its results there, and each would delete the other's; choose a prefix of \
         its own, or, if that one is gone for good, delete the file {0} from the bucket"
    )]
    Foreign(String),
    /// The file is larger than allowed.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// What was received is not the kind of file that was asked for.
    #[error("not a file of the expected kind")]
    WrongKind,
    /// The source failed.
    #[error("the source failed: {0}")]
    Source(String),
}

impl From<object_store::Error> for ArtifactError {
    fn from(error: object_store::Error) -> Self {
        match (&error, s3::sentence(&error)) {
            // The bucket itself may be missing; of a file nothing more is said than that.
            (object_store::Error::NotFound { .. }, said) if !said.as_deref().is_some_and(s3::is_of_bucket) => {
                Self::NotFound
            }
            (_, Some(said)) => Self::Unreachable(said),
            (other, None) => Self::Storage(root_cause(other)),
        }
    }
}

/// The innermost error, usually the operating system's: the texts around it name the file, and a result's name is all
/// that is needed to read it.
fn root_cause(error: &object_store::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    let mut depth = 0;
    while let Some(source) = innermost.source() {
        innermost = source;
        depth += 1;
    }
    if depth == 0 { "the request could not be served".to_owned() } else { innermost.to_string() }
}
