//! Which data directory a tool works on, and how it answers.

use std::path::PathBuf;

use satforge::clock::SystemClock;
use satforge::config::Config;
use satforge::operator::{Operator, Said};

/// Where the gateway keeps everything.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Place {
    /// The configuration file that the gateway serves with; only `data_dir` is read of it, and no secret.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory itself, of `satforge dev` for instance.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// How to answer.
#[derive(clap::Args)]
pub struct Form {
    /// Answers in JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Place {
    /// The data directory.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        match (&self.data_dir, &self.config) {
            (Some(data_dir), _) => Ok(data_dir.clone()),
            (None, Some(config)) => Ok(Config::data_dir_of(config)?),
            (None, None) => anyhow::bail!("one of --config and --data-dir is needed"),
        }
    }

    /// The file, if one was named.
    pub const fn config(&self) -> Option<&PathBuf> {
        self.config.as_ref()
    }

    /// Opens the database.
    pub async fn open(&self) -> anyhow::Result<Operator> {
        Ok(Operator::open(&self.data_dir()?, &SystemClock).await?)
    }
}

impl Form {
    /// Prints what was said.
    #[expect(clippy::print_stdout, reason = "the answer is what the command is for")]
    pub fn print(&self, said: &Said) {
        println!("{}", said.render(self.json));
    }
}
