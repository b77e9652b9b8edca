//! A queue with an end, in front of so many places.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::circuit::Circuit;
use crate::lightning::NodeError;

/// Requests that may wait for their turn, for each that is under way.
const QUEUE_PER_TURN: usize = 8;

/// Where requests of one kind wait for the backend.
pub(super) struct Desk {
    turns: Semaphore,
    /// For requests that are under way or wait.
    places: Semaphore,
    timeout: Duration,
}

/// Somebody's turn, until it is dropped.
pub(super) struct Turn<'d> {
    /// When the answer must be there.
    pub deadline: Instant,
    _permit: SemaphorePermit<'d>,
    _place: SemaphorePermit<'d>,
}

impl Desk {
    /// So many requests at once, each with `timeout` in all.
    pub(super) fn new(turns: usize, timeout: Duration) -> Self {
        let places = turns.saturating_mul(QUEUE_PER_TURN.saturating_add(1)).min(Semaphore::MAX_PERMITS);
        Self { turns: Semaphore::new(turns), places: Semaphore::new(places), timeout }
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits for a turn. The time that this takes counts, from `began` on.
    pub(super) async fn turn(&self, began: Instant, circuit: &Circuit) -> Result<Turn<'_>, NodeError> {
        circuit.admit(began).map_err(NodeError::Down)?;
        let place = self.places.try_acquire().map_err(|_| NodeError::Busy)?;
        let deadline = began + self.timeout;
        let turn = tokio::select! {
            biased;
            turn = timeout_at(deadline, self.turns.acquire()) => turn,
            // Whoever waits when the circuit opens would wait in vain.
            () = circuit.opened() => return Err(circuit.admit(Instant::now()).err().map_or(NodeError::Busy, NodeError::Down)),
        };
        match turn {
            Ok(Ok(turn)) => Ok(Turn { deadline, _permit: turn, _place: place }),
            // It was not the backend that kept this one waiting, but those in front of it.
            Ok(Err(_)) | Err(_) => Err(NodeError::Busy),
        }
    }
}
