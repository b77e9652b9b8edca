//! Pays claims, and finds out what became of those that are open.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::domain::{ClaimedInvoice, JobId, Msat, Refund, RefundState};
use crate::lightning::{Attempt, Payment, Payout, pay};
use crate::planted::{self, Bug};
use crate::store::StoreError;

use super::{BY_HAND, Desk};

/// The pause between two looks at the open claims.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// The first pause between two questions about one claim; it doubles.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// What a payment may take beyond the time that the backend was given: the look before it, and the answer.
const GRACE: Duration = Duration::from_secs(30);
/// Open claims that are looked after at once; the oldest come first.
const AT_ONCE: i64 = 1_000;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its owner has the money.
    Paid,
    /// Nothing was sent, and the refund can be claimed again.
    Failed,
    /// It is not known yet, or the operator's to say.
    Open,
}

/// How often a claim was asked about, and when it is again.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    asked: u32,
    /// Who has it in hand at this moment: it may be being paid, and whoever asked now would learn that it never was.
    hands: usize,
    next: Option<Instant>,
}

/// A claim that somebody in this process has in hand, until this is dropped.
pub(super) struct Place {
    desk: Arc<Desk>,
    job: JobId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut looks = self.desk.looks();
        if let Some(look) = looks.get_mut(&self.job) {
            let pause = ASK_AGAIN.saturating_mul(2_u32.saturating_pow(look.asked.min(16))).min(LONGEST_PAUSE);
            look.hands = look.hands.saturating_sub(1);
            look.asked = look.asked.saturating_add(1);
            look.next = Instant::now().checked_add(pause);
        }
    }
}

