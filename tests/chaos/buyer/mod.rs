//! Buyers: what they do, in what order, and what they write down.

pub mod claim;
pub mod notes;
pub mod picture;
mod talk;
mod thief;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::dice::pass;
use crate::plan::{Claim, Mischief, Plan, Wait};
use crate::world::World;
use crate::world::works::End;

use notes::{Notes, Paid};
use talk::Said;

/// How long a buyer asks for a price before it goes elsewhere.
const PRICE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a buyer waits before it goes away to come back at the end.
const PATIENCE: Duration = Duration::from_secs(12);
/// The pause after an answer that says nothing.
const SOON: Duration = Duration::from_millis(250);

/// Where all buyers buy.
pub struct Market {
    pub world: Arc<World>,
    pub url: String,
    next: AtomicU64,
    is_closed: AtomicBool,
    /// A purchase of somebody else that was paid, for thieves.
    pub last_paid: Mutex<Option<Paid>>,
    /// An invoice that was paid for somebody's refund, and its sats.
    pub last_paid_back: Mutex<Option<(u64, String)>>,
    /// Everybody who paid, and others who saw something that must not be.
    pub done: Mutex<Vec<Notes>>,
    /// Whether somebody saw something that must not be.
    pub is_wrong: AtomicBool,
}

impl Market {
    pub fn new(world: Arc<World>, url: String) -> Self {
        Self {
            world,
            url,
            next: AtomicU64::new(1),
            is_closed: AtomicBool::new(false),
            last_paid: Mutex::default(),
            last_paid_back: Mutex::default(),
            done: Mutex::default(),
            is_wrong: AtomicBool::new(false),
        }
    }

    /// No new purchases; those under way are finished.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// One of many who buy, again and again.
    pub async fn keep_buying(self: Arc<Self>) {
        while !self.is_closed.load(Ordering::SeqCst) {
            let job = self.next.fetch_add(1, Ordering::SeqCst);
            let mut notes = Notes::new(job, Plan::of(self.world.seed, job));
            self.buy(&mut notes).await;
            if !notes.wrongs.is_empty() {
                self.is_wrong.store(true, Ordering::SeqCst);
            }
            if notes.paid.is_some() || !notes.wrongs.is_empty() {
                self.done.lock().unwrap_or_else(PoisonError::into_inner).push(notes);
            }
        }
    }

    async fn buy(&self, notes: &mut Notes) {
        let Some(challenge) = self.challenge(notes).await else { return };
        if notes.plan.mischief == Mischief::Guess || notes.plan.mischief == Mischief::ForeignPreimage {
            self.steal(notes, &challenge).await;
        }
        if !notes.plan.pays {
            return;
        }
        let invoice = challenge["invoice"].as_str().unwrap_or_default();
        let Some(preimage) = self.world.node.receive(invoice) else { return };
        if notes.plan.pays_twice && self.world.node.receive(invoice).is_some() {
            notes.is_wrong("an invoice was paid twice");
        }
        let paid = Paid {
            macaroon: challenge["macaroon"].as_str().unwrap_or_default().to_owned(),
            preimage: hex::encode(preimage),
            payment_hash: challenge["payment_hash"].as_str().unwrap_or_default().to_owned(),
            sats: challenge["price_sats"].as_u64().unwrap_or(0),
        };
        notes.paid = Some(paid.clone());
        if matches!(notes.plan.mischief, Mischief::OtherBody | Mischief::Forged) {
            self.steal(notes, &challenge).await;
        }
        *self.last_paid.lock().unwrap_or_else(PoisonError::into_inner) = Some(paid);
        if notes.plan.comes_late {
            return;
        }
        let until = Instant::now() + PATIENCE;
        self.redeem(notes, until).await;
        if notes.has_outcome() {
            self.afterwards(notes, until).await;
        }
    }

    /// A price; `None` when there is none to be had.
    async fn challenge(&self, notes: &mut Notes) -> Option<serde_json::Value> {
        let began = Instant::now();
        while began.elapsed() < PRICE_PATIENCE && !self.is_closed.load(Ordering::SeqCst) {
            if let Some(answer) = self.ask(self.post(notes.path(), notes.body())).await {
                match answer.status {
                    402 => return answer.json(),
                    500 | 503 => {}
                    status => {
                        notes.is_wrong(format!(
                            "a request without a credential was answered {status} {}",
                            answer.code()
                        ));
                        return None;
                    }
                }
            }
            pass(SOON).await;
        }
        None
    }

    /// Presents the credential until there is an outcome, or patience ends.
    pub async fn redeem(&self, notes: &mut Notes, until: Instant) {
        while Instant::now() < until && !notes.has_outcome() {
            let said = match notes.plan.wait {
                Wait::Hold => self.present(notes, "").await,
                Wait::Plain(seconds) => self.present(notes, &format!("wait={seconds}")).await,
                Wait::Poll => self.present(notes, "respond-async").await,
                Wait::Twice => self.present_twice(notes).await,
                Wait::HangUp(millis) => {
                    let hasty = tokio::time::timeout(Duration::from_millis(millis), self.present(notes, "")).await;
                    // Next time it waits.
                    notes.plan.wait = Wait::Hold;
                    hasty.unwrap_or(Said::Nothing)
                }
            };
            match said {
                Said::Result(path) => self.look_into(notes, &path, until).await,
                Said::Owed => {}
                Said::Accepted(path) => self.poll(notes, &path, until).await,
                Said::Nothing => pass(SOON).await,
            }
        }
    }

