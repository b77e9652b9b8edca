//! phoenixd.
//!
//! Requests are forms, answers are JSON, errors are plain text (`phoenixd/Api.kt` of v0.8.0). Amounts are whole sats in
//! fields that end with `Sat`, and `sent`; `fees` are millisatoshis and times are milliseconds.

mod wire;

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use crate::config::PhoenixdConfig;
use crate::domain::{Invoice, PaymentHash};
use crate::egress::Answer;

use super::rest::{Keys, Rest, SetupError, quoted};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, Receipt,
};
use wire::{AddedInvoice, Chain, Incoming, Outgoing, PaidOrNot};

const NAME: &str = "phoenixd";
const URL_KEY: &str = "lightning.phoenixd.url";
const NETWORK_KEY: &str = "lightning.network";
const KEYS: Keys = Keys { url: URL_KEY, certificate: None };
const MSAT: u64 = 1_000;
/// What a payment costs: it is not asked for, it cannot be limited, and nothing cheaper or dearer is tried
/// (`trampolineFees` in `phoenixd/conf/Lsp.kt`).
const FEE_BASE_MSAT: u64 = 4_000;
/// The part of the amount that it costs on top, in millionths.
const FEE_MILLIONTHS: u64 = 4_000;
/// phoenixd has no time limit of its own: it answers when the payment has ended.
const PAY_MARGIN: Duration = Duration::from_secs(15);
/// Refusals because of another payment of the same invoice: they say nothing about that one.
const ANOTHER_IS_THERE: [&str; 2] = ["already been paid", "another payment is in progress"];

/// A phoenixd.
pub struct Phoenixd {
    rest: Rest,
    network: Network,
    may_pay: bool,
    /// Where the password stands in the configuration.
    password_key: &'static str,
}

impl Phoenixd {
    /// The phoenixd of `config`, whose answers may take `timeout`. Errors where it has no such network, or the password
    /// cannot be used.
    pub fn new(config: &PhoenixdConfig, network: Network, timeout: Duration) -> Result<Self, SetupError> {
        if !matches!(network, Network::Bitcoin | Network::Testnet) {
            let message = "phoenixd is on bitcoin, or on testnet (version 3), and on no other network".into();
            return Err(SetupError { key: NETWORK_KEY, message });
        }
        let password_key =
            if config.may_pay { "lightning.phoenixd.password" } else { "lightning.phoenixd.limited_password" };
        let password = config.password.expose_secret();
        if password.contains("http-password") {
            let message = "give what stands after the `=` in phoenix.conf, without the name before it".into();
            return Err(SetupError { key: password_key, message });
        }
        let header = format!("Basic {}", STANDARD.encode(format!(":{password}")));
        let rest = Rest::new(NAME, &config.url, None, KEYS, timeout)?;
        let rest = rest.secret_header(AUTHORIZATION, &header, password_key)?;
        Ok(Self { rest, network, may_pay: config.may_pay, password_key })
    }

    /// What a text in place of a result means.
    fn fault(&self, answer: &Answer) -> BackendError {
        let said = String::from_utf8_lossy(&answer.body);
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                let message = format!("{}: phoenixd refuses this password", self.password_key);
                self.rest.fault(FaultKind::Unauthorised, message)
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                let message = "the server does not know a path of phoenixd's: give the address of `http-bind-ip` and \
                               `http-bind-port`; and phoenixd must be of version 0.5.1 or later";
                self.rest.fault(FaultKind::Refused, format!("{URL_KEY}: {message}"))
            }
            StatusCode::BAD_REQUEST => {
                self.rest.fault(FaultKind::Refused, format!("phoenixd refuses: {}", quoted(&said)))
            }
            _ => self.rest.by_status(answer, &said),
        }
    }

    fn result<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, BackendError> {
        if answer.status == StatusCode::OK { self.rest.read(answer) } else { Err(self.fault(answer)) }
    }

    /// What there is at `path`; `None`: phoenixd knows no such payment.
    async fn found<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, BackendError> {
        let answer = self.rest.get(path).await?;
        // An endpoint that it has not is 404 as well, and then nothing is known.
        if answer.status == StatusCode::NOT_FOUND && answer.body.trim_ascii() == b"Not found" {
            return Ok(None);
        }
        self.result(&answer).map(Some)
    }

    async fn order(&self, order: &PaymentOrder) -> Result<Answer, BackendError> {
        // No amount: it would be paid in place of the invoice's own.
        let form = [("invoice", order.bolt11.as_str())];
        let request = self.rest.request(Method::POST, "payinvoice")?;
        self.rest.send(request.timeout(order.timeout + order.timeout.min(PAY_MARGIN)).form(&form)).await
    }

    /// What became of a payment that phoenixd says has failed: its books know better than its sentence.
    async fn after_refusal(&self, hash: &PaymentHash, reason: &str) -> Payment {
        let said = format!("phoenixd: {}", quoted(reason));
        let another_is_there = ANOTHER_IS_THERE.iter().any(|known| reason.contains(known));
        match self.lookup_outgoing(hash).await {
            Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
            Ok(OutgoingState::Failed | OutgoingState::NotFound) if !another_is_there => Payment::failed(said),
            Ok(_) => Payment::unknown(said),
            Err(error) => Payment::unknown(format!("{said}; and then: {error}")),
        }
    }
}

