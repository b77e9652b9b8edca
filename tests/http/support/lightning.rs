//! A Lightning backend that counts, and lies when it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use satforge::domain::{Invoice, Msat, PaymentHash};
use satforge::lightning::{BackendError, InvoiceRequest, LightningBackend, Network};

/// What the backend does instead of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing: it works.
    None,
    /// It fails.
    Down,
    /// It never answers.
    Silent,
    /// It answers with what is no invoice.
    Garbage,
    /// It says another payment hash than its invoice.
    OtherHash,
    /// Its invoice asks for a millisatoshi less.
    LessMoney,
    /// Its invoice is for another network than its own.
    OtherNetwork,
    /// Its invoice expires a minute early.
    ShortLived,
    /// Its invoice is in upper case.
    UpperCase,
    /// It hands the last honest invoice out again.
    Repeats,
}

impl Lie {
    pub const ALL: [Self; 9] = [
        Self::Down,
        Self::Silent,
        Self::Garbage,
        Self::OtherHash,
        Self::LessMoney,
        Self::OtherNetwork,
        Self::ShortLived,
        Self::UpperCase,
        Self::Repeats,
    ];
}

/// The sandbox's node behind a layer that counts and lies.
pub struct FakeLightning {
    honest: Arc<dyn LightningBackend>,
    calls: AtomicUsize,
    lie: Mutex<Lie>,
    /// The last honest invoice.
    last: Mutex<Option<Invoice>>,
}

impl FakeLightning {
    pub fn new(honest: Arc<dyn LightningBackend>) -> Self {
        Self { honest, calls: AtomicUsize::new(0), lie: Mutex::new(Lie::None), last: Mutex::default() }
    }

    /// How many invoices were asked for.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    fn lie(&self) -> Lie {
        *self.lie.lock().unwrap()
    }
}

#[async_trait]
impl LightningBackend for FakeLightning {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn network(&self) -> Network {
        if self.lie() == Lie::OtherNetwork { Network::Bitcoin } else { self.honest.network() }
    }

    async fn create_invoice(&self, mut request: InvoiceRequest) -> Result<Invoice, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let lie = self.lie();
        match lie {
            Lie::Down => return Err(BackendError { backend: "fake", message: "the node is on holiday".into() }),
            Lie::Silent => std::future::pending().await,
            Lie::LessMoney => request.amount = Msat::new(request.amount.msat() - 1).expect("an amount"),
            Lie::ShortLived => request.expiry -= Duration::from_mins(1),
            _ => {}
        }
        let mut invoice = self.honest.create_invoice(request).await?;
        match lie {
            Lie::Garbage => invoice.bolt11 = "lnbcrt1garbage".into(),
            Lie::OtherHash => invoice.payment_hash = PaymentHash::from_bytes([7; 32]),
            Lie::UpperCase => invoice.bolt11 = invoice.bolt11.to_uppercase(),
            _ => {}
        }
        let mut last = self.last.lock().unwrap();
        match (lie, last.clone()) {
            (Lie::None, _) => Ok(last.insert(invoice).clone()),
            (Lie::Repeats, Some(last)) => Ok(last),
            _ => Ok(invoice),
        }
    }

    async fn health(&self) -> Result<(), BackendError> {
        match self.lie() {
            Lie::Down => Err(BackendError { backend: "fake", message: "the node is on holiday".into() }),
            Lie::Silent => std::future::pending().await,
            _ => Ok(()),
        }
    }
}
