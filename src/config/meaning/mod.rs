//! What was typed becomes what is meant; what cannot be is refused under the path of its key.
//!
//! Every function here returns something whatever it was given, so that all problems are found in one go. What it
//! returns after a problem is never used: [`meaning`] gives out a [`Config`] only where there was none.

mod allowed;
mod artifacts;
mod lightning;
mod money;
mod pricing;
mod providers;
mod refunds;
mod routes;
mod server;
mod url;
mod work;

use std::net::SocketAddr;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::error::Problems;
use super::raw::{RawConfig, RawLog, RawLogFormat, RawSandbox};
use super::{Config, Environment, KeyRing, LogConfig, LogFormat, SandboxConfig, secret};
use allowed::DAY;

pub(crate) use lightning::is_near;

/// Which command asks: `dev` forgives what only matters to strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Dev,
    Serve,
}

/// The configuration that `raw` means, or everything that is wrong with it, `problems` included.
///
/// `keys` is asked last and sees the problems so far.
pub(super) fn meaning(
    raw: &RawConfig,
    mode: Mode,
    environment: &Environment,
    keys: impl FnOnce(&mut Problems) -> Option<KeyRing>,
    mut problems: Problems,
) -> Result<Config, Problems> {
    let p = &mut problems;
    check_data_dir(&raw.data_dir, p);
    let server = server::server(&raw.server, mode, p);
    let metrics_listen = metrics_listen(&raw.metrics.listen, server.listen, p);
    let log = log(&raw.log, p);
    let lightning = lightning::lightning(&raw.lightning, environment, p);
    let sandbox = sandbox(&raw.sandbox, p);
    let callbacks = money::callbacks(&raw.callbacks, mode, &sandbox, &lightning, &server, p);
    let services = pricing::services(&raw.services, callbacks, p);
    let providers = providers::providers(&raw.providers, environment, server.public_url.as_deref(), p);
    let routes = routes::Routes {
        services: &raw.services,
        sold: &services,
        providers: &raw.providers,
        accounts: &providers,
        public_url: server.public_url.as_deref(),
    };
    let routes = routes.meaning(p);
    let sale = money::Sale {
        sandbox: &sandbox,
        lightning: &lightning,
        server: &server,
        routes: &routes,
        providers: &providers,
    };
    let (unsold, local_only) = (sale.refuse_what_must_not_meet(p), sale.is_local_only());
    let limits = work::limits(&raw.limits, &services, p);
    let paywall = work::paywall(&raw.paywall, p);
    let refunds = refunds::refunds(raw.refunds, &raw.payouts, callbacks, p);
    let waiting = work::waiting(&raw.waiting, p);
    let jobs = work::jobs(&raw.jobs, p);
    let artifacts = artifacts::Section { raw: &raw.artifacts, data_dir: &raw.data_dir, environment }.meaning(p);
    match keys(p) {
        Some(keys) if problems.is_empty() => Ok(Config {
            server,
            metrics_listen,
            data_dir: raw.data_dir.clone(),
            log,
            keys,
            key_places: secret::places(&raw.keys.secrets, &raw.data_dir),
            lightning,
            paywall,
            local_only,
            refunds,
            services,
            limits,
            waiting,
            jobs,
            artifacts,
            callbacks,
            sandbox,
            providers,
            routes,
            unsold,
        }),
        _ => Err(problems),
    }
}

fn sandbox(raw: &RawSandbox, p: &mut Problems) -> SandboxConfig {
    SandboxConfig {
        public: raw.public,
        rehearsal: raw.rehearsal,
        generation_time: p.seconds("sandbox.generation_seconds", raw.generation_seconds, 0.0..=DAY),
    }
}

fn check_data_dir(data_dir: &Path, problems: &mut Problems) {
    if data_dir.as_os_str().is_empty() {
        problems.add("data_dir", "this must name a directory");
    } else if data_dir.exists() && !data_dir.is_dir() {
        problems.add("data_dir", format!("{} is not a directory", data_dir.display()));
    }
}

fn metrics_listen(typed: &str, server: SocketAddr, problems: &mut Problems) -> Option<SocketAddr> {
    const PATH: &str = "metrics.listen";
    if typed == "off" {
        return None;
    }
    let Ok(listen) = typed.parse::<SocketAddr>() else {
        problems.add(PATH, "this must be an address and a port, such as 127.0.0.1:9464, or \"off\"");
        return None;
    };
    let one_address = listen.ip() == server.ip() || listen.ip().is_unspecified() || server.ip().is_unspecified();
    if listen.port() != 0 && listen.port() == server.port() && one_address {
        problems.add(PATH, format!("{listen} is taken by server.listen; metrics need a port of their own"));
    }
    Some(listen)
}

fn log(raw: &RawLog, problems: &mut Problems) -> LogConfig {
    if raw.filter.trim().is_empty() {
        problems.add("log.filter", "this must say what is logged, such as \"info\" or \"off\"");
    } else if let Err(error) = EnvFilter::try_new(&raw.filter) {
        problems.add("log.filter", format!("this is no filter: {error}"));
    }
    let format = match raw.format {
        RawLogFormat::Pretty => LogFormat::Pretty,
        RawLogFormat::Json => LogFormat::Json,
    };
    LogConfig { format, filter: raw.filter.clone() }
}
