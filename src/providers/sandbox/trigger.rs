//! Words by which an integrator rehearses trouble. Only the sandbox provider reads them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::JobSpec;

/// No rehearsal is longer.
const MAX_SLOW_SECONDS: u64 = 86_400;

/// What a request asks the sandbox to do wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// `sandbox:fail`: the model fails.
    pub fail: bool,
    /// `sandbox:reject`: the content is refused.
    pub reject: bool,
    /// `sandbox:flaky`: two attempts fail, the third works.
    pub flaky: bool,
    /// `sandbox:slow=SECONDS`: how long it takes.
    pub slow_seconds: Option<u64>,
}

/// The triggers and what they do, for the pages.
pub const DOCUMENTED: [(&str, &str); 4] = [
    ("sandbox:fail", "The generation fails for good: 502 GENERATION_FAILED, and the amount is owed back."),
    ("sandbox:reject", "The model's rules refuse the content: 502 CONTENT_REJECTED, and the amount is owed back."),
    ("sandbox:slow=SECONDS", "The generation takes that long: watch the keep-alive, 202 and polling."),
    ("sandbox:flaky", "Two attempts fail and the third works: you see nothing but a longer wait."),
];

impl Triggers {
    /// Reads the triggers of a request: in a prompt's text, or anywhere in an image's bytes.
    #[must_use]
    pub fn of(spec: &JobSpec) -> Self {
        match spec {
            JobSpec::Video(video) => Self::read(video.prompt.as_bytes()),
            JobSpec::Model3d(model) => Self::read(&model.image),
        }
    }

    /// How long the generation takes when `usual` is the sandbox's own time.
    #[must_use]
    pub fn generation_time(&self, usual: Duration) -> Duration {
        self.slow_seconds.map_or(usual, Duration::from_secs)
    }

    fn read(text: &[u8]) -> Self {
        let mut triggers = Self::default();
        let mut rest = text;
        while let Some(at) = rest.windows(WORD.len()).position(|window| window == WORD) {
            rest = &rest[at + WORD.len()..];
            if rest.starts_with(b"fail") {
                triggers.fail = true;
            } else if rest.starts_with(b"reject") {
                triggers.reject = true;
            } else if rest.starts_with(b"flaky") {
                triggers.flaky = true;
            } else if let Some(number) = rest.strip_prefix(b"slow=") {
                triggers.slow_seconds = seconds(number);
            }
        }
        triggers
    }
}

const WORD: &[u8] = b"sandbox:";

fn seconds(text: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = text.iter().copied().take_while(u8::is_ascii_digit).take(9).collect();
    let seconds: u64 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
    Some(seconds.min(MAX_SLOW_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_anywhere() {
        assert_eq!(Triggers::read(b"a quiet lake"), Triggers::default());
        assert!(Triggers::read(b"\x89PNG\0\0sandbox:fail").fail);
        let many = Triggers::read(b"sandbox:slow=12 sandbox:flaky sandbox:reject sandbox:");
        assert_eq!(many, Triggers { fail: false, reject: true, flaky: true, slow_seconds: Some(12) });
        assert_eq!(Triggers::read(b"sandbox:slow=x").slow_seconds, None);
        assert_eq!(Triggers::read(b"sandbox:slow=99999999999").slow_seconds, Some(MAX_SLOW_SECONDS));
    }
}
