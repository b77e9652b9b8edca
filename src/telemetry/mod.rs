//! Log lines and metrics.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `satforge_challenges_total` | counter | `service`, `code` |
//! | `satforge_challenges_failed_total` | counter | |
//! | `satforge_refused_total` | counter | `limit` |
//! | `satforge_delayed_total` | counter | |
//! | `satforge_open_invoices`, `satforge_connections_open` | gauge | |
//! | `satforge_invoice_seconds` | histogram | |
//! | `satforge_invoices_made_total`, `satforge_invoices_settled_total`, `satforge_invoices_expired_total` | counter | |
//! | `satforge_settlement_seconds` | histogram | |
//! | `satforge_pooled_invoices` | gauge | |
//! | `satforge_lightning_seconds` | histogram | `operation` |
//! | `satforge_lightning_failures_total` | counter | `backend`, `kind` |
//! | `satforge_lightning_circuit_open` | gauge | |
//! | `satforge_redemptions_total` | counter | `service` |
//! | `satforge_jobs_open` | gauge | `state`, `provider` |
//! | `satforge_queue_age_seconds` | gauge | |
//! | `satforge_jobs_ended_total` | counter | `service`, `outcome` |
//! | `satforge_job_seconds` | histogram | `service` |
//! | `satforge_job_retries_total` | counter | `service` |
//! | `satforge_dispatches_total` | counter | `provider` |
//! | `satforge_provider_seconds` | histogram | `provider`, `operation` |
//! | `satforge_cost_msat_total`, `satforge_earned_msat_total` | counter | `service`, `provider` |
//! | `satforge_webhooks_total` | counter | `provider`, `outcome` |
//! | `satforge_refunds_due`, `satforge_refunds_due_sats` | gauge | |
//! | `satforge_refund_payments_total` | counter | `outcome` |
//! | `satforge_refund_fees_msat_total` | counter | |
//! | `satforge_callbacks_total` | counter | `outcome` |
//! | `satforge_route_circuit_open` | gauge | `route`, `service` |
//! | `satforge_http_seconds` | histogram | `route`, `status` |
//!
//! Architecture invariant: no secret, preimage, macaroon, prompt, image, public job id or result's name stands in a log
//! line or a label. Types that hold one do not show it in `Debug`, and paths are logged as routes.

mod writer;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogConfig, LogFormat};

pub use writer::{LogGuard, LogWriter};

/// Upper bounds of the histograms' buckets, in seconds: from a cached answer to a long generation.
const BUCKETS: [f64; 17] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

/// Telemetry that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse; `check` refuses such a configuration.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else has set a subscriber.
    #[error("logging was set up twice")]
    Twice,
    /// The metrics cannot be collected.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// Sends log lines to `writer` from now on, once per process.
pub fn start_logging<W>(config: &LogConfig, writer: W) -> Result<(), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(&config.filter)?).with_writer(writer);
    let started = match config.format {
        LogFormat::Pretty => builder.with_ansi(std::io::stdout().is_terminal()).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    started.map_err(|_| TelemetryError::Twice)
}

static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// Folds what was recorded into buckets. Without it every single value would be kept until somebody reads the metrics.
pub fn tidy() {
    if let Some(Ok(handle)) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// The process's metrics; they are collected from the first call on.
pub fn metrics() -> Result<PrometheusHandle, TelemetryError> {
    HANDLE.get_or_init(|| install().map_err(|error| error.to_string())).clone().map_err(TelemetryError::Metrics)
}

fn install() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("satforge_challenges_total", "Challenges handed out.");
    describe_counter!("satforge_challenges_failed_total", "Challenges that the Lightning backend made impossible.");
    describe_counter!("satforge_refused_total", "Requests and connections refused by a limit.");
    describe_counter!("satforge_delayed_total", "Refusals that were delayed, because there were so many.");
    describe_gauge!("satforge_open_invoices", "Unpaid invoices, where they are limited.");
    describe_gauge!("satforge_connections_open", "Connections of callers.");
    describe_histogram!("satforge_invoice_seconds", Unit::Seconds, "Time to make a challenge, mostly the invoice.");
    describe_counter!("satforge_invoices_made_total", "Invoices that the Lightning backend has made.");
    describe_counter!("satforge_invoices_settled_total", "Handed-out invoices that were seen to be paid.");
    describe_counter!("satforge_invoices_expired_total", "Handed-out invoices that were seen not to be paid in time.");
    describe_histogram!("satforge_settlement_seconds", Unit::Seconds, "Time from a challenge to its payment.");
    describe_gauge!("satforge_pooled_invoices", "Invoices that are kept ready.");
    describe_histogram!("satforge_lightning_seconds", Unit::Seconds, "Time of calls to the Lightning backend.");
    describe_counter!("satforge_lightning_failures_total", "Calls to the Lightning backend that failed.");
    describe_gauge!("satforge_lightning_circuit_open", "1 while the Lightning backend is given a rest.");
    describe_counter!("satforge_redemptions_total", "Payments redeemed.");
    describe_gauge!("satforge_jobs_open", "Jobs that have not ended.");
    describe_gauge!("satforge_queue_age_seconds", Unit::Seconds, "Age of the oldest job that waits to be taken up.");
    describe_counter!("satforge_jobs_ended_total", "Jobs that have ended.");
    describe_histogram!("satforge_job_seconds", Unit::Seconds, "Time from redemption to the end of a job.");
    describe_counter!("satforge_job_retries_total", "Jobs that went back to the queue.");
    describe_counter!("satforge_dispatches_total", "Creates sent to providers.");
    describe_histogram!("satforge_provider_seconds", Unit::Seconds, "Time of calls to providers.");
    describe_counter!("satforge_cost_msat_total", "What generations with a result cost, as configured.");
    describe_counter!("satforge_earned_msat_total", "What callers paid for results that were delivered.");
    describe_counter!("satforge_webhooks_total", "Webhooks of providers.");
    describe_gauge!("satforge_refunds_due", "Refunds that have not been paid.");
    describe_counter!("satforge_refund_payments_total", "Attempts to pay a refund, and looks at what became of one.");
    describe_counter!("satforge_refund_fees_msat_total", "What routing refunds has cost.");
    describe_gauge!("satforge_refunds_due_sats", "Sats that are owed back.");
    describe_counter!("satforge_callbacks_total", "Tries to tell a caller of a job's end.");
    describe_gauge!("satforge_route_circuit_open", "1 while this route is closed, for whatever reason.");
    describe_histogram!("satforge_http_seconds", Unit::Seconds, "Time until a response begins.");
}
