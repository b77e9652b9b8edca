//! A provider that does what a test's script says, at once, and counts.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use satforge::artifacts::ByteStream;
use satforge::domain::{JobSpec, ServiceId};
use satforge::providers::{Ending, Found, Order, Poll, Provider, ProviderError, Task};
use tokio::sync::watch;

/// What becomes of one `submit`.
#[derive(Clone, Debug)]
pub enum SubmitStep {
    /// It is taken.
    Take(Generation),
    /// Nothing is started.
    Refuse(ProviderError),
    /// It is taken, but the answer says that nobody knows.
    TakeAndLose,
    /// It is taken, and never answered.
    TakeAndHang,
}

/// What becomes of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generation {
    /// A result, once the provider is not held up any more.
    Works,
    /// No result.
    Ends(Ending),
    /// Something that is no result.
    Junk,
}

/// The provider of both services.
pub struct FakeProvider {
    inner: Mutex<Inner>,
    creates: watch::Sender<usize>,
    held: watch::Sender<Option<f32>>,
}

#[derive(Default)]
struct Inner {
    script: VecDeque<SubmitStep>,
    broken_finds: usize,
    broken_fetches: usize,
    submits: usize,
    finds: usize,
    specs: Vec<JobSpec>,
    models: Vec<String>,
    generations: HashMap<String, (ServiceId, Generation)>,
}

impl Default for FakeProvider {
    fn default() -> Self {
        Self { inner: Mutex::default(), creates: watch::Sender::new(0), held: watch::Sender::new(None) }
    }
}

impl FakeProvider {
    /// What the next submits are answered with; afterwards all are taken and work.
    pub fn script(&self, steps: impl IntoIterator<Item = SubmitStep>) {
        self.inner.lock().unwrap().script.extend(steps);
    }

    /// Every generation stays at `progress` until [`Self::let_go`].
    pub fn hold(&self, progress: f32) {
        self.held.send_replace(Some(progress));
    }

    pub fn let_go(&self) {
        self.held.send_replace(None);
    }

    /// The next `times` look-ups fail.
    pub fn break_finds(&self, times: usize) {
        self.inner.lock().unwrap().broken_finds = times;
    }

    /// The next `times` downloads break off.
    pub fn break_fetches(&self, times: usize) {
        self.inner.lock().unwrap().broken_fetches = times;
    }

    /// Generations that were started: what an operator pays for.
    pub fn creates(&self) -> usize {
        *self.creates.borrow()
    }

    /// Submits that arrived.
    pub fn submits(&self) -> usize {
        self.inner.lock().unwrap().submits
    }

    /// Look-ups that arrived.
    pub fn finds(&self) -> usize {
        self.inner.lock().unwrap().finds
    }

    /// What was asked for, in order.
    pub fn specs(&self) -> Vec<JobSpec> {
        self.inner.lock().unwrap().specs.clone()
    }

    /// The models that submits were for, in order.
    pub fn models(&self) -> Vec<String> {
        self.inner.lock().unwrap().models.clone()
    }

    /// Generations that were not discarded.
    pub fn kept(&self) -> usize {
        self.inner.lock().unwrap().generations.len()
    }

    /// Returns once `count` generations were started.
    pub async fn created(&self, count: usize) {
        self.creates.subscribe().wait_for(|creates| *creates >= count).await.expect("a provider");
    }

    /// The file that a generation for `service` yields.
    pub fn file(service: ServiceId) -> Bytes {
        let head: &[u8] = match service {
            ServiceId::Video => b"\0\0\0\x18ftypisom\0\0\x02\0isommp41",
            ServiceId::Model3d => b"glTF\x02\0\0\0",
        };
        head.iter().copied().chain((0..=u8::MAX).cycle()).take(1_000).collect()
    }

    fn start(&self, key: &str, spec: &JobSpec, generation: Generation) {
        let mut inner = self.inner.lock().unwrap();
        if inner.generations.insert(key.to_owned(), (spec.service(), generation)).is_none() {
            inner.specs.push(spec.clone());
            self.creates.send_modify(|creates| *creates += 1);
        }
    }

    fn generation(&self, id: &str) -> Result<(ServiceId, Generation), ProviderError> {
        self.inner.lock().unwrap().generations.get(id).cloned().ok_or(ProviderError::Unknown)
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        let Order { key, spec, model, .. } = *order;
        let step = {
            let mut inner = self.inner.lock().unwrap();
            inner.models.push(model.to_owned());
            inner.submits += 1;
            inner.script.pop_front().unwrap_or(SubmitStep::Take(Generation::Works))
        };
        match step {
            SubmitStep::Take(generation) => self.start(key, spec, generation),
            SubmitStep::Refuse(error) => return Err(error),
            SubmitStep::TakeAndLose => {
                self.start(key, spec, Generation::Works);
                return Err(ProviderError::Ambiguous("the connection broke off".into()));
            }
            SubmitStep::TakeAndHang => {
                self.start(key, spec, Generation::Works);
                std::future::pending::<()>().await;
            }
        }
        Ok(key.to_owned())
    }

    async fn find(&self, order: &Order<'_>) -> Result<Found, ProviderError> {
        let mut inner = self.inner.lock().unwrap();
        inner.finds += 1;
        if inner.broken_finds > 0 {
            inner.broken_finds -= 1;
            return Err(ProviderError::Transient("no answer".into()));
        }
        Ok(if inner.generations.contains_key(order.key) {
            Found::Started(order.key.to_owned())
        } else {
            Found::Nothing
        })
    }

    async fn poll(&self, task: &Task<'_>) -> Result<Poll, ProviderError> {
        let upstream_id = task.id;
        let (_, generation) = self.generation(upstream_id)?;
        Ok(match (*self.held.borrow(), generation) {
            (Some(progress), _) => Poll::Pending { progress: Some(progress), ahead: None },
            (None, Generation::Ends(ending)) => Poll::Failed(ending),
            (None, _) => Poll::Ready { charged: None },
        })
    }

    async fn fetch(&self, task: &Task<'_>) -> Result<ByteStream, ProviderError> {
        let upstream_id = task.id;
        let (service, generation) = self.generation(upstream_id)?;
        let mut inner = self.inner.lock().unwrap();
        let file = if generation == Generation::Junk { Bytes::from(vec![b'x'; 1_000]) } else { Self::file(service) };
        let mut chunks = vec![Ok(file.slice(..100))];
        if inner.broken_fetches > 0 {
            inner.broken_fetches -= 1;
            chunks.push(Err("the download broke off".into()));
        } else {
            chunks.push(Ok(file.slice(100..)));
        }
        Ok(stream::iter(chunks).boxed())
    }

    async fn discard(&self, task: &Task<'_>) -> Result<(), ProviderError> {
        let upstream_id = task.id;
        self.inner.lock().unwrap().generations.remove(upstream_id);
        Ok(())
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        Ok(())
    }
}
