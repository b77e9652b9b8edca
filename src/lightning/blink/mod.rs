//! Blink, over its GraphQL API.
//!
//! Every answer is read in three layers: the HTTP status, the errors beside `data`, and the errors within a mutation's
//! payload. Amounts of the BTC wallet are whole sats, times are Unix seconds. Names, codes and texts are those of
//! `core/api/src/graphql` of blinkbitcoin/blink (August 2026).

mod account;
mod fault;
mod pay;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use crate::clock::Clock;
use crate::config::BlinkConfig;
use crate::domain::{Invoice, PaymentHash};

use super::orders::Orders;
use super::rest::{Keys, Rest, SetupError};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder,
};
use account::{Account, AccountData};
use fault::Doing;
use wire::{CreateData, InvoiceLookup, Reply, Request};

const NAME: &str = "blink";
const API_KEY: &str = "lightning.blink.api_key";
const KEYS: Keys = Keys { url: "lightning.blink.url", certificate: None };
const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Beyond this Blink does not refuse: it silently takes an expiry of its own.
const LONGEST_EXPIRY_MINUTES: u64 = 24 * 60;
/// How long after an order, and after its start, the adapter does not say of a payment that it was not made. Blink goes on
/// when its caller has gone, and writes a payment into its ledger only within a lock of the wallet: it probes a route
/// before that, and tries for seconds to get the lock.
pub const SETTLED_AFTER: Duration = Duration::from_mins(2);

/// An account at Blink.
pub struct Blink {
    rest: Rest,
    /// The last part of the endpoint's path. Blink's gateway knows it without a slash at its end only.
    endpoint: String,
    network: Network,
    /// The wallet that the operator chose.
    wallet_id: Option<String>,
    /// What the account was when it was asked last.
    account: Mutex<Option<Arc<Account>>>,
    orders: Orders,
    clock: Arc<dyn Clock>,
}

impl Blink {
    /// The account of `config`'s key, whose answers may take `timeout`. Errors where the URL or the key cannot be used.
    pub fn new(
        config: &BlinkConfig,
        network: Network,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        check_network(&config.url, network)?;
        let (base, endpoint) = split(&config.url).ok_or_else(|| SetupError {
            key: KEYS.url,
            message: "this must be the whole GraphQL endpoint: Blink's path is /graphql".into(),
        })?;
        let rest = Rest::new(NAME, &base, None, KEYS, timeout)?;
        let rest = rest.secret_header(API_KEY_HEADER, config.api_key.expose_secret(), API_KEY)?;
        let (wallet_id, orders) = (config.wallet_id.clone(), Orders::new(clock.clone(), SETTLED_AFTER));
        Ok(Self { rest, endpoint, network, wallet_id, account: Mutex::default(), orders, clock })
    }

    /// The answer to one query. `timeout`: if it is not the usual one.
    async fn ask(
        &self,
        query: &'static str,
        variables: impl Serialize + Send,
        timeout: Option<Duration>,
    ) -> Result<Reply, BackendError> {
        let request = self.rest.request(Method::POST, &self.endpoint)?.json(&Request { query, variables });
        let request = match timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        let answer = self.rest.send(request).await?;
        if answer.status.is_success() { self.rest.read(&answer) } else { Err(fault::of_status(&self.rest, &answer)) }
    }

    /// What a query asked for, if nothing was wrong with all of it.
    fn data<T: DeserializeOwned>(&self, reply: Reply, doing: Doing) -> Result<T, BackendError> {
        if !reply.errors.is_empty() {
            return Err(fault::of(&self.rest, &reply.errors, doing));
        }
        let garbled = || self.rest.fault(FaultKind::Garbled, "the answer's `data` is not what was asked for");
        reply.data.and_then(|data| serde_json::from_value(data).ok()).ok_or_else(garbled)
    }

    /// The account as it is now.
    async fn ask_account(&self) -> Result<Arc<Account>, BackendError> {
        let reply = self.ask(wire::ACCOUNT, json!({}), None).await?;
        let data: AccountData = self.data(reply, Doing::Reading)?;
        let account = data.account(self.wallet_id.as_deref(), self.network);
        let account = Arc::new(account.map_err(|unfit| fault::of_account(&self.rest, unfit))?);
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account.clone());
        Ok(account)
    }

    fn known_account(&self) -> Option<Arc<Account>> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The id of the wallet, which is asked for once.
    async fn wallet(&self) -> Result<String, BackendError> {
        let account = match self.known_account() {
            Some(account) => account,
            None => self.ask_account().await?,
        };
        Ok(account.wallet_id.clone())
    }
}

