//! The sandbox, which has no API that could misbehave.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lightning_invoice::Bolt11Invoice;
use satforge::clock::{Clock as _, ManualClock};
use satforge::config::GatewayKey;
use satforge::domain::{Invoice, Msat, Preimage};
use satforge::lightning::sandbox::SandboxLightning;
use satforge::lightning::{InvoiceRequest, InvoiceState, LightningBackend, decode_invoice};

use crate::working::{World, payout, tests_in};

tests_in!(Sandbox, a_fee_limit_is_kept);

const NOW: u64 = 1_800_000_000;

/// Everybody has an account at the sandbox's node, so it pays its own invoices and nobody else's.
struct Sandbox {
    backend: SandboxLightning,
    clock: Arc<ManualClock>,
}

fn sandbox(key: u8, clock: &Arc<ManualClock>) -> SandboxLightning {
    SandboxLightning::new(&GatewayKey::new([key; 32]), clock.clone())
}

async fn invoice(of: &SandboxLightning, sat: u64, expiry: Duration) -> String {
    let amount = Msat::from_sat(sat).unwrap();
    let request = InvoiceRequest { amount, description: "for somebody else".into(), expiry };
    of.create_invoice(request).await.unwrap().bolt11
}

#[async_trait]
impl World for Sandbox {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(NOW * 1_000));
        Self { backend: sandbox(1, &clock), clock }
    }

    async fn restart(&mut self) {
        self.backend = sandbox(1, &self.clock);
    }

    fn backend(&self) -> &dyn LightningBackend {
        &self.backend
    }

    fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }

    async fn outlive(&self, expires_at: u64) -> bool {
        self.clock.advance(Duration::from_secs(expires_at + 1 - self.now()));
        true
    }

    fn tells_of_expiry(&self) -> bool {
        true
    }

    fn memo(&self, invoice: &Invoice) -> Option<String> {
        Some(invoice.bolt11.parse::<Bolt11Invoice>().unwrap().description().to_string())
    }

    async fn receive(&self, bolt11: &str) -> Preimage {
        self.backend.pay(bolt11).unwrap().preimage
    }

    async fn foreign_invoice(&self, sat: u64, expiry: Duration) -> String {
        invoice(&self.backend, sat, expiry).await
    }

    async fn unpayable(&self) -> Vec<String> {
        vec![invoice(&sandbox(2, &self.clock), 21, Duration::from_mins(10)).await]
    }

    async fn arrived(&self, bolt11: &str) -> u64 {
        match self.backend.lookup(&decode_invoice(bolt11).unwrap().payment_hash).await.unwrap() {
            InvoiceState::Settled { amount, .. } => amount.msat(),
            _ => 0,
        }
    }

    fn fee(&self) -> Option<Msat> {
        Some(Msat::ZERO)
    }
}

/// A payment counts once and at its first time, however often the wallet is told to make it.
#[tokio::test]
async fn the_first_payment_is_the_one_that_counts() {
    let world = Sandbox::start().await;
    let bolt11 = world.foreign_invoice(21, Duration::from_mins(10)).await;
    let payout = payout(&bolt11);
    for _ in 0..2 {
        satforge::lightning::pay(&world.backend, &payout, world.now()).await;
        world.receive(&bolt11).await;
        world.clock.advance(Duration::from_mins(1));
    }
    let hash = decode_invoice(&bolt11).unwrap().payment_hash;
    let settled = InvoiceState::Settled { amount: payout.amount, at: Some(NOW) };
    assert_eq!(world.backend.lookup(&hash).await, Ok(settled));
}
