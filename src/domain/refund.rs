//! A refund: what is owed back for a payment that bought nothing, and what became of it.
//!
//! ```text
//! available ─► claiming(invoice) ─► paid
//!     ▲ │            │
//!     │ └► cancelled └─ failed for good ─► available
//!     └────── the job that was run once more has failed again
//! ```
//!
//! Crash rule: `claiming` is on disk before anything is paid. From then on only who was told to pay says what became of
//! it, and nothing is ordered anew until they say that it has failed for good.

use std::fmt;

use super::{JobId, Msat, PaymentHash};

/// What is owed back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// The job that failed.
    pub job: JobId,
    /// The payment that bought it.
    pub payment_hash: PaymentHash,
    /// What was paid, and is owed.
    pub amount: Msat,
    /// Unix milliseconds since when it is owed.
    pub created_at: i64,
    /// How often it was claimed.
    pub claims: i64,
    /// What became of it.
    pub state: RefundState,
}

/// What became of a refund.
#[derive(Clone, Debug)]
pub enum RefundState {
    /// It can be claimed.
    Available,
    /// It is being paid, or the operator is to pay it.
    Claiming(Claim),
    /// Its owner has it.
    Paid(Repaid),
    /// The operator has the job run once more.
    Cancelled,
}

/// A claim that is open.
#[derive(Clone)]
pub struct Claim {
    /// Counts the claims of this refund from 1; it fences every write about this one.
    pub number: i64,
    /// The invoice to pay, lower case; `None` where there is none: the operator pays to `destination`.
    pub invoice: Option<ClaimedInvoice>,
    /// A Lightning address, where the operator is to pay by hand.
    pub destination: Option<String>,
    /// Who was told to pay.
    pub payer: String,
    /// Unix milliseconds.
    pub claimed_at: i64,
}

/// The invoice that a refund is paid to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedInvoice {
    /// The BOLT 11 text, lower case.
    pub bolt11: String,
    /// Its payment hash.
    pub payment_hash: PaymentHash,
}

/// A refund that its owner has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaid {
    /// Unix milliseconds.
    pub paid_at: i64,
    /// The invoice that was paid; `None`: the operator has paid by other means.
    pub invoice_hash: Option<PaymentHash>,
    /// What routing has cost, where it is known.
    pub fee: Option<Msat>,
}

// Whom the money goes to is nobody's business.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({} since {})", self.number, self.claimed_at)
    }
}

impl RefundState {
    /// The name in the database, the log and every answer.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Claiming(_) => "claiming",
            Self::Paid(_) => "paid",
            Self::Cancelled => "cancelled",
        }
    }
}
