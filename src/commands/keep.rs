//! `satforge report`, `satforge backup` and `satforge keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use satforge::clock::{Clock as _, SystemClock, signed_millis};
use satforge::config::{Config, DevOptions};
use satforge::operator;

use super::place::{Form, Place};

/// The books: what was invoiced, paid, delivered and is owed, and whether it all adds up.
///
/// A payment counts in the period in which it was redeemed, whatever became of it since. Where something does not add up,
/// the report names it and the jobs, and the exit status is 3.
#[derive(Args)]
pub struct Report {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
    /// From when on: a day (2026-11-20, in UTC), a moment (2026-11-20T12:00:00Z), or so long ago (12h, 7d). Without it,
    /// since ever.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when, exclusive; without it, until now.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Copies all that a restore needs, consistently, while the gateway may run.
///
/// That is the database, the inputs of jobs, and what providers left with the gateway. The secrets are never copied: keep
/// copies of them elsewhere, a backup is of no use without them. docs/operations.md tells how to restore.
#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
    /// The folder to make; it must not be there yet.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Copies the results as well.
    #[arg(long)]
    with_results: bool,
}

/// The gateway's secrets.
#[derive(Subcommand)]
pub enum Keys {
    /// Makes a new secret, and says what to write into the configuration and when the old one may go. Shows no secret.
    ///
    /// Without --write it only says what it would do. The configuration is yours to edit.
    Rotate {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        form: Form,
        /// The file to make, instead of one beside the newest secret's.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Makes the file.
        #[arg(long)]
        write: bool,
    },
}

/// Reports.
pub async fn report(report: Report) -> anyhow::Result<()> {
    let now = signed_millis(SystemClock.unix_millis());
    let moment = |typed: &Option<String>, option: &str| {
        let moment = typed.as_deref().map(|typed| operator::moment(typed, now)).transpose();
        moment.map_err(|error| anyhow::anyhow!("{option}: {error}"))
    };
    let (since, until) = (moment(&report.since, "--since")?, moment(&report.until, "--until")?);
    let operator = report.place.open().await?;
    let reported = operator.report(since, until).await;
    operator.close().await;
    let (said, balanced) = reported?;
    report.form.print(&said);
    Ok(balanced?)
}

/// Backs up.
pub async fn backup(backup: Backup) -> anyhow::Result<()> {
    let said = operator::backup(&backup.place.data_dir()?, &backup.to, backup.with_results).await?;
    backup.form.print(&said);
    Ok(())
}

/// Rotates secrets.
pub async fn keys(keys: Keys) -> anyhow::Result<()> {
    let Keys::Rotate { place, form, out, write } = keys;
    let config = if let Some(file) = place.config() {
        Config::load(file)?
    } else {
        let data_dir = place.data_dir()?;
        // A look must not make what it looks for.
        anyhow::ensure!(data_dir.is_dir(), "{} is not a directory", data_dir.display());
        Config::dev(DevOptions { data_dir: Some(data_dir), ..DevOptions::default() })?
    };
    form.print(&operator::rotate(&config, out, write, &SystemClock).await?);
    Ok(())
}
