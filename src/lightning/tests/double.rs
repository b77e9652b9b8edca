//! A backend for tests: the sandbox with moods.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::ManualClock;
use crate::config::{Config, DevOptions, GatewayKey, LightningConfig};
use crate::domain::{Invoice, Msat, PaymentHash};
use crate::lightning::sandbox::SandboxLightning;
use crate::lightning::{
    BackendError, Capabilities, FaultKind, InvoiceRequest, InvoiceState, LightningBackend, Network, OutgoingState,
    Payment, PaymentOrder,
};

#[derive(Clone, Copy, Debug)]
pub(in crate::lightning) enum Mood {
    Well,
    Failing(FaultKind),
    Slow(Duration),
    Silent,
    /// It hands its first invoice out again and again.
    Repeating,
}

pub(in crate::lightning) struct Double {
    pub sandbox: SandboxLightning,
    pub clock: Arc<ManualClock>,
    mood: Mutex<Mood>,
    /// Its mood when it is asked about invoices, if that is another.
    lookup_mood: Mutex<Option<Mood>>,
    free: AtomicBool,
    calls: AtomicUsize,
    probes: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
    first: Mutex<Option<Invoice>>,
}

/// Unix seconds at which clocks start.
pub(in crate::lightning) const NOW: u64 = 1_800_000_000;

impl Double {
    pub(in crate::lightning) fn new(mood: Mood) -> Self {
        let clock = Arc::new(ManualClock::new(NOW * 1_000));
        Self {
            sandbox: SandboxLightning::new(&GatewayKey::new([1; 32]), clock.clone()),
            clock,
            mood: Mutex::new(mood),
            lookup_mood: Mutex::default(),
            free: AtomicBool::default(),
            calls: AtomicUsize::default(),
            probes: AtomicUsize::default(),
            running: AtomicUsize::default(),
            most: AtomicUsize::default(),
            first: Mutex::default(),
        }
    }

    pub(in crate::lightning) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(in crate::lightning) fn look_up_with(&self, mood: Mood) {
        *self.lookup_mood.lock().unwrap() = Some(mood);
    }

    pub(in crate::lightning) fn make_invoices_free(&self, free: bool) {
        self.free.store(free, Ordering::SeqCst);
    }

    pub(in crate::lightning) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(in crate::lightning) fn probes(&self) -> usize {
        self.probes.load(Ordering::SeqCst)
    }

    pub(in crate::lightning) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    async fn suffer(&self) -> Result<(), BackendError> {
        let mood = *self.mood.lock().unwrap();
        suffer(mood).await
    }
}

async fn suffer(mood: Mood) -> Result<(), BackendError> {
    match mood {
        Mood::Well | Mood::Repeating => Ok(()),
        Mood::Failing(kind) => Err(BackendError::new("double", kind, "a mood")),
        Mood::Slow(time) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Mood::Silent => std::future::pending().await,
    }
}

#[async_trait]
impl LightningBackend for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn network(&self) -> Network {
        Network::Regtest
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { free_invoices: self.free.load(Ordering::SeqCst), ..self.sandbox.capabilities() }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        struct Running<'a>(&'a AtomicUsize);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now_running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(&self.running);
        self.most.fetch_max(now_running, Ordering::SeqCst);
        self.suffer().await?;
        let made = self.sandbox.create_invoice(request).await?;
        let repeats = matches!(*self.mood.lock().unwrap(), Mood::Repeating);
        let mut first = self.first.lock().unwrap();
        let first = first.get_or_insert_with(|| made.clone());
        Ok(if repeats { first.clone() } else { made })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        let mood = self.lookup_mood.lock().unwrap().unwrap_or(*self.mood.lock().unwrap());
        suffer(mood).await?;
        self.sandbox.lookup(hash).await
    }

    async fn pay(&self, order: &PaymentOrder) -> Payment {
        LightningBackend::pay(&self.sandbox, order).await
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        self.suffer().await?;
        self.sandbox.lookup_outgoing(hash).await
    }

    async fn health(&self) -> Result<(), BackendError> {
        self.probes.fetch_add(1, Ordering::SeqCst);
        self.suffer().await
    }
}

/// The sandbox's configuration with these keys of `[lightning]` set.
pub(in crate::lightning) fn config(settings: &[(&str, &str)]) -> LightningConfig {
    let dir = tempfile::tempdir().unwrap();
    let options = DevOptions { data_dir: Some(dir.path().to_owned()), ..DevOptions::default() };
    let named = settings.iter().map(|(name, value)| (format!("SATFORGE_LIGHTNING__{name}"), *value));
    Config::dev_in(options, &named.collect()).unwrap().lightning
}

pub(in crate::lightning) fn request() -> InvoiceRequest {
    InvoiceRequest {
        amount: Msat::from_sat(500).unwrap(),
        description: "satforge video, 5 s".into(),
        expiry: Duration::from_mins(10),
    }
}