#[async_trait]
impl LightningBackend for Blink {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: true,
            // Until Blink has been asked, what the key allows is not known. Blink refuses to pay with one that must
            // not, whereas "cannot pay" would be said of a payment that may have been ordered before a restart.
            pay: self.known_account().is_none_or(|account| account.may_pay),
            fee_limit: FeeLimit::Estimated,
            msat: false,
            expiry: ExpiryRule::WholeMinutes,
            // Blink counts the invoices of an account, and blocks it for minutes when there were too many.
            free_invoices: false,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let Some(amount) = request.amount.whole_sat() else {
            return Err(self.rest.fault(FaultKind::Refused, "Blink's invoices are for whole sats"));
        };
        let minutes = request.expiry.as_secs().div_ceil(60).max(1);
        if minutes > LONGEST_EXPIRY_MINUTES {
            return Err(self.rest.fault(FaultKind::Refused, fault::TOO_LONG));
        }
        let wallet = self.wallet().await?;
        let input = json!({
            "input": { "walletId": wallet, "amount": amount, "memo": request.description, "expiresIn": minutes },
        });
        let data: CreateData = self.data(self.ask(wire::CREATE, input, None).await?, Doing::Creating)?;
        let payload = data.ln_invoice_create;
        let Some(made) = payload.invoice else {
            return Err(fault::of(&self.rest, &payload.errors, Doing::Creating));
        };
        let payment_hash = PaymentHash::from_hex(&made.payment_hash)
            .map_err(|_| self.rest.fault(FaultKind::Garbled, "`paymentHash` is no hash"))?;
        Ok(Invoice { bolt11: made.payment_request, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        let wallet = self.wallet().await?;
        let variables = json!({ "wallet": wallet, "hash": hash.to_hex() });
        let reply = self.ask(wire::LOOKUP, variables, None).await?;
        if fault::is_unknown_invoice(&reply.errors) {
            return Ok(InvoiceState::NotFound);
        }
        let found: InvoiceLookup = self.data(reply, Doing::Reading)?;
        let state = found.me.default_account.wallet_by_id.state(self.clock.unix_seconds());
        state.ok_or_else(|| self.rest.fault(FaultKind::Garbled, "an invoice is in a state that Blink has not"))
    }

    /// Crash rule: Blink writes a payment into its ledger under the payment hash before it sends anything, and does
    /// not pay a hash that is pending there or paid. But it does so a while after it was told to, so an order counts as
    /// under way until Blink has answered or that while is over; and nothing is ordered until that is true of what an
    /// earlier process may have ordered. `Failed` is said only of what Blink has refused in words that exclude a payment,
    /// and only after its ledger was looked at again; every other end is unknown.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        self.pay_within(order).await.unwrap_or_else(|payment| payment)
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        self.orders.vouch(hash, self.booked(hash)).await
    }

    /// The account's wallets and the key's scopes: whatever invoices need but Blink's own node.
    async fn health(&self) -> Result<(), BackendError> {
        self.ask_account().await.map(drop)
    }
}

/// The URL without its last part, and that part; `None`: there is none.
fn split(url: &Url) -> Option<(Url, String)> {
    let mut base = url.clone();
    base.path_segments_mut().ok()?.pop_if_empty();
    let endpoint = base.path_segments()?.next_back().filter(|last| !last.is_empty())?.to_owned();
    base.path_segments_mut().ok()?.pop();
    Some((base, endpoint))
}

/// Blink's two servers are for one network each.
fn check_network(url: &Url, network: Network) -> Result<(), SetupError> {
    let theirs = match url.host_str() {
        Some("api.blink.sv") => Network::Bitcoin,
        Some("api.staging.blink.sv") => Network::Signet,
        _ => return Ok(()),
    };
    if theirs == network {
        return Ok(());
    }
    let message = format!("this server's invoices are for {theirs}, and lightning.network is {network}");
    Err(SetupError { key: KEYS.url, message })
}
