//! What can be typed behind `satforge`.

mod dev;
mod jobs;
mod keep;
mod place;
mod refunds;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use satforge::app::App;
use satforge::clock::SystemClock;
use satforge::config::{Config, DevOptions, ServerConfig};
use satforge::telemetry::LogWriter;
use satforge::{shutdown, telemetry};

/// Sells AI generation by the call for bitcoin over Lightning (L402).
///
/// Callers POST JSON, get 402 with a macaroon and an invoice, pay, and send the same bytes again with the proof of
/// payment. No accounts, no API keys.
///
/// Begin with `satforge dev`: it needs no configuration, no node and no model keys.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs a gateway whose payments and models are simulated: real invoices on regtest, real media files, no money.
    Dev {
        /// Address and port for callers [default: 127.0.0.1:4020]; port 0 takes a free one. Anything but loopback needs
        /// --public-sandbox.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Where the database, the results and the key are kept [default: ./satforge-data]; made when it is missing.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// The URL that callers see, if it is not the address listened on.
        #[arg(long, value_name = "URL")]
        public_url: Option<String>,
        /// Lets other machines pay with the sandbox's wallet.
        #[arg(long)]
        public_sandbox: bool,
    },
    /// Runs the gateway that a configuration file describes. SATFORGE_… variables override its keys.
    Serve {
        /// The file; satforge.example.toml documents every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Says everything that `serve` would refuse, without serving.
    Check {
        /// The file to check.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Also asks the Lightning backend for an invoice over one sat, which nobody should pay, and looks it up, and
        /// writes, reads and deletes a file of 5 MiB where results are kept in a bucket.
        #[arg(long)]
        live: bool,
    },
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    #[command(subcommand)]
    Refunds(refunds::Refunds),
    Report(keep::Report),
    Backup(keep::Backup),
    #[command(subcommand)]
    Keys(keep::Keys),
}

impl Command {
    /// Does what was typed.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        match self.action {
            Action::Dev { listen, data_dir, public_url, public_sandbox } => {
                let options = DevOptions { listen, data_dir, public_url, public_sandbox };
                runtime.block_on(dev::run(options))
            }
            Action::Serve { config } => runtime.block_on(serve::run(&config)),
            Action::Check { config, live } => runtime.block_on(serve::check(&config, live)),
            Action::Jobs(action) => runtime.block_on(jobs::run(action)),
            Action::Refunds(action) => runtime.block_on(refunds::run(action)),
            Action::Report(action) => runtime.block_on(keep::report(action)),
            Action::Backup(action) => runtime.block_on(keep::backup(action)),
            Action::Keys(action) => runtime.block_on(keep::keys(action)),
        }
    }
}

/// Writes an error for the person at the terminal.
#[expect(clippy::print_stderr, reason = "this is the program's last word")]
pub fn report(error: &anyhow::Error) {
    eprintln!("satforge: {error:#}");
}

/// Starts the gateway, calls `started`, and stops when the process is asked to.
async fn run_until_signal(mut config: Config, started: impl FnOnce(&App)) -> anyhow::Result<()> {
    // Dropped last: the lines about stopping are written out as well.
    let (log, _guard) = LogWriter::start(std::io::stdout())?;
    telemetry::start_logging(&config.log, log)?;
    limit_connections(&mut config.server);
    // Collected from the first request on, whether or not anybody reads them.
    telemetry::metrics()?;
    // Before anything is served: a stop that comes at once is as polite as a later one.
    let asked_to_stop = shutdown::signals()?;
    let app = App::start(config, Arc::new(SystemClock)).await?;
    started(&app);
    tracing::info!(server.address = %app.address, server.public_url = app.public_url,
        metrics.address = app.metrics_address.map(tracing::field::display), "serving");
    asked_to_stop.await;
    tracing::info!("stopping; open jobs go on at the next start");
    let asked_again = shutdown::signals()?;
    tokio::select! {
        () = app.stop() => {}
        // At once. Nothing is lost by it.
        () = asked_again => {}
    }
    Ok(())
}

/// File descriptors that are not for connections: the database, results on their way, the log.
const OTHER_FILES: usize = 256;

/// Each connection needs a file descriptor, and so does the work: strangers' connections must not use up all of them.
fn limit_connections(server: &mut ServerConfig) {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    let affordable = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(16);
    if affordable < server.max_connections {
        tracing::info!(
            server.max_connections,
            affordable,
            "the limit of open files (ulimit -n) allows fewer connections"
        );
        server.max_connections = affordable;
    }
}
