//! The Lightning node's books: what came in, and what went out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Bolt11InvoiceDescription, Currency, Description, InvoiceBuilder, PaymentSecret};
use satforge::clock::{Clock as _, SystemClock};

use crate::dice::Dice;

pub type Hash32 = [u8; 32];

/// An invoice of the node's own.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub bolt11: String,
    pub preimage: [u8; 32],
    pub msat: u64,
    /// Unix seconds.
    pub made_at: u64,
    /// Seconds.
    pub expiry: u64,
    /// Unix seconds.
    pub paid_at: Option<u64>,
}

/// What became of a payment of the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    InFlight,
    Paid,
    Failed,
}

/// Somebody else's invoice, and what the node has done about it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub preimage: [u8; 32],
    pub hash: Hash32,
    pub msat: u64,
    /// The purchase for whose refund it was made.
    pub purchase: u64,
    /// How often it was ordered.
    pub orders: u64,
    /// When it leaves what state, from the last order on.
    course: Option<(Instant, Sent)>,
}

impl Outgoing {
    pub fn sent(&self) -> Option<Sent> {
        let (until, then) = self.course?;
        Some(if Instant::now() < until { Sent::InFlight } else { then })
    }

    /// When a payment under way ends.
    pub fn ends_at(&self) -> Option<Instant> {
        self.course.map(|(until, _)| until)
    }
}

/// What an order to pay comes to.
pub enum Ordered {
    Unknown,
    AlreadyPaid,
    AlreadyUnderWay,
    Begun(Outgoing),
}

pub struct Node {
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    drawn: u64,
    incoming: HashMap<Hash32, Incoming>,
    by_invoice: HashMap<String, Hash32>,
    outgoing: BTreeMap<Hash32, Outgoing>,
    foreign: HashMap<String, Hash32>,
    /// Orders of what was paid or on its way already.
    blind_orders: Vec<u64>,
    /// Invoices whose order was in hand for a while before it was in the books: a look did not find it.
    slow: HashSet<String>,
}

