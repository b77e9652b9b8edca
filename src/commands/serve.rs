//! `satforge serve` and `satforge check`.

use std::path::Path;

use satforge::app;
use satforge::clock::SystemClock;
use satforge::config::Config;

/// Serves until the process is asked to stop.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    super::run_until_signal(Config::load(config)?, |_| {}).await
}

/// Says whether `serve` would start.
#[expect(clippy::print_stdout, reason = "the answer is what the command is for")]
pub async fn check(config: &Path) -> anyhow::Result<()> {
    let loaded = Config::load(config)?;
    app::check(&loaded, &SystemClock).await?;
    println!("{} is good.", config.display());
    Ok(())
}
