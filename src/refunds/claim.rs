//! From whom the money shall go to, to a claim that is on disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::clock::signed_millis;
use crate::config::LightningAddressConfig;
use crate::domain::{ClaimedInvoice, JobId, Msat, Refund, RefundState};
use crate::lightning::lightning_address::LightningAddress;
use crate::lightning::{Attempt, InvoiceRequest, LightningBackend as _, Network, decode_invoice};
use crate::store::{Claiming, NewClaim, StoreError};

use super::payer::Outcome;
use super::{BY_HAND, Desk, Refunds};

/// The most characters of an invoice: real ones have 200 to 600, one with many routing hints 1,500.
const INVOICE_CHARS: usize = 4_096;
/// The most characters of a Lightning address.
const ADDRESS_CHARS: usize = 320;
/// An invoice must be payable for at least this many seconds.
const TIME_LEFT: u64 = 15;
/// How long a payment is waited for.
const ADDRESS_EXPIRY: Duration = Duration::from_mins(10);
/// What the payee's wallet shows.
const DESCRIPTION: &str = "Refund";

/// Whom a refund shall go to.
#[derive(Clone, PartialEq, Eq)]
pub enum Destination {
    /// A BOLT 11 invoice over exactly the amount.
    Invoice(String),
    /// A Lightning address (LUD-16), `user@host`.
    Address(String),
}

