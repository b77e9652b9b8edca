//! `LNbits`, over its REST API.
//!
//! Facts of `LNbits` 1.6 that this rests on (`core/views/payment_api.py`, `core/services/payments.py`):
//!
//! - It takes a key that it does not know for no key at all: a look-up then answers for every wallet of the server,
//!   only without `details`. So nothing counts that has no `details`.
//! - It keeps incoming and outgoing payments under the same hash, and shows the outgoing one if there are both. The
//!   sign of the amount tells them apart.
//! - It hands the preimage of an unpaid invoice to whoever holds the key. Here none is ever read of an invoice.
//! - Its invoices are of whole sats; a part is dropped in silence.

mod fault;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::LnbitsConfig;
use crate::domain::{Invoice, PaymentHash};
use crate::egress::Answer;

use super::rest::{Keys, Rest, SetupError};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder,
};
use wire::{Created, Details, FeeReserve, LookedUp, NewInvoice, PayInvoice, Wallet};

const NAME: &str = "lnbits";
const INVOICE_KEY: &str = "lightning.lnbits.invoice_key";
const ADMIN_KEY: &str = "lightning.lnbits.admin_key";
const KEYS: Keys = Keys { url: "lightning.lnbits.url", certificate: None };
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
const PAYMENTS: &str = "api/v1/payments";
const WALLET: &str = "api/v1/wallet";

/// An `LNbits` wallet.
pub struct Lnbits {
    invoices: Access,
    /// Perhaps another wallet of the same server.
    payouts: Option<Access>,
    network: Network,
}

/// The server, with one of a wallet's keys.
struct Access {
    rest: Rest,
    /// The path of the key in the configuration.
    key: &'static str,
}

impl Lnbits {
    /// The wallet of `config`, whose answers may take `timeout`. Errors where a key cannot be sent.
    pub fn new(config: &LnbitsConfig, network: Network, timeout: Duration) -> Result<Self, SetupError> {
        let rest = Rest::new(NAME, &config.url, None, KEYS, timeout)?;
        let access = |secret: &SecretString, key| {
            let rest = rest.clone().secret_header(KEY_HEADER, secret.expose_secret(), key)?;
            Ok(Access { rest, key })
        };
        let payouts = config.admin_key.as_ref().map(|secret| access(secret, ADMIN_KEY)).transpose()?;
        Ok(Self { invoices: access(&config.invoice_key, INVOICE_KEY)?, payouts, network })
    }

    fn payouts(&self) -> Result<&Access, BackendError> {
        self.payouts.as_ref().ok_or_else(|| {
            let message = format!("{ADMIN_KEY}: this is missing, and without it LNbits pays nothing out");
            BackendError::new(NAME, FaultKind::Unsupported, message)
        })
    }
}

impl Access {
    /// The answer if it is a success, else what its error text means.
    fn accept(&self, answer: Answer) -> Result<Answer, BackendError> {
        if answer.status.is_success() { Ok(answer) } else { Err(fault::of(&self.rest, &answer, self.key)) }
    }

    /// What this wallet knows of `hash`, if anything.
    async fn find(&self, hash: &PaymentHash) -> Result<Option<Details>, BackendError> {
        let answer = self.rest.get(&format!("{PAYMENTS}/{}", hash.to_hex())).await?;
        if fault::is_unknown_payment(&answer) {
            return Ok(None);
        }
        let found: LookedUp = self.rest.read(&self.accept(answer)?)?;
        found.details.map(Some).ok_or_else(|| fault::unknown_key(&self.rest, self.key))
    }

    async fn wallet(&self) -> Result<Wallet, BackendError> {
        let answer = self.accept(self.rest.get(WALLET).await?)?;
        // Many a web site answers whatever it is asked with a page.
        answer.json().map_err(|_| self.garbled("lightning.lnbits.url: what answers there is not LNbits"))
    }

    /// `LNbits` sets the limit of a fee itself; whoever pays it must agree to that limit.
    async fn require_fee_within(&self, order: &PaymentOrder) -> Result<(), Payment> {
        let reserve: Result<FeeReserve, BackendError> = async {
            let path = format!("{PAYMENTS}/fee-reserve?invoice={}", order.bolt11);
            self.rest.read(&self.accept(self.rest.get(&path).await?)?)
        }
        .await;
        let reserve = reserve.map_err(|error| Payment::after(&error))?.fee_reserve;
        if reserve > order.max_fee.msat() {
            let reason =
                format!("LNbits may spend up to {reserve} msat on fees, and no more than {} is allowed", order.max_fee);
            return Err(Payment::failed(reason));
        }
        Ok(())
    }

