//! The relays of a connection, of which one is in use.

use std::sync::Arc;
use std::time::Duration;

use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Tag};
use nostr::types::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::egress::Connector;
use crate::lightning::{BackendError, FaultKind};

use super::connection::Connection;
use super::fault::{self, Failure, Place};
use super::link::{Link, REQUEST, Silence};
use super::wallet::{Wallet, open};
use super::wire::{self, Request, Said};

/// A wallet, by way of its relays.
pub(super) struct Relays {
    connection: Arc<Connection>,
    wallet: Arc<Wallet>,
    connector: Connector,
    clock: Arc<dyn Clock>,
    current: Turn<Current>,
}

struct Current {
    link: Option<(usize, Arc<Link>)>,
    /// The relay that is tried first when there is no link.
    next: usize,
}

/// How a request is sent.
#[derive(Clone, Copy)]
pub(super) struct Sending {
    /// How long an answer may take.
    pub wait: Duration,
    /// How long the wallet may begin to carry it out. A relay that is late, or holds it back, comes too late then.
    pub valid: Duration,
    pub tries: Tries,
}

/// Over how many relays a request may go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// It is sent once and never again: money moves.
    Once,
    /// Anew over the next relay, where one is silent.
    EachRelay,
}

impl Relays {
    pub(super) fn new(
        connection: Connection,
        wallet: Arc<Wallet>,
        connector: Connector,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let current = Turn::new(Current { link: None, next: 0 });
        Self { connection: Arc::new(connection), wallet, connector, clock, current }
    }

    /// The wallet's result of `method`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &(impl Serialize + Sync),
        sending: Sending,
    ) -> Result<T, Failure> {
        let tries = if sending.tries == Tries::Once { 1 } else { self.connection.relays.len() };
        let wait = sending.wait / u32::try_from(tries).unwrap_or(u32::MAX);
        let mut outcome = self.attempt(method, params, Sending { wait, ..sending }).await;
        for _ in 1..tries {
            match outcome {
                Err(Failure::Unsent(_)) => {}
                // What the wallet has answered it would answer again.
                Err(Failure::Lost(fault)) if fault.kind != FaultKind::Garbled => {}
                outcome => return outcome,
            }
            outcome = self.attempt(method, params, Sending { wait, ..sending }).await;
        }
        outcome
    }

    /// Whether a relay can be reached that knows the wallet.
    pub(super) async fn reach(&self, wait: Duration) -> Result<(), BackendError> {
        timeout(wait, self.link()).await.unwrap_or_else(|_| Err(fault::no_relay_in_time())).map(drop)
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &(impl Serialize + Sync),
        sending: Sending,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let link = timeout(sending.wait, self.link()).await;
        let (place, link) = link.unwrap_or_else(|_| Err(fault::no_relay_in_time())).map_err(Failure::Unsent)?;
        // Counted from the beginning: it must not be valid for longer because the relay was slow.
        let valid = sending.valid.saturating_sub(began.elapsed());
        if valid.is_zero() {
            return Err(Failure::Unsent(fault::no_relay_in_time()));
        }
        let request = self.request(method, params, valid).map_err(Failure::Unsent)?;
        let sent = Instant::now();
        let failure = match timeout(sending.wait.saturating_sub(began.elapsed()), link.ask(&request)).await {
            Ok(Ok(answer)) => return self.read(method, &answer),
            Ok(Err(Silence::Unsent)) => Failure::Unsent(fault::closed(place)),
            Ok(Err(Silence::Cut)) => Failure::Lost(fault::cut(place)),
            Ok(Err(Silence::Refused(reason))) => Failure::Lost(fault::refused_by_relay(place, &reason)),
            Err(_) => Failure::Lost(fault::silent(place, sending.wait)),
        };
        self.leave(&link, sent).await;
        Err(failure)
    }

    /// The link that is in use, or a new one.
    async fn link(&self) -> Result<(Place, Arc<Link>), BackendError> {
        let mut current = self.current.lock().await;
        let of = self.connection.relays.len();
        // Taken out: whoever gives up while it is tried leaves none behind that hangs.
        if let Some((index, link)) = current.link.take() {
            if link.is_usable().await {
                current.link = Some((index, link.clone()));
                return Ok((Place { index, of }, link));
            }
            link.close();
        }
        let mut outcome = Err(fault::no_relay_in_time());
        for _ in 0..of {
            let index = current.next % of;
            // Whoever gives up while this relay hangs leaves the next one to the next request.
            current.next = index.saturating_add(1) % of;
            let place = Place { index, of };
            match self.open(place).await {
                Ok(link) => {
                    let link = Arc::new(link);
                    current.next = index;
                    current.link = Some((index, link.clone()));
                    return Ok((place, link));
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn open(&self, place: Place) -> Result<Link, BackendError> {
        let relay = self.connection.relays.get(place.index).ok_or_else(fault::no_relay_in_time)?;
        let socket = self.connector.connect(relay).await.map_err(|error| fault::unreachable(place, &error))?;
        let (connection, wallet) = (self.connection.clone(), self.wallet.clone());
        let opening = Link::open(socket, relay.clone(), connection, wallet, self.clock.clone());
        // A relay that has just been asked, and does not say what it keeps, is as good as none.
        let opened = timeout(Connector::LIMIT, opening).await.unwrap_or(Err(Silence::Unsent));
        let link = opened.map_err(|_| fault::closed(place))?;
        if self.wallet.is_known() { Ok(link) } else { Err(fault::unknown_wallet(place)) }
    }

    /// A wallet that is not heard over one relay may be over another. A relay that was silent itself is gone.
    async fn leave(&self, link: &Arc<Link>, since: Instant) {
        if !link.was_heard_since(since) {
            link.close();
        }
        let mut current = self.current.lock().await;
        let of = self.connection.relays.len();
        if let Some((index, _)) = current.link.as_ref().filter(|(_, used)| Arc::ptr_eq(used, link))
            && of > 1
        {
            current.next = index.saturating_add(1) % of;
            current.link = None;
        }
    }

    fn request(&self, method: &str, params: &impl Serialize, valid: Duration) -> Result<Event, BackendError> {
        let unusable = || fault::fault(FaultKind::Refused, format!("the request {method} cannot be written"));
        let encryption = self.wallet.encryption().ok_or_else(fault::no_encryption)?;
        let text = serde_json::to_string(&Request { method, params }).map_err(|_| unusable())?;
        let (keys, wallet) = (&self.connection.keys, self.connection.wallet);
        let now = self.clock.unix_seconds();
        let valid = u64::try_from(valid.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
        EventBuilder::new(REQUEST, encryption.seal(keys, &wallet, &text).ok_or_else(unusable)?)
            .tag(Tag::public_key(wallet))
            .tag(Tag::custom("encryption", [encryption.name()]))
            .tag(Tag::expiration(Timestamp::from_secs(now.saturating_add(valid))))
            .custom_created_at(Timestamp::from_secs(now))
            .finalize(keys)
            .map_err(|_| unusable())
    }

    fn read<T: DeserializeOwned>(&self, method: &str, answer: &Event) -> Result<T, Failure> {
        let text = open(&self.connection.keys, &self.connection.wallet, &answer.content);
        match text.map_or(Said::Garbage, |text| wire::read(&text, method)) {
            Said::Result(result) => Ok(result),
            Said::Error(error) => Err(Failure::Wallet(error)),
            Said::Garbage => Err(Failure::Lost(fault::garbled(method))),
        }
    }
}
