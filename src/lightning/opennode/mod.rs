//! `OpenNode`, over its REST API.
//!
//! Its source is closed: paths, fields and states are those of its documentation and of its client `opennode` for
//! Node.js. A charge has an id of `OpenNode`'s, and only that finds it again, so the ids of this process's charges are
//! remembered; of earlier ones only those that were paid can be found, in the list of paid charges.
//!
//! It cannot pay out. A withdrawal takes a while, its id is known from the answer alone, and there is no way to ask for
//! the one that pays a given invoice: the list of withdrawals is documented neither as whole nor as holding the
//! unfinished ones. After a lost answer, paying twice could not be excluded. There is no limit of the fee either.

mod fault;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use reqwest::header::AUTHORIZATION;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use crate::config::OpenNodeConfig;
use crate::domain::{Invoice, Msat, PaymentHash};
use crate::egress::Answer;

use super::rest::{Keys, Rest, SetupError};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, decode_invoice,
};
use wire::{Charge, ChargeId, CreateCharge, Data};

const NAME: &str = "opennode";
const API_KEY: &str = "lightning.opennode.api_key";
const KEYS: Keys = Keys { url: "lightning.opennode.url", certificate: None };
/// The charges of this process that are remembered: about 5 MB at the most.
const REMEMBERED: usize = 40_000;
/// `OpenNode`'s limits of a charge's life.
const SHORTEST_MINUTES: u64 = 10;
const LONGEST_MINUTES: u64 = 24 * 60;
/// Beyond this `OpenNode` makes charges without a Lightning invoice.
const MOST_SATS: u64 = 500_000_000;

/// An account at `OpenNode`.
pub struct OpenNode {
    rest: Rest,
    network: Network,
    charges: Cache<PaymentHash, ChargeId>,
}

impl OpenNode {
    /// The account of `config`'s key, whose answers may take `timeout`. Errors where the URL or the key cannot be used.
    pub fn new(config: &OpenNodeConfig, network: Network, timeout: Duration) -> Result<Self, SetupError> {
        check_network(&config.url, network)?;
        let rest = Rest::new(NAME, &config.url, None, KEYS, timeout)?;
        // The key alone, without a scheme such as Bearer.
        let rest = rest.secret_header(AUTHORIZATION, config.api_key.expose_secret(), API_KEY)?;
        Ok(Self { rest, network, charges: Cache::new(REMEMBERED) })
    }

    /// The amount in whole sats, if `OpenNode` makes Lightning invoices for it.
    fn sats(&self, amount: Msat) -> Result<u64, BackendError> {
        let Some(sats) = amount.whole_sat() else {
            return Err(self.rest.fault(FaultKind::Refused, "OpenNode's invoices are for whole sats"));
        };
        if sats > MOST_SATS {
            let message = format!("OpenNode makes no Lightning invoices for more than {MOST_SATS} sat");
            return Err(self.rest.fault(FaultKind::Refused, message));
        }
        Ok(sats)
    }

    /// The answer if it is a success, else what its error says.
    fn accept(&self, answer: Answer) -> Result<Answer, BackendError> {
        if answer.status.is_success() { Ok(answer) } else { Err(fault::of(&self.rest, &answer)) }
    }

    /// What became of a charge of this process.
    async fn charge(&self, id: &ChargeId) -> Result<InvoiceState, BackendError> {
        let answer = self.rest.get(&format!("v1/charge/{}", id.as_str())).await?;
        if fault::is_unknown(&answer) {
            return Ok(InvoiceState::NotFound);
        }
        let found: Data<Charge> = self.rest.read(&self.accept(answer)?)?;
        found
            .data
            .state()
            .ok_or_else(|| self.rest.fault(FaultKind::Garbled, "a charge is in a state that OpenNode has not"))
    }

