//! A backend behind limits: so many requests at once, so many that wait, so long for each, and none at all while the
//! node is down.

mod desk;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Histogram;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use crate::circuit::{Circuit, Open, Pauses};
use crate::config::LightningConfig;
use crate::domain::{Invoice, PaymentHash};

use super::{BackendError, Capabilities, FaultKind, InvoiceRequest, InvoiceState, LightningBackend, Network};
use desk::{Desk, Turn};

/// Failures in a row after which a node is left alone.
const THRESHOLD: u32 = 3;
/// A node that is started again needs seconds.
const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(15) };
/// How long the outcome of a health check is repeated instead of asking again.
const HEALTH_CACHE: Duration = Duration::from_secs(1);
/// The time of a health check that somebody waits for; a probe must not hang on what it probes.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Look-ups at once, as a part of the requests at once: they must not keep invoices from being made.
const LOOKUPS_PART: usize = 4;

/// A backend and what protects it from callers, and callers from it.
pub struct Guarded {
    backend: Arc<dyn LightningBackend>,
    creation: Desk,
    lookups: Desk,
    /// What making invoices has shown. Look-ups are refused while it is open and count for nothing: a backend that
    /// cannot say what became of an invoice can still sell.
    circuit: Circuit,
    /// The last outcome. Whoever holds the lock asks; everybody else waits for that.
    health: Mutex<Option<(Instant, Result<(), BackendError>)>>,
    seconds: OnceLock<Histogram>,
}

/// Why the backend gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// It has failed lately and is not asked at the moment.
    #[error("the Lightning backend is down: {}", _0.reason)]
    Down(Open),
    /// So many invoices are unpaid that the caller gets none now; it was not asked. Some will have ended by then.
    #[error("too many invoices are unpaid")]
    Full(Duration),
    /// More requests wait for it than it can answer in time.
    #[error("too many requests wait for the Lightning backend")]
    Busy,
    /// It did not answer in time.
    #[error("the Lightning backend did not answer within {0:?}")]
    Timeout(Duration),
    /// It failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// It made something that must not be handed out.
    #[error("the Lightning backend {backend} made an unusable invoice: {fault}")]
    Unusable {
        /// The adapter's name.
        backend: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl NodeError {
    /// When it makes sense to come back, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Down(open) => Some(open.retry_after),
            Self::Full(wait) => Some(*wait),
            _ => None,
        }
    }
}

impl Guarded {
    /// `backend` with the limits of `config`.
    #[must_use]
    pub fn new(backend: Arc<dyn LightningBackend>, config: &LightningConfig) -> Self {
        let lookups = config.concurrency.div_ceil(LOOKUPS_PART);
        Self {
            backend,
            creation: Desk::new(config.concurrency, config.invoice_timeout),
            lookups: Desk::new(lookups, config.invoice_timeout),
            circuit: Circuit::new(THRESHOLD, PAUSES),
            health: Mutex::default(),
            seconds: OnceLock::new(),
        }
    }

