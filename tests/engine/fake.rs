//! A provider that follows a script.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use satforge::artifacts::ByteStream;
use satforge::providers::{Found, Notice, NoticeError, Noticed, Order, Poll, Provider, ProviderError, Task};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a call answers. Calls beyond the script succeed at once.
pub enum Reply<T> {
    Say(Result<T, ProviderError>),
    /// Only once the test says so.
    After(Arc<Notify>, Result<T, ProviderError>),
    /// Never.
    Hang,
    Panic,
}

/// A call that arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: &'static str,
    /// The key of a submit or find, otherwise the upstream's id.
    pub about: String,
    pub at: Instant,
}

#[derive(Default)]
pub struct Script {
    pub submit: VecDeque<Reply<String>>,
    pub find: VecDeque<Reply<Found>>,
    pub poll: VecDeque<Reply<Poll>>,
    pub fetch: VecDeque<Reply<ByteStream>>,
    pub discard: VecDeque<Reply<()>>,
    pub notice: VecDeque<Result<Noticed, NoticeError>>,
    pub probe: VecDeque<Result<(), ProviderError>>,
}

pub struct Fake {
    name: &'static str,
    script: Mutex<Script>,
    calls: Mutex<Vec<Call>>,
    /// Whether a poll beyond the script says that the generation is ready.
    ready: AtomicBool,
    ready_one: Mutex<Option<String>>,
    orders: Mutex<Vec<Ordered>>,
}

/// What a submit or a find was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered {
    pub operation: &'static str,
    pub input: Value,
    pub webhook: Option<String>,
    pub sent_at: i64,
}

/// A file that begins like a video.
pub const FILM: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isomavc1 and the rest of a film";

impl Fake {
    /// One that succeeds at once wherever the script says nothing else.
    pub fn new(script: Script) -> Arc<Self> {
        Self::named("fake", script)
    }

    pub fn named(name: &'static str, script: Script) -> Arc<Self> {
        Arc::new(Self {
            name,
            script: Mutex::new(script),
            calls: Mutex::default(),
            ready: AtomicBool::new(true),
            ready_one: Mutex::default(),
            orders: Mutex::default(),
        })
    }

    /// One whose generations do not end until [`Fake::finish`].
    pub fn endless() -> Arc<Self> {
        let fake = Self::new(Script::default());
        fake.ready.store(false, Ordering::SeqCst);
        fake
    }

    pub fn finish(&self) {
        self.ready.store(true, Ordering::SeqCst);
    }

    pub fn poll_next(&self, replies: VecDeque<Reply<Poll>>) {
        self.script.lock().unwrap().poll = replies;
    }

    pub fn fetch_next(&self, reply: Reply<ByteStream>) {
        self.script.lock().unwrap().fetch.push_back(reply);
    }

    /// Ends one generation and no other.
    pub fn finish_one(&self, upstream_id: &str) {
        *self.ready_one.lock().unwrap() = Some(upstream_id.to_owned());
    }

    pub fn discard_next(&self, reply: Reply<()>) {
        self.script.lock().unwrap().discard.push_back(reply);
    }

    /// What a job has called for; probes belong to none.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.operation != "probe").cloned().collect()
    }

    pub fn probes(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.operation == "probe").count()
    }

    /// What the calls of one operation were about.
    pub fn about(&self, operation: &str) -> Vec<String> {
        self.calls().into_iter().filter(|call| call.operation == operation).map(|call| call.about).collect()
    }

    pub fn count(&self, operation: &str) -> usize {
        self.about(operation).len()
    }

    /// The numbers at the ends of the keys of all creates.
    pub fn creates(&self) -> Vec<u32> {
        self.about("submit").iter().map(|key| key.rsplit_once('.').unwrap().1.parse().unwrap()).collect()
    }

    pub fn orders(&self) -> Vec<Ordered> {
        self.orders.lock().unwrap().clone()
    }

    /// Where the webhooks of the last create go, as a path.
    pub fn webhook(&self) -> String {
        self.webhook_of(self.orders().len() - 1)
    }

    /// Where the webhooks of an order go, which is told by its place among all that were given.
    pub fn webhook_of(&self, place: usize) -> String {
        let url = self.orders()[place].webhook.clone().unwrap();
        url[url.find("/webhooks/").unwrap()..].to_owned()
    }

    fn ordered(&self, operation: &'static str, order: &Order<'_>) {
        let webhook = order.webhook.map(str::to_owned);
        let input = order.input.clone().into();
        self.orders.lock().unwrap().push(Ordered { operation, input, webhook, sent_at: order.sent_at });
    }

    fn called(&self, operation: &'static str, about: &str) {
        self.calls.lock().unwrap().push(Call { operation, about: about.to_owned(), at: Instant::now() });
    }
}

