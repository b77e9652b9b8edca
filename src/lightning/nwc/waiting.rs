//! Who waits for which answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nostr::event::{Event, EventId};
use tokio::sync::oneshot;

/// What came back for a request.
pub(super) enum Heard {
    Answer(Box<Event>),
    /// The relay says that it does not take it. It may have passed it on all the same.
    Refused(String),
}

/// Requests of one connection without an answer.
pub(super) struct Waiting {
    /// `None`: the connection is gone, and nobody can be added any more.
    requests: Mutex<Option<HashMap<EventId, oneshot::Sender<Heard>>>>,
}

/// A request in the list, for as long as somebody waits.
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    id: EventId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.take(&self.id);
    }
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self { requests: Mutex::new(Some(HashMap::new())) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<EventId, oneshot::Sender<Heard>>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: &EventId) -> Option<oneshot::Sender<Heard>> {
        self.lock().as_mut()?.remove(id)
    }

    /// A place for the request `id`, and where its answer comes; `None`: the connection is gone.
    pub(super) fn enter(&self, id: EventId) -> Option<(Place<'_>, oneshot::Receiver<Heard>)> {
        let (sender, receiver) = oneshot::channel();
        self.lock().as_mut()?.insert(id, sender);
        Some((Place { waiting: self, id }, receiver))
    }

    pub(super) fn expects(&self, id: &EventId) -> bool {
        self.lock().as_ref().is_some_and(|requests| requests.contains_key(id))
    }

    pub(super) fn hand_over(&self, id: &EventId, heard: Heard) {
        if let Some(waits) = self.take(id) {
            // Whoever has stopped waiting does not want it.
            let _ = waits.send(heard);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Sends everybody away.
    pub(super) fn close(&self) {
        self.lock().take();
    }
}
