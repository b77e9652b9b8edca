//! A stub as a working backend.

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use satforge::domain::{Invoice, Msat, Preimage};
use satforge::lightning::LightningBackend;

use crate::node::{FEE_MSAT, Route};
use crate::stub::{Product, Stub};
use crate::working::World;

/// The stub of a product, and no fault.
pub struct Stubbed<P>(Stub, PhantomData<P>);

#[async_trait]
impl<P: Product> World for Stubbed<P> {
    async fn start() -> Self {
        Self(Stub::start::<P>().await, PhantomData)
    }

    async fn restart(&mut self) {
        self.0.restart::<P>().await;
        self.0.node.advance(P::SETTLED_AFTER);
    }

    fn backend(&self) -> &dyn LightningBackend {
        &*self.0.backend
    }

    fn now(&self) -> u64 {
        self.0.node.now()
    }

    /// Time costs nothing here, so it becomes late.
    async fn outlive(&self, expires_at: u64) -> bool {
        self.0.node.advance(Duration::from_secs(expires_at - self.now()) + Duration::from_hours(48));
        true
    }

    fn tells_of_expiry(&self) -> bool {
        false
    }

    fn memo(&self, invoice: &Invoice) -> Option<String> {
        Some(self.0.node.incoming(invoice.payment_hash.as_bytes()).unwrap().memo)
    }

    async fn receive(&self, bolt11: &str) -> Preimage {
        Preimage::from_bytes(self.0.node.receive(bolt11))
    }

    async fn foreign_invoice(&self, sat: u64, expiry: Duration) -> String {
        self.0.node.foreign_invoice(sat * 1_000, expiry.as_secs(), Route::Open).0
    }

    async fn unpayable(&self) -> Vec<String> {
        vec![self.0.node.foreign_invoice(21_000, 600, Route::None).0]
    }

    async fn arrived(&self, bolt11: &str) -> u64 {
        let payments = u64::try_from(self.0.node.payments()).unwrap();
        payments * self.0.node.foreign(bolt11).unwrap().msat
    }

    fn fee(&self) -> Option<Msat> {
        Some(Msat::new(FEE_MSAT).unwrap())
    }
}
