//! Core Lightning, over its plugin clnrest.
//!
//! Every call is a POST of named parameters to `/v1/<method>`, answered with 201; what lightningd refuses is HTTP 500 with
//! the code of its JSON-RPC error, what the rune forbids is 401 or 403 (`plugins/rest-plugin/src/handlers.rs`). Amounts
//! are numbers of millisatoshis. Paying needs `xpay`, which there is since v24.11.

mod fault;
mod rune;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::ClnConfig;
use crate::domain::{Invoice, PaymentHash};
use crate::egress::Answer;

use super::orders::Orders;
use super::rest::{Keys, Rest, SetupError, quoted};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder,
};
use fault::{Refusal, is_success};
use rune::Rune;
use wire::{AddInvoice, AddedInvoice, ByHash, FoundInvoices, FoundPays, Paid, Xpay};

const NAME: &str = "cln";
const URL_KEY: &str = "lightning.cln.url";
const RUNE_KEY: &str = "lightning.cln.rune";
const KEYS: Keys = Keys { url: URL_KEY, certificate: Some("lightning.cln.tls_certificate") };
const RUNE_HEADER: HeaderName = HeaderName::from_static("rune");
/// How long `xpay` may begin new attempts. It bounds the time for which nothing can be said about a payment.
const LONGEST_TRY: Duration = Duration::from_secs(30);
/// A last attempt that was just begun when that time was over has shown itself to `listpays` by then.
const LAST_ATTEMPT: Duration = Duration::from_secs(30);
/// How long after its start the adapter does not say of any payment that it was not made: a process before this one may
/// have ordered it, and `xpay` goes on without whoever has called it.
pub const SETTLED_AFTER: Duration = LONGEST_TRY.saturating_add(LAST_ATTEMPT);
/// `xpay` answers a while after its own time limit, when what is under way has come back.
const PAY_MARGIN: Duration = Duration::from_secs(15);
/// `xpay` reports the first failure while other parts may be just about to be sent. They have been after this time.
const LAST_PARTS: Duration = Duration::from_secs(3);

/// A Core Lightning node.
pub struct Cln {
    rest: Rest,
    network: Network,
    lookup: bool,
    pay: bool,
    orders: Orders,
    /// Whether the log says already that the node warns of its invoices.
    warned: AtomicBool,
}

impl Cln {
    /// The node of `config`, whose answers may take `timeout`. Errors where the rune or the certificate cannot be used.
    pub fn new(
        config: &ClnConfig,
        network: Network,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let secret = config.rune.expose_secret();
        let refused = |message: &str| SetupError { key: RUNE_KEY, message: message.to_owned() };
        let rune = Rune::parse(secret).ok_or_else(|| {
            refused("this is no rune: give the value of `rune` that `lightning-cli createrune` prints")
        })?;
        if !rune.allows("invoice") {
            return Err(refused("this rune does not allow to make invoices: it needs method=invoice"));
        }
        let rest = Rest::new(NAME, &config.url, config.tls_certificate.as_deref(), KEYS, timeout)?;
        Ok(Self {
            rest: rest.secret_header(RUNE_HEADER, secret, RUNE_KEY)?,
            network,
            lookup: rune.allows("listinvoices"),
            // Without a look at what was paid already, nothing may be paid.
            pay: rune.allows("xpay") && rune.allows("listpays"),
            orders: Orders::new(clock, SETTLED_AFTER),
            warned: AtomicBool::new(false),
        })
    }

