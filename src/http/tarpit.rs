//! Refusing whoever is over a limit, and taking one's time over it: a host that asks again as fast as it is refused
//! would otherwise have a core for itself.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::RateLimit;
use crate::domain::Caller;
use crate::shutdown::Shutdown;

use super::buckets::Buckets;
use super::error::ErrorCode;
use super::problem::Problem;

/// Refusals of one address that are told at once: 20, and as many more in a second.
const AT_ONCE: RateLimit = RateLimit { per_minute: 20 * 60, burst: 20 };
/// How long a further one takes.
const DELAY: Duration = Duration::from_secs(1);
/// Refusals that are delayed at a time. Each holds a connection, which has a limit of its own.
const DELAYED: usize = 2_048;
/// The longest body that is read after a delay, so that the connection can be used again.
const SHORT_BODY: u64 = 64 * 1024;

/// Which limit a request is beyond, as the metrics call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Challenges of an address.
    Address,
    /// Challenges of a network.
    Network,
    /// Unpaid invoices.
    OpenInvoices,
    /// Names that do not exist.
    Misses,
}

/// Refuses.
pub struct Tarpit {
    refusals: Option<Buckets>,
    places: Semaphore,
    shutdown: Shutdown,
}

impl Limit {
    const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Network => "network",
            Self::OpenInvoices => "open_invoices",
            Self::Misses => "misses",
        }
    }
}

impl Tarpit {
    /// Delays end with `shutdown`.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { refusals: Buckets::new(AT_ONCE, Caller::address), places: Semaphore::new(DELAYED), shutdown }
    }

    /// What `caller` is told who is beyond `limit` for `wait`: soon, or later for whoever is told it all the time.
    ///
    /// Nobody may come here with a credential that is good.
    pub async fn refuse(&self, caller: Caller, headers: &HeaderMap, limit: Limit, wait: Duration) -> Problem {
        metrics::counter!("satforge_refused_total", "limit" => limit.name()).increment(1);
        let problem = Problem::new(ErrorCode::RateLimited).retry_after(wait);
        if self.refusals.as_ref().is_none_or(|refusals| refusals.charge(caller).is_ok()) {
            return problem;
        }
        // With as many as that, a connection is dearer than a request.
        let Ok(_place) = self.places.try_acquire() else { return problem.closing() };
        metrics::counter!("satforge_delayed_total").increment(1);
        // The end of the time is the usual end.
        let _ = timeout(DELAY, self.shutdown.soft()).await;
        if is_short(headers) { problem } else { problem.closing() }
    }

    /// Forgets who has not been refused for a while. Called now and then.
    pub fn tidy(&self) {
        self.refusals.iter().for_each(Buckets::tidy);
    }
}

/// Whether what is left to read of a request is hardly worth a word.
fn is_short(headers: &HeaderMap) -> bool {
    let declared =
        headers.get(CONTENT_LENGTH).map(|length| length.to_str().ok().and_then(|length| length.parse().ok()));
    match declared {
        Some(length) => length.is_some_and(|length: u64| length <= SHORT_BODY),
        None => !headers.contains_key(TRANSFER_ENCODING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use tokio::time::Instant;

    fn caller(n: u8) -> Caller {
        Caller::at(std::net::IpAddr::from([203, 0, 113, n]))
    }

    async fn refuse(tarpit: &Tarpit, n: u8) -> Problem {
        tarpit.refuse(caller(n), &HeaderMap::new(), Limit::Address, Duration::from_secs(2)).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_refused_all_the_time_waits_for_it() {
        let tarpit = Tarpit::new(Shutdown::default());
        let began = Instant::now();
        for _ in 0..20 {
            refuse(&tarpit, 1).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(!refuse(&tarpit, 1).await.closes());
        assert_eq!(began.elapsed(), DELAY);
        refuse(&tarpit, 2).await;
        assert_eq!(began.elapsed(), DELAY, "another address does not");
    }

    /// 64 connections that ask again as soon as they are answered.
    #[tokio::test(start_paused = true)]
    async fn a_host_is_refused_a_hundred_times_a_second_at_the_most() {
        let tarpit = Tarpit::new(Shutdown::default());
        let until = Instant::now() + Duration::from_secs(10);
        let connection = || async {
            let mut refused = 0;
            while Instant::now() < until {
                refuse(&tarpit, 1).await;
                refused += 1;
            }
            refused
        };
        let refused: u32 = futures_util::future::join_all((0..64).map(|_| connection())).await.into_iter().sum();
        assert!((500..1_000).contains(&refused), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_delayed_and_the_rest_is_hung_up_on() {
        let tarpit = Tarpit::new(Shutdown::default());
        let began = Instant::now();
        let all = (0..DELAYED + 30).map(|_| refuse(&tarpit, 1));
        let closed = futures_util::future::join_all(all).await.iter().filter(|problem| problem.closes()).count();
        assert_eq!((closed, began.elapsed()), (10, DELAY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_body_is_not_read_after_a_delay_and_a_stop_ends_all_delays() {
        let shutdown = Shutdown::default();
        let tarpit = Tarpit::new(shutdown.clone());
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
        };
        shutdown.begin();
        let began = Instant::now();
        for _ in 0..20 {
            refuse(&tarpit, 1).await;
        }
        for (name, value, closes) in [
            ("content-length", "65536", false),
            ("content-length", "65537", true),
            ("content-length", "many", true),
            ("transfer-encoding", "chunked", true),
        ] {
            let refused = tarpit.refuse(caller(1), &headers(name, value), Limit::Address, DELAY).await;
            assert_eq!(refused.closes(), closes, "{name}: {value}");
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
