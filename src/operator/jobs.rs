//! Jobs: looking at them, having one run once more, and ending one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::job::Failed;
use crate::domain::{Failure, JobId};
use crate::store::{CallbackRecord, CreateRecord, Failing, JobRecord, Retried, Wanted};

use super::refunds;
use super::said::{Said, list, sats, table};
use super::time::rfc3339;
use super::{Operator, OperatorError};

impl Operator {
    /// Jobs, newest first.
    pub async fn list_jobs(&self, wanted: &Wanted) -> Result<Said, OperatorError> {
        let jobs = self.store.list_jobs(wanted).await?;
        let row = |job: &JobRecord| {
            let ended = job.failure.clone().unwrap_or_default();
            let (refund, route) = (job.refund.clone().unwrap_or_default(), job.route.clone().unwrap_or_default());
            let time = rfc3339(job.created_at);
            vec![
                job.id.clone(),
                time,
                job.service.clone(),
                sats(job.amount_msat),
                job.state.clone(),
                route,
                ended,
                refund,
            ]
        };
        let rows: Vec<_> = jobs.iter().map(row).collect();
        Ok(Said {
            json: json!({"jobs": jobs.iter().map(job_json).collect::<Vec<_>>()}),
            text: table(&["JOB", "REDEEMED", "SERVICE", "SATS", "STATE", "ROUTE", "FAILURE", "REFUND"], &rows),
        })
    }

    /// All that is known of a job.
    pub async fn show_job(&self, named: &str) -> Result<Said, OperatorError> {
        let id = self.find(named).await?;
        let gone = || OperatorError::Refused("there is no such job".into());
        let job = self.store.job_record(id).await?.ok_or_else(gone)?;
        let creates = self.store.creates(id).await?;
        let callback = self.store.callback_record(id).await?;
        let refund = self.store.refund_record(id).await?;
        let mut json = job_json(&job);
        json["creates"] = creates.iter().map(create_json).collect();
        json["callback"] = callback.as_ref().map_or(Value::Null, callback_json);
        json["refund"] = refund.as_ref().map_or(Value::Null, refunds::refund_json);
        let mut text = job_text(&job, callback.as_ref());
        if !creates.is_empty() {
            text = format!("{text}\n\n{}", creates_text(&creates));
        }
        if let Some(refund) = &refund {
            text = format!("{text}\n\n{}", refunds::refund_text(refund));
        }
        Ok(Said { json, text })
    }

    /// Has a failed job run once more, instead of the refund that nobody has claimed. `time`: how long it may take;
    /// `None`: as long as it might before.
    pub async fn retry_job(&self, named: &str, time: Option<Duration>) -> Result<Said, OperatorError> {
        let id = self.find(named).await?;
        let time = time.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 4));
        let refused = |why: String| Err(OperatorError::Refused(why));
        match self.store.retry_job(id, self.now, time).await? {
            Retried::Queued(job) => {
                let deadline = rfc3339(job.deadline_at);
                Ok(Said {
                    json: json!({"job": id.to_string(), "state": "queued", "refund": "cancelled", "deadline_at": deadline}),
                    text: format!(
                        "The job {id} is in the queue again and has until {deadline}. Its refund is cancelled, and owed \
                         again if it fails. A gateway at work takes it up within seconds, another one when it starts."
                    ),
                })
            }
            Retried::NotFailed(state) => {
                refused(format!("the job is {state}: only one that has failed can be run once more"))
            }
            Retried::Claimed(status) => refused(format!(
                "the refund is {status}: the job cannot be run once more, or its caller would have both the result and the money"
            )),
            Retried::NoInput => refused(
                "what the job needs to run is not there any more, or never was: inputs of failed jobs are kept for \
                 artifacts.retention_days, and until their refund is paid"
                    .into(),
            ),
            Retried::Unknown => refused("there is no such job".into()),
        }
    }

    /// Ends an open job as failed and owed back.
    pub async fn fail_job(&self, named: &str, failure: Failure) -> Result<Said, OperatorError> {
        let id = self.find(named).await?;
        match self.store.fail_job(id, Failed { failure, finished_at: self.now }).await? {
            Failing::Failed(job) => Ok(said_failed(id, failure, i64::try_from(job.amount.msat()).unwrap_or(i64::MAX))),
            Failing::Ended(state) => Err(OperatorError::Refused(format!("the job has ended already: it is {state}"))),
            Failing::Unknown => Err(OperatorError::Refused("there is no such job".into())),
        }
    }
}

