//! Where challenges get their invoices from: the shelf, or the node; and never one that was not checked.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bitcoin::secp256k1::PublicKey;
use metrics::Counter;
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::config::{LightningConfig, PoolConfig};
use crate::domain::{Caller, Invoice, Msat, PaymentHash, ServiceId};

use super::checked::{Expected, check};
use super::handed_out::HandedOut;
use super::issued::Issued;
use super::open_invoices::{Holder, OpenInvoices, Place};
use super::outstanding::Outstanding;
use super::pool::Pool;
use super::settlement::Settlements;
use super::{BackendError, ExpiryRule, Guarded, InvoiceRequest, NodeError, Unconfirmed, decode_invoice};

/// Hashes remembered against a backend that repeats itself: about 10 MB at the most.
const HANDED_OUT_CAPACITY: usize = 100_000;
/// Invoices watched for the books: about 3 MB at the most.
const OUTSTANDING_CAPACITY: usize = 20_000;
/// Invoices for the shelves that are made at the same time.
const REFILLERS: usize = 4;
/// Prices that invoices are kept ready for; the rest are made when they are asked for.
const SHELVES: usize = 32;
/// The pause after an invoice for a shelf could not be made, and between two looks at shelves that nobody touches.
const REFILL_PAUSE: Duration = Duration::from_secs(1);

/// The invoices of this gateway.
pub struct Invoices {
    node: Arc<Guarded>,
    clock: Arc<dyn Clock>,
    expiry: Duration,
    payee: Option<PublicKey>,
    handed_out: HandedOut,
    shelves: Option<Shelves>,
    open: Option<Arc<OpenInvoices>>,
    outstanding: Option<Outstanding>,
    settlements: Option<Settlements>,
    issued: Issued,
    /// Looked up once, not for every invoice.
    made: OnceLock<Counter>,
}

struct Shelves {
    pool: Pool,
    config: PoolConfig,
}

impl Invoices {
    /// Invoices of `node`. `sold` are the amounts and descriptions that are sold at a fixed price: some invoices for
    /// each are kept ready, if `config` says so and the backend is one for it.
    #[must_use]
    pub fn new(node: Arc<Guarded>, clock: Arc<dyn Clock>, config: &LightningConfig, sold: Vec<(Msat, String)>) -> Self {
        let size = config.pool.size_for(node.capabilities().free_invoices);
        let shelves = (size > 0).then(|| {
            let max_age = config.pool.max_age;
            // Longer by their time on the shelf, so that a payer never has less than was promised.
            let expiry = config.invoice_expiry + max_age;
            let request = |(amount, description)| InvoiceRequest { amount, description, expiry };
            let requests = sold.into_iter().take(SHELVES).map(request).collect();
            Shelves { pool: Pool::new(requests, size, max_age, clock.unix_millis()), config: config.pool }
        });
        Self {
            clock,
            expiry: config.invoice_expiry,
            payee: config.payee,
            handed_out: HandedOut::new(config.invoice_expiry.as_secs(), HANDED_OUT_CAPACITY),
            shelves,
            open: None,
            outstanding: (config.settlement_lookups_per_second > 0.0).then(|| Outstanding::new(OUTSTANDING_CAPACITY)),
            settlements: config.require_settled.then(Settlements::default),
            issued: Issued::default(),
            made: OnceLock::new(),
            node,
        }
    }

    /// With at most `ceiling` unpaid invoices at once, those on the shelves included; `None`: however many.
    #[must_use]
    pub fn with_ceiling(self, ceiling: Option<usize>) -> Self {
        Self { open: ceiling.map(|ceiling| OpenInvoices::new(ceiling, self.clock.clone())), ..self }
    }

    /// When `caller` should come back, if there are so many unpaid invoices that there is none for them now.
    #[must_use]
    pub fn refuses(&self, caller: Caller) -> Option<Duration> {
        self.open.as_ref()?.refuses(Holder::Caller(caller))
    }

    /// An invoice over `amount` for `caller`, which nobody else has, or will get.
    pub async fn obtain(&self, amount: Msat, description: &str, caller: Caller) -> Result<Invoice, NodeError> {
        if self.confirms() && !self.node.capabilities().lookup {
            // Whoever paid would wait for a confirmation that cannot come.
            let what = "say whether an invoice was paid, which lightning.require_settled demands";
            return Err(BackendError::unsupported(self.node.name(), what).into());
        }
        let place = self.place(Holder::Caller(caller)).map_err(NodeError::Full)?;
        let request = InvoiceRequest { amount, description: description.to_owned(), expiry: self.expiry };
        let invoice = match self.take_from_shelf(&request) {
            Some(invoice) => invoice,
            None => self.make(&request).await?,
        };
        if let Some(place) = place {
            place.keep(&invoice);
        }
        if let Some(outstanding) = &self.outstanding {
            let payable_until = self.payable_until(&invoice).saturating_mul(1_000);
            outstanding.add(invoice.payment_hash, self.clock.unix_millis(), payable_until);
        }
        Ok(invoice)
    }

    /// A backend that chooses the expiry itself may take payments long after the caller was told to be late.
    fn payable_until(&self, invoice: &Invoice) -> u64 {
        match self.node.capabilities().expiry {
            ExpiryRule::AsAsked => invoice.expires_at,
            ExpiryRule::WholeMinutes | ExpiryRule::Own => {
                decode_invoice(&invoice.bolt11).map_or(invoice.expires_at, |decoded| decoded.expires_at)
            }
        }
    }