    /// What became of a charge whose id is not known: it is found if it was paid.
    async fn paid_charge(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        let list = async {
            let answer = self.accept(self.rest.get("v1/charges").await?)?;
            self.rest.read::<Data<Vec<Value>>>(&answer)
        };
        let list = list.await.map_err(|error| fault::of_list(&self.rest, error))?;
        // What was not made by this gateway may look otherwise.
        let mut charges = list.data.into_iter().filter_map(|charge| serde_json::from_value::<Charge>(charge).ok());
        let found = charges.find(|charge| charge.payment_hash().as_ref() == Some(hash));
        let Some(charge) = found else { return Ok(InvoiceState::NotFound) };
        if let Some(id) = charge.id() {
            self.charges.insert(*hash, id);
        }
        charge
            .state()
            .ok_or_else(|| self.rest.fault(FaultKind::Garbled, "a charge is in a state that OpenNode has not"))
    }
}

#[async_trait]
impl LightningBackend for OpenNode {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: true,
            pay: false,
            fee_limit: FeeLimit::Own,
            msat: false,
            expiry: ExpiryRule::WholeMinutes,
            // Each of them takes a new address of OpenNode's, and how many it lets an account make is not published.
            free_invoices: false,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let amount = self.sats(request.amount)?;
        let minutes = request.expiry.as_secs().div_ceil(60).max(SHORTEST_MINUTES);
        if minutes > LONGEST_MINUTES {
            return Err(self.rest.fault(FaultKind::Refused, fault::TOO_LONG));
        }
        // Without a currency the amount is in sats.
        let body = CreateCharge { amount, description: &request.description, ttl: minutes, auto_settle: false };
        let answer = self.accept(self.rest.post("v1/charges", &body).await?)?;
        let made: Data<Charge> = self.rest.read(&answer)?;
        let garbled = |what| self.rest.fault(FaultKind::Garbled, what);
        let id = made.data.id().ok_or_else(|| garbled("a charge has no usable id"))?;
        let Some(lightning) = made.data.lightning_invoice else {
            return Err(self.rest.fault(FaultKind::Failing, "OpenNode has made a charge without a Lightning invoice"));
        };
        // The answer names no hash but the invoice's own.
        let decoded = decode_invoice(&lightning.payreq).map_err(|_| garbled("`payreq` is no invoice"))?;
        self.charges.insert(decoded.payment_hash, id);
        Ok(Invoice {
            bolt11: lightning.payreq,
            payment_hash: decoded.payment_hash,
            amount: request.amount,
            expires_at: decoded.expires_at,
        })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        match self.charges.get(hash) {
            Some(id) => self.charge(&id).await,
            None => self.paid_charge(hash).await,
        }
    }

    /// Crash rule: nothing is ever sent, because it could not be found again.
    async fn pay(&self, _: &PaymentOrder) -> Payment {
        Payment::after(&BackendError::unsupported(NAME, "pay"))
    }

    async fn lookup_outgoing(&self, _: &PaymentHash) -> Result<OutgoingState, BackendError> {
        Err(BackendError::unsupported(NAME, "find a payment"))
    }

    /// A look at a charge that cannot be there, which every kind of key may take: that it is not there is the answer of
    /// a working API to a good key.
    async fn health(&self) -> Result<(), BackendError> {
        let answer = self.rest.get("v1/charge/00000000-0000-0000-0000-000000000000").await?;
        if fault::is_unknown(&answer) {
            return Ok(());
        }
        self.rest.read::<Data<Charge>>(&self.accept(answer)?).map(drop)
    }
}

/// `OpenNode`'s two servers are for one network each.
fn check_network(url: &Url, network: Network) -> Result<(), SetupError> {
    let theirs = match url.host_str() {
        Some("api.opennode.com") => Network::Bitcoin,
        Some("dev-api.opennode.com") => Network::Testnet,
        _ => return Ok(()),
    };
    if theirs == network {
        return Ok(());
    }
    let message = format!("this server's invoices are for {theirs}, and lightning.network is {network}");
    Err(SetupError { key: KEYS.url, message })
}
