//! What `satforge check` looks at: all that a start would refuse, and with `--live` the Lightning backend, the bucket and
//! the routes themselves.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::artifacts::ArtifactStore;
use crate::clock::Clock;
use crate::config::{Config, LightningConfig, PoolConfig, StorageConfig};
use crate::domain::{Caller, Invoice, Msat, PaymentHash};
use crate::lightning::{FaultKind, FeeLimit, Guarded, InvoiceState, Invoices, LightningBackend, NodeError};
use crate::store::Store;

use super::preconditions::{refuse_dropped_keys, tls_acceptor};
use super::{catalog, lightning, models};

/// What a wallet shows of an invoice that nobody should pay.
const DESCRIPTION: &str = "satforge check, not to be paid";

/// Says what [`super::App::start`] would refuse, without starting and without writing anything.
pub async fn check(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    config.server.tls.as_ref().map(tls_acceptor).transpose()?;
    lightning::choose(config, clock)?;
    models::check(config, clock)?;
    catalog(config, &config.routes)?;
    if let StorageConfig::S3(bucket) = &config.artifacts.storage {
        ArtifactStore::for_trial(bucket)?;
    }
    if !Store::exists(&config.data_dir) {
        return Ok(());
    }
    let store = Store::open_unchanged(&config.data_dir).await.context("cannot open the database")?;
    let checked = refuse_dropped_keys(config, &store, &**clock).await;
    store.close().await;
    checked
}

/// Tries the Lightning backend: makes an invoice, checks it as a start would, and looks it up. Then tries every route with
/// calls that cost nothing, and the bucket, if results are kept in one. `say` is told what to tell the operator, line by line.
///
/// Errors with a sentence that names the key of the configuration to look at, where that is known.
pub async fn check_live(
    config: &Config,
    clock: &Arc<dyn Clock>,
    say: &mut (dyn FnMut(String) + Send),
) -> anyhow::Result<()> {
    let (backend, _) = lightning::choose(config, clock)?;
    backend.health().await?;
    // An invoice from the shelf would not show whether the backend makes any.
    let settings =
        LightningConfig { pool: PoolConfig { size: Some(0), ..config.lightning.pool }, ..config.lightning.clone() };
    let node = Arc::new(Guarded::new(backend.clone(), &settings));
    let invoices = Invoices::new(node, clock.clone(), &settings, Vec::new());
    let began = Instant::now();
    let invoice = obtain(config, &invoices).await?;
    say(format!(
        "{}: made an invoice over {} sat on {} in {} ms.",
        backend.name(),
        invoice.amount.sat_rounded_up(),
        backend.network(),
        began.elapsed().as_millis()
    ));
    say(look_up(&*backend, &invoice).await?);
    // Some wallets tell what they allow only when they are asked.
    lightning::require_payer(config, &*backend)?;
    say(payouts(&*backend).await?.into());
    describe(&*backend, &invoice, clock.unix_seconds()).into_iter().for_each(&mut *say);
    models::try_out(config, clock, say).await?;
    storage(config).await?.into_iter().for_each(say);
    Ok(())
}

/// What to say of the bucket, if results are kept in one.
async fn storage(config: &Config) -> anyhow::Result<Option<String>> {
    let StorageConfig::S3(bucket) = &config.artifacts.storage else { return Ok(None) };
    Ok(ArtifactStore::for_trial(bucket)?.try_out(rand::random()).await?.map(str::to_owned))
}

/// An invoice over one sat, or over the lowest price where the backend makes none so small.
async fn obtain(config: &Config, invoices: &Invoices) -> anyhow::Result<Invoice> {
    let smallest = Msat::from_sat(1)?;
    let caller = Caller::at(Ipv4Addr::LOCALHOST.into());
    match invoices.obtain(smallest, DESCRIPTION, caller).await {
        Err(NodeError::Backend(error)) if error.kind == FaultKind::Refused => {
            let prices = catalog(config, &config.routes)?.quotes().into_iter().map(|quote| quote.amount);
            let Some(price) = prices.min() else { bail!(error) };
            Ok(invoices.obtain(price, DESCRIPTION, caller).await?)
        }
        made => Ok(made?),
    }
}

