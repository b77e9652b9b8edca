//! Where a caller wants to be told of a job's end.

use std::fmt;

/// A URL that the job's document is posted to once the job has ended. No provider sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Absolute, and as it was typed.
    pub url: String,
    /// The caller's own word for this job, repeated in what is posted.
    pub id: Option<String>,
}

// The URL may hold a secret of the caller's, and the id is none of our business.
impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(redacted)")
    }
}
