//! A wallet service and its relay: NIP-47 as of 2026, with the error codes, texts and fields of Alby Hub
//! (`nip47/event_handler.go`, `nip47/controllers/`, `nip47/models/transactions.go`, `transactions/transactions_service.go`).

mod relay;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use nostr::nips::{nip04, nip44};
use nostr::types::Timestamp;
use satforge::clock::Clock;
use satforge::config::NwcConfig;
use satforge::lightning::nwc::{Nwc, SETTLED_AFTER};
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::Url;

use crate::node::{FEE_MSAT, Fault, Node, Sent};
use crate::stub::{Failure, Product, Setting, TIMEOUT};

pub struct NwcProduct;

/// The connection's secret.
pub const SECRET: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";
const WALLET_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub const METHODS: &str =
    "pay_invoice get_balance get_info make_invoice lookup_invoice list_transactions notifications";

/// How this relay and this wallet are.
pub struct Manners {
    /// The `encryption` tag of the wallet's info event.
    pub encryption: Option<&'static str>,
    /// What the info event lists; `None`: the relay has none.
    pub methods: Option<&'static str>,
    /// When the info event was made, in Unix seconds.
    pub info_made_at: u64,
    /// An error with which everything is answered.
    pub error: Option<&'static str>,
    /// An error with which every payment is answered, whatever becomes of it.
    pub pay_error: Option<&'static str>,
    /// Failed payments are not kept.
    pub forgets_failures: bool,
    /// Payments are confirmed without a preimage, and before they have arrived.
    pub hides_preimages: bool,
    pub relay: Temper,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            encryption: Some("nip44_v2 nip04"),
            methods: Some(METHODS),
            info_made_at: 1_700_000_000,
            error: None,
            pay_error: None,
            forgets_failures: false,
            hides_preimages: false,
            relay: Temper::Honest,
        }
    }
}

/// What the relay makes of what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    Honest,
    /// Before each true answer it sends what it has made up, and the answers of earlier requests.
    Forging,
    /// It keeps answers until there are four, and sends the last one first.
    Reordering,
    /// It says that it does not take requests, and passes them on.
    Lying,
    /// It wants to know who asks before it does anything (NIP-42).
    Closed,
    /// It takes everything and gives nothing back.
    Deaf,
    /// It drops each connection as soon as it has answered.
    Hasty,
    /// It passes nothing on, and hangs up.
    Withholding,
    /// After its first answer it says nothing more, and does not hang up either.
    Freezing,
}

/// A wallet service behind a relay.
pub struct Wallet {
    pub node: Arc<Node>,
    pub manners: Manners,
    /// Connections to the relay so far.
    pub connections: AtomicUsize,
    /// Those of them that it has closed.
    pub closed: AtomicUsize,
    /// What it was asked, as (encryption, method).
    pub asked: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl Product for NwcProduct {
    const SETTLED_AFTER: Duration = SETTLED_AFTER;
    const FAILURE: Failure = Failure::Open;

    async fn serve(node: Arc<Node>) -> Url {
        Wallet::start(node, Manners::default()).await.1
    }

    fn refuses(_fault: Fault) -> bool {
        true
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        vec![("uri", Setting::credential(&uri(std::slice::from_ref(url), SECRET)))]
    }

    async fn adapter(url: Url, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        adapter(&[url], SECRET, clock)
    }
}

pub fn uri(relays: &[Url], secret: &str) -> String {
    let relays: Vec<String> = relays.iter().map(|relay| format!("relay={relay}&")).collect();
    let relays = relays.concat();
    format!("nostr+walletconnect://{}?{relays}secret={secret}&lud16=shop@example.com", keys(WALLET_SECRET).public_key())
}

pub fn adapter(relays: &[Url], secret: &str, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
    let config = NwcConfig { uri: uri(relays, secret).into() };
    Arc::new(Nwc::new(&config, Network::Regtest, TIMEOUT, clock).unwrap())
}

fn keys(secret: &str) -> Keys {
    Keys::parse(secret).unwrap()
}

/// An error object of NIP-47.
fn error(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message})
}

