//! A wallet over Nostr Wallet Connect (NIP-47).
//!
//! Requests and answers are encrypted events on a relay of the wallet's choice. What the wallet can do it says in an
//! event of its own; error codes and states are those of NIP-47 and of Alby Hub, which has more of both.

mod books;
mod connection;
mod fault;
mod link;
mod relays;
mod waiting;
mod wallet;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use crate::clock::Clock;
use crate::config::NwcConfig;
use crate::domain::{Invoice, PaymentHash};
use crate::egress::Connector;

use super::orders::Orders;
use super::rest::SetupError;
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, decode_invoice,
};
use fault::{Failure, fault};
use relays::{Relays, Sending, Tries};
use wallet::Wallet;
use wire::{Info, MakeInvoice, Nothing, Paid, PayInvoice, Transaction};

const NAME: &str = "nwc";
const URI_KEY: &str = "lightning.nwc.uri";
const MAKE: &str = "make_invoice";
const LOOKUP: &str = "lookup_invoice";
const PAY: &str = "pay_invoice";
const INFO: &str = "get_info";
/// How long a request that moves no money is valid: long enough for clocks that do not agree.
const VALID: Duration = Duration::from_mins(2);
/// The longest that the wallet may begin with an order. It bounds the time for which nothing can be said about it: a
/// relay may hold an order back for so long.
const LONGEST_VALID: Duration = Duration::from_mins(1);
/// By how much the wallet's clock may be behind.
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// How long after its start the adapter does not say of any payment that it was not made: a process before this one may
/// have ordered it.
pub const SETTLED_AFTER: Duration = LONGEST_VALID.saturating_add(CLOCK_SKEW);
/// A wallet goes on for a while after the order has ceased to be valid, until what is under way has come back.
const PAY_MARGIN: Duration = Duration::from_secs(15);

/// A wallet behind a relay.
pub struct Nwc {
    relays: Relays,
    wallet: Arc<Wallet>,
    orders: Orders,
    network: Network,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Nwc {
    /// The wallet of `config`, whose answers may take `timeout`; nothing is sent yet. Errors where the connection string
    /// cannot be used.
    pub fn new(
        config: &NwcConfig,
        network: Network,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let setup = |message: String| SetupError { key: URI_KEY, message };
        let connection = connection::read(config.uri.expose_secret()).map_err(setup)?;
        let connector = Connector::to(&connection.relays).map_err(|error| setup(error.to_string()))?;
        let wallet = Arc::new(Wallet::default());
        let relays = Relays::new(connection, wallet.clone(), connector, clock.clone());
        let orders = Orders::new(clock.clone(), SETTLED_AFTER);
        // A little less, so that it is said what was silent before the caller gives up.
        let timeout = timeout.mul_f64(0.9);
        Ok(Self { relays, wallet, orders, network, timeout, clock })
    }

    const fn usual(&self) -> Sending {
        Sending { wait: self.timeout, valid: VALID, tries: Tries::EachRelay }
    }
}

#[async_trait]
impl LightningBackend for Nwc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    /// NIP-47 counts in msat, but Alby Hub and others refuse parts of a sat, and some give the expiry no heed: Alby Hub
    /// over phoenixd or a mint. Relays count events, and refuse more than so many in a minute.
    fn capabilities(&self) -> Capabilities {
        let methods = self.wallet.methods();
        Capabilities {
            lookup: methods.lookup,
            // Without looking first it is not safe to pay.
            pay: methods.pay && methods.lookup,
            // NIP-47 knows none: the wallet's own holds.
            fee_limit: FeeLimit::Own,
            msat: false,
            expiry: ExpiryRule::Own,
            free_invoices: false,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let amount = request.amount.msat();
        if request.amount.whole_sat().is_none() {
            return Err(fault(FaultKind::Refused, "wallets over Nostr Wallet Connect take whole sats only"));
        }
        let params = MakeInvoice { amount, description: &request.description, expiry: request.expiry.as_secs() };
        let made: Transaction =
            self.relays.ask(MAKE, &params, self.usual()).await.map_err(|failure| failure.into_fault(MAKE))?;
        let bolt11 = made.invoice.ok_or_else(|| fault::garbled(MAKE))?;
        let reported = made.payment_hash.filter(|hash| !hash.is_empty());
        let payment_hash = match reported {
            Some(hash) => PaymentHash::from_hex(&hash).ok(),
            None => decode_invoice(&bolt11).ok().map(|decoded| decoded.payment_hash),
        };
        let payment_hash = payment_hash.ok_or_else(|| fault::garbled(MAKE))?;
        Ok(Invoice { bolt11, payment_hash, amount: request.amount, expires_at: 0 })
    }

    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        match self.look_up(hash).await? {
            Some(found) if !found.is_outgoing() => {
                found.invoice_state(self.clock.unix_seconds()).ok_or_else(|| fault::garbled(LOOKUP))
            }
            _ => Ok(InvoiceState::NotFound),
        }
    }

