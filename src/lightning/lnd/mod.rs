//! LND, over its REST proxy.
//!
//! LND reports nearly everything as HTTP 500 with gRPC code 2, so its texts have to be read; those below are of LND
//! 0.18 to 0.21 (`rpcperms/interceptor.go`, `macaroons/service.go`, `lnrpc/routerrpc/router_server.go`). 64-bit numbers
//! are JSON strings, bytes are standard base64.

mod fault;
mod permissions;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;

use crate::clock::Clock;
use crate::config::LndConfig;
use crate::domain::{Invoice, Msat, PaymentHash, Preimage};
use crate::egress::Answer;

use super::rest::{Keys, Rest, SetupError};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, Receipt,
};
use permissions::Permissions;
use wire::{AddInvoice, AddedInvoice, LookedUp, PaymentLine, SendPayment, State};

const NAME: &str = "lnd";
const MACAROON_KEY: &str = "lightning.lnd.macaroon";
const KEYS: Keys = Keys { url: "lightning.lnd.url", certificate: Some("lightning.lnd.tls_certificate") };
const MACAROON_HEADER: HeaderName = HeaderName::from_static("grpc-metadata-macaroon");
/// LND goes on for a while after its own time limit, until what is under way has come back.
const PAY_MARGIN: Duration = Duration::from_secs(15);

/// An LND node.
pub struct Lnd {
    rest: Rest,
    network: Network,
    permissions: Permissions,
    clock: Arc<dyn Clock>,
}

impl Lnd {
    /// The node of `config`, whose answers may take `timeout`. Errors where the macaroon or the certificate cannot be
    /// used.
    pub fn new(
        config: &LndConfig,
        network: Network,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let macaroon = config.macaroon.expose_secret();
        let permissions = hex::decode(macaroon).ok().and_then(|bytes| permissions::read(&bytes));
        let permissions = permissions.ok_or_else(|| SetupError {
            key: MACAROON_KEY,
            message:
                "this is no LND macaroon: give the file that LND or `lncli bakemacaroon` has written, or its bytes \
                      in hexadecimal"
                    .into(),
        })?;
        if !permissions.create {
            let message = "this macaroon does not allow to make invoices: it needs invoices:write or the call \
                           /lnrpc.Lightning/AddInvoice"
                .into();
            return Err(SetupError { key: MACAROON_KEY, message });
        }
        let rest = Rest::new(NAME, &config.url, config.tls_certificate.as_deref(), KEYS, timeout)?;
        Ok(Self { rest: rest.secret_header(MACAROON_HEADER, macaroon, MACAROON_KEY)?, network, permissions, clock })
    }

    /// The answer's body if it is a success, else what its error text means.
    fn accept(&self, answer: Answer) -> Result<Answer, BackendError> {
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(fault::of(&self.rest, &answer)) }
    }

    async fn send_payment(&self, order: &PaymentOrder) -> Result<Answer, BackendError> {
        let body = SendPayment {
            payment_request: &order.bolt11,
            timeout_seconds: i32::try_from(order.timeout.as_secs()).unwrap_or(i32::MAX).max(1),
            fee_limit_msat: order.max_fee.msat().to_string(),
            no_inflight_updates: true,
        };
        let request = self.rest.request(Method::POST, "v2/router/send")?;
        self.rest.send(request.timeout(order.timeout + order.timeout.min(PAY_MARGIN)).json(&body)).await
    }
}

#[async_trait]
impl LightningBackend for Lnd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: self.permissions.lookup,
            pay: self.permissions.pay(),
            fee_limit: FeeLimit::Enforced,
            msat: true,
            expiry: ExpiryRule::AsAsked,
            free_invoices: true,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let body = AddInvoice {
            value_msat: request.amount.msat().to_string(),
            memo: &request.description,
            expiry: request.expiry.as_secs().to_string(),
            // With hints to channels that are not announced: a node that has no others could not be paid.
            private: true,
        };
        let answer = self.accept(self.rest.post("v1/invoices", &body).await?)?;
        let added: AddedInvoice = self.rest.read(&answer)?;
        let payment_hash = added.hash().ok_or_else(|| self.rest.fault(FaultKind::Garbled, "`r_hash` is no hash"))?;
        Ok(Invoice { bolt11: added.payment_request, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        if !self.permissions.lookup {
            return Err(BackendError::unsupported(NAME, "look invoices up: the macaroon lacks invoices:read"));
        }
        let answer = self.rest.get(&format!("v1/invoice/{}", hash.to_hex())).await?;
        if fault::is_unknown_invoice(&answer) {
            return Ok(InvoiceState::NotFound);
        }
        let found: LookedUp = self.rest.read(&self.accept(answer)?)?;
        found
            .state(self.clock.unix_seconds())
            .ok_or_else(|| self.rest.fault(FaultKind::Garbled, "an invoice is in a state that LND has not"))
    }

    /// Crash rule: LND keeps a payment by its hash before it sends anything, and never sends twice for one hash while
    /// an attempt is open. `FAILED` is said only when no part of it is under way; every other end of the stream is
    /// unknown.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        let answer = match self.send_payment(order).await {
            Ok(answer) => answer,
            Err(error) => return Payment::after(&error),
        };
        let last = answer.body.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty());
        let line: Option<PaymentLine> = last.and_then(|line| serde_json::from_slice(line).ok());
        match line.as_ref().and_then(PaymentLine::result) {
            Some(result) => match result.outcome() {
                OutgoingState::Paid(receipt) => Payment::Paid(receipt),
                OutgoingState::Failed => Payment::failed(format!("LND: {}", result.failure_reason)),
                _ => Payment::unknown("LND has not finished it"),
            },
            None => fault::of_payment(&self.rest, &answer),
        }
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let path = format!("v2/router/track/{}", URL_SAFE.encode(hash.as_bytes()));
        let answer = self.rest.send_for_line(self.rest.request(Method::GET, &path)?).await?;
        if fault::is_unknown_payment(&answer) {
            return Ok(OutgoingState::NotFound);
        }
        let line: PaymentLine = self.rest.read(&self.accept(answer)?)?;
        let result = line.result().ok_or_else(|| self.rest.fault(FaultKind::Garbled, "a payment without a state"))?;
        Ok(result.outcome())
    }

    /// A look at an invoice that cannot be there: it needs no more than the macaroon has to allow anyway, and LND
    /// answers it only when it is unlocked and running.
    async fn health(&self) -> Result<(), BackendError> {
        if self.permissions.lookup {
            return self.lookup(&PaymentHash::from_bytes([0; 32])).await.map(drop);
        }
        let state: State = self.rest.read(&self.accept(self.rest.get("v1/state").await?)?)?;
        if state.is_active() { Ok(()) } else { Err(self.rest.fault(FaultKind::Failing, "LND is locked or starting")) }
    }
}

/// A receipt of what LND has paid.
fn receipt(preimage: &str, fee_msat: &str) -> Receipt {
    let fee = fee_msat.parse().ok().and_then(|msat| Msat::new(msat).ok());
    Receipt { preimage: Preimage::from_hex(preimage.as_bytes()).ok(), fee }
}
