//! What a payment bought, for somebody who has the credential and nothing else.

use crate::clock::signed_millis;
use crate::domain::job::Failed;
use crate::domain::{Failure, JobId, PublicJobId};
use crate::paywall::VerifiedPayment;
use crate::store::{Inserted, NewJob};

use super::redeem::{held_against, known};
use super::{JobView, Jobs, RedeemError};

/// What became of a payment.
#[derive(Debug)]
pub enum Recovered {
    /// It has bought this job.
    Job(Box<JobView>),
    /// It has bought nothing yet, and still can.
    Unredeemed,
}

impl Jobs {
    /// Finds what `payment` has bought. One that has bought nothing in its time is owed back from now on: its job is made
    /// as failed, as if the payment had been presented with its body.
    ///
    /// Crash rule: as for [`Jobs::redeem`].
    pub async fn recover(&self, payment: &VerifiedPayment) -> Result<Recovered, RedeemError> {
        let engine = &self.engine;
        let (hash, binding) = (payment.payment_hash(), payment.binding());
        if let Some(job) = engine.store.job_by_payment(hash).await? {
            return Ok(Recovered::Job(Box::new(held_against(engine, job, binding)?)));
        }
        let now = engine.clock.unix_millis();
        if !payment.is_late(now / 1_000) {
            return Ok(Recovered::Unredeemed);
        }
        let created_at = signed_millis(now);
        let late = NewJob {
            id: JobId::new(now, rand::random()),
            public_id: PublicJobId::new(rand::random()),
            payment_hash: hash,
            binding,
            amount: payment.amount(),
            created_at,
            deadline_at: created_at,
            input: Err(Failed { failure: Failure::RedemptionExpired, finished_at: created_at }),
            callback: None,
        };
        let view = match engine.store.insert_job(late).await? {
            Inserted::New(job) => engine.begin(job),
            Inserted::Existing(job) => known(engine, job, binding)?,
        };
        Ok(Recovered::Job(Box::new(view)))
    }
}
