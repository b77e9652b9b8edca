//! The providers that the configuration names, and the routes through them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::clock::Clock;
use crate::config::{Config, ProviderConfig, ProviderKind};
use crate::domain::ServiceId;
use crate::providers::cog::Cog;
use crate::providers::fal::Fal;
use crate::providers::meshy::Meshy;
use crate::providers::openrouter::OpenRouter;
use crate::providers::replicate::Replicate;
use crate::providers::sandbox::SandboxProvider;
use crate::providers::tripo::Tripo;
use crate::providers::videos::Videos;
use crate::providers::{Account, Provider, ProviderError, Providers, Route, SetupError};

use super::Refused;

/// The time that a provider has to answer `satforge check --live`.
const TRIAL: Duration = Duration::from_secs(20);

/// Some calls are two requests, and each waits a little for its turn.
const REQUESTS_A_CALL: u32 = 3;

/// Builds the routes of `config`; nothing is sent yet. Errors where an account's settings cannot be used.
pub(super) fn choose(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Providers> {
    let mut routes = named(config, clock, Purpose::Work)?;
    let simulated: Vec<_> = ServiceId::ALL.into_iter().filter(|service| config.simulated(*service)).collect();
    if !simulated.is_empty() {
        let folder = config.data_dir.join("sandbox");
        let sandbox = SandboxProvider::new(&folder, clock.clone(), config.sandbox.generation_time)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        let sandbox: Arc<dyn Provider> = Arc::new(sandbox);
        routes.extend(simulated.into_iter().map(|service| Route::plain(service, sandbox.clone())));
    }
    Ok(Providers::of(routes))
}

/// Says what an account's settings make impossible. Nothing is sent or written.
pub(super) fn check(config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Refused> {
    named(config, clock, Purpose::Trial).map(drop)
}

/// Tries every route with calls that cost nothing. `say` is told what to tell the operator, line by line.
///
/// Errors with all that must be mended, each with its key.
pub(super) async fn try_out(
    config: &Config,
    clock: &Arc<dyn Clock>,
    say: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<()> {
    let mut bad = Vec::new();
    for route in named(config, clock, Purpose::Trial)? {
        let settings = route.settings();
        let asked = tokio::time::timeout(TRIAL, route.provider().probe(&settings.model)).await;
        let what = format!("{} route {} (providers.{})", settings.service, settings.name, settings.provider);
        match asked {
            Ok(Ok(())) => say(format!("{what}: would take a request now, as far as it tells for free.")),
            Ok(Err(ProviderError::OperatorFault(message))) => bad.push(format!("{what}: {message}")),
            Ok(Err(error)) => bad.push(format!("{what}: takes no requests now: {error}")),
            Err(_) => bad.push(format!("{what}: no answer within {} seconds", TRIAL.as_secs())),
        }
    }
    if bad.is_empty() { Ok(()) } else { bail!(bad.join("\n")) }
}

/// What adapters are built for.
#[derive(Clone, Copy)]
enum Purpose {
    Work,
    /// Nothing of the data directory is touched: a gateway may be running on it.
    Trial,
}

/// The routes that stand in the configuration.
fn named(config: &Config, clock: &Arc<dyn Clock>, purpose: Purpose) -> Result<Vec<Route>, Refused> {
    let refused = |error: SetupError| Refused(error.to_string());
    let mut accounts = HashMap::new();
    for account in &config.providers {
        accounts.insert(account.name.as_str(), (build(config, account, clock, purpose).map_err(refused)?, account));
    }
    let route = |settings: &crate::config::RouteConfig| {
        let (provider, account) = accounts.get(settings.provider.as_str())?;
        let account = Account {
            poll_interval: Some(account.poll_interval),
            gateway_url: account.gateway_url.clone(),
            time_limit: Some(account.timeout.saturating_mul(REQUESTS_A_CALL)),
            is_far: !account.near,
            is_own: account.near,
        };
        Some(Route::new(settings.clone(), provider.clone(), account))
    };
    Ok(config.routes.iter().filter_map(route).collect())
}

fn build(
    config: &Config,
    account: &ProviderConfig,
    clock: &Arc<dyn Clock>,
    purpose: Purpose,
) -> Result<Arc<dyn Provider>, SetupError> {
    let clock = clock.clone();
    Ok(match account.kind {
        ProviderKind::Replicate { .. } => Arc::new(Replicate::new(account, clock)?),
        ProviderKind::Fal { .. } => Arc::new(Fal::new(account, clock)?),
        ProviderKind::OpenRouter { .. } => Arc::new(OpenRouter::new(account, clock)?),
        ProviderKind::Videos { .. } => Arc::new(Videos::new(account, clock)?),
        ProviderKind::Cog { .. } => {
            let folder = config.data_dir.join("cog").join(&account.name);
            Arc::new(match purpose {
                Purpose::Work => Cog::new(account, &folder, clock)?,
                Purpose::Trial => Cog::on_trial(account, &folder, clock)?,
            })
        }
        ProviderKind::Meshy { .. } => Arc::new(Meshy::new(account, clock)?),
        ProviderKind::Tripo { .. } => Arc::new(Tripo::new(account, clock)?),
    })
}
