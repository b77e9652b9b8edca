//! A cog server that behaves as the tests want, and remembers what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use url::Url;

use crate::clock::ManualClock;
use crate::config::{ProviderConfig, ProviderKind};
use crate::domain::JobSpec;
use crate::domain::request::VideoSpec;
use crate::egress::tests::stub::{Reply, Request, Stub, header};
use crate::providers::cog::Cog;
use crate::providers::{Notice, NoticeError, Noticed, Order, Provider as _, Task};

pub const KEY: &str = "019c3f6e-0000-7000-8000-0000000000ab.2";
pub const PREDICTION: &str = "019c3f6e-0000-7000-8000-0000000000ab-2";
pub const SECRET: &str = "c0ffee-token";
pub const WEBHOOK: &str = "http://127.0.0.1:4020/hook/x";
const NOW: u64 = 1_800_000_000_000;

/// What the stub answers.
pub struct Script {
    pub health: &'static str,
    pub process: String,
    /// The predictions under way, and their metrics.
    pub under_way: BTreeMap<String, Value>,
    /// What a look is answered about any other.
    pub absent: (u16, Value),
    /// What a create is answered.
    pub create: (u16, Value),
    pub seen: Vec<Seen>,
}

pub struct Seen {
    pub line: String,
    pub prefer: Option<String>,
    pub body: Value,
}

/// A stub, and the adapter that talks to it.
pub struct World {
    pub script: Arc<Mutex<Script>>,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub account: ProviderConfig,
    pub cog: Cog,
}

pub fn account(url: Url) -> ProviderConfig {
    ProviderConfig {
        name: "gpu".into(),
        kind: ProviderKind::Cog { webhook_secret: SECRET.into() },
        url,
        requests_per_second: 1_000.0,
        timeout: Duration::from_secs(5),
        poll_interval: Duration::from_secs(1),
        result_hosts: Vec::new(),
        near: true,
        gateway_url: None,
    }
}

impl World {
    pub async fn new() -> Self {
        let script = Arc::new(Mutex::new(Script {
            health: "READY",
            process: "2026-11-21T16:33:02.142047463+00:00".into(),
            under_way: BTreeMap::new(),
            absent: (422, json!({"detail": [{"loc": ["body", "input", "__root__"], "type": "value_error"}]})),
            create: (202, json!({"id": PREDICTION, "status": "starting"})),
            seen: Vec::new(),
        }));
        let told = script.clone();
        let stub = Stub::answering(move |request| answer(&mut told.lock().unwrap(), request)).await;
        let account = account(stub.url("/"));
        let (clock, folder) = (Arc::new(ManualClock::new(NOW)), TempDir::new().unwrap());
        let cog = Cog::new(&account, &folder.path().join("cog"), clock.clone()).unwrap();
        Self { script, clock, folder, account, cog }
    }

    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub fn inbox(&self) -> std::path::PathBuf {
        self.folder.path().join("cog")
    }

    /// The gateway is started again.
    pub fn restart(&mut self) {
        self.cog = Cog::new(&self.account, &self.inbox(), self.clock.clone()).unwrap();
    }

    pub fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.inbox()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The requests of that method and path.
    pub fn count(&self, line: &str) -> usize {
        self.script.lock().unwrap().seen.iter().filter(|seen| seen.line == line).count()
    }

    /// What the process is called in ids.
    pub fn id(&self) -> String {
        format!("{PREDICTION}@{}", self.script.lock().unwrap().process)
    }

    pub async fn notice(&self, body: &Value) -> Result<Noticed, NoticeError> {
        self.notice_as(&format!("Bearer {SECRET}"), body.to_string().as_bytes()).await
    }

    pub async fn notice_as(&self, authorization: &str, body: &[u8]) -> Result<Noticed, NoticeError> {
        let header = |name: &str| (name == "authorization").then_some(authorization);
        self.cog.notice(&Notice { key: KEY, header: &header, body, now: NOW / 1_000 }).await
    }
}

fn answer(script: &mut Script, request: &Request) -> Reply {
    let mut words = request.head.split_whitespace();
    let (method, path) = (words.next().unwrap().to_ascii_uppercase(), words.next().unwrap());
    let line = format!("{method} {path}");
    let prefer = header(&request.head, "prefer").map(str::to_owned);
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (status, said) = if line == "GET /health-check" {
        (200, json!({"status": script.health, "setup": {"started_at": script.process, "status": "succeeded"}}))
    } else if line.ends_with("/cancel") {
        (404, json!({}))
    } else if let Some(metrics) = line.rsplit('/').next().and_then(|id| script.under_way.get(id)) {
        (202, json!({"id": PREDICTION, "input": {}, "logs": "", "metrics": metrics, "status": "processing"}))
    } else if body["input"] == 0 {
        script.absent.clone()
    } else {
        script.create.clone()
    };
    script.seen.push(Seen { line, prefer, body });
    Reply::json(status, &said)
}

pub fn spec() -> JobSpec {
    let (prompt, model) = ("a harbour".into(), "Video Generation".into());
    JobSpec::Video(VideoSpec { prompt, model, duration: 5, camera_fixed: false })
}

/// An order that was sent so long ago.
pub fn order<'a>(spec: &'a JobSpec, input: &'a Map<String, Value>, age: Duration) -> Order<'a> {
    let webhook = Some(WEBHOOK);
    Order { key: KEY, spec, model: "", input, webhook, sent_at: 0, age, time_left: Duration::from_mins(10) }
}

pub fn task<'a>(id: &'a str, result: &'a str) -> Task<'a> {
    Task { id, key: KEY, model: "", result, limit: 1_000_000 }
}

pub fn input() -> Map<String, Value> {
    json!({"prompt": "a harbour", "duration": 5}).as_object().unwrap().clone()
}

/// The webhook of a prediction that has ended with `output`.
pub fn succeeded(output: &Value) -> Value {
    json!({"id": PREDICTION, "logs": "", "metrics": {"predict_time": 1.5}, "output": output, "status": "succeeded"})
}

pub fn data_uri(bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:video/mp4;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

pub fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}
