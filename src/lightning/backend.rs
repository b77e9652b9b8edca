//! What a node or wallet can be asked, and what it can answer.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Invoice, Msat, PaymentHash, Preimage};

use super::{BackendError, Network};

/// A node or wallet that receives payments for this gateway, and perhaps pays some back.
///
/// An adapter says what happened and decides nothing: what it returns is checked by [`super::Invoices`], and timeouts,
/// retries and the circuit are [`super::Guarded`]'s.
#[async_trait]
pub trait LightningBackend: Send + Sync {
    /// The adapter's name in logs and metrics.
    fn name(&self) -> &'static str;

    /// The network that its invoices are for.
    fn network(&self) -> Network;

    /// What it can do, as far as it is known: some wallets tell only when they are asked.
    fn capabilities(&self) -> Capabilities;

    /// Makes an invoice.
    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError>;

    /// What became of an invoice of its own.
    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError>;

    /// Pays somebody else's invoice. Only [`super::pay`] may call this: it looks first whether that was done already.
    ///
    /// Crash rule: money moves here. [`Payment::Failed`] is an answer only where nothing was sent out and nothing will
    /// be; whatever is less certain, a timeout or a cut connection above all, is [`Payment::Unknown`], and is looked up
    /// until it is known.
    async fn pay(&self, order: &PaymentOrder) -> Payment;

    /// What became of a payment that it was told to make.
    ///
    /// Crash rule: [`OutgoingState::NotFound`] and [`OutgoingState::Failed`] are licences to pay again, so they must be
    /// proof that nothing of an earlier order is under way or can still begin. An adapter that cannot prove it, for a
    /// while after an order or at all, answers [`OutgoingState::InFlight`], [`OutgoingState::Unknown`] or an error.
    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError>;

    /// Whether invoices can be made at the moment. Called often, so it must be cheap.
    async fn health(&self) -> Result<(), BackendError>;
}

/// What a backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Capabilities {
    /// It can say what became of an invoice.
    pub lookup: bool,
    /// It can pay invoices, with the credentials that it was given.
    pub pay: bool,
    /// What holds a payment to [`PaymentOrder::max_fee`].
    pub fee_limit: FeeLimit,
    /// It takes amounts that are no whole sats.
    pub msat: bool,
    /// How long its invoices can be paid.
    pub expiry: ExpiryRule,
    /// An invoice that nobody pays costs nothing and counts towards no limit, so that some can be kept ready, and
    /// one whose answer was lost can be made again.
    pub free_invoices: bool,
}

/// What routing a payment may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeLimit {
    /// No more than the order allows.
    Enforced,
    /// The backend says beforehand what it expects, and nothing is ordered where that is too much. It can cost more.
    Estimated,
    /// Whatever the backend allows itself: an order cannot limit it.
    Own,
}

/// How long a backend's invoices can be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryRule {
    /// As long as was asked.
    AsAsked,
    /// As long as was asked, in whole minutes.
    WholeMinutes,
    /// As long as the backend likes; the request cannot say.
    Own,
}

/// An invoice to make.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InvoiceRequest {
    /// The exact amount.
    pub amount: Msat,
    /// What the payer's wallet shows.
    pub description: String,
    /// How long it can be paid.
    pub expiry: Duration,
}

/// What became of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// It can be paid.
    Open,
    /// It was paid.
    Settled {
        /// What arrived.
        amount: Msat,
        /// When, in Unix seconds; `None` where the backend does not say.
        at: Option<u64>,
    },
    /// Its time is over and nobody has paid.
    Expired,
    /// It was withdrawn.
    Cancelled,
    /// The backend does not know it.
    NotFound,
}

/// A payment to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentOrder {
    /// The invoice to pay, lower case; it names its own amount.
    pub bolt11: String,
    /// The hash of that invoice.
    pub payment_hash: PaymentHash,
    /// The amount of that invoice.
    pub amount: Msat,
    /// The most that routing may cost.
    pub max_fee: Msat,
    /// How long the backend may try.
    pub timeout: Duration,
}

/// What became of a payment that was just ordered.
#[derive(Clone, Debug)]
pub enum Payment {
    /// The money has arrived.
    Paid(Receipt),
    /// Nothing was sent, and nothing will be. It may be ordered again.
    Failed {
        /// Why, for the log.
        reason: String,
    },
    /// It may yet arrive: it must be looked up, and never be ordered again on a guess.
    Unknown {
        /// Why, for the log.
        reason: String,
    },
}

/// A payment that has arrived.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The proof; not every wallet hands it out.
    pub preimage: Option<Preimage>,
    /// What routing has cost, where the backend says so.
    pub fee: Option<Msat>,
}

/// What became of a payment that was ordered earlier.
#[derive(Clone, Debug)]
pub enum OutgoingState {
    /// The money has arrived.
    Paid(Receipt),
    /// It was tried and has failed for good. It may be ordered again.
    Failed,
    /// It is on its way, or may be.
    InFlight,
    /// What the backend says of it is not final. Until it is, it counts as on its way.
    Unknown {
        /// What it says, for the log.
        reason: String,
    },
    /// The backend was never told to make it, and no order is on its way to it.
    NotFound,
}

impl OutgoingState {
    /// What is said of a payment and is not final.
    #[must_use]
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

impl Payment {
    /// A payment of which nothing was sent, because `reason`.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }

    /// A payment of which it cannot be said what became of it, because `reason`.
    #[must_use]
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }

    /// What an error while ordering means: a request that certainly did not arrive has paid nothing.
    #[must_use]
    pub fn after(error: &BackendError) -> Self {
        use super::FaultKind as Kind;
        match error.kind {
            Kind::Unreachable | Kind::Unauthorised | Kind::Limited { .. } | Kind::Unsupported => {
                Self::failed(error.to_string())
            }
            Kind::Interrupted | Kind::Failing | Kind::Refused | Kind::Garbled => Self::unknown(error.to_string()),
        }
    }
}
