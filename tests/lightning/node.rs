//! What stands behind every stub: a node that knows invoices and payments, and does as it is told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Bolt11InvoiceDescription, Currency, Description, InvoiceBuilder, PaymentSecret, Sha256};
use satforge::clock::{Clock, SystemClock};
use satforge::lightning::Network;

use crate::stub::Product;

/// What a node does instead of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not accept the credentials.
    Unauthorised,
    /// It was asked too often, and wants to be left alone for seven seconds.
    Limited,
    /// It cannot at the moment.
    Failing,
    /// It answers with a web page.
    Garbage,
    /// It does what it was asked, and the connection breaks before the answer is whole.
    Cut,
    /// It does what it was asked, and never answers.
    Silent,
    /// Its invoices are a millisatoshi short.
    WrongAmount,
    /// It reports another payment hash than its invoice's.
    WrongHash,
    /// Its invoices are for another network.
    WrongNetwork,
}

/// How a payment that the node is told to make goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// It arrives, for a fee of one sat.
    Open,
    /// There is no way to the payee.
    None,
    /// It gets stuck on the way.
    Stuck,
}

#[derive(Clone, Debug)]
pub struct Incoming {
    pub bolt11: String,
    pub preimage: [u8; 32],
    pub hash: [u8; 32],
    pub msat: u64,
    pub memo: String,
    /// Unix seconds.
    pub made_at: u64,
    /// Seconds.
    pub expiry: u64,
    /// Unix seconds.
    pub paid_at: Option<u64>,
    pub cancelled: bool,
}

/// Somebody else's invoice.
#[derive(Clone, Debug)]
pub struct Foreign {
    pub preimage: [u8; 32],
    pub hash: [u8; 32],
    pub msat: u64,
    /// Unix seconds.
    pub expires_at: u64,
    pub route: Route,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Paid,
    Failed,
    InFlight,
}

pub struct Node {
    currency: Currency,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fault: Option<Fault>,
    drawn: u32,
    incoming: HashMap<[u8; 32], Incoming>,
    foreign: HashMap<String, Foreign>,
    sent: HashMap<[u8; 32], Sent>,
    /// How often money went out.
    payments: usize,
    /// Seconds that the node's clock is ahead.
    ahead: u64,
}

pub const FEE_MSAT: u64 = 1_000;

impl Node {
    pub fn new(currency: Currency) -> Self {
        Self { currency, inner: Mutex::default() }
    }