    /// Crash rule: the order is sent once, over one relay, and is valid for as long as the wallet may try. Without an
    /// answer nothing is known. It has failed only where the error says that there was no attempt, and the wallet's books
    /// show none; that an attempt has failed is never final, whether an answer says so or the books. What the books do not
    /// show may still arrive until it is no longer valid, and nothing is ordered until that is true of what an earlier
    /// process may have ordered.
    async fn pay(&self, order: &PaymentOrder) -> Payment {
        if !self.capabilities().pay {
            return Payment::failed(format!(
                "{URI_KEY}: the connection does not allow both pay_invoice and lookup_invoice"
            ));
        }
        let hash = &order.payment_hash;
        if !self.orders.begin(*hash) {
            return Payment::unknown("an earlier attempt cannot be ruled out yet");
        }
        let valid = order.timeout.clamp(Duration::from_secs(1), LONGEST_VALID);
        let wait = order.timeout + order.timeout.min(PAY_MARGIN);
        let sending = Sending { wait, valid, tries: Tries::Once };
        let outcome = self.relays.ask::<Paid>(PAY, &PayInvoice { invoice: &order.bolt11 }, sending).await;
        let payment = match outcome {
            Ok(paid) => {
                let receipt = paid.receipt();
                let proven = receipt.preimage.as_ref().is_some_and(|preimage| preimage.opens(hash));
                if proven { Payment::Paid(receipt) } else { self.without_proof(hash).await }
            }
            Err(Failure::Unsent(fault)) => Payment::failed(fault.to_string()),
            Err(Failure::Lost(fault)) => Payment::unknown(fault.to_string()),
            Err(Failure::Wallet(error)) => self.after(hash, &error).await,
        };
        if !matches!(payment, Payment::Unknown { .. }) {
            self.orders.end(hash);
        }
        payment
    }

    async fn lookup_outgoing(&self, hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        self.orders.vouch(hash, self.booked(hash)).await
    }

    /// The wallet has to answer; what it answers tells what this connection may do. One without `get_info` is asked for
    /// an invoice that cannot be there.
    async fn health(&self) -> Result<(), BackendError> {
        self.relays.reach(self.timeout).await?;
        let methods = self.wallet.methods();
        if methods.info {
            match self.relays.ask::<Info>(INFO, &Nothing {}, self.usual()).await {
                Ok(info) => self.wallet.learn_methods(info.methods.iter().map(String::as_str)),
                // It answers, and so it is there.
                Err(Failure::Wallet(error)) if ["NOT_IMPLEMENTED", "RESTRICTED"].contains(&error.code.as_str()) => {}
                Err(failure) => return Err(failure.into_fault(INFO)),
            }
        } else if methods.lookup {
            self.look_up(&PaymentHash::from_bytes([0; 32])).await?;
        }
        if self.wallet.methods().make {
            return Ok(());
        }
        Err(fault(FaultKind::Unauthorised, format!("{URI_KEY}: the wallet does not allow this connection {MAKE}")))
    }
}
