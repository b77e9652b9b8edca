//! One connection to one relay.
//!
//! No task looks after it: whoever waits for an answer reads, and hands to the others what is theirs. So an idle
//! connection costs nothing, and is tried with a ping before it is used again.
//!
//! Architecture invariant: a relay is a stranger. It can lose what it is given, and nothing else: an answer counts only
//! with the wallet's signature over it and over the request that it names, and a request's id is never used twice.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::message::RelayMessage;
use nostr::types::Timestamp;
use serde_json::json;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::clock::Clock;
use crate::egress::{Message, WebSocket};

use super::connection::Connection;
use super::waiting::{Heard, Waiting};
use super::wallet::Wallet;

pub(super) const INFO: Kind = Kind::Custom(13194);
pub(super) const REQUEST: Kind = Kind::Custom(23194);
pub(super) const RESPONSE: Kind = Kind::Custom(23195);
const AUTHENTICATION: Kind = Kind::Custom(22242);
/// Names of our two subscriptions.
const WALLET: &str = "wallet";
const ANSWERS: &str = "answers";
/// A connection that was silent for so long may have been cut without a word.
const TRUSTED_FOR: Duration = Duration::from_secs(20);
/// The time that a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// An open connection.
pub(super) struct Link {
    connection: Arc<Connection>,
    wallet: Arc<Wallet>,
    clock: Arc<dyn Clock>,
    relay: Url,
    writer: Turn<SplitSink<WebSocket, Message>>,
    reader: Turn<SplitStream<WebSocket>>,
    waiting: Waiting,
    /// When the relay last said anything.
    heard: watch::Sender<Instant>,
    /// Whether the relay has told what it keeps of the wallet.
    told: watch::Sender<bool>,
}

/// Why there is no answer.
pub(super) enum Silence {
    /// The connection was gone before anything was sent.
    Unsent,
    /// It was cut afterwards.
    Cut,
    /// The relay says that it does not take the request.
    Refused(String),
}