    /// The same credential twice at the same time.
    async fn present_twice(&self, notes: &mut Notes) -> Said {
        let mut other = notes.clone();
        let (first, second) = tokio::join!(self.present(notes, "wait=3"), self.present(&mut other, "wait=3"));
        notes.job_ids.append(&mut other.job_ids);
        notes.results.append(&mut other.results);
        notes.failures.append(&mut other.failures);
        other.wrongs.into_iter().for_each(|wrong| notes.is_wrong(wrong));
        if notes.refund.is_none() {
            notes.refund = other.refund;
        }
        if first == Said::Nothing { second } else { first }
    }

    /// Looks at the job itself for a while.
    async fn poll(&self, notes: &mut Notes, path: &str, until: Instant) {
        for _ in 0..20 {
            if Instant::now() > until {
                return;
            }
            pass(SOON).await;
            let Some(answer) = self.ask(self.get(&format!("{path}?wait=1"))).await else { continue };
            let json = answer.json().unwrap_or_default();
            match (answer.status, json["status"].as_str()) {
                // Whoever has the credential asks with it, and gets the result or the refund.
                (200, Some("succeeded" | "failed")) => {
                    notes.plan.wait = Wait::Plain(3);
                    return;
                }
                (200 | 500 | 503, _) => {}
                (status, _) => {
                    notes.is_wrong(format!("a job that was accepted is answered {status} {}", answer.code()));
                    return;
                }
            }
        }
    }

    /// Fetches a result and reads whose it is.
    pub async fn look_into(&self, notes: &mut Notes, path: &str, until: Instant) {
        while Instant::now() < until {
            match self.ask(self.get(path)).await {
                Some(answer) if answer.status == 200 => return self.judge(notes, &answer.body),
                Some(answer) if answer.status < 500 => {
                    return notes.is_wrong(format!("a result's file is answered {}", answer.status));
                }
                _ => pass(SOON).await,
            }
        }
    }

    fn judge(&self, notes: &mut Notes, file: &[u8]) {
        let text = String::from_utf8_lossy(file);
        let line = text.lines().find_map(|line| line.strip_prefix("work "));
        let id = line.and_then(|line| line.split(' ').next()).unwrap_or_default();
        let works = if notes.plan.is_film { &self.world.films } else { &self.world.shapes };
        let Some(work) = works.get(id) else { return notes.is_wrong("a result holds nothing that a provider made") };
        if work.job != notes.job {
            notes.is_wrong(format!("a result is of purchase {}", work.job));
        }
        if work.end != End::Result || works.file(&work) != file {
            notes.is_wrong("a result is not what the provider made");
        }
        notes.files.insert(id.to_owned());
    }

    /// What buyers do who know what became of their money.
    async fn afterwards(&self, notes: &mut Notes, until: Instant) {
        if notes.plan.looks_again
            && let Said::Result(path) = self.present(notes, "").await
        {
            self.look_into(notes, &path, until).await;
        }
        if notes.is_owed() && notes.plan.claim != Claim::Never {
            self.claim(notes, until + PATIENCE).await;
        }
        if notes.is_delivered() && notes.plan.mischief == Mischief::Greedy {
            self.claim_what_was_delivered(notes).await;
        }
        if notes.plan.recovers {
            self.recover(notes).await;
        }
    }

    /// All is well now: whoever has no outcome yet comes again until they have.
    pub async fn finish(&self, notes: &mut Notes, until: Instant) {
        if !matches!(notes.plan.wait, Wait::Twice) {
            notes.plan.wait = Wait::Plain(4);
        }
        self.redeem(notes, until).await;
        // One more look: it must say the same, and what became of a claim.
        for _ in 0..3 {
            match self.present(notes, "wait=4").await {
                Said::Result(path) => {
                    self.look_into(notes, &path, until).await;
                    break;
                }
                Said::Owed => break,
                Said::Accepted(_) | Said::Nothing => pass(SOON).await,
            }
        }
        while notes.refund.as_ref().is_some_and(|refund| refund.status == "claiming") && Instant::now() < until {
            pass(Duration::from_secs(1)).await;
            self.present(notes, "").await;
        }
        // Every other one leaves the money where it is for now: that is an outcome, too.
        if notes.is_owed() && notes.job.is_multiple_of(2) {
            self.claim(notes, until).await;
        }
    }

    /// A body that was never paid for.
    fn other_body(notes: &Notes) -> Vec<u8> {
        if notes.plan.is_film {
            let other =
                json!({"model": "Video Generation", "prompt": format!("another scene {}", u64::MAX - notes.job)});
            other.to_string().into_bytes()
        } else {
            json!({"image": picture::draw(u64::MAX - notes.job)}).to_string().into_bytes()
        }
    }
}