async fn look_up(backend: &dyn LightningBackend, invoice: &Invoice) -> anyhow::Result<String> {
    if !backend.capabilities().lookup {
        return Ok("It cannot say what became of an invoice: the books stay open, purchases do not need it.".into());
    }
    match backend.lookup(&invoice.payment_hash).await? {
        InvoiceState::Open => Ok("It finds that invoice again, unpaid.".into()),
        state => bail!("{}: the invoice that was just made is said to be {state:?}", backend.name()),
    }
}

/// What to know of refunds. Errors where the credentials that are to pay them out are not accepted: a look for a payment
/// that nobody has made needs no more than they have to allow anyway.
async fn payouts(backend: &dyn LightningBackend) -> anyhow::Result<&'static str> {
    if !backend.capabilities().pay {
        return Ok("It may not pay out refunds with these credentials.");
    }
    backend.lookup_outgoing(&PaymentHash::from_bytes([0; 32])).await?;
    Ok(match backend.capabilities().fee_limit {
        FeeLimit::Enforced => "It may pay out refunds.",
        FeeLimit::Estimated => {
            "It may pay out refunds, and estimates what routing costs, which is no limit: keep little money in it."
        }
        FeeLimit::Own => "It may pay out refunds, and does not limit what routing costs: set a budget in the wallet.",
    })
}

fn describe(backend: &dyn LightningBackend, invoice: &Invoice, now: u64) -> Vec<String> {
    let able = backend.capabilities();
    let lives = Duration::from_secs(invoice.expires_at.saturating_sub(now));
    let kept = if able.free_invoices {
        "Some invoices are kept ready, unless lightning.pool.size says otherwise."
    } else {
        "No invoices are kept ready, unless lightning.pool.size says otherwise."
    };
    vec![format!("Its invoices can be paid for {} s.", lives.as_secs()), kept.into()]
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::lightning::{
        BackendError, Capabilities, ExpiryRule, InvoiceRequest, Network, OutgoingState, Payment, PaymentOrder,
    };

    /// A backend of which only payouts are asked.
    struct Payer {
        pay: bool,
        fee_limit: FeeLimit,
        found: Result<OutgoingState, FaultKind>,
    }

    #[async_trait]
    impl LightningBackend for Payer {
        fn name(&self) -> &'static str {
            "payer"
        }

        fn network(&self) -> Network {
            Network::Regtest
        }

        fn capabilities(&self) -> Capabilities {
            let (pay, fee_limit, expiry) = (self.pay, self.fee_limit, ExpiryRule::AsAsked);
            Capabilities { lookup: true, pay, fee_limit, msat: true, expiry, free_invoices: true }
        }

        async fn create_invoice(&self, _: InvoiceRequest) -> Result<Invoice, BackendError> {
            unreachable!("it only pays")
        }

        async fn lookup(&self, _: &PaymentHash) -> Result<InvoiceState, BackendError> {
            unreachable!("it only pays")
        }

        async fn pay(&self, _: &PaymentOrder) -> Payment {
            unreachable!("nothing is paid to try it")
        }

        async fn lookup_outgoing(&self, _: &PaymentHash) -> Result<OutgoingState, BackendError> {
            self.found.clone().map_err(|kind| BackendError::new("payer", kind, "lightning.payer.key: no such key"))
        }

        async fn health(&self) -> Result<(), BackendError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_key_that_must_not_pay_is_brought_out() {
        let payer = |found| Payer { pay: true, fee_limit: FeeLimit::Enforced, found };
        for found in [OutgoingState::NotFound, OutgoingState::InFlight] {
            assert_eq!(payouts(&payer(Ok(found))).await.unwrap(), "It may pay out refunds.");
        }
        let refused = payouts(&payer(Err(FaultKind::Unauthorised))).await.unwrap_err();
        assert_eq!(refused.to_string(), "lightning.payer.key: no such key");
        let unable = Payer { pay: false, ..payer(Err(FaultKind::Unsupported)) };
        assert_eq!(payouts(&unable).await.unwrap(), "It may not pay out refunds with these credentials.");
    }

    #[tokio::test]
    async fn what_a_refund_may_cost_is_said() {
        let payer = |fee_limit| Payer { pay: true, fee_limit, found: Ok(OutgoingState::NotFound) };
        assert_eq!(
            payouts(&payer(FeeLimit::Own)).await.unwrap(),
            "It may pay out refunds, and does not limit what routing costs: set a budget in the wallet."
        );
        let estimated = payouts(&payer(FeeLimit::Estimated)).await.unwrap();
        assert!(estimated.contains("no limit"), "{estimated}");
    }
}