#[async_trait]
impl LightningBackend for Phoenixd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: true,
            pay: self.may_pay,
            // It takes a fixed part, which is reckoned up beforehand.
            fee_limit: FeeLimit::Enforced,
            msat: false,
            expiry: ExpiryRule::AsAsked,
            free_invoices: true,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let msat = request.amount.msat();
        if !msat.is_multiple_of(MSAT) {
            return Err(self.rest.fault(FaultKind::Refused, "phoenixd takes whole sats only"));
        }
        let (sat, seconds) = ((msat / MSAT).to_string(), request.expiry.as_secs().to_string());
        let form = [("amountSat", sat.as_str()), ("description", &request.description), ("expirySeconds", &seconds)];
        let answer = self.rest.send(self.rest.request(Method::POST, "createinvoice")?.form(&form)).await?;
        let added: AddedInvoice = self.result(&answer)?;
        let payment_hash = PaymentHash::from_hex(&added.payment_hash)
            .map_err(|_| self.rest.fault(FaultKind::Garbled, "`paymentHash` is no hash"))?;
        Ok(Invoice { bolt11: added.serialized, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        let Some(found) = self.found::<Incoming>(&format!("payments/incoming/{}", hash.to_hex())).await? else {
            return Ok(InvoiceState::NotFound);
        };
        found.state().ok_or_else(|| self.rest.fault(FaultKind::Garbled, "an amount is more than there can be"))
    }

    /// Crash rule: phoenixd writes a payment down before it sends anything, makes one attempt at a time, and refuses an
    /// invoice that it has paid or is paying. It goes on when its caller has gone. So an answer that does not come is
    /// unknown, and a refusal has failed the payment only when its books do not say otherwise.
    ///
    /// It pays expired invoices and those of other networks, so that [`super::pay()`] has to look.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        if fee_msat(order.amount.msat()).is_none_or(|fee| fee > order.max_fee.msat()) {
            return Payment::failed("phoenixd would take 4 sat and 0.4 % for it, which is more than it may cost");
        }
        let answer = match self.order(order).await {
            Ok(answer) => answer,
            Err(error) => return Payment::after(&error),
        };
        match answer.status {
            StatusCode::BAD_REQUEST => return Payment::failed(self.fault(&answer).to_string()),
            // The same answer as to a wrong password, but this one made invoices.
            StatusCode::UNAUTHORIZED => {
                return Payment::failed(format!(
                    "{}: phoenixd does not let this password pay: give `http-password`",
                    self.password_key
                ));
            }
            _ => {}
        }
        let paid = match self.result::<PaidOrNot>(&answer) {
            Ok(outcome) => outcome,
            Err(error) => return Payment::after(&error),
        };
        match paid {
            // What it says here of the fee is rounded down to whole sats.
            PaidOrNot::Paid { preimage } => match self.lookup_outgoing(&order.payment_hash).await {
                Ok(OutgoingState::Paid(receipt)) => Payment::Paid(receipt),
                _ => Payment::Paid(Receipt { preimage: wire::preimage(&preimage), fee: None }),
            },
            PaidOrNot::Not { reason } => self.after_refusal(&order.payment_hash, &reason).await,
        }
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        let found: Option<Outgoing> = self.found(&format!("payments/outgoingbyhash/{}", hash.to_hex())).await?;
        Ok(found.map_or(OutgoingState::NotFound, |found| found.outcome()))
    }

    async fn health(&self) -> Result<(), BackendError> {
        let Chain { chain } = self.result(&self.rest.get("getinfo").await?)?;
        let is_real = self.network == Network::Bitcoin;
        if (chain == "mainnet") == is_real {
            return Ok(());
        }
        let message = format!("{NETWORK_KEY}: this is {}, but phoenixd is on {}", self.network.name(), quoted(&chain));
        Err(self.rest.fault(FaultKind::Refused, message))
    }
}

/// What phoenixd takes for a payment; `None`: more than there can be.
fn fee_msat(amount_msat: u64) -> Option<u64> {
    let part = amount_msat.checked_mul(FEE_MILLIONTHS)?.div_ceil(1_000_000);
    part.checked_add(FEE_BASE_MSAT)
}
