//! What the benchmarks sell, buy and compare with.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use satforge::app::Backends;
use satforge::clock::Clock;
use satforge::config::{Config, DevOptions, Environment};
use satforge::domain::{Invoice, Msat, PaymentHash};
use satforge::lightning::sandbox::SandboxLightning;
use satforge::lightning::{
    BackendError, Capabilities, ExpiryRule, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend, Network,
    OutgoingState, Payment, PaymentOrder,
};

/// A body of the usual size.
pub const BODY: &str = r#"{"prompt":"A cat walking on the surface of the moon, slowly, with the earth rising behind it","model":"Video Generation","duration":5}"#;

/// Twice as many as the paywall remembers, so that none is a repetition when it comes round again.
const PRESIGNED: usize = 250_000;

/// The sandbox's configuration with some keys changed.
pub fn config(data_dir: &Path, variables: &[(&str, &str)]) -> Config {
    let options = DevOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: Some(data_dir.to_owned()),
        ..DevOptions::default()
    };
    let environment: Environment = variables.iter().copied().collect();
    Config::dev_in(options, &environment).expect("the configuration is good")
}

/// Backends whose invoices were signed beforehand: what is left is the gateway's own work.
pub fn presigned(config: &Config, clock: &Arc<dyn Clock>) -> Backends {
    let chosen = Backends::choose(config, clock).expect("the backends start");
    let sandbox = chosen.sandbox.clone().expect("the sandbox has a wallet");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let signers: Vec<_> = (0..threads)
        .map(|_| {
            let sandbox = sandbox.clone();
            std::thread::spawn(move || sign(&sandbox, PRESIGNED / threads))
        })
        .collect();
    let invoices = signers.into_iter().flat_map(|signer| signer.join().expect("a signer ends")).collect();
    Backends { lightning: Arc::new(Presigned { invoices, next: AtomicUsize::new(0) }), ..chosen }
}

struct Presigned {
    invoices: Vec<Invoice>,
    next: AtomicUsize,
}

fn sign(sandbox: &SandboxLightning, count: usize) -> Vec<Invoice> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let request = || InvoiceRequest {
        amount: Msat::from_sat(500).expect("a small amount"),
        description: "satforge video, 5 s".into(),
        expiry: Duration::from_mins(20),
    };
    let sign = || runtime.block_on(sandbox.create_invoice(request())).expect("the sandbox signs");
    (0..count).map(|_| sign()).collect()
}

#[async_trait]
impl LightningBackend for Presigned {
    fn name(&self) -> &'static str {
        "presigned"
    }

    fn network(&self) -> Network {
        Network::Regtest
    }

    async fn create_invoice(&self, _: InvoiceRequest) -> Result<Invoice, BackendError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(self.invoices[next % self.invoices.len()].clone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: false,
            pay: false,
            fee_limit: FeeLimit::Own,
            msat: true,
            expiry: ExpiryRule::AsAsked,
            free_invoices: false,
        }
    }

    async fn lookup(&self, _: &PaymentHash) -> Result<InvoiceState, BackendError> {
        Err(BackendError::unsupported(self.name(), "look invoices up"))
    }

    async fn pay(&self, _: &PaymentOrder) -> Payment {
        Payment::failed("this backend cannot pay")
    }

    async fn lookup_outgoing(&self, _: &PaymentHash) -> Result<OutgoingState, BackendError> {
        Ok(OutgoingState::NotFound)
    }

    async fn health(&self) -> Result<(), BackendError> {
        Ok(())
    }
}
