//! `satforge refunds`.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::jobs::Page;
use super::place::{Form, Place};

const STATUSES: [&str; 5] = ["due", "available", "claiming", "paid", "cancelled"];

/// Looks at refunds, and settles those that are paid by hand.
///
/// All of it works beside a running gateway as well as on a stopped one. JOB is the id that the log shows, the job id that
/// the caller knows, or the payment hash.
#[derive(Subcommand)]
pub enum Refunds {
    /// Lists refunds, those of the newest jobs first.
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Only those of this status; `due` is every one that was not paid.
        #[arg(long, value_parser = PossibleValuesParser::new(STATUSES))]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Shows a refund, and where it is to be paid to if that is yours to do.
    Show {
        /// The job.
        job: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
    },
    /// Writes down that you have paid a refund by hand. From then on nobody can claim it.
    Settle {
        /// The job.
        job: String,
        /// How it was paid, for your books.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Also one that a backend was told to pay. Its payment may still arrive: ask the backend itself first.
        #[arg(long)]
        force: bool,
    },
    /// Makes a refund that was claimed and that you were to pay by hand claimable again, because it cannot be paid so.
    Release {
        /// The job.
        job: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// Also one that a backend was told to pay. If its payment arrives after all, the next claim pays a second time: only
        /// when the backend itself says that it has failed for good.
        #[arg(long)]
        force: bool,
    },
}

/// Does what was typed.
pub async fn run(refunds: Refunds) -> anyhow::Result<()> {
    let (place, form) = match &refunds {
        Refunds::List { place, form, .. }
        | Refunds::Show { place, form, .. }
        | Refunds::Settle { place, form, .. }
        | Refunds::Release { place, form, .. } => (place, form),
    };
    let operator = place.open().await?;
    let said = match &refunds {
        Refunds::List { status, page, .. } => operator.list_refunds(&page.wanted(status.clone())?).await,
        Refunds::Show { job, .. } => operator.show_refund(job).await,
        Refunds::Settle { job, note, force, .. } => operator.settle_refund(job, note, *force).await,
        Refunds::Release { job, force, .. } => operator.release_refund(job, *force).await,
    };
    operator.close().await;
    form.print(&said?);
    Ok(())
}
