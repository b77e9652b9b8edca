//! Challenges from a node that takes 20 ms for an invoice: with some kept ready, and without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use satforge::app::{App, Backends};
use satforge::clock::{Clock, SystemClock};
use satforge::domain::{Invoice, PaymentHash};
use satforge::lightning::{
    BackendError, Capabilities, InvoiceRequest, InvoiceState, LightningBackend, Network, OutgoingState, Payment,
    PaymentOrder,
};
use tokio::net::TcpStream;

use crate::{load, setup};

/// What a node with its database on a good disk takes.
const NODE: Duration = Duration::from_millis(20);
/// Callers arrive one after the other, so long apart.
const EVERY: Duration = Duration::from_millis(25);
const CALLERS: usize = 400;

/// The sandbox, slowed down.
struct Slow(Arc<dyn LightningBackend>);

#[async_trait]
impl LightningBackend for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn network(&self) -> Network {
        self.0.network()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { free_invoices: true, ..self.0.capabilities() }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        tokio::time::sleep(NODE).await;
        self.0.create_invoice(request).await
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        self.0.lookup(hash).await
    }

    async fn pay(&self, order: &PaymentOrder) -> Payment {
        self.0.pay(order).await
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        self.0.lookup_outgoing(hash).await
    }

    async fn health(&self) -> Result<(), BackendError> {
        Ok(())
    }
}

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let without = measure("0").await;
        let with = measure("8").await;
        println!("{CALLERS} callers, one every {EVERY:?}; the node takes {NODE:?} for an invoice");
        for (what, percent) in [("median", 50), ("99 %", 99)] {
            let (without, with) = (at(&without, percent), at(&with, percent));
            println!("{what}: {without:.1} ms without a pool, {with:.1} ms with 8 ready, ratio {:.3}", with / without);
        }
    });
}

/// The milliseconds that each caller waited for a challenge, in rising order.
async fn measure(size: &str) -> Vec<f64> {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = [("SATFORGE_LIGHTNING__POOL__SIZE", size), ("SATFORGE_LIGHTNING__POOL__REFILL_PER_SECOND", "100")];
    let config = setup::config(dir.path(), &settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chosen = Backends::choose(&config, &clock).expect("the backends start");
    let backends = Backends { lightning: Arc::new(Slow(chosen.lightning.clone())), ..chosen };
    let app = App::start_with(config, clock, backends).await.expect("the gateway starts");
    let mut stream = TcpStream::connect(app.address).await.expect("the gateway accepts");
    let mut ticks = tokio::time::interval(EVERY);
    let mut millis = Vec::with_capacity(CALLERS);
    // The first ones find the shelves being filled.
    for caller in 0..CALLERS + 40 {
        ticks.tick().await;
        let began = Instant::now();
        let (status, _, _) = load::exchange(&mut stream, &load::video("")).await;
        assert_eq!(status, 402);
        if caller >= 40 {
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    drop(stream);
    app.stop().await;
    millis.sort_by(f64::total_cmp);
    millis
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}