impl<T> Reply<T> {
    async fn play(self) -> Result<T, ProviderError> {
        match self {
            Self::Say(answer) => answer,
            Self::After(gate, answer) => {
                gate.notified().await;
                answer
            }
            Self::Hang => std::future::pending().await,
            Self::Panic => panic!("an adapter with a mistake in it"),
        }
    }
}

#[async_trait]
impl Provider for Fake {
    fn name(&self) -> &str {
        self.name
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let key = order.key;

        self.ordered("submit", order);
        self.called("submit", key);
        let reply = self.script.lock().unwrap().submit.pop_front();
        reply.unwrap_or_else(|| Reply::Say(Ok(format!("up-{key}")))).play().await
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        self.ordered("find", order);
        self.called("find", order.key);
        let reply = self.script.lock().unwrap().find.pop_front();
        reply.unwrap_or(Reply::Say(Ok(Found::Nothing))).play().await
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let upstream_id = task.id;
        self.called("poll", upstream_id);
        let reply = self.script.lock().unwrap().poll.pop_front();
        let ready = self.ready.load(Ordering::SeqCst)
            || self.ready_one.lock().unwrap().as_deref().is_some_and(|id| id == upstream_id);
        let usual =
            if ready { Poll::Ready { charged: None } } else { Poll::Pending { progress: Some(0.5), ahead: None } };
        reply.unwrap_or(Reply::Say(Ok(usual))).play().await
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let upstream_id = task.id;
        self.called("fetch", upstream_id);
        let reply = self.script.lock().unwrap().fetch.pop_front();
        reply.unwrap_or_else(|| Reply::Say(Ok(film()))).play().await
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let upstream_id = task.id;
        self.called("discard", upstream_id);
        let reply = self.script.lock().unwrap().discard.pop_front();
        reply.unwrap_or(Reply::Say(Ok(()))).play().await
    }

    async fn probe(&self, model: &str) -> Result<(), ProviderError> {
        self.called("probe", model);
        self.script.lock().unwrap().probe.pop_front().unwrap_or(Ok(()))
    }

    fn takes_webhooks(&self) -> bool {
        true
    }

    fn webhook_limit(&self, _result_limit: u64) -> usize {
        1_000
    }

    async fn notice(&self, notice: &Notice<'_>) -> Result<Noticed, NoticeError> {
        self.called("notice", notice.key);
        assert!((notice.header)("x-absent").is_none());
        let reply = self.script.lock().unwrap().notice.pop_front();
        reply.unwrap_or_else(|| {
            if notice.body == b"genuine" { Ok(Noticed { id: None }) } else { Err(NoticeError::Forged) }
        })
    }
}

/// The whole film, in two pieces.
pub fn film() -> ByteStream {
    bytes(&[&FILM[..20], &FILM[20..]])
}

pub fn bytes(chunks: &[&'static [u8]]) -> ByteStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    stream::iter(chunks).boxed()
}

/// The beginning of a film, and then the connection breaks.
pub fn breaks() -> ByteStream {
    stream::iter([Ok(Bytes::from_static(&FILM[..20])), Err("connection reset".into())]).boxed()
}

/// The beginning of a film, and then nothing more.
pub fn stalls() -> ByteStream {
    bytes(&[&FILM[..20]]).chain(stream::pending()).boxed()
}

/// The film, but not before the test says so.
pub fn after(gate: Arc<Notify>) -> ByteStream {
    stream::once(async move {
        gate.notified().await;
        Ok(Bytes::from_static(FILM))
    })
    .boxed()
}