impl Wallet {
    pub async fn start(node: Arc<Node>, manners: Manners) -> (Arc<Self>, Url) {
        let (connections, closed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let wallet = Arc::new(Self { node, manners, connections, closed, asked: Mutex::default() });
        let url = relay::start(wallet.clone()).await;
        (wallet, url)
    }

    pub fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }

    fn info(&self) -> Option<Event> {
        let tags = self.manners.encryption.map(|offered| Tag::custom("encryption", [offered]));
        let info = EventBuilder::new(Kind::from(13194), self.manners.methods?).tags(tags);
        Some(
            info.custom_created_at(Timestamp::from_secs(self.manners.info_made_at))
                .finalize(&keys(WALLET_SECRET))
                .unwrap(),
        )
    }

    /// What it answers, if it answers.
    fn handle(&self, request: &Event) -> Option<Event> {
        let client = keys(SECRET).public_key();
        // Alby Hub says nothing to a key that it does not know.
        if request.pubkey != client {
            return None;
        }
        let tag = |name: &str| request.tags.iter().find(|tag| tag.kind() == name).and_then(|tag| tag.content());
        assert_eq!(tag("p"), Some(&*keys(WALLET_SECRET).public_key().to_hex()));
        assert!(tag("expiration").unwrap().parse::<u64>().unwrap() > self.node.now(), "it is not valid any more");
        let encryption = tag("encryption").unwrap().to_owned();
        let offered = self.manners.encryption.unwrap_or("nip04");
        assert!(offered.split(' ').any(|offered| offered == encryption), "{encryption}");
        let own = keys(WALLET_SECRET);
        let text = match &*encryption {
            "nip44_v2" => nip44::decrypt(own.secret_key(), &client, &request.content).unwrap(),
            _ => nip04::decrypt(own.secret_key(), &client, &request.content).unwrap(),
        };
        let asked: Value = serde_json::from_str(&text).unwrap();
        let method = asked["method"].as_str().unwrap().to_owned();
        self.asked.lock().unwrap().push((encryption.clone(), method.clone()));
        let answer = match self.answer(&method, &asked["params"])? {
            Ok(result) => json!({"result": result, "result_type": method}),
            Err(error) => json!({"error": error, "result_type": method}),
        };
        let content = match &*encryption {
            _ if self.node.fault() == Some(Fault::Garbage) => "<html>Welcome to nginx!</html>".to_owned(),
            "nip44_v2" => nip44::encrypt(own.secret_key(), &client, answer.to_string(), nip44::Version::V2).unwrap(),
            _ => nip04::encrypt(own.secret_key(), &client, answer.to_string()).unwrap(),
        };
        let answer = EventBuilder::new(Kind::from(23195), content);
        Some(answer.tag(Tag::public_key(client)).tag(Tag::event(request.id)).finalize(&own).unwrap())
    }

    fn answer(&self, method: &str, params: &Value) -> Option<Result<Value, Value>> {
        let refusal = match self.node.fault() {
            Some(Fault::Unauthorised) => Some(error("UNAUTHORIZED", "This public key has no wallet connected")),
            Some(Fault::Limited) => Some(error("RATE_LIMITED", "Slow down")),
            Some(Fault::Failing) => Some(error("INTERNAL", "the node is not running")),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Some(Err(refusal));
        }
        if let Some(code) = self.manners.error {
            return Some(Err(error(code, "so it is")));
        }
        let allowed = self.manners.methods.is_none_or(|methods| methods.split(' ').any(|allowed| allowed == method));
        if !allowed {
            return Some(Err(error("RESTRICTED", &format!("This app does not have the {method} scope"))));
        }
        match method {
            "get_info" => Some(Ok(json!({
                "alias": "getalby.com", "pubkey": "", "network": "regtest", "block_height": 1, "block_hash": "",
                "methods": self.manners.methods.unwrap_or(METHODS).split(' ').collect::<Vec<_>>(),
            }))),
            "make_invoice" => Some(self.make(params)),
            "lookup_invoice" => Some(self.look_up(params)),
            "pay_invoice" => self.pay(params),
            other => Some(Err(error("NOT_IMPLEMENTED", &format!("Unknown method: {other}")))),
        }
    }