    /// The node, for whoever asks how it is.
    #[must_use]
    pub const fn node(&self) -> &Arc<Guarded> {
        &self.node
    }

    /// Invoices that are watched for the books, if they are.
    #[must_use]
    pub const fn outstanding(&self) -> Option<&Outstanding> {
        self.outstanding.as_ref()
    }

    /// Counts a challenge over `amount` for `service` that was handed out.
    pub fn count_issued(&self, service: ServiceId, amount: Msat) {
        let is_watched = self.outstanding.is_some() && self.node.capabilities().lookup;
        self.issued.count(self.clock.unix_millis(), service, amount, is_watched);
    }

    /// The challenges that were handed out and not entered in the books yet.
    #[must_use]
    pub const fn issued(&self) -> &Issued {
        &self.issued
    }

    /// Notes that the preimage of `hash` was presented: it was paid.
    pub fn presented(&self, hash: &PaymentHash) {
        self.ended(hash);
        let Some(outstanding) = &self.outstanding else { return };
        let now = self.clock.unix_millis();
        let Some(tracked) = outstanding.presented(hash, now) else { return };
        super::settlement::count(now.saturating_sub(tracked.challenged_at));
        if !self.node.capabilities().lookup {
            outstanding.close(&tracked);
        }
    }

    /// Notes that the invoice of `hash` can no longer be paid, or was.
    pub fn ended(&self, hash: &PaymentHash) {
        if let Some(open) = &self.open {
            open.close(hash);
        }
    }

    /// Forgets invoices that have expired. Called now and then.
    pub fn tidy(&self) {
        if let Some(open) = &self.open {
            open.tidy();
        }
    }

    /// Asks the node whether `hash` was really paid with at least `amount`, if the configuration says that a preimage
    /// is not enough.
    pub async fn confirm(&self, hash: &PaymentHash, amount: Msat) -> Result<(), Unconfirmed> {
        match &self.settlements {
            Some(settlements) => settlements.confirm(&self.node, hash, amount).await,
            None => Ok(()),
        }
    }

    /// Whether [`Invoices::confirm`] asks.
    #[must_use]
    pub const fn confirms(&self) -> bool {
        self.settlements.is_some()
    }

    /// Keeps the shelves filled, until `stopped`.
    pub async fn refill(&self, stopped: impl Future<Output = ()>) {
        let Some(shelves) = &self.shelves else { return };
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / shelves.config.refill_per_second));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ticks = Mutex::new(ticks);
        let refiller = || async {
            loop {
                let now = self.clock.unix_millis();
                let Some(request) = shelves.pool.next_missing(now) else {
                    // Whoever takes one wakes us; what has become stale is found by looking.
                    let _ = tokio::time::timeout(REFILL_PAUSE, shelves.pool.taken()).await;
                    continue;
                };
                ticks.lock().await.tick().await;
                if let Some(invoice) = self.make_for_shelf(&request).await {
                    shelves.pool.put(&request, invoice, now);
                } else {
                    shelves.pool.give_up(&request);
                    tokio::time::sleep(REFILL_PAUSE).await;
                }
                #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a gauge needs no more")]
                metrics::gauge!("satforge_pooled_invoices").set(shelves.pool.ready() as f64);
            }
        };
        let all = futures_util::future::join_all((0..REFILLERS).map(|_| refiller()));
        tokio::select! {
            _ = all => {}
            () = stopped => {}
        }
    }

    fn take_from_shelf(&self, request: &InvoiceRequest) -> Option<Invoice> {
        // What a node that is down has made cannot be paid at the moment.
        let shelves = self.shelves.as_ref().filter(|_| !self.node.is_down())?;
        let expiry = self.expiry + shelves.config.max_age;
        shelves.pool.take(&InvoiceRequest { expiry, ..request.clone() }, self.clock.unix_millis())
    }

    async fn make_for_shelf(&self, request: &InvoiceRequest) -> Option<Invoice> {
        let place = self.place(Holder::Shelves).ok()?;
        let invoice = self.make(request).await.ok()?;
        if let Some(place) = place {
            place.keep(&invoice);
        }
        Some(invoice)
    }

    /// A place for one more unpaid invoice, where those are counted; refused with the time to wait.
    fn place(&self, holder: Holder) -> Result<Option<Place>, Duration> {
        self.open.as_ref().map(|open| open.take(holder)).transpose()
    }

    /// Has the node make an invoice, and checks it.
    async fn make(&self, request: &InvoiceRequest) -> Result<Invoice, NodeError> {
        let now = self.clock.unix_seconds();
        let expected = Expected {
            request,
            network: self.node.network(),
            expiry: self.node.capabilities().expiry,
            payee: self.payee.as_ref(),
            now,
        };
        let check = |invoice: Invoice| {
            let checked = check(invoice, expected)?;
            let is_new = self.handed_out.insert(checked.payment_hash, now);
            if is_new { Ok(checked) } else { Err("its payment hash was handed out before") }
        };
        let invoice = self.node.create_invoice(request, check).await?;
        self.made.get_or_init(|| metrics::counter!("satforge_invoices_made_total")).increment(1);
        Ok(invoice)
    }
}

#[cfg(test)]
mod tests;
