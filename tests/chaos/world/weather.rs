//! What goes wrong between the gateway and its backends: lines that are cut before or after something was done, servers
//! that stall, refuse, or answer nonsense, and times in which one of them is away altogether.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Response;

use crate::dice::{Dice, pass};

/// Longer than the gateway waits for an answer.
const STALL: Duration = Duration::from_secs(4);

/// What the gateway asks of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Invoice,
    InvoiceState,
    Pay,
    PaymentState,
    Create,
    Poll,
    List,
    File,
    Health,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Node = 1,
    Films = 2,
    Shapes = 4,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Calm,
    Late,
    /// With whether it is done all the same.
    Failing(bool),
    Nonsense(bool),
    Cut(bool),
    Silent(bool),
    Limited,
    NotFound,
    /// The request is refused as one that cannot be read.
    Refused,
}

pub struct Weather {
    seed: u64,
    is_calm: AtomicBool,
    away: AtomicU64,
    counts: Mutex<BTreeMap<String, u64>>,
    nth: Mutex<HashMap<(Asked, u64), u64>>,
}

impl Weather {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            is_calm: AtomicBool::new(false),
            away: AtomicU64::new(0),
            counts: Mutex::default(),
            nth: Mutex::default(),
        }
    }

    /// From now on all is well.
    pub fn clear_up(&self) {
        self.is_calm.store(true, Ordering::SeqCst);
        self.away.store(0, Ordering::SeqCst);
    }

    pub fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::SeqCst)
    }

    /// A backend goes away, or comes back.
    pub fn set_away(&self, backend: Backend, is_away: bool) {
        let bit = backend as u64;
        if is_away && !self.is_calm() {
            self.away.fetch_or(bit, Ordering::SeqCst);
        } else {
            self.away.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// One more of the faults of this kind.
    pub fn count(&self, kind: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(kind.to_owned()).or_default() += 1;
    }

    /// How many faults there were, by kind.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A sequence of chance for the next question of its kind about `key`.
    fn draw(&self, asked: Asked, key: u64) -> Dice {
        let mut nth = self.nth.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = nth.entry((asked, key)).or_default();
        *nth += 1;
        Dice::of(self.seed, &format!("{asked:?}"), key, *nth)
    }

    fn trouble(&self, backend: Backend, asked: Asked, dice: &mut Dice) -> Trouble {
        if self.is_calm() {
            return Trouble::Calm;
        }
        if self.away.load(Ordering::SeqCst) & (backend as u64) != 0 {
            return dice.pick(&[(3, Trouble::Cut(false)), (2, Trouble::Failing(false)), (1, Trouble::Silent(false))]);
        }
        let often = match asked {
            Asked::Invoice | Asked::Health => 25,
            Asked::InvoiceState | Asked::Poll => 40,
            Asked::Create | Asked::File => 70,
            Asked::List => 100,
            Asked::Pay | Asked::PaymentState => 200,
        };
        if !dice.thousandths(often) {
            return Trouble::Calm;
        }
        let done = dice.thousandths(600);
        let mut table = vec![
            (4, Trouble::Late),
            (3, Trouble::Failing(done)),
            (3, Trouble::Nonsense(done)),
            (4, Trouble::Cut(done)),
            (1, Trouble::Silent(done)),
        ];
        match asked {
            Asked::Pay => table.push((2, Trouble::Refused)),
            Asked::Poll | Asked::List | Asked::File => table.extend([(2, Trouble::NotFound), (1, Trouble::Limited)]),
            Asked::Create | Asked::Health => table.push((2, Trouble::Limited)),
            Asked::Invoice | Asked::InvoiceState | Asked::PaymentState => {}
        }
        dice.pick(&table)
    }

    /// Answers a question through whatever the weather is. `act` does what is asked, at once or not at all.
    pub async fn through(
        &self,
        (backend, asked, key): (Backend, Asked, u64),
        act: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        let mut dice = self.draw(asked, key);
        let trouble = self.trouble(backend, asked, &mut dice);
        self.note(trouble);
        match trouble {
            Trouble::Calm => act.await,
            Trouble::Late => {
                pass(dice.millis(200, 1_500)).await;
                act.await
            }
            Trouble::Failing(done) => {
                done_or_not(done, act).await;
                plain(dice.pick(&[(2, 500), (1, 502), (2, 503)]), "upstream connect error")
            }
            Trouble::Nonsense(done) => {
                done_or_not(done, act).await;
                plain(200, dice.pick(&[(1, "<html>Welcome to nginx!</html>"), (1, "{\"ok\":true}"), (1, "")]))
            }
            Trouble::Cut(done) => cut(done_or_not(done, act).await).await,
            Trouble::Silent(done) => {
                done_or_not(done, act).await;
                pass(STALL).await;
                plain(504, "gateway timeout")
            }
            Trouble::Limited => {
                let mut answer = plain(429, "slow down");
                answer.headers_mut().insert("retry-after", "1".parse().unwrap());
                answer
            }
            Trouble::NotFound => plain(404, "{\"detail\":\"no such thing\"}"),
            Trouble::Refused => plain(400, "Request parameter invoice couldn't be parsed/converted to bolt11invoice"),
        }
    }

    fn note(&self, trouble: Trouble) {
        match trouble {
            Trouble::Calm => {}
            Trouble::Late => self.count("late"),
            Trouble::Failing(_) => self.count("5xx"),
            Trouble::Nonsense(_) => self.count("nonsense"),
            Trouble::Cut(true) => self.count("done-and-cut"),
            Trouble::Cut(false) => self.count("cut"),
            Trouble::Silent(_) => self.count("stalled"),
            Trouble::Limited => self.count("429"),
            Trouble::NotFound => self.count("404"),
            Trouble::Refused => self.count("400"),
        }
    }
}

async fn done_or_not(done: bool, act: impl Future<Output = Response<Body>>) -> Response<Body> {
    if done { act.await } else { plain(200, "{\"id\":\"") }
}

/// The first half of a response.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let broken = std::io::Error::other("the line was cut");
    let body = Body::from_stream(futures_util::stream::iter([Ok(half), Err(broken)]));
    let mut response = Response::from_parts(parts, body);
    response.headers_mut().remove("content-length");
    response
}

pub fn plain(status: u16, text: &'static str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

pub fn json(status: u16, value: &serde_json::Value) -> Response<Body> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Body::from(value.to_string())).unwrap()
}