    fn make(&self, params: &Value) -> Result<Value, Value> {
        let amount = params["amount"].as_u64().unwrap();
        if !amount.is_multiple_of(1_000) {
            return Err(error("INTERNAL", "the amount must be a whole number of satoshis"));
        }
        let memo = params["description"].as_str().unwrap();
        let made = self.node.add_invoice(amount, memo, params["expiry"].as_u64().unwrap());
        Ok(json!({
            "type": "incoming", "state": "pending", "invoice": made.bolt11, "description": memo, "description_hash": "",
            "preimage": "", "payment_hash": hex::encode(made.hash), "amount": amount, "fees_paid": 0,
            "created_at": made.made_at, "expires_at": made.made_at + made.expiry, "settled_at": null,
            "settle_deadline": null,
        }))
    }

    fn look_up(&self, params: &Value) -> Result<Value, Value> {
        let hash: [u8; 32] = hex::decode(params["payment_hash"].as_str().unwrap()).unwrap().try_into().unwrap();
        if let Some(known) = self.node.incoming(&hash) {
            let expires_at = known.made_at + known.expiry;
            let state = match known.paid_at {
                Some(_) => "settled",
                None if self.node.now() > expires_at => "expired",
                None => "pending",
            };
            let preimage = known.paid_at.map(|_| hex::encode(known.preimage)).unwrap_or_default();
            return Ok(json!({
                "type": "incoming", "state": state, "invoice": known.bolt11, "description": known.memo,
                "description_hash": "", "preimage": preimage, "payment_hash": hex::encode(hash), "amount": known.msat,
                "fees_paid": 0, "created_at": known.made_at, "expires_at": expires_at, "settled_at": known.paid_at,
                "settle_deadline": null,
            }));
        }
        let sent = self.node.foreign_by_hash(&hash).zip(self.node.sent(&hash));
        let sent = sent.filter(|(_, sent)| *sent != Sent::Failed || !self.manners.forgets_failures);
        let Some((foreign, sent)) = sent else {
            return Err(error("NOT_FOUND", "The transaction requested was not found"));
        };
        let expires_at = foreign.expires_at;
        let state = match sent {
            Sent::Paid => "settled",
            // Of payments, too.
            _ if self.node.now() > expires_at => "expired",
            Sent::Failed => "failed",
            Sent::InFlight => "pending",
        };
        let paid = sent == Sent::Paid;
        Ok(json!({
            "type": "outgoing", "state": state, "invoice": "", "description": "", "description_hash": "",
            "preimage": if paid { hex::encode(foreign.preimage) } else { String::new() },
            "payment_hash": hex::encode(hash), "amount": foreign.msat, "fees_paid": if paid { FEE_MSAT } else { 0 },
            "created_at": expires_at - 600, "expires_at": expires_at, "settled_at": paid.then_some(self.node.now()),
            "settle_deadline": null,
        }))
    }

    /// Alby Hub has `INTERNAL` for every failure, and answers when the payment has ended.
    fn pay(&self, params: &Value) -> Option<Result<Value, Value>> {
        let internal = |message: &str| Some(Err(error("INTERNAL", message)));
        assert_eq!(params.as_object().unwrap().len(), 1, "the invoice names its own amount");
        let Some(foreign) = self.node.foreign(params["invoice"].as_str().unwrap()) else {
            return Some(Err(error("BAD_REQUEST", "Failed to decode bolt11 invoice: invalid checksum")));
        };
        match self.node.sent(&foreign.hash) {
            Some(Sent::Paid) => return internal("this invoice has already been paid"),
            Some(Sent::InFlight) => return internal("there is already a payment pending for this invoice"),
            Some(Sent::Failed) | None => {}
        }
        if self.node.now() > foreign.expires_at {
            return internal("this invoice has expired");
        }
        let sent = self.node.send(&foreign);
        if let Some(code) = self.manners.pay_error {
            return Some(Err(error(code, "so it is")));
        }
        let preimage = if self.manners.hides_preimages { String::new() } else { hex::encode(foreign.preimage) };
        match sent {
            Sent::Paid => Some(Ok(json!({"preimage": preimage, "fees_paid": FEE_MSAT}))),
            Sent::Failed => internal("received payment failed event: RouteNotFound"),
            Sent::InFlight if self.manners.hides_preimages => Some(Ok(json!({"preimage": preimage}))),
            Sent::InFlight => None,
        }
    }
}
