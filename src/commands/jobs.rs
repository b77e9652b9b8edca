//! `satforge jobs`.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use satforge::domain::{Failure, JobId};
use satforge::operator;
use satforge::store::Wanted;

use super::place::{Form, Place};

const STATES: [&str; 7] = ["open", "queued", "dispatching", "running", "storing", "succeeded", "failed"];
const SERVICES: [&str; 2] = ["video", "3d-model"];
/// Why the operator may end a job.
const REASONS: [&str; 5] =
    ["operator_fault", "generation_failed", "content_rejected", "deadline_exceeded", "result_unusable"];

/// Looks at jobs, has failed ones run once more, and ends open ones.
///
/// All of it works beside a running gateway as well as on a stopped one. JOB is the id that the log shows, the job id that
/// the caller knows, or the payment hash.
#[derive(Subcommand)]
pub enum Jobs {
    /// Lists jobs, newest first.
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Only those in this state; `open` is every one that has not ended.
        #[arg(long, value_parser = PossibleValuesParser::new(STATES))]
        state: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Shows all that is known of a job: its creates and what they cost, its refund, its callback. No prompt, no image.
    Show {
        /// The job.
        job: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
    },
    /// Has a failed job run once more, instead of the refund.
    ///
    /// Only while nobody has claimed the refund: it is cancelled in the same step, so nobody gets both the result and the
    /// money. If the job fails again, it is owed again. What the job needs is kept for `artifacts.retention_days` after it has
    /// failed. It gets as much time as it had, and creates cost you anew.
    ///
    /// The caller who presents the credential again waits for the result as at first. A callback that was delivered, or
    /// given up, is not made a second time.
    Retry {
        /// The job.
        job: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// How long it may take from now on, such as 30m, instead of as long as it might before.
        #[arg(long, value_name = "TIME", value_parser = operator::seconds)]
        time: Option<Duration>,
    },
    /// Ends an open job as failed: what was paid is owed back.
    ///
    /// A running gateway notices within seconds, tells whoever waits, and cancels the generation where the provider can.
    Fail {
        /// The job.
        job: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Why, as it stands in the database, the log and the metrics. Callers are told `CONTENT_REJECTED` or
        /// `GENERATION_FAILED`.
        #[arg(long, default_value = "operator_fault", value_parser = PossibleValuesParser::new(REASONS))]
        reason: String,
    },
}

/// Which rows of a list.
#[derive(Args)]
pub struct Page {
    /// Only those of this service.
    #[arg(long, value_parser = PossibleValuesParser::new(SERVICES))]
    service: Option<String>,
    /// The most rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those that are older than this job (its id in the log): the last of the page before.
    #[arg(long, value_name = "JOB")]
    before: Option<String>,
}

impl Page {
    /// The rows in `state`.
    pub fn wanted(&self, state: Option<String>) -> anyhow::Result<Wanted> {
        let before = self.before.as_deref().map(JobId::parse).transpose();
        let before = before.map_err(|_| anyhow::anyhow!("--before takes the id of a job, as the list shows it"))?;
        Ok(Wanted { state, service: self.service.clone(), before, limit: self.limit.into() })
    }
}

/// Does what was typed.
pub async fn run(jobs: Jobs) -> anyhow::Result<()> {
    let (place, form) = match &jobs {
        Jobs::List { place, form, .. }
        | Jobs::Show { place, form, .. }
        | Jobs::Retry { place, form, .. }
        | Jobs::Fail { place, form, .. } => (place, form),
    };
    let operator = place.open().await?;
    let said = match &jobs {
        Jobs::List { state, page, .. } => operator.list_jobs(&page.wanted(state.clone())?).await,
        Jobs::Show { job, .. } => operator.show_job(job).await,
        Jobs::Retry { job, time, .. } => operator.retry_job(job, *time).await,
        Jobs::Fail { job, reason, .. } => {
            let failure = Failure::from_name(reason).unwrap_or(Failure::OperatorFault);
            operator.fail_job(job, failure).await
        }
    };
    operator.close().await;
    form.print(&said?);
    Ok(())
}