    async fn order(&self, order: &PaymentOrder) -> Result<Answer, BackendError> {
        let request = self.rest.request(Method::POST, PAYMENTS)?.timeout(order.timeout);
        self.rest.send(request.json(&PayInvoice { out: true, bolt11: &order.bolt11 })).await
    }

    fn garbled(&self, message: &str) -> BackendError {
        self.rest.fault(FaultKind::Garbled, message)
    }
}

#[async_trait]
impl LightningBackend for Lnbits {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: true,
            pay: self.payouts.is_some(),
            // The server's own limit is asked for, and has to be within the order's.
            fee_limit: FeeLimit::Enforced,
            msat: false,
            expiry: ExpiryRule::AsAsked,
            free_invoices: true,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let Access { rest, .. } = &self.invoices;
        let amount = request.amount.whole_sat().ok_or_else(|| {
            rest.fault(FaultKind::Refused, format!("LNbits takes whole sats only, and {} is not", request.amount))
        })?;
        let body = NewInvoice { out: false, amount, memo: &request.description, expiry: request.expiry.as_secs() };
        let answer = self.invoices.accept(rest.post(PAYMENTS, &body).await?)?;
        let made: Created = rest.read(&answer)?;
        let payment_hash = PaymentHash::from_hex(&made.payment_hash)
            .map_err(|_| self.invoices.garbled("`payment_hash` is no hash"))?;
        Ok(Invoice { bolt11: made.bolt11, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        let Some(found) = self.invoices.find(hash).await? else { return Ok(InvoiceState::NotFound) };
        found.invoice().ok_or_else(|| self.invoices.garbled("an invoice is in a state that LNbits has not"))
    }

    /// Crash rule: `LNbits` writes a payment down by its hash before it sends anything, and refuses a second one while
    /// the first is open, has arrived, or has failed at its node. Its `failed` means "before anything was sent, or the
    /// node says so"; an exception while the node is at it can come as any other status, so all others are unknown. That
    /// is true of its errors alone: a payment that stands as `failed` in its database may be one of which its node does
    /// not say so.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        let payouts = match self.payouts() {
            Ok(payouts) => payouts,
            Err(error) => return Payment::failed(error.to_string()),
        };
        if let Err(payment) = payouts.require_fee_within(order).await {
            return payment;
        }
        let answer = match payouts.order(order).await {
            Ok(answer) => answer,
            Err(error) => return Payment::after(&error),
        };
        if fault::is_already_paid(&answer) {
            // By this wallet in an earlier attempt, or by somebody else.
            return match self.lookup_outgoing(&order.payment_hash).await {
                Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
                Ok(OutgoingState::NotFound) => Payment::failed("somebody else has paid this invoice"),
                Ok(_) => Payment::unknown("LNbits has not finished it"),
                Err(error) => Payment::unknown(error.to_string()),
            };
        }
        if !answer.status.is_success() {
            return fault::of_payment(&payouts.rest, &answer, payouts.key);
        }
        match payouts.rest.read::<Details>(&answer) {
            Ok(found) if found.is_given_up_invoice() => {
                Payment::failed("LNbits has given this invoice up and pays it no more")
            }
            Ok(payment) => match payment.outgoing() {
                Some(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
                // An earlier attempt, shown in place of a new one exactly where LNbits's node does not call it failed.
                Some(OutgoingState::Unknown { reason }) => Payment::unknown(reason),
                _ => Payment::unknown("LNbits has not finished it"),
            },
            Err(error) => Payment::unknown(error.to_string()),
        }
    }

    /// Asked with the key that pays: another key's wallet would know nothing of the payment.
    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let payouts = self.payouts()?;
        match payouts.find(hash).await? {
            Some(found) => {
                found.outgoing().ok_or_else(|| payouts.garbled("a payment is in a state that LNbits has not"))
            }
            // The same answer comes for a key that LNbits does not know; only a wallet's own key can say "never".
            None if payouts.wallet().await?.is_of_admin_key() => Ok(OutgoingState::NotFound),
            None => Err(fault::cannot_pay(&payouts.rest)),
        }
    }

    /// Whether the key is good and `LNbits` answers. Whether its own node does shows only when an invoice is made.
    async fn health(&self) -> Result<(), BackendError> {
        self.invoices.wallet().await.map(drop)
    }
}
