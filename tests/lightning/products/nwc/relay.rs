//! A Nostr relay (NIP-01, NIP-42) with one wallet behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt as _, StreamExt as _};
use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::{SECRET, Temper, WALLET_SECRET, Wallet, keys};
use crate::node::Fault;

const CHALLENGE: &str = "who are you";

pub(super) async fn start(wallet: Arc<Wallet>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            wallet.connections.fetch_add(1, Ordering::SeqCst);
            let wallet = wallet.clone();
            #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
            tokio::spawn(async move {
                // Whoever wants TLS is refused.
                if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                    Visitor { wallet: wallet.clone(), socket, known: false, kept: Vec::new() }.serve().await;
                }
                wallet.closed.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    url
}

struct Visitor {
    wallet: Arc<Wallet>,
    socket: WebSocketStream<TcpStream>,
    /// Whether it has said who it is.
    known: bool,
    /// Answers that were sent, or are to be sent later.
    kept: Vec<Event>,
}

impl Visitor {
    async fn serve(mut self) {
        if self.temper() == Temper::Closed {
            self.say(&json!(["AUTH", CHALLENGE])).await;
        }
        while let Some(Ok(message)) = self.socket.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(text.as_str()).unwrap();
            let goes_on = match message[0].as_str().unwrap() {
                "REQ" => self.subscribe(&message).await,
                "EVENT" => self.pass_on(serde_json::from_value(message[1].clone()).unwrap()).await,
                "AUTH" => self.get_to_know(&serde_json::from_value(message[1].clone()).unwrap()).await,
                other => panic!("{other}"),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn temper(&self) -> Temper {
        self.wallet.manners.relay
    }

    async fn say(&mut self, message: &Value) {
        // Whoever has gone does not hear it.
        let _ = self.socket.send(message.to_string().into()).await;
    }

    async fn bring(&mut self, event: &Event) {
        self.say(&json!(["EVENT", "answers", event])).await;
    }

    async fn subscribe(&mut self, message: &Value) -> bool {
        let (name, filter) = (&message[1], &message[2]);
        if self.temper() == Temper::Closed && !self.known {
            self.say(&json!(["CLOSED", name, "auth-required: who are you?"])).await;
            return true;
        }
        assert_eq!(filter["authors"], json!([keys(WALLET_SECRET).public_key()]));
        if filter["kinds"] == json!([13194]) {
            if let Some(info) = self.wallet.info() {
                self.say(&json!(["EVENT", name, info])).await;
            }
        } else {
            assert_eq!(filter["kinds"], json!([23195]));
            assert_eq!(filter["#p"].as_array().unwrap().len(), 1);
        }
        self.say(&json!(["EOSE", name])).await;
        true
    }

    async fn get_to_know(&mut self, proof: &Event) -> bool {
        proof.verify().unwrap();
        let tag = |name: &str| proof.tags.iter().find(|tag| tag.kind() == name).and_then(|tag| tag.content());
        assert_eq!(proof.kind, Kind::from(22242));
        assert_eq!(tag("challenge"), Some(CHALLENGE));
        assert!(tag("relay").unwrap().starts_with("ws://127.0.0.1:"));
        self.known = proof.pubkey == keys(SECRET).public_key();
        self.say(&json!(["OK", proof.id, self.known, ""])).await;
        true
    }

    async fn pass_on(&mut self, request: Event) -> bool {
        request.verify().unwrap();
        if self.temper() == Temper::Lying {
            self.say(&json!(["OK", request.id, false, "rate-limited: you are noting too much"])).await;
        } else if self.temper() != Temper::Deaf {
            self.say(&json!(["OK", request.id, true, ""])).await;
        }
        if self.temper() == Temper::Withholding {
            return false;
        }
        let Some(answer) = self.wallet.handle(&request) else { return true };
        match (self.wallet.node.fault(), self.temper()) {
            (Some(Fault::Cut), _) => return false,
            (Some(Fault::Silent), _) | (_, Temper::Deaf | Temper::Lying) => {}
            (_, Temper::Honest | Temper::Closed | Temper::Withholding) => self.bring(&answer).await,
            (_, Temper::Freezing) => {
                self.bring(&answer).await;
                std::future::pending::<()>().await;
            }
            (_, Temper::Hasty) => {
                self.bring(&answer).await;
                return false;
            }
            (_, Temper::Forging) => self.forge(&request, answer).await,
            (_, Temper::Reordering) => {
                self.kept.push(answer);
                if self.kept.len() == 4 {
                    for answer in std::mem::take(&mut self.kept).iter().rev() {
                        self.bring(answer).await;
                    }
                }
            }
        }
        true
    }

    /// Everything that a relay could try, and then the truth.
    async fn forge(&mut self, request: &Event, answer: Event) {
        let stranger = Keys::parse(&"11".repeat(32)).unwrap();
        let signed = |kind: u16, content: &str, keys: &Keys| {
            let event = EventBuilder::new(Kind::from(kind), content).tag(Tag::event(request.id));
            event.tag(Tag::public_key(request.pubkey)).finalize(keys).unwrap()
        };
        // Somebody else's, signed well; the same in the wallet's name; the wallet's own word for something else.
        let foreign = signed(23195, "no", &stranger);
        let mut in_its_name = foreign.clone();
        in_its_name.pubkey = answer.pubkey;
        let another_kind = signed(23196, "no", &keys(WALLET_SECRET));
        // A true answer, changed.
        let mut changed = answer.clone();
        changed.content = foreign.content.clone();
        // The answers of earlier requests, as they are and as if they were for this one.
        let mut forged = vec![foreign, in_its_name, another_kind, changed];
        for earlier in &self.kept {
            let mut moved = earlier.clone();
            moved.tags = answer.tags.clone();
            forged.extend([earlier.clone(), moved]);
        }
        self.say(&json!(["EVENT", "answers", {"id": 7}])).await;
        self.say(&json!(["NOTICE", "a day like any other"])).await;
        for event in &forged {
            self.bring(event).await;
        }
        self.bring(&answer).await;
        self.kept.push(answer);
    }
}
