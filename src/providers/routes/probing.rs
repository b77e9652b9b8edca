//! Looking after a route with calls that cost nothing: whether it is worth selling, and when it is again.

use std::time::Duration;

use tokio::time::Instant;

use crate::circuit::Open;
use crate::providers::ProviderError;

use super::{Health, Route};

/// The pause between two looks at a server of the operator's own while its route is open: whoever pays first must not be
/// the one who finds out that it is down.
const LOOK_EVERY: Duration = Duration::from_secs(30);

impl Route {
    /// Probes the route at once, while it is closed, and a server of the operator's own every now and then. Each probe has
    /// `timeout`. Ends with `stopped`.
    pub async fn watch(&self, timeout: Duration, stopped: impl Future<Output = ()>) {
        self.tell(0.0);
        tokio::select! {
            () = stopped => {}
            () = self.look_after(timeout) => {}
        }
    }

    async fn look_after(&self, timeout: Duration) {
        self.look(timeout).await;
        let mut was_open = self.health() == Health::Open;
        loop {
            // A route that closes meanwhile is not looked at, but probed as the circuit says.
            match tokio::time::timeout(LOOK_EVERY, self.circuit.opened()).await {
                Ok(()) => {
                    self.probe_until_open(timeout, was_open).await;
                    was_open = true;
                }
                Err(_) if self.account.is_own => self.look(timeout).await,
                Err(_) => {}
            }
        }
    }

    /// Closes an open route that would not take a create. What a free call says of somebody else's account is less
    /// certain than what a create says, so such a route stays open, and the operator is told.
    async fn look(&self, timeout: Duration) {
        let (error, is_fault) = match self.ask(timeout).await {
            // Want of room is a good sign.
            Ok(()) | Err(ProviderError::Busy { .. }) => return,
            Err(ProviderError::OperatorFault(reason)) => (reason, true),
            Err(error) => (error.to_string(), false),
        };
        if !self.account.is_own {
            tracing::warn!(route = self.name(), error, "the provider may not take requests; the first one will tell");
        } else if is_fault {
            self.refused(&error);
        } else {
            self.circuit.failed(Instant::now(), &error, Some(Duration::ZERO));
        }
    }

    async fn probe_until_open(&self, timeout: Duration, was_open: bool) {
        self.tell(1.0);
        match self.health() {
            Health::Resting(Open { reason, .. }) | Health::Faulty(reason) if was_open => {
                tracing::error!(
                    route = self.name(),
                    reason,
                    "the route is closed; it is not sold until a probe succeeds"
                );
            }
            // It may be starting, too.
            Health::Resting(Open { reason, .. }) | Health::Faulty(reason) => {
                tracing::warn!(
                    route = self.name(),
                    reason,
                    "the route is not open yet; it is sold once a probe succeeds"
                );
            }
            Health::Open => {}
        }
        let mut news = self.circuit.news();
        while let Some(at) = self.circuit.next_probe() {
            tokio::select! {
                biased;
                // A create has shown that it is mended, or it was told to rest longer. The sender lives as long as this.
                _ = news.changed() => {}
                () = tokio::time::sleep_until(at) => self.probe(timeout).await,
            }
        }
        self.tell(0.0);
        tracing::info!(route = self.name(), "the route is open");
    }

    async fn probe(&self, timeout: Duration) {
        let outcome = match self.ask(timeout).await {
            Ok(()) | Err(ProviderError::Busy { .. }) => {
                *self.fault() = None;
                Ok(())
            }
            Err(ProviderError::OperatorFault(reason)) => {
                *self.fault() = Some(reason.clone());
                Err(reason)
            }
            Err(error) => Err(error.to_string()),
        };
        self.circuit.probed(Instant::now(), outcome.as_ref().copied().map_err(String::as_str));
    }

    async fn ask(&self, timeout: Duration) -> Result<(), ProviderError> {
        let asked = tokio::time::timeout(timeout, self.provider.probe(&self.settings.model)).await;
        asked.unwrap_or_else(|_| Err(ProviderError::Transient("no answer within the timeout".into())))
    }

