//! A vendor's memory: what was started there, how it goes on, and what goes wrong on the way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use satforge::clock::Clock;
use satforge::domain::ServiceId;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use url::Url;

use crate::vendor::Errand;

/// A file that begins like a video.
pub const FILM: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isomavc1 and the rest of a film";
/// A file that begins like a 3D model.
pub const MESH: &[u8] = b"glTF\x02\0\0\0\x2c\0\0\0\x18\0\0\0JSON{\"asset\":{\"version\":\"2.0\"}}";

/// How a generation stands, in nobody's words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// So many come first.
    Queued(u32),
    /// From 0 to 1.
    Running(f32),
    Succeeded,
    Failed(End),
    Cancelled,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The model cannot do this.
    Failed,
    /// The vendor's rules refuse the content.
    Rejected,
    /// The vendor was at fault; another try may succeed.
    Transient,
}

/// Something that was started.
#[derive(Clone, Debug)]
pub struct Generation {
    pub id: String,
    /// The body of its create.
    pub body: Value,
    /// Unix milliseconds.
    pub created_at: u64,
    /// What each poll sees; the last one stays.
    run: Vec<Stage>,
    polls: usize,
    forgotten: bool,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused with this status and `Retry-After`, and nothing is done.
    Refused(u16, Option<u64>),
    /// Nothing is done, and the line is cut.
    Dropped,
    /// It is done, and the line is cut in the middle of the answer.
    Cut,
    /// It is done, and the answer's body is this.
    Garbage(&'static str),
    /// It is done, and never answered.
    Silent,
    /// It is done, and answered when the test says so.
    Late(Arc<Notify>),
}

/// What is served instead of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Something that goes on and on.
    TooLarge,
    /// A page.
    WrongKind,
    /// 404.
    Gone,
    /// Half of it, and then the line is cut.
    Broken,
    /// A redirect to where nothing may be fetched from.
    Elsewhere,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Call {
    pub errand: Errand,
    pub at: Instant,
    pub path: String,
    pub authorization: Option<String>,
}

pub struct Upstream {
    pub service: ServiceId,
    pub url: Url,
    /// Where results are, which is another server.
    pub delivery: Url,
    /// Where nothing may be fetched from.
    pub elsewhere: Url,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    generations: Vec<Generation>,
    runs: VecDeque<Vec<Stage>>,
    held: bool,
    faults: HashMap<Errand, VecDeque<Fault>>,
    outage: VecDeque<Fault>,
    locked: Option<u16>,
    files: VecDeque<File>,
    results_elsewhere: bool,
    calls: Vec<Call>,
    strayed: usize,
}

impl Upstream {
    pub fn new(service: ServiceId, [url, delivery, elsewhere]: [Url; 3], clock: Arc<dyn Clock>) -> Self {
        Self { service, url, delivery, elsewhere, clock, inner: Mutex::default() }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    // What tests say.

    /// The next generation goes like this; every other one succeeds after three polls.
    pub fn next_run(&self, run: impl Into<Vec<Stage>>) {
        self.inner().runs.push_back(run.into());
    }

    /// No generation goes on, until [`Upstream::release`].
    pub fn hold(&self) {
        self.inner().held = true;
    }

    pub fn release(&self) {
        self.inner().held = false;
    }

    /// What goes wrong with the next requests of this kind.
    pub fn fail_next(&self, errand: Errand, faults: impl IntoIterator<Item = Fault>) {
        self.inner().faults.entry(errand).or_default().extend(faults);
    }

    /// What goes wrong with the next requests of any kind, before anything else does.
    pub fn go_down(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner().outage.extend(faults);
    }

    /// Whether all of an outage was met with.
    pub fn is_up(&self) -> bool {
        self.inner().outage.is_empty()
    }

    /// Everything but results is refused with this status.
    pub fn lock(&self, status: u16) {
        self.inner().locked = Some(status);
    }

    pub fn unlock(&self) {
        self.inner().locked = None;
    }

    /// What the next requests for a result are answered with.
    pub fn serve_next(&self, files: impl IntoIterator<Item = File>) {
        self.inner().files.extend(files);
    }

    /// Results are said to be where nothing may be fetched from.
    pub fn name_results_elsewhere(&self) {
        self.inner().results_elsewhere = true;
    }

    /// It has lost everything.
    pub fn forget_all(&self) {
        self.inner().generations.iter_mut().for_each(|generation| generation.forgotten = true);
    }

    // What tests see.

    /// Generations that were started.
    pub fn started(&self) -> usize {
        self.inner().generations.len()
    }

    /// The generations, forgotten ones included.
    pub fn all(&self) -> Vec<Generation> {
        self.inner().generations.clone()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }

    pub fn count(&self, errand: Errand) -> usize {
        self.inner().calls.iter().filter(|call| call.errand == errand).count()
    }

    /// Requests that came to where nothing may be fetched from.
    pub fn strayed(&self) -> usize {
        self.inner().strayed
    }

    // What stubs use.

    /// Starts a generation.
    pub fn begin(&self, body: Value) -> Generation {
        let mut inner = self.inner();
        let usual = || vec![Stage::Queued(1), Stage::Running(0.5), Stage::Succeeded];
        let run = inner.runs.pop_front().unwrap_or_else(usual);
        let id = format!("5057fca7-2eb3-468f-b95d-{:012}", inner.generations.len() + 1);
        let created_at = self.clock.unix_millis();
        let generation = Generation { id, body, created_at, run, polls: 0, forgotten: false };
        inner.generations.push(generation.clone());
        generation
    }

    /// The generation with this id, as it stands at this poll.
    pub fn poll(&self, id: &str) -> Option<(Generation, Stage)> {
        let mut inner = self.inner();
        let held = inner.held;
        let found = inner.generations.iter_mut().find(|generation| generation.id == id && !generation.forgotten)?;
        let stage = found.stage();
        if !held {
            found.polls += 1;
        }
        Some((found.clone(), stage))
    }

    /// The generation with this id, as it stood at the last poll.
    pub fn get(&self, id: &str) -> Option<Generation> {
        self.inner().generations.iter().find(|generation| generation.id == id && !generation.forgotten).cloned()
    }

    /// What it knows of, the newest first.
    pub fn newest_first(&self) -> Vec<Generation> {
        self.inner().generations.iter().filter(|generation| !generation.forgotten).rev().cloned().collect()
    }

    /// Stops a generation; whether there is one.
    pub fn stop(&self, id: &str) -> bool {
        let mut inner = self.inner();
        let found = inner.generations.iter_mut().find(|generation| generation.id == id && !generation.forgotten);
        found.map(|found| found.run = vec![Stage::Cancelled]).is_some()
    }

    /// Forgets a generation; whether there is one.
    pub fn forget(&self, id: &str) -> bool {
        let mut inner = self.inner();
        let found = inner.generations.iter_mut().find(|generation| generation.id == id && !generation.forgotten);
        found.map(|found| found.forgotten = true).is_some()
    }

    /// The URL of its result.
    pub fn result_of(&self, generation: &Generation) -> String {
        let base = if self.inner().results_elsewhere { &self.elsewhere } else { &self.delivery };
        format!("{base}files/{}", generation.id)
    }

    /// Now, in Unix seconds.
    pub fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }

    /// The result, as it should be.
    pub const fn result(&self) -> &'static [u8] {
        match self.service {
            ServiceId::Video => FILM,
            ServiceId::Model3d => MESH,
        }
    }

    pub fn next_file(&self) -> Option<File> {
        self.inner().files.pop_front()
    }

    pub fn note(&self, call: Call) {
        self.inner().calls.push(call);
    }

    pub fn note_stray(&self) {
        self.inner().strayed += 1;
    }

    /// What goes wrong with this request.
    pub fn fault(&self, errand: Errand) -> Option<Fault> {
        let mut inner = self.inner();
        if let Some(status) = inner.locked.filter(|_| errand != Errand::File) {
            return Some(Fault::Refused(status, None));
        }
        let outage = inner.outage.pop_front();
        outage.or_else(|| inner.faults.get_mut(&errand)?.pop_front())
    }
}

impl Generation {
    /// How it stands now.
    pub fn stage(&self) -> Stage {
        self.run[self.polls.min(self.run.len() - 1)]
    }
}