    /// The node of a product.
    pub fn of<P: Product>() -> Self {
        Self::new(match P::NETWORK {
            Network::Bitcoin => Currency::Bitcoin,
            _ => Currency::Regtest,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fault(&self) -> Option<Fault> {
        self.lock().fault
    }

    pub fn break_with(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// All is well again.
    pub fn mend(&self) {
        self.lock().fault = None;
    }

    pub fn now(&self) -> u64 {
        SystemClock.unix_seconds() + self.lock().ahead
    }

    /// Lets time pass, for the node alone.
    pub fn advance(&self, by: Duration) {
        self.lock().ahead += by.as_secs();
    }

    /// How often money went out.
    pub fn payments(&self) -> usize {
        self.lock().payments
    }

    /// Makes an invoice as it was asked for, or as the fault has it. `expiry` is in seconds.
    pub fn add_invoice(&self, msat: u64, memo: &str, expiry: u64) -> Incoming {
        self.add_described(msat, memo, direct(memo), expiry)
    }

    /// An invoice that holds the hash of a description which stands elsewhere.
    pub fn add_hashed_invoice(&self, msat: u64, memo: &str, metadata: &str, expiry: u64) -> Incoming {
        let hash = Sha256(sha256::Hash::hash(metadata.as_bytes()));
        self.add_described(msat, memo, Bolt11InvoiceDescription::Hash(hash), expiry)
    }

    fn add_described(&self, msat: u64, memo: &str, described: Bolt11InvoiceDescription, expiry: u64) -> Incoming {
        let now = self.now();
        let fault = self.fault();
        let currency = if fault == Some(Fault::WrongNetwork) { Currency::Signet } else { self.currency.clone() };
        let asked = if fault == Some(Fault::WrongAmount) { msat - 1 } else { msat };
        let preimage = self.draw();
        let bolt11 = sign(currency, preimage, asked, described, now, expiry);
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        let memo = memo.to_owned();
        let made =
            Incoming { bolt11, preimage, hash, msat, memo, made_at: now, expiry, paid_at: None, cancelled: false };
        self.lock().incoming.insert(hash, made.clone());
        if fault == Some(Fault::WrongHash) { Incoming { hash: [0xee; 32], ..made } } else { made }
    }

    pub fn incoming(&self, hash: &[u8; 32]) -> Option<Incoming> {
        self.lock().incoming.get(hash).cloned()
    }

    pub fn every_incoming(&self) -> Vec<Incoming> {
        self.lock().incoming.values().cloned().collect()
    }

    /// Somebody pays an invoice of this node; the payer learns the preimage.
    pub fn receive(&self, bolt11: &str) -> [u8; 32] {
        let now = self.now();
        let mut inner = self.lock();
        let invoice = inner.incoming.values_mut().find(|known| known.bolt11 == bolt11).unwrap();
        invoice.paid_at = Some(now);
        invoice.preimage
    }

    /// An invoice of somebody else.
    pub fn foreign_invoice(&self, msat: u64, expiry: u64, route: Route) -> (String, [u8; 32]) {
        let (preimage, now) = (self.draw(), self.now());
        let bolt11 = sign(self.currency.clone(), preimage, msat, direct("for somebody else"), now, expiry);
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        let foreign = Foreign { preimage, hash, msat, expires_at: now + expiry, route };
        self.lock().foreign.insert(bolt11.clone(), foreign);
        (bolt11, hash)
    }

    pub fn foreign(&self, bolt11: &str) -> Option<Foreign> {
        self.lock().foreign.get(bolt11).cloned()
    }

    pub fn foreign_by_hash(&self, hash: &[u8; 32]) -> Option<Foreign> {
        self.lock().foreign.values().find(|known| known.hash == *hash).cloned()
    }

    /// What became of a payment of this node.
    pub fn sent(&self, hash: &[u8; 32]) -> Option<Sent> {
        self.lock().sent.get(hash).copied()
    }

    /// Pays a foreign invoice that has not been paid, as its route has it.
    pub fn send(&self, foreign: &Foreign) -> Sent {
        let mut inner = self.lock();
        let outcome = match foreign.route {
            Route::Open => Sent::Paid,
            Route::None => Sent::Failed,
            Route::Stuck => Sent::InFlight,
        };
        inner.payments += usize::from(outcome != Sent::Failed);
        inner.sent.insert(foreign.hash, outcome);
        outcome
    }

    fn draw(&self) -> [u8; 32] {
        let mut inner = self.lock();
        inner.drawn += 1;
        let mut preimage = [0x11; 32];
        preimage[..4].copy_from_slice(&inner.drawn.to_be_bytes());
        preimage
    }
}

impl Clock for Node {
    fn unix_millis(&self) -> u64 {
        self.now() * 1_000
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + Duration::from_secs(self.lock().ahead)
    }
}

fn direct(memo: &str) -> Bolt11InvoiceDescription {
    Bolt11InvoiceDescription::Direct(Description::new(memo.to_owned()).unwrap())
}

fn sign(
    currency: Currency,
    preimage: [u8; 32],
    msat: u64,
    described: Bolt11InvoiceDescription,
    now: u64,
    expiry: u64,
) -> String {
    let key = SecretKey::from_slice(&[0x42; 32]).unwrap();
    InvoiceBuilder::new(currency)
        .invoice_description(described)
        .amount_milli_satoshis(msat)
        .payment_hash(sha256::Hash::hash(&preimage))
        .payment_secret(PaymentSecret([9; 32]))
        .duration_since_epoch(Duration::from_secs(now))
        .expiry_time(Duration::from_secs(expiry))
        .min_final_cltv_expiry_delta(18)
        .basic_mpp()
        .build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, &key))
        .unwrap()
        .to_string()
}