    /// The result of a call, or what its error means.
    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &(impl Serialize + Sync),
    ) -> Result<T, BackendError> {
        let answer = self.rest.post(&format!("v1/{method}"), parameters).await?;
        if is_success(&answer) { self.rest.read(&answer) } else { Err(fault::of(&self.rest, &answer)) }
    }

    async fn xpay(&self, order: &PaymentOrder) -> Result<Answer, BackendError> {
        let retry_for = order.timeout.min(LONGEST_TRY).as_secs().max(1);
        let body = Xpay { invstring: &order.bolt11, maxfee: order.max_fee.msat(), retry_for };
        let request = self.rest.request(Method::POST, "v1/xpay")?;
        self.rest.send(request.timeout(order.timeout + order.timeout.min(PAY_MARGIN)).json(&body)).await
    }

    /// What `listpays` says, which is not yet the truth while `xpay` looks for a way.
    async fn listed(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let found: FoundPays = self.call("listpays", &ByHash { payment_hash: hash.to_hex() }).await?;
        found
            .outcome()
            .ok_or_else(|| self.rest.fault(FaultKind::Garbled, "a payment is in a state that Core Lightning has not"))
    }

    /// What became of a payment that `xpay` has ended with an error.
    async fn after_refusal(&self, order: &PaymentOrder, refusal: Refusal) -> Payment {
        let (said, is_over) = match refusal {
            Refusal::NothingSent(said) => {
                self.orders.end(&order.payment_hash);
                return Payment::failed(said);
            }
            Refusal::Unclear(said) => return Payment::unknown(said),
            Refusal::GivenUp(said) => (said, true),
            Refusal::AnotherIsThere(said) => (said, false),
        };
        if is_over {
            // Whatever the order's own time limit is: too early a look could miss a part.
            tokio::time::sleep(LAST_PARTS).await;
        }
        match self.listed(&order.payment_hash).await {
            Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
            Ok(OutgoingState::Failed | OutgoingState::NotFound) if is_over => {
                self.orders.end(&order.payment_hash);
                Payment::failed(said)
            }
            Ok(_) => Payment::unknown(said),
            Err(error) => Payment::unknown(format!("{said}; and then: {error}")),
        }
    }

    /// The node's doubts whether anybody can pay, told once: they mostly hold for every invoice.
    fn pass_on(&self, warning: Option<&str>) {
        if let Some(warning) = warning.filter(|_| !self.warned.swap(true, Ordering::Relaxed)) {
            tracing::warn!(
                lightning.backend = NAME,
                "Core Lightning doubts that its invoices can be paid: {}",
                quoted(warning)
            );
        }
    }
}

#[async_trait]
impl LightningBackend for Cln {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: self.lookup,
            pay: self.pay,
            fee_limit: FeeLimit::Enforced,
            msat: true,
            expiry: ExpiryRule::AsAsked,
            free_invoices: true,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let body = AddInvoice {
            amount_msat: request.amount.msat(),
            // It has to differ from that of every invoice that the node still knows.
            label: format!("satforge-{}", Uuid::now_v7()),
            description: &request.description,
            expiry: request.expiry.as_secs(),
        };
        let added: AddedInvoice = self.call("invoice", &body).await?;
        let payment_hash = PaymentHash::from_hex(&added.payment_hash)
            .map_err(|_| self.rest.fault(FaultKind::Garbled, "`payment_hash` is no hash"))?;
        self.pass_on(added.warning());
        Ok(Invoice { bolt11: added.bolt11, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        if !self.lookup {
            return Err(BackendError::unsupported(NAME, "look invoices up: the rune lacks method=listinvoices"));
        }
        let found: FoundInvoices = self.call("listinvoices", &ByHash { payment_hash: hash.to_hex() }).await?;
        found
            .state()
            .ok_or_else(|| self.rest.fault(FaultKind::Garbled, "an invoice is in a state that Core Lightning has not"))
    }

    /// Crash rule: `xpay` goes on when its caller has gone, and `listpays` shows nothing of it before the first part is
    /// sent, or between two attempts (up to v26.04). So an order counts as under way until `xpay` has answered, or until
    /// it cannot begin another attempt; and nothing is ordered until that is true of what an earlier process may have
    /// ordered. An error of `xpay` has failed the payment only when it says that there was no attempt, or when
    /// `listpays` shows afterwards that nothing is under way.
    ///
    /// lightningd itself never sends parts for one hash in two groups, nor for one that was paid.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        if !self.orders.begin(order.payment_hash) {
            return Payment::unknown("an earlier attempt cannot be ruled out yet");
        }
        let answer = match self.xpay(order).await {
            Ok(answer) => answer,
            Err(error) => {
                let payment = Payment::after(&error);
                if matches!(payment, Payment::Failed { .. }) {
                    self.orders.end(&order.payment_hash);
                }
                return payment;
            }
        };
        if !is_success(&answer) {
            return self.after_refusal(order, fault::of_payment(&self.rest, &answer)).await;
        }
        match self.rest.read::<Paid>(&answer) {
            Ok(paid) => {
                self.orders.end(&order.payment_hash);
                Payment::Paid(paid.receipt())
            }
            Err(error) => Payment::unknown(error.to_string()),
        }
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        self.orders.vouch(hash, self.listed(hash)).await
    }

    /// A look at an invoice that cannot be there. Without the permission to look, an order for an invoice that lacks
    /// everything: lightningd refuses it, and clnrest passes it on only with a good rune.
    async fn health(&self) -> Result<(), BackendError> {
        if self.lookup {
            return self.lookup(&PaymentHash::from_bytes([0; 32])).await.map(drop);
        }
        match self.call::<AddedInvoice>("invoice", &serde_json::Map::new()).await {
            Err(error) if error.kind == FaultKind::Refused && error.message.contains("missing required parameter") => {
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Err(self.rest.fault(FaultKind::Garbled, "an invoice was made without an amount")),
        }
    }
}
