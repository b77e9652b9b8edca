//! The two names of a job: one for us, one for its caller.

use std::fmt;

use uuid::Uuid;

/// The internal id of logs, providers and file names. It orders by time and opens nothing. Callers see it in the links to
/// their refunds alone, which are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Uuid);

/// The id that callers see. It carries 128 random bits: whoever knows it may read the job.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicJobId(String);

/// Text that is no job id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a job id")]
pub struct NotAJobId;

impl JobId {
    /// A new id of that instant; ids order by `unix_millis`.
    #[must_use]
    pub fn new(unix_millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Result<Self, NotAJobId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NotAJobId)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl PublicJobId {
    /// An id of 128 random bits.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// Reads 32 lower-case hexadecimal characters.
    pub fn parse(text: &str) -> Result<Self, NotAJobId> {
        let well_formed = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotAJobId) }
    }

    /// The text that callers see.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// The id is a capability: a log line must not carry it.
impl fmt::Debug for PublicJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicJobId(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_survive_text(millis in 0..1_u64 << 47, random: [u8; 10], public: [u8; 16]) {
            let id = JobId::new(millis, random);
            prop_assert_eq!(JobId::parse(&id.to_string()).unwrap(), id);
            let public = PublicJobId::new(public);
            prop_assert_eq!(PublicJobId::parse(public.as_str()).unwrap(), public);
        }
    }
}