/// Why a claim did not end with the money on its way. The refund stands.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Nothing is owed for that job.
    #[error("nothing is owed for this job")]
    NothingOwed,
    /// It is being paid to another invoice, or was.
    #[error("the refund is {0} already")]
    NotAvailable(&'static str),
    /// The invoice cannot be paid as it is; the text is for its owner.
    #[error("{0}")]
    Invoice(String),
    /// The Lightning address leads to no invoice; the text is for its owner.
    #[error("{0}")]
    Address(String),
    /// It was tried too often lately.
    #[error("this refund was tried too often")]
    TooOften(Duration),
    /// The payment has failed for good, and nothing was sent.
    #[error("the payment failed")]
    Failed,
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refunds {
    /// Claims what is owed for `job`, and waits up to `patience` for its payment. The same invoice again is the same
    /// claim. What comes back is the refund as it stands then: `paid`, or `claiming` while its outcome is open.
    pub async fn claim(&self, job: JobId, to: Destination, patience: Duration) -> Result<Refund, ClaimError> {
        let until = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
        let desk = &self.desk;
        let refund = desk.store.refund(job).await?.ok_or(ClaimError::NothingOwed)?;
        let to = match to {
            Destination::Invoice(bolt11) => {
                let invoice = desk.payable(&bolt11, refund.amount)?;
                if let Some(same) = desk.same_claim(&refund, &invoice, until).await? {
                    return Ok(same);
                }
                require_available(&refund)?;
                desk.tries.charge(job).map_err(ClaimError::TooOften)?;
                To { invoice: Some(invoice), destination: None }
            }
            Destination::Address(address) => {
                require_available(&refund)?;
                let address = plausible_address(&address)?;
                desk.tries.charge(job).map_err(ClaimError::TooOften)?;
                desk.reach(address, refund.amount).await?
            }
        };
        let outcome = desk.begin(&refund, to).await?;
        match timeout_at(until, outcome).await {
            Ok(Ok(Outcome::Failed)) => Err(ClaimError::Failed),
            // Paid; or open, and looked after from now on.
            Ok(Ok(Outcome::Paid | Outcome::Open) | Err(_)) | Err(_) => {
                desk.store.refund(job).await?.ok_or(ClaimError::NothingOwed)
            }
        }
    }
}

/// What is written into a claim.
struct To {
    invoice: Option<ClaimedInvoice>,
    destination: Option<String>,
}

fn require_available(refund: &Refund) -> Result<(), ClaimError> {
    match refund.state {
        RefundState::Available => Ok(()),
        RefundState::Cancelled => Err(ClaimError::NothingOwed),
        _ => Err(ClaimError::NotAvailable(refund.state.name())),
    }
}

impl Desk {
    /// What is to be paid to a Lightning address.
    async fn reach(&self, address: String, amount: Msat) -> Result<To, ClaimError> {
        // The operator pays it when they find the time; an invoice would have expired.
        if self.is_by_hand() {
            return Ok(To { invoice: None, destination: Some(address) });
        }
        let bolt11 = self.ask(&address, amount).await?;
        Ok(To { invoice: Some(self.payable(&bolt11, amount)?), destination: None })
    }

    fn payable(&self, typed: &str, amount: Msat) -> Result<ClaimedInvoice, ClaimError> {
        payable(typed, amount, self.backend.network(), self.clock.unix_seconds())
    }
    /// An invoice from the wallet behind a Lightning address. The wallet's server is a stranger's.
    async fn ask(&self, address: &str, amount: Msat) -> Result<String, ClaimError> {
        let config = LightningAddressConfig {
            address: address.to_owned(),
            allow_private_hosts: self.config.allow_private_addresses,
        };
        let no_invoice =
            || ClaimError::Address("The wallet behind this address gave no invoice over the amount.".into());
        let wallet = LightningAddress::new(&config, self.backend.network(), self.config.address_timeout)
            .map_err(|_| ClaimError::Address("This is no Lightning address.".into()))?;
        let request = InvoiceRequest { amount, description: DESCRIPTION.into(), expiry: ADDRESS_EXPIRY };
        let asked = tokio::time::timeout(self.config.address_timeout.saturating_mul(2), wallet.create_invoice(request));
        let invoice = asked.await.map_err(|_| no_invoice())?;
        // Its text is a stranger's, and may repeat the address.
        let invoice = invoice.inspect_err(|error| tracing::debug!(kind = ?error.kind, "a wallet gave no invoice"));
        Ok(invoice.map_err(|_| no_invoice())?.bolt11)
    }

    /// The refund that is being paid to this very invoice, or was. Errors when that payment fails meanwhile.
    async fn same_claim(
        &self,
        refund: &Refund,
        invoice: &ClaimedInvoice,
        until: Instant,
    ) -> Result<Option<Refund>, ClaimError> {
        let mut refund = refund.clone();
        let mut was_open = false;
        loop {
            // Before the look, or an end between the two would be missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            refund = self.store.refund(refund.job).await?.unwrap_or(refund);
            match &refund.state {
                RefundState::Paid(paid) if paid.invoice_hash == Some(invoice.payment_hash) => return Ok(Some(refund)),
                // Nobody here is going to say what became of it.
                RefundState::Claiming(claim)
                    if claim.invoice.as_ref() == Some(invoice) && claim.payer != self.payer =>
                {
                    return Ok(Some(refund));
                }
                RefundState::Claiming(claim) if claim.invoice.as_ref() == Some(invoice) => was_open = true,
                RefundState::Available if was_open => return Err(ClaimError::Failed),
                _ => return Ok(None),
            }
            if timeout_at(until, changed).await.is_err() {
                return Ok(Some(refund));
            }
        }
    }

    /// Writes the claim down, and only then has it paid, in a task of its own: a caller that goes away changes nothing.
    async fn begin(self: &Arc<Self>, refund: &Refund, to: To) -> Result<oneshot::Receiver<Outcome>, ClaimError> {
        if self.shutdown.is_soft() {
            return Err(ClaimError::Stopping);
        }
        let payer = if self.is_by_hand() { BY_HAND.to_owned() } else { self.payer.clone() };
        let claimed_at = signed_millis(self.clock.unix_millis());
        let (job, invoice, destination) = (refund.job, to.invoice, to.destination);
        let claim = NewClaim { job, invoice, destination, payer, claimed_at };
        // Held before the row is there: whoever looks after open claims must not take this one for a dead process's.
        let place = self.take_up(job);
        let number = match self.store.claim_refund(claim).await? {
            Claiming::Begun(number) => number,
            Claiming::InvoiceTaken => {
                return Err(ClaimError::Invoice("This invoice was offered for another refund: make a new one.".into()));
            }
            Claiming::NotAvailable => {
                let refund = self.store.refund(job).await?.ok_or(ClaimError::NothingOwed)?;
                require_available(&refund)?;
                // It was released a moment ago.
                return Err(ClaimError::NotAvailable("claiming"));
            }
        };
        tracing::info!(job.id = %job, refund.amount_msat = refund.amount.msat(), "a refund was claimed");
        let (told, outcome) = oneshot::channel();
        let desk = self.clone();
        self.shutdown.spawn(async move {
            let outcome = desk.settle(job, Some(number), Attempt::First).await;
            drop(place);
            // Nobody is left to be told if the caller has gone.
            let _ = told.send(outcome);
        });
        Ok(outcome)
    }
}

/// An invoice over exactly `amount` that can be paid on `network` for a while yet from `now` on, in Unix seconds.
pub(crate) fn payable(typed: &str, amount: Msat, network: Network, now: u64) -> Result<ClaimedInvoice, ClaimError> {
    let refused = |why: String| Err(ClaimError::Invoice(why));
    let typed = typed.trim();
    if typed.len() > INVOICE_CHARS {
        return refused(format!("An invoice has at most {INVOICE_CHARS} characters."));
    }
    let bolt11 = typed.to_ascii_lowercase();
    let bolt11 = bolt11.strip_prefix("lightning:").unwrap_or(&bolt11).to_owned();
    let Ok(decoded) = decode_invoice(&bolt11) else { return refused("This is no BOLT 11 invoice.".into()) };
    if decoded.network != network {
        return refused(format!("The invoice is for {}, and this gateway pays on {network}.", decoded.network));
    }
    if decoded.amount != Some(amount) {
        return refused(format!("The invoice must be for exactly {} msat.", amount.msat()));
    }
    if decoded.expires_at < now.saturating_add(TIME_LEFT) {
        return refused("The invoice has expired, or is about to.".into());
    }
    Ok(ClaimedInvoice { bolt11, payment_hash: decoded.payment_hash })
}

/// `user@host` of harmless characters, lower case: it becomes part of a URL.
pub(crate) fn plausible_address(typed: &str) -> Result<String, ClaimError> {
    let refused = || ClaimError::Address("This is no Lightning address, such as you@example.com.".into());
    let typed = typed.trim();
    if typed.len() > ADDRESS_CHARS {
        return Err(refused());
    }
    let address = typed.to_ascii_lowercase();
    let (user, host) = address.split_once('@').ok_or_else(refused)?;
    let in_user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    let dots_only = user.chars().all(|c| c == '.');
    if user.is_empty() || host.is_empty() || dots_only || !user.chars().all(in_user) || !host.chars().all(in_host) {
        return Err(refused());
    }
    Ok(address)
}