impl Node {
    pub fn new(seed: u64) -> Self {
        Self { seed, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> [u8; 32] {
        let mut inner = self.lock();
        inner.drawn += 1;
        Dice::of(self.seed, "preimage", inner.drawn, 0).bytes()
    }

    pub fn make_invoice(&self, msat: u64, memo: &str, expiry: u64) -> (Hash32, Incoming) {
        let (preimage, made_at) = (self.draw(), SystemClock.unix_seconds());
        let bolt11 = sign(0x42, preimage, msat, memo, (made_at, expiry));
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        let made = Incoming { bolt11: bolt11.clone(), preimage, msat, made_at, expiry, paid_at: None };
        let mut inner = self.lock();
        inner.by_invoice.insert(bolt11, hash);
        inner.incoming.insert(hash, made.clone());
        (hash, made)
    }

    pub fn incoming(&self, hash: &Hash32) -> Option<Incoming> {
        self.lock().incoming.get(hash).cloned()
    }

    /// Somebody pays an invoice of this node, and learns the preimage; `None`: it is not ours, has expired, or was paid.
    pub fn receive(&self, bolt11: &str) -> Option<[u8; 32]> {
        let now = SystemClock.unix_seconds();
        let mut inner = self.lock();
        let hash = *inner.by_invoice.get(bolt11)?;
        let invoice = inner.incoming.get_mut(&hash)?;
        if invoice.paid_at.is_some() || now > invoice.made_at + invoice.expiry {
            return None;
        }
        invoice.paid_at = Some(now);
        Some(invoice.preimage)
    }

    /// The hashes and amounts of all that came in.
    pub fn received(&self) -> Vec<(Hash32, u64)> {
        let inner = self.lock();
        let paid = inner.incoming.iter().filter(|(_, invoice)| invoice.paid_at.is_some());
        paid.map(|(hash, invoice)| (*hash, invoice.msat)).collect()
    }

    pub fn invoices(&self) -> usize {
        self.lock().incoming.len()
    }

    /// A buyer's wallet makes an invoice, to be paid for the refund of `purchase`.
    pub fn foreign_invoice(&self, msat: u64, purchase: u64) -> String {
        let preimage = self.draw();
        let bolt11 = sign(0x51, preimage, msat, "a refund", (SystemClock.unix_seconds(), 3_600));
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        let mut inner = self.lock();
        inner.foreign.insert(bolt11.clone(), hash);
        inner.outgoing.insert(hash, Outgoing { preimage, hash, msat, purchase, orders: 0, course: None });
        bolt11
    }

    /// An order is in hand, and not in the books yet.
    pub fn takes_its_time(&self, bolt11: &str) {
        self.lock().slow.insert(bolt11.to_owned());
    }

    /// The node is told to pay; some payments take a while, and some fail.
    pub fn order(&self, bolt11: &str, is_calm: bool) -> Ordered {
        let mut inner = self.lock();
        let Some(hash) = inner.foreign.get(bolt11).copied() else { return Ordered::Unknown };
        let Some(payment) = inner.outgoing.get_mut(&hash) else { return Ordered::Unknown };
        let (purchase, sent) = (payment.purchase, payment.sent());
        if let Some(sent @ (Sent::Paid | Sent::InFlight)) = sent {
            if !inner.slow.contains(bolt11) {
                inner.blind_orders.push(purchase);
            }
            return if sent == Sent::Paid { Ordered::AlreadyPaid } else { Ordered::AlreadyUnderWay };
        }
        payment.orders += 1;
        let mut dice = Dice::of(self.seed, "pay", purchase, payment.orders);
        let (after, then) = match dice.below(20) {
            _ if is_calm => (Duration::ZERO, Sent::Paid),
            0..=1 => (Duration::ZERO, Sent::Failed),
            2 => (dice.millis(500, 5_000), Sent::Failed),
            3..=6 => (dice.millis(500, 5_000), Sent::Paid),
            _ => (Duration::ZERO, Sent::Paid),
        };
        payment.course = Some((Instant::now() + after, then));
        Ordered::Begun(payment.clone())
    }

    pub fn outgoing(&self, hash: &Hash32) -> Option<Outgoing> {
        self.lock().outgoing.get(hash).cloned()
    }

    /// Whether the money has arrived at the invoice's owner.
    pub fn has_paid(&self, bolt11: &str) -> bool {
        let inner = self.lock();
        let payment = inner.foreign.get(bolt11).and_then(|hash| inner.outgoing.get(hash));
        payment.is_some_and(|payment| payment.sent() == Some(Sent::Paid))
    }

    /// Everything that was ever ordered.
    pub fn payments(&self) -> Vec<Outgoing> {
        self.lock().outgoing.values().filter(|payment| payment.orders > 0).cloned().collect()
    }

    /// Whether a refund was paid to more than one invoice, or ordered again while it was under way or done.
    pub fn has_paid_twice(&self) -> bool {
        let inner = self.lock();
        let mut paid = HashSet::new();
        let payments = inner.outgoing.values().filter(|payment| payment.sent() == Some(Sent::Paid));
        let twice = payments.map(|payment| payment.purchase).any(|purchase| !paid.insert(purchase));
        twice || !inner.blind_orders.is_empty()
    }

    /// The purchases of refunds that were ordered although they were paid or under way.
    pub fn blind_orders(&self) -> Vec<u64> {
        self.lock().blind_orders.clone()
    }
}

fn sign(key: u8, preimage: [u8; 32], msat: u64, memo: &str, (made_at, expiry): (u64, u64)) -> String {
    let key = SecretKey::from_slice(&[key; 32]).unwrap();
    let memo = Description::new(memo.chars().take(100).collect()).unwrap();
    InvoiceBuilder::new(Currency::Bitcoin)
        .invoice_description(Bolt11InvoiceDescription::Direct(memo))
        .amount_milli_satoshis(msat)
        .payment_hash(sha256::Hash::hash(&preimage))
        .payment_secret(PaymentSecret([9; 32]))
        .duration_since_epoch(Duration::from_secs(made_at))
        .expiry_time(Duration::from_secs(expiry))
        .min_final_cltv_expiry_delta(18)
        .basic_mpp()
        .build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, &key))
        .unwrap()
        .to_string()
}
