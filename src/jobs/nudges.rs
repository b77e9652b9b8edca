//! Looking at a generation now instead of after the usual pause.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::JobId;

/// The jobs whose generations are being watched here.
#[derive(Default)]
pub(super) struct Nudges(Arc<Mutex<HashMap<JobId, Arc<Notify>>>>);

/// A job that can be nudged until this is dropped.
pub(super) struct Nudged {
    id: JobId,
    news: Arc<Notify>,
    nudges: Nudges,
}

impl Nudges {
    /// Registers a job; of two at once, the later is nudged.
    pub(super) fn listen(&self, id: JobId) -> Nudged {
        let news = Arc::new(Notify::new());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, news.clone());
        Nudged { id, news, nudges: Self(self.0.clone()) }
    }

    /// Nudges a job. `false`: it is not watched here. Many nudges at once are one.
    pub(super) fn nudge(&self, id: JobId) -> bool {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&id).inspect(|news| news.notify_one()).is_some()
    }
}

impl Nudged {
    /// Returns once there was a nudge.
    pub(super) async fn came(&self) {
        self.news.notified().await;
    }
}

impl Drop for Nudged {
    fn drop(&mut self) {
        let mut watched = self.nudges.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.get(&self.id).is_some_and(|news| Arc::ptr_eq(news, &self.news)) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_watches_is_nudged_and_nobody_else() {
        let (nudges, id) = (Nudges::default(), JobId::new(1, [1; 10]));
        assert!(!nudges.nudge(id));
        let first = nudges.listen(id);
        assert!(nudges.nudge(id) && nudges.nudge(id));
        first.came().await;
        let second = nudges.listen(id);
        drop(first);
        assert!(nudges.nudge(id), "the later one is still there");
        second.came().await;
        drop(second);
        assert!(!nudges.nudge(id) && nudges.0.lock().unwrap().is_empty());
    }
}