    /// The adapter's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.backend.name()
    }

    /// The network of its invoices.
    #[must_use]
    pub fn network(&self) -> Network {
        self.backend.network()
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// Whether it is down: then nobody could pay its invoices either.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.circuit.admit(Instant::now()).is_err()
    }

    /// Makes an invoice that passes `check`; one that does not is a failure of the backend, like any other. One whose
    /// answer was lost is made again, where an invoice that nobody pays harms nobody.
    pub async fn create_invoice(
        &self,
        request: &InvoiceRequest,
        check: impl Fn(Invoice) -> Result<Invoice, &'static str>,
    ) -> Result<Invoice, NodeError> {
        let began = Instant::now();
        let made = match self.ask_for(request, began).await {
            Err(NodeError::Backend(error)) if self.may_repeat(error.kind) => self.ask_for(request, began).await,
            outcome => outcome,
        };
        let invoice = check(made?).map_err(|fault| self.accuse(fault))?;
        self.circuit.succeeded();
        let seconds = || metrics::histogram!("satforge_lightning_seconds", "operation" => "create_invoice");
        self.seconds.get_or_init(seconds).record(began.elapsed().as_secs_f64());
        Ok(invoice)
    }

    /// What became of an invoice.
    pub async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, NodeError> {
        let began = Instant::now();
        let turn = self.lookups.turn(began, &self.circuit).await?;
        let state = match timeout_at(turn.deadline, self.backend.lookup(hash)).await {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => {
                self.count(error.kind.name());
                return Err(error.into());
            }
            Err(_) => {
                self.count("timeout");
                return Err(NodeError::Timeout(self.lookups.timeout()));
            }
        };
        metrics::histogram!("satforge_lightning_seconds", "operation" => "lookup")
            .record(began.elapsed().as_secs_f64());
        Ok(state)
    }

    /// Whether invoices can be made; the answer may be a second old. However many ask, the backend is asked once.
    pub async fn health(&self) -> Result<(), NodeError> {
        self.circuit.admit(Instant::now()).map_err(NodeError::Down)?;
        let late = || NodeError::Timeout(HEALTH_TIMEOUT);
        let mut known = timeout(HEALTH_TIMEOUT, self.health.lock()).await.map_err(|_| late())?;
        if let Some((at, outcome)) = &*known
            && at.elapsed() < HEALTH_CACHE
        {
            return outcome.clone().map_err(NodeError::Backend);
        }
        let outcome = self.ask_health(HEALTH_TIMEOUT).await;
        *known = Some((Instant::now(), outcome.clone()));
        Ok(outcome?)
    }

    /// Looks after the circuit: probes the backend while it is open. Ends with `stopped`.
    pub async fn watch(&self, stopped: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                () = self.circuit.opened() => {}
            }
            metrics::gauge!("satforge_lightning_circuit_open").set(1.0);
            if let Err(open) = self.circuit.admit(Instant::now()) {
                tracing::error!(lightning.backend = self.name(), error = %open.reason,
                    "the Lightning backend is down: nothing is sold until it answers");
            }
            while let Some(at) = self.circuit.next_probe() {
                tokio::select! {
                    () = &mut stopped => return,
                    () = tokio::time::sleep_until(at) => self.probe().await,
                }
            }
            metrics::gauge!("satforge_lightning_circuit_open").set(0.0);
            tracing::info!(lightning.backend = self.name(), "the Lightning backend answers again");
        }
    }

    /// A backend that is slow to say how it is gets as much time as for an invoice, or it would stay out for ever.
    async fn probe(&self) {
        let outcome = self.ask_health(self.creation.timeout().max(HEALTH_TIMEOUT)).await;
        let reason = outcome.as_ref().err().map(ToString::to_string);
        self.circuit.probed(Instant::now(), reason.as_deref().map_or(Ok(()), Err));
    }

    async fn ask_health(&self, limit: Duration) -> Result<(), BackendError> {
        let late = || BackendError::new(self.name(), FaultKind::Interrupted, format!("no answer within {limit:?}"));
        timeout(limit, self.backend.health()).await.unwrap_or_else(|_| Err(late()))
    }

    /// One invoice, unchecked.
    async fn ask_for(&self, request: &InvoiceRequest, began: Instant) -> Result<Invoice, NodeError> {
        let turn = self.creation.turn(began, &self.circuit).await?;
        let asking = Asking::begin(self, &turn);
        match timeout_at(turn.deadline, self.backend.create_invoice(request.clone())).await {
            Ok(answer) => {
                asking.answered();
                answer.inspect_err(|error| self.note(error)).map_err(NodeError::Backend)
            }
            // Dropping `asking` notes it.
            Err(_) => Err(NodeError::Timeout(self.creation.timeout())),
        }
    }

    fn accuse(&self, fault: &'static str) -> NodeError {
        let error = NodeError::Unusable { backend: self.name(), fault };
        tracing::error!(lightning.backend = self.name(), %error, "an invoice is refused");
        self.note_failure(Instant::now(), "lying", &error.to_string(), None);
        error
    }

    fn note(&self, error: &BackendError) {
        match error.kind {
            // These say something about the request and nothing about the node.
            FaultKind::Refused | FaultKind::Unsupported => self.count(error.kind.name()),
            FaultKind::Limited { retry_after } => {
                let pause = retry_after.unwrap_or(Duration::from_secs(1));
                self.note_failure(Instant::now(), error.kind.name(), &error.to_string(), Some(pause));
            }
            kind => self.note_failure(Instant::now(), kind.name(), &error.to_string(), None),
        }
    }

    fn note_failure(&self, now: Instant, kind: &'static str, reason: &str, at_least: Option<Duration>) {
        self.count(kind);
        self.circuit.failed(now, reason, at_least);
    }

    fn count(&self, kind: &'static str) {
        metrics::counter!("satforge_lightning_failures_total", "backend" => self.name(), "kind" => kind).increment(1);
    }

    fn may_repeat(&self, kind: FaultKind) -> bool {
        let harmless = match kind {
            FaultKind::Unreachable => true,
            FaultKind::Interrupted | FaultKind::Failing => self.capabilities().free_invoices,
            _ => false,
        };
        harmless && self.circuit.admit(Instant::now()).is_ok()
    }
}

/// A question that is not answered yet. Dropped without an answer it tells against the backend, whether time ran out or
/// the caller went away first, unless the backend had too little time: most of it may have gone in the queue.
struct Asking<'g> {
    guarded: &'g Guarded,
    began: Instant,
    answered: bool,
}

impl<'g> Asking<'g> {
    fn begin(guarded: &'g Guarded, _: &Turn<'_>) -> Self {
        Self { guarded, began: Instant::now(), answered: false }
    }

    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let had = self.began.elapsed();
        if !self.answered && had >= self.guarded.creation.timeout() / 2 {
            self.guarded.note_failure(Instant::now(), "timeout", &format!("no invoice within {had:?}"), None);
        }
    }
}

#[cfg(test)]
mod tests;
