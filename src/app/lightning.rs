//! The Lightning backend that the configuration names, and the tasks around it.

use std::sync::Arc;

use crate::books::Books;
use crate::clock::Clock;
use crate::config::{Config, LightningBackendConfig, RefundMode};
use crate::http::gateway::Gateway;
use crate::lightning::blink::Blink;
use crate::lightning::cln::Cln;
use crate::lightning::lightning_address::LightningAddress;
use crate::lightning::lnbits::Lnbits;
use crate::lightning::lnd::Lnd;
use crate::lightning::nwc::Nwc;
use crate::lightning::opennode::OpenNode;
use crate::lightning::phoenixd::Phoenixd;
use crate::lightning::sandbox::SandboxLightning;
use crate::lightning::{LightningBackend, SetupError};
use crate::shutdown::Shutdown;

use super::Refused;

/// A backend, and the sandbox's wallet if that is what it is.
type Chosen = (Arc<dyn LightningBackend>, Option<Arc<SandboxLightning>>);

/// Builds the backend of `config`; nothing is sent to it yet. Errors where its settings cannot be used.
pub(super) fn choose(config: &Config, clock: &Arc<dyn Clock>) -> Result<Chosen, Refused> {
    let (network, timeout) = (config.lightning.network, config.lightning.invoice_timeout);
    let refused = |error: SetupError| Refused(error.to_string());
    let backend: Arc<dyn LightningBackend> = match &config.lightning.backend {
        LightningBackendConfig::Sandbox => {
            // The oldest key stays longest when secrets rotate, and with it the sandbox's node.
            let key = config.keys.all().last().unwrap_or(config.keys.newest());
            let sandbox = Arc::new(SandboxLightning::new(key, clock.clone()));
            return Ok((sandbox.clone(), Some(sandbox)));
        }
        LightningBackendConfig::Lnd(lnd) => Arc::new(Lnd::new(lnd, network, timeout, clock.clone()).map_err(refused)?),
        LightningBackendConfig::Blink(blink) => {
            Arc::new(Blink::new(blink, network, timeout, clock.clone()).map_err(refused)?)
        }
        LightningBackendConfig::OpenNode(opennode) => {
            Arc::new(OpenNode::new(opennode, network, timeout).map_err(refused)?)
        }
        LightningBackendConfig::Cln(cln) => Arc::new(Cln::new(cln, network, timeout, clock.clone()).map_err(refused)?),
        LightningBackendConfig::Phoenixd(phoenixd) => {
            Arc::new(Phoenixd::new(phoenixd, network, timeout).map_err(refused)?)
        }
        LightningBackendConfig::Lnbits(lnbits) => Arc::new(Lnbits::new(lnbits, network, timeout).map_err(refused)?),
        LightningBackendConfig::LightningAddress(address) => {
            Arc::new(LightningAddress::new(address, network, timeout).map_err(refused)?)
        }
        LightningBackendConfig::Nwc(nwc) => Arc::new(Nwc::new(nwc, network, timeout, clock.clone()).map_err(refused)?),
    };
    if config.lightning.require_settled && !backend.capabilities().lookup {
        let message = "lightning.require_settled: with its credentials this backend cannot say whether an invoice was \
                       paid, and nobody who paid would be served";
        return Err(Refused(message.into()));
    }
    require_payer(config, &*backend)?;
    Ok((backend, None))
}

/// Nobody is promised a refund that cannot be paid.
pub(super) fn require_payer(config: &Config, backend: &dyn LightningBackend) -> Result<(), Refused> {
    if config.refunds.mode == RefundMode::Manual || backend.capabilities().pay {
        return Ok(());
    }
    let message = "refunds: with these credentials the backend cannot pay anybody back: give it some that may, or set \
                   refunds = \"manual\" and pay by hand";
    Err(Refused(message.into()))
}

/// Starts what looks after the backend and its invoices.
pub(super) fn start(gateway: &Arc<Gateway>, lookups_per_second: f64, shutdown: &Shutdown) {
    let (node, invoices) = (gateway.invoices.node().clone(), gateway.invoices.clone());
    let books = Books::new(invoices.clone(), gateway.store.clone(), gateway.clock.clone(), lookups_per_second);
    let [watched, refilled, read] = std::array::from_fn(|_| shutdown.clone());
    shutdown.spawn(async move { node.watch(watched.soft()).await });
    shutdown.spawn(async move { invoices.refill(refilled.soft()).await });
    if let Some(books) = books {
        shutdown.spawn(async move { books.keep(read.soft()).await });
    }
}
