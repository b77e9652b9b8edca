//! A Lightning backend that counts, and lies when it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use satforge::domain::{Invoice, Msat, PaymentHash};
use satforge::lightning::{
    BackendError, Capabilities, FaultKind, InvoiceRequest, InvoiceState, LightningBackend, Network, OutgoingState,
    Payment, PaymentOrder,
};

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
    /// Its invoice expires two minutes early.
    ShortLived,
    /// Its invoice is in upper case.
    UpperCase,
    /// It hands the last honest invoice out again.
    Repeats,
    /// It says of every invoice that it does not know it.
    Forgets,
}

impl Lie {
    /// Those that concern invoices to be made.
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

/// How the backend pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paying {
    /// As it should.
    Well,
    /// As it should, and says nothing of it.
    InSilence,
    /// Not at all, and says so.
    Badly,
}

/// The sandbox's node behind a layer that counts and lies.
pub struct FakeLightning {
    honest: Arc<dyn LightningBackend>,
    calls: AtomicUsize,
    lookups: AtomicUsize,
    payments: AtomicUsize,
    lie: Mutex<Lie>,
    paying: Mutex<Paying>,
    /// The last honest invoice.
    last: Mutex<Option<Invoice>>,
}

impl FakeLightning {
    pub fn new(honest: Arc<dyn LightningBackend>) -> Self {
        let [calls, lookups, payments] = std::array::from_fn(|_| AtomicUsize::new(0));
        let (lie, paying) = (Mutex::new(Lie::None), Mutex::new(Paying::Well));
        Self { honest, calls, lookups, payments, lie, paying, last: Mutex::default() }
    }

    /// How many invoices were asked for.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many invoices were looked up.
    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// How many payments were made.
    pub fn payments(&self) -> usize {
        self.payments.load(Ordering::SeqCst)
    }

    pub fn let_pay(&self, paying: Paying) {
        *self.paying.lock().unwrap() = paying;
    }

    fn paying(&self) -> Paying {
        *self.paying.lock().unwrap()
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

    fn capabilities(&self) -> Capabilities {
        self.honest.capabilities()
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        match self.lie() {
            Lie::Down => Err(on_holiday()),
            Lie::Silent => std::future::pending().await,
            Lie::Forgets => Ok(InvoiceState::NotFound),
            _ => self.honest.lookup(hash).await,
        }
    }

    async fn pay(&self, order: &PaymentOrder) -> Payment {
        if self.paying() == Paying::Badly {
            return Payment::failed("no route");
        }
        let payment = self.honest.pay(order).await;
        self.payments.fetch_add(1, Ordering::SeqCst);
        if self.paying() == Paying::InSilence { Payment::unknown("no answer") } else { payment }
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        match self.paying() {
            Paying::InSilence => Ok(OutgoingState::unknown("who knows")),
            _ => self.honest.lookup_outgoing(hash).await,
        }
    }

    async fn create_invoice(&self, mut request: InvoiceRequest) -> Result<Invoice, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let lie = self.lie();
        match lie {
            Lie::Down => return Err(on_holiday()),
            Lie::Silent => std::future::pending().await,
            Lie::LessMoney => request.amount = Msat::new(request.amount.msat() - 1).expect("an amount"),
            Lie::ShortLived => request.expiry -= Duration::from_mins(2),
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
            Lie::Down => Err(on_holiday()),
            Lie::Silent => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

fn on_holiday() -> BackendError {
    BackendError::new("fake", FaultKind::Failing, "the node is on holiday")
}
