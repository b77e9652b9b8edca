//! Pauses that a provider has asked for: each is its own route's, and no reason for another one to wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::circuit::LONGEST_ASKED;

use super::Route;

/// Until when a provider wants to be left alone; `None`: it has not said so.
#[derive(Debug, Default)]
pub(super) struct NotBefore(Mutex<Option<Instant>>);

impl NotBefore {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    /// The provider wants no create for `pause`, of which it gets as much as is sensible.
    pub fn asked_to_wait(&self, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_ASKED);
        let mut not_before = self.not_before.lock();
        *not_before = Some(not_before.map_or(until, |before| before.max(until)));
    }

    /// How long the provider still wants no create; `None`: it takes them.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        let not_before = *self.not_before.lock();
        not_before.map(|at| at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}