impl Desk {
    /// Takes a claim in hand.
    pub(super) fn take_up(self: &Arc<Self>, job: JobId) -> Place {
        let mut looks = self.looks();
        let look = looks.entry(job).or_default();
        look.hands = look.hands.saturating_add(1);
        drop(looks);
        Place { desk: self.clone(), job }
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<JobId, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after open claims until shutdown: those of a process that died, and those whose outcome a backend left open.
    pub(super) async fn watch(self: Arc<Self>) {
        self.name_strangers().await;
        let mut failing = false;
        let mut warned = false;
        while !self.shutdown.is_soft() {
            match self.look_around().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "open refunds cannot be looked after");
                }
                Err(_) => {}
            }
            self.tries.tidy();
            // Some wallets tell what they allow only when they are asked.
            if !warned && !self.is_by_hand() && !self.backend.capabilities().pay {
                warned = true;
                tracing::error!("the Lightning backend says that it may not pay: refunds cannot be claimed");
            }
            tokio::select! {
                () = self.shutdown.soft() => return,
                () = sleep(WATCH_EVERY) => {}
            }
        }
    }

    /// Tells the operator of claims that nobody here may look after.
    async fn name_strangers(&self) {
        match self.store.claims_of_others(&[&self.payer, BY_HAND]).await {
            Ok(0) => {}
            Ok(claims) => tracing::error!(
                claims,
                "refunds are claimed that another node, wallet or key was told to pay: \
                see `satforge refunds list --status claiming`"
            ),
            Err(error) => tracing::error!(%error, "open refunds cannot be counted"),
        }
    }

    async fn look_around(self: &Arc<Self>) -> Result<(), StoreError> {
        let open = self.store.open_claims(&self.payer, AT_ONCE).await?;
        let now = Instant::now();
        for refund in &open {
            if self.is_due(refund.job, now) {
                let (desk, job, place) = (self.clone(), refund.job, self.take_up(refund.job));
                self.shutdown.spawn(async move {
                    desk.settle(job, None, Attempt::Again).await;
                    drop(place);
                });
            }
        }
        let open: HashSet<JobId> = open.iter().map(|refund| refund.job).collect();
        self.looks().retain(|job, look| look.hands > 0 || open.contains(job));
        Ok(())
    }

    pub(super) fn is_due(&self, job: JobId, now: Instant) -> bool {
        let looks = self.looks();
        looks.get(&job).is_none_or(|look| look.hands == 0 && look.next.is_none_or(|next| next <= now))
    }

    /// Whether this process may say what became of a claim.
    fn is_ours(&self, refund: &Refund) -> bool {
        let RefundState::Claiming(claim) = &refund.state else { return false };
        claim.payer == self.payer && claim.invoice.is_some()
    }

    /// Has a job's open claim paid, or asks what became of it, and writes that down; `number`: that claim and no other.
    ///
    /// Crash rule: what is not written down is asked for again. The claim is read when its turn has come: it may have been
    /// released meanwhile, and what was released must not be paid.
    pub(super) async fn settle(&self, job: JobId, number: Option<i64>, attempt: Attempt) -> Outcome {
        let Ok(_turn) = self.payments.acquire().await else { return Outcome::Open };
        let refund = match self.store.refund(job).await {
            Ok(refund) => refund.filter(|refund| self.is_ours(refund)),
            Err(error) => {
                tracing::error!(job.id = %job, %error, "an open refund cannot be read");
                return Outcome::Open;
            }
        };
        let Some(Refund { state: RefundState::Claiming(claim), amount, .. }) = refund else { return Outcome::Open };
        let Some(invoice) = claim.invoice.as_ref().filter(|_| number.is_none_or(|number| number == claim.number))
        else {
            return Outcome::Open;
        };
        let payment = match self.pay(invoice, amount, attempt).await {
            Payment::Unknown { reason } if planted::is(Bug::DoublePayout) => Payment::Failed { reason },
            payment => payment,
        };
        let (outcome, written) = match &payment {
            Payment::Paid(receipt) => {
                let written = self.store.refund_paid(job, claim.number, self.now(), receipt.fee).await;
                (Outcome::Paid, written)
            }
            Payment::Failed { .. } => (Outcome::Failed, self.store.release_claim(job, claim.number).await),
            Payment::Unknown { .. } => (Outcome::Open, Ok(true)),
        };
        report(job, &payment);
        let outcome = match written {
            Ok(true) => outcome,
            Ok(false) => {
                if outcome == Outcome::Paid {
                    tracing::error!(job.id = %job, refund.claim = claim.number,
                        "a refund was paid whose claim was taken back: settle it before it is claimed again");
                }
                Outcome::Open
            }
            Err(error) => {
                tracing::error!(job.id = %job, %error, "what became of a refund cannot be written down; it is asked for again");
                Outcome::Open
            }
        };
        self.changed.notify_waiters();
        outcome
    }

    async fn pay(&self, invoice: &ClaimedInvoice, amount: Msat, attempt: Attempt) -> Payment {
        let limit = self.config.payment_timeout;
        let payout = Payout {
            bolt11: invoice.bolt11.clone(),
            amount,
            max_fee: self.config.max_fee(amount),
            timeout: limit,
            attempt,
        };
        let paying = pay(&*self.backend, &payout, self.clock.unix_seconds());
        let late = || Payment::unknown("no answer in time");
        timeout(limit.saturating_add(GRACE), paying).await.unwrap_or_else(|_| late())
    }
}

fn report(job: JobId, payment: &Payment) {
    let outcome = match payment {
        Payment::Paid(receipt) => {
            let fee_msat = receipt.fee.map(Msat::msat);
            tracing::info!(job.id = %job, refund.fee_msat = fee_msat, "a refund was paid");
            metrics::counter!("satforge_refund_fees_msat_total").increment(fee_msat.unwrap_or(0));
            "paid"
        }
        Payment::Failed { reason } => {
            tracing::warn!(job.id = %job, reason, "paying a refund failed; it can be claimed again");
            "failed"
        }
        Payment::Unknown { reason } => {
            tracing::warn!(job.id = %job, reason, "it is not known what became of a refund; the backend is asked again");
            "unknown"
        }
    };
    metrics::counter!("satforge_refund_payments_total", "outcome" => outcome).increment(1);
}