impl Link {
    /// A link over `socket`, which has just been opened. Returns when the relay has told what it keeps of the wallet.
    pub(super) async fn open(
        socket: WebSocket,
        relay: Url,
        connection: Arc<Connection>,
        wallet: Arc<Wallet>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Silence> {
        let (writer, reader) = socket.split();
        let link = Self {
            connection,
            wallet,
            clock,
            relay,
            writer: Turn::new(writer),
            reader: Turn::new(reader),
            waiting: Waiting::new(),
            heard: watch::Sender::new(Instant::now()),
            told: watch::Sender::new(false),
        };
        link.subscribe().await;
        let mut told = link.told.subscribe();
        link.drive(async { drop(told.wait_for(|told| *told).await) }).await;
        if link.waiting.is_open() { Ok(link) } else { Err(Silence::Unsent) }
    }

    /// Sends `request`, and returns the wallet's signed answer to it. Has no limit of its own.
    pub(super) async fn ask(&self, request: &Event) -> Result<Box<Event>, Silence> {
        let (_place, answer) = self.waiting.enter(request.id).ok_or(Silence::Unsent)?;
        self.send(json!(["EVENT", request]).to_string().into()).await;
        match self.drive(answer).await {
            Ok(Heard::Answer(answer)) => Ok(answer),
            Ok(Heard::Refused(reason)) => Err(Silence::Refused(reason)),
            Err(_) => Err(Silence::Cut),
        }
    }

    /// Whether a request can be sent: everything that has come in meanwhile is read, and after a longer silence the
    /// relay has to answer a ping.
    pub(super) async fn is_usable(&self) -> bool {
        // Whoever holds the reader sees to this.
        if let Ok(mut reader) = self.reader.try_lock() {
            while let Some(message) = reader.next().now_or_never() {
                self.take(message).await;
                if !self.waiting.is_open() {
                    return false;
                }
            }
        }
        if self.heard.borrow().elapsed() < TRUSTED_FOR {
            return self.waiting.is_open();
        }
        let mut heard = self.heard.subscribe();
        let answered = async {
            self.send(Message::Ping(Vec::new().into())).await;
            self.drive(heard.changed()).await.is_ok()
        };
        timeout(PING_TIMEOUT, answered).await.is_ok_and(|answered| answered && self.waiting.is_open())
    }

    /// Whether the relay has said anything since `then`.
    pub(super) fn was_heard_since(&self, then: Instant) -> bool {
        *self.heard.borrow() >= then
    }

    /// Nothing more is sent or heard; whoever waits is told so.
    pub(super) fn close(&self) {
        self.waiting.close();
        self.told.send_replace(true);
        self.heard.send_modify(|_| ());
    }

    /// Waits for `done`, and reads while nobody else does. Each reader stops when it has what it waits for; the next one
    /// in line goes on.
    async fn drive<T>(&self, done: impl Future<Output = T>) -> T {
        tokio::pin!(done);
        let mut reader = tokio::select! {
            biased;
            done = &mut done => return done,
            reader = self.reader.lock() => reader,
        };
        loop {
            tokio::select! {
                biased;
                done = &mut done => return done,
                message = reader.next() => self.take(message).await,
            }
        }
    }

    async fn send(&self, message: Message) {
        if self.writer.lock().await.send(message).await.is_err() {
            self.close();
        }
    }

    /// Asks for what the wallet says of itself, and for its answers to us. There is no lower limit of their time: the
    /// wallet's clock may be behind.
    async fn subscribe(&self) {
        let (wallet, us) = (self.connection.wallet, self.connection.keys.public_key());
        let of_itself = json!({"kinds": [INFO], "authors": [wallet], "limit": 1});
        let to_us = json!({"kinds": [RESPONSE], "authors": [wallet], "#p": [us], "limit": 1});
        // In this order: when the relay has told of the first, it knows of the second.
        self.send(json!(["REQ", ANSWERS, to_us]).to_string().into()).await;
        self.send(json!(["REQ", WALLET, of_itself]).to_string().into()).await;
    }

    async fn take(&self, message: Option<Result<Message, impl std::error::Error>>) {
        let Some(Ok(message)) = message else { return self.close() };
        self.heard.send_replace(Instant::now());
        match message {
            Message::Text(text) => {
                if let Ok(message) = RelayMessage::from_json(text.as_str()) {
                    self.hear(message).await;
                }
            }
            Message::Close(_) => self.close(),
            _ => {}
        }
    }

    async fn hear(&self, message: RelayMessage<'_>) {
        match message {
            RelayMessage::Event { event, .. } => self.receive(event.into_owned()),
            RelayMessage::Ok { event_id, status: false, message } => {
                self.waiting.hand_over(&event_id, Heard::Refused(message.into_owned()));
            }
            RelayMessage::EndOfStoredEvents(name) if name.as_str() == WALLET => drop(self.told.send_replace(true)),
            RelayMessage::Auth { challenge } => self.authenticate(&challenge).await,
            // The challenge has come or is coming, and with it another subscription.
            RelayMessage::Closed { message, .. } if message.starts_with("auth-required") => {}
            RelayMessage::Closed { subscription_id, .. } if subscription_id.as_str() == ANSWERS => self.close(),
            RelayMessage::Closed { .. } => drop(self.told.send_replace(true)),
            _ => {}
        }
    }

    /// What is not the wallet's own word is dropped without one.
    fn receive(&self, event: Event) {
        if event.pubkey != self.connection.wallet {
            return;
        }
        if event.kind == INFO && self.wallet.is_news(event.created_at.as_secs()) && event.verify().is_ok() {
            self.wallet.learn(&event);
        } else if event.kind == RESPONSE {
            // Signatures are dear: only what somebody waits for is looked at closely.
            let Some(request) = event.tags.event_ids().next() else { return };
            if self.waiting.expects(&request) && event.verify().is_ok() {
                self.waiting.hand_over(&request, Heard::Answer(Box::new(event)));
            }
        }
    }

    /// Proves to the relay who asks (NIP-42), and subscribes again: it may have refused before.
    async fn authenticate(&self, challenge: &str) {
        let proof = EventBuilder::new(AUTHENTICATION, "")
            .tag(Tag::custom("relay", [self.relay.as_str()]))
            .tag(Tag::custom("challenge", [challenge]))
            .custom_created_at(Timestamp::from_secs(self.clock.unix_seconds()))
            .finalize(&self.connection.keys);
        if let Ok(proof) = proof {
            self.send(json!(["AUTH", proof]).to_string().into()).await;
            self.subscribe().await;
        }
    }
}
