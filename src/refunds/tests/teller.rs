//! A backend for the tests of claims.

use std::sync::Mutex;

use async_trait::async_trait;

use crate::domain::{Invoice, Network, PaymentHash};
use crate::lightning::sandbox::SandboxLightning;
use crate::lightning::{
    BackendError, Capabilities, InvoiceRequest, InvoiceState, LightningBackend, OutgoingState, Payment, PaymentOrder,
};

/// A backend that says what a test wants, and counts what it is told to pay.
pub(super) struct Teller {
    pub(super) sandbox: SandboxLightning,
    pub(super) found: Mutex<OutgoingState>,
    pub(super) paid: Mutex<Payment>,
    pub(super) orders: Mutex<Vec<PaymentHash>>,
    pub(super) asked: Mutex<usize>,
}

#[async_trait]
impl LightningBackend for Teller {
    fn name(&self) -> &'static str {
        "teller"
    }

    fn network(&self) -> Network {
        Network::Regtest
    }

    fn capabilities(&self) -> Capabilities {
        self.sandbox.capabilities()
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        self.sandbox.create_invoice(request).await
    }

    async fn lookup(&self, _: &PaymentHash) -> Result<InvoiceState, BackendError> {
        unreachable!("it only pays")
    }

    async fn pay(&self, order: &PaymentOrder) -> Payment {
        self.orders.lock().unwrap().push(order.payment_hash);
        self.paid.lock().unwrap().clone()
    }

    async fn lookup_outgoing(&self, _: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let mut asked = self.asked.lock().unwrap();
        *asked = asked.saturating_add(1);
        drop(asked);
        Ok(self.found.lock().unwrap().clone())
    }

    async fn health(&self) -> Result<(), BackendError> {
        Ok(())
    }
}
