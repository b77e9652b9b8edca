//! `satforge serve` and `satforge check`.

use std::path::Path;
use std::sync::Arc;

use satforge::app;
use satforge::clock::{Clock, SystemClock};
use satforge::config::Config;

/// Serves until the process is asked to stop.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    super::run_until_signal(Config::load(config)?, |_| {}).await
}

/// Says whether `serve` would start, and whether the Lightning backend works.
#[expect(clippy::print_stdout, reason = "the answer is what the command is for")]
pub async fn check(config: &Path, live: bool) -> anyhow::Result<()> {
    let loaded = Config::load(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    app::check(&loaded, &clock).await?;
    if live {
        app::check_live(&loaded, &clock, &mut |line| println!("{line}")).await?;
    }
    println!("{} is good.", config.display());
    Ok(())
}
