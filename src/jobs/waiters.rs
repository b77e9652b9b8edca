//! Who waits for which job.
//!
//! Each job that somebody waits for, or that is being worked on, has one entry; each waiter holds a receiver on it. One
//! notification wakes exactly the waiters of that job, and a waiter costs neither a thread nor a query.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::domain::JobId;

use super::{JobView, News};

type Latest = Option<Arc<JobView>>;

/// The entries of all jobs that are waited for or worked on.
#[derive(Clone, Default)]
pub(super) struct Waiters {
    entries: Arc<Mutex<HashMap<JobId, watch::Sender<Latest>>>>,
}

/// A place among the waiters of one job; dropping it gives the place up.
pub(super) struct Subscription {
    id: JobId,
    /// `None` only while it is dropped.
    receiver: Option<watch::Receiver<Latest>>,
    waiters: Waiters,
}

/// A job on its way to its end, as one waiter sees it.
pub struct Following {
    current: Arc<JobView>,
    subscription: Option<Subscription>,
}

impl Waiters {
    pub(super) fn subscribe(&self, id: JobId) -> Subscription {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = entries.entry(id).or_insert_with(|| watch::channel(None).0).subscribe();
        Subscription { id, receiver: Some(receiver), waiters: self.clone() }
    }

    /// Tells all who wait for this job.
    pub(super) fn publish(&self, view: JobView) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&view.job.id) {
            entry.send_replace(Some(Arc::new(view)));
        }
    }

    /// The jobs that somebody waits for or works on.
    pub(super) fn jobs(&self) -> Vec<JobId> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    pub(super) fn news(&self, id: JobId) -> News {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = entries.get(&id).and_then(|entry| entry.borrow().clone());
        latest.map(|view| view.news).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut entries = self.waiters.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Given up under the lock: of two that leave together, one must see that nobody is left.
        self.receiver.take();
        if entries.get(&self.id).is_some_and(|entry| entry.receiver_count() == 0) {
            entries.remove(&self.id);
        }
    }
}

impl Following {
    pub(super) fn new(current: JobView, subscription: Subscription) -> Self {
        Self { current: Arc::new(current), subscription: Some(subscription) }
    }

    pub(super) fn ended(view: JobView) -> Self {
        Self { current: Arc::new(view), subscription: None }
    }

    /// The job as it was last seen.
    #[must_use]
    pub fn current(&self) -> &JobView {
        &self.current
    }

    /// Whether the job has its outcome.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.current.job.state.is_terminal()
    }

    /// Waits for the next change. A job that has ended does not change: then this never returns.
    pub async fn changed(&mut self) -> &JobView {
        let Some(subscription) = self.subscription.as_mut().filter(|_| !self.current.job.state.is_terminal()) else {
            return std::future::pending().await;
        };
        let Some(receiver) = &mut subscription.receiver else { return std::future::pending().await };
        // The sender stays in the map for as long as this subscription does.
        while receiver.changed().await.is_ok() {
            if let Some(view) = receiver.borrow_and_update().clone() {
                self.current = view;
                return &self.current;
            }
        }
        std::future::pending().await
    }

    /// Waits for the outcome.
    pub async fn ended_view(&mut self) -> &JobView {
        while !self.has_ended() {
            self.changed().await;
        }
        &self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{Failed, Job};
    use crate::domain::{Failure, JobState, Msat, PaymentHash, PublicJobId, RequestBinding, ServiceId};

    fn view(n: u8, state: JobState) -> JobView {
        let job = Job {
            id: JobId::new(1, [n; 10]),
            public_id: PublicJobId::new([n; 16]),
            payment_hash: PaymentHash::from_bytes([n; 32]),
            binding: RequestBinding { service: ServiceId::Video, body_sha256: [0; 32] },
            amount: Msat::ZERO,
            state,
            attempt: 1,
            dispatches: 0,
            earlier_dispatches: 0,
            created_at: 0,
            deadline_at: 0,
            calls_back: false,
        };
        JobView { job, news: News::default() }
    }

    const ENDED: JobState = JobState::Failed(Failed { failure: Failure::GenerationFailed, finished_at: 1 });

    #[tokio::test]
    async fn a_notification_wakes_who_waits_for_that_job_and_nobody_else() {
        let waiters = Waiters::default();
        let follow = |n| Following::new(view(n, JobState::Queued), waiters.subscribe(JobId::new(1, [n; 10])));
        let (mut first, mut second, mut other) = (follow(1), follow(1), follow(2));
        waiters.publish(view(1, ENDED));
        assert_eq!(first.ended_view().await.job.state, ENDED);
        assert_eq!(second.ended_view().await.job.state, ENDED);
        assert!(futures_util::FutureExt::now_or_never(other.changed()).is_none());
    }

    #[tokio::test]
    async fn an_end_before_the_first_look_is_not_missed() {
        let waiters = Waiters::default();
        let subscription = waiters.subscribe(JobId::new(1, [1; 10]));
        waiters.publish(view(1, ENDED));
        let mut following = Following::new(view(1, JobState::Queued), subscription);
        assert!(following.ended_view().await.job.state.is_terminal());
    }

    #[test]
    fn nothing_is_left_when_everybody_has_gone() {
        let waiters = Waiters::default();
        let id = JobId::new(1, [1; 10]);
        let (a, b) = (waiters.subscribe(id), waiters.subscribe(id));
        drop(a);
        assert_eq!(waiters.len(), 1);
        drop(b);
        assert_eq!(waiters.len(), 0);
    }
}