    fn tell(&self, closed: f64) {
        let (route, service) = (self.name().to_owned(), self.settings.service.name());
        metrics::gauge!("satforge_route_circuit_open", "route" => route, "service" => service).set(closed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::artifacts::ByteStream;
    use crate::domain::ServiceId;
    use crate::providers::{Account, Found, Order, Poll, Provider, Task};

    const MINUTE: Duration = Duration::from_mins(1);

    fn route() -> Route {
        route_of(&Arc::new(Blind::default()))
    }

    fn route_of(provider: &Arc<Blind>) -> Route {
        let settings = Route::plain(ServiceId::Video, provider.clone()).settings().clone();
        Route::new(settings, provider.clone(), Account::default())
    }

    /// A provider whose probes are good whatever happens, unless the test says otherwise.
    #[derive(Default)]
    struct Blind {
        is_empty: AtomicBool,
    }

    #[async_trait]
    impl Provider for Blind {
        fn name(&self) -> &'static str {
            "blind"
        }

        async fn submit(&self, _: &Order<'_>) -> Result<String, ProviderError> {
            Ok("id".into())
        }

        async fn find(&self, _: &Order<'_>) -> Result<Found, ProviderError> {
            Ok(Found::Nothing)
        }

        async fn poll(&self, _: &Task<'_>) -> Result<Poll, ProviderError> {
            Ok(Poll::Ready { charged: None })
        }

        async fn fetch(&self, _: &Task<'_>) -> Result<ByteStream, ProviderError> {
            Err(ProviderError::Gone)
        }

        async fn discard(&self, _: &Task<'_>) -> Result<(), ProviderError> {
            Ok(())
        }

        async fn probe(&self, _: &str) -> Result<(), ProviderError> {
            if self.is_empty.load(Ordering::Acquire) { Err(ProviderError::OperatorFault("402".into())) } else { Ok(()) }
        }
    }

    /// Moves the clock in steps that let the probes run.
    async fn pass(time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_probe_reopens_a_route_whose_results_are_none() {
        let route = route();
        let closed = || route.health() != Health::Open;
        let trial = async {
            for _ in 0..2 {
                route.spoiled("no URL at the pointer");
            }
            assert!(!closed(), "once or twice is a whim");
            route.spoiled("no URL at the pointer");
            for minutes in [5, 10, 20] {
                pass(Duration::from_secs(minutes * 60 - 5)).await;
                route.took();
                assert!(closed(), "a create that is taken shows nothing either");
                pass(Duration::from_secs(10)).await;
                assert!(!closed(), "one buyer's patience");
                route.spoiled("no URL at the pointer");
                assert!(closed());
            }
            pass(41 * MINUTE).await;
            route.delivered();
            route.spoiled("no URL at the pointer");
            assert!(!closed());
        };
        route.watch(MINUTE, trial).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_during_a_rest_does_not_shorten_it() {
        let route = route();
        let trial = async {
            route.misled("there is no such path");
            // What was under way when it was closed.
            route.refused("402");
            assert!(matches!(route.health(), Health::Resting(_)));
            route.took();
            assert!(route.health() != Health::Open, "a create that is taken does not show the fault");
            pass(4 * MINUTE).await;
            assert!(route.health() != Health::Open);
            pass(2 * MINUTE).await;
            route.refused("402");
            assert_eq!(route.health(), Health::Faulty("402".into()));
        };
        route.watch(MINUTE, trial).await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_probe_sees_that_a_create_has_opened_the_route() {
        let provider = Arc::new(Blind { is_empty: AtomicBool::new(true) });
        let route = route_of(&provider);
        let trial = async {
            route.refused("402");
            // The probes find nothing better, further and further apart.
            pass(40 * MINUTE).await;
            assert_eq!(route.health(), Health::Faulty("402".into()));
            route.took();
            assert_eq!(route.health(), Health::Open);
            provider.is_empty.store(false, Ordering::Release);
            for _ in 0..3 {
                route.stumbled("connection refused");
            }
            assert!(route.health() != Health::Open);
            pass(MINUTE / 6).await;
            assert_eq!(route.health(), Health::Open, "nobody sleeps on from before");
        };
        route.watch(MINUTE, trial).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_shows_after_the_create_closes_at_once() {
        let route = route();
        let trial = async {
            route.misled("there is no such path");
            pass(4 * MINUTE).await;
            assert!(route.health() != Health::Open);
            pass(2 * MINUTE).await;
            assert_eq!(route.health(), Health::Open);
        };
        route.watch(MINUTE, trial).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_never_has_room_is_not_sold_for_a_while() {
        let route = route();
        let trial = async {
            for _ in 0..9 {
                route.had_no_room(None);
            }
            route.took();
            for _ in 0..9 {
                route.had_no_room(None);
            }
            assert_eq!(route.health(), Health::Open);
            route.had_no_room(Some(MINUTE));
            pass(MINUTE / 2).await;
            assert!(route.health() != Health::Open);
            pass(MINUTE).await;
            assert_eq!(route.health(), Health::Open);
        };
        route.watch(MINUTE, trial).await;
    }
}