fn said_failed(id: JobId, failure: Failure, msat: i64) -> Said {
    Said {
        json: json!({"job": id.to_string(), "state": "failed", "failure": failure.name(), "refund": "available"}),
        text: format!(
            "The job {id} has failed, and {} sats are owed back to whoever holds its credential. A generation that is under \
             way at a provider may cost you all the same.",
            sats(msat)
        ),
    }
}

pub(super) fn time_json(time: Option<i64>) -> Value {
    time.map_or(Value::Null, |time| rfc3339(time).into())
}

fn job_json(job: &JobRecord) -> Value {
    json!({
        "job": job.id, "payment_hash": job.payment_hash, "service": job.service, "state": job.state,
        "amount_msat": job.amount_msat, "route": job.route, "failure": job.failure, "refund": job.refund,
        "created_at": rfc3339(job.created_at), "finished_at": time_json(job.finished_at),
        "deadline_at": rfc3339(job.deadline_at), "run_after": rfc3339(job.run_after), "leased": job.is_leased,
        "attempt": job.attempt, "dispatches": job.dispatches, "failures": job.failures,
        "retried_at": time_json(job.retried_at), "expires_at": time_json(job.expires_at),
        "swept_at": time_json(job.swept_at), "has_input": job.has_input,
    })
}

fn create_json(create: &CreateRecord) -> Value {
    json!({
        "seq": create.seq, "route": create.route, "account": create.account, "sent_at": rfc3339(create.sent_at),
        "upstream_id": create.upstream_id, "charged_micros": create.charged_micros, "cost_msat": create.cost_msat,
    })
}

fn callback_json(callback: &CallbackRecord) -> Value {
    json!({"tries": callback.tries, "due_at": time_json(callback.due_at), "outcome": callback.outcome})
}

fn job_text(job: &JobRecord, callback: Option<&CallbackRecord>) -> String {
    let is_open = job.finished_at.is_none();
    let told = callback.map(|callback| match (&callback.outcome, callback.due_at) {
        (Some(outcome), _) => format!("{outcome} after {} tries", callback.tries),
        (None, Some(due_at)) => format!("tried {} times, next at {}", callback.tries, rfc3339(due_at)),
        (None, None) => "when the job ends".to_owned(),
    });
    list(&[
        ("job", Some(job.id.clone())),
        ("payment hash", Some(job.payment_hash.clone())),
        ("service", Some(job.service.clone())),
        ("paid", Some(format!("{} sats", sats(job.amount_msat)))),
        ("state", Some(job.state.clone())),
        ("failure", job.failure.clone()),
        ("route", job.route.clone()),
        ("redeemed", Some(rfc3339(job.created_at))),
        ("run once more", job.retried_at.map(rfc3339)),
        ("ended", job.finished_at.map(rfc3339)),
        ("deadline", Some(rfc3339(job.deadline_at))),
        ("due", is_open.then(|| rfc3339(job.run_after))),
        ("worked on", is_open.then(|| if job.is_leased { "yes".into() } else { "no".into() })),
        ("attempts", Some(job.attempt.to_string())),
        ("creates", Some(job.dispatches.to_string())),
        ("result until", job.expires_at.map(rfc3339)),
        ("result deleted", job.swept_at.map(rfc3339)),
        (
            "can be retried",
            job.failure.is_some().then(|| {
                if job.has_input { "while the refund is available".into() } else { "no: its input is gone".into() }
            }),
        ),
        ("callback", told),
    ])
}

fn creates_text(creates: &[CreateRecord]) -> String {
    let row = |create: &CreateRecord| {
        let id = create.upstream_id.clone().unwrap_or_default();
        let cost = create.cost_msat.map(sats).unwrap_or_default();
        vec![create.seq.to_string(), rfc3339(create.sent_at), create.route.clone(), create.account.clone(), cost, id]
    };
    let rows: Vec<_> = creates.iter().map(row).collect();
    table(&["CREATE", "SENT", "ROUTE", "ACCOUNT", "COST", "GENERATION"], &rows)
}
