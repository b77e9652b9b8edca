//! Fetching what is owed back.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bitcoin::bech32;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::dice::pass;
use crate::plan::Claim;

use super::Market;
use super::notes::Notes;
use super::talk::{Answer, read_refund};

/// Invoices that a buyer offers for one refund.
const MOST_OFFERS: usize = 6;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(700);

impl Market {
    /// Claims until it is paid, or patience ends.
    pub async fn claim(&self, notes: &mut Notes, until: Instant) {
        if notes.plan.claim == Claim::Reused {
            self.offer_what_was_paid(notes).await;
        }
        while Instant::now() < until && !is_paid(notes) && notes.offered.len() < MOST_OFFERS {
            match notes.plan.claim {
                Claim::Lnurl => self.claim_by_link(notes).await,
                Claim::Both => self.claim_twice(notes).await,
                Claim::Invoice | Claim::Reused => {
                    let invoice = self.offer(notes);
                    self.claim_with(notes, &invoice, until).await;
                }
                Claim::Never => return,
            }
            self.present(notes, "").await;
            while Instant::now() < until && is(notes, "claiming") {
                pass(PAUSE).await;
                self.present(notes, "").await;
            }
        }
        let arrived = notes.offered.iter().find(|invoice| self.world.node.has_paid(invoice));
        if let (Some(invoice), Some(paid)) = (arrived, &notes.paid) {
            let paid_back = (paid.sats, invoice.clone());
            *self.last_paid_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(paid_back);
        }
    }

    /// A new invoice of the buyer's wallet.
    fn offer(&self, notes: &mut Notes) -> String {
        let sats = notes.paid.as_ref().map_or(0, |paid| paid.sats);
        let invoice = self.world.node.foreign_invoice(sats * 1_000, notes.job);
        notes.offered.push(invoice.clone());
        invoice
    }

    /// Posts an invoice with the credential; again with the same one where no answer came.
    async fn claim_with(&self, notes: &mut Notes, invoice: &str, until: Instant) {
        while Instant::now() < until {
            if let Some(answer) = self.post_claim(notes, invoice).await {
                return judge(notes, &answer);
            }
            pass(PAUSE).await;
        }
    }

    /// `None`: no answer, or one that says to come again.
    async fn post_claim(&self, notes: &Notes, invoice: &str) -> Option<Answer> {
        let (paid, id) = (notes.paid.as_ref()?, notes.job_ids.first()?);
        let body = json!({"invoice": invoice}).to_string().into_bytes();
        let request = self.post(&format!("/api/l402/refunds/{id}"), body).header(AUTHORIZATION, paid.credential());
        self.ask(request).await.filter(|answer| !matches!(answer.status, 500 | 503))
    }

    /// As a wallet does that has scanned the link.
    async fn claim_by_link(&self, notes: &mut Notes) {
        let link = notes.refund.as_ref().and_then(|refund| refund.lnurl.clone());
        let Some(link) = link else {
            self.present(notes, "").await;
            return pass(PAUSE).await;
        };
        let Some((callback, k1)) = self.scan(notes, &link).await else { return pass(PAUSE).await };
        let invoice = self.offer(notes);
        let join = if callback.contains('?') { '&' } else { '?' };
        let path = format!("{callback}{join}k1={k1}&pr={invoice}");
        for _ in 0..3 {
            let answer = self.ask(self.get(&path)).await;
            // Whatever is said, the credential tells what became of it.
            if answer.and_then(|answer| answer.json()).is_some() {
                return;
            }
            pass(PAUSE).await;
        }
    }

    /// Where the wallet's second call goes, and its `k1`.
    async fn scan(&self, notes: &mut Notes, link: &str) -> Option<(String, String)> {
        let (_, url) = bech32::decode(link).ok()?;
        let url = String::from_utf8(url).ok()?;
        let path = url.strip_prefix(&self.url).map(str::to_owned);
        let Some(path) = path else {
            notes.is_wrong("a refund's link leads elsewhere");
            return None;
        };
        let said = self.ask(self.get(&path)).await?.json()?;
        if said["tag"] != "withdrawRequest" {
            return None;
        }
        let msat = notes.paid.as_ref().map_or(0, |paid| paid.sats * 1_000);
        if said["minWithdrawable"] != msat || said["maxWithdrawable"] != msat {
            notes.is_wrong(format!("a link is not for the {msat} msat that are owed"));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let callback = text(&said["callback"]);
        Some((callback.strip_prefix(&self.url)?.to_owned(), text(&said["k1"])))
    }

    /// Two invoices by both ways at the same time.
    async fn claim_twice(&self, notes: &mut Notes) {
        let link = notes.refund.as_ref().and_then(|refund| refund.lnurl.clone());
        let scanned = match link {
            Some(link) => self.scan(notes, &link).await,
            None => None,
        };
        let (first, second) = (self.offer(notes), self.offer(notes));
        let by_link = async {
            if let Some((callback, k1)) = scanned {
                self.ask(self.get(&format!("{callback}?k1={k1}&pr={first}"))).await;
            }
        };
        let (answer, ()) = tokio::join!(self.post_claim(notes, &second), by_link);
        if let Some(answer) = answer {
            judge(notes, &answer);
        }
    }

    /// Offers an invoice that was paid for another refund: it would look paid twice, and must be refused.
    async fn offer_what_was_paid(&self, notes: &mut Notes) {
        let other = self.last_paid_back.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sats = notes.paid.as_ref().map_or(0, |paid| paid.sats);
        let Some((_, invoice)) = other.filter(|(amount, _)| *amount == sats) else { return };
        let Some(answer) = self.post_claim(notes, &invoice).await else { return };
        if answer.status < 400 {
            notes.is_wrong(format!("an invoice that was paid for another refund was taken: {}", answer.status));
        }
    }

    /// Wants money for what it got.
    pub async fn claim_what_was_delivered(&self, notes: &mut Notes) {
        let invoice = self.offer(notes);
        let Some(answer) = self.post_claim(notes, &invoice).await else { return };
        if answer.status < 400 {
            notes.is_wrong(format!("a refund of what was delivered was answered {}", answer.status));
        }
    }

    /// Asks for everything with the credential alone.
    pub async fn recover(&self, notes: &mut Notes) {
        let Some(paid) = notes.paid.clone() else { return };
        for nobody in [format!("L402 {}:{}", paid.macaroon, "00".repeat(32)), format!("L402 {}", paid.preimage)] {
            let request = self.get("/api/l402/recover").header(AUTHORIZATION, nobody);
            if let Some(answer) = self.ask(request).await
                && !matches!(answer.status, 403 | 500 | 503)
            {
                notes.is_wrong(format!("half a credential is answered {} by /recover", answer.status));
            }
        }
        let request = self.get("/api/l402/recover").header(AUTHORIZATION, paid.credential());
        let Some(answer) = self.ask(request).await else { return };
        let said = answer.json().unwrap_or_default();
        if answer.status != 200 {
            if !matches!(answer.status, 500 | 503) {
                notes.is_wrong(format!("/recover answers {} to a good credential", answer.status));
            }
            return;
        }
        if let Some(id) = said["job_id"].as_str() {
            notes.job_ids.insert(id.to_owned());
        }
        if let Some(url) = said["videoUrl"].as_str().or_else(|| said["modelUrl"].as_str()) {
            notes.results.insert(url.find("/artifacts/").map_or(url, |at| &url[at..]).to_owned());
        }
        if said["refund"].is_object() {
            read_refund(notes, &said["refund"]);
            if notes.is_delivered() {
                notes.is_wrong("/recover owes for what was delivered");
            }
        }
    }
}

fn is(notes: &Notes, status: &str) -> bool {
    notes.refund.as_ref().is_some_and(|refund| refund.status == status)
}

fn is_paid(notes: &Notes) -> bool {
    is(notes, "paid")
}

/// Reads the answer to a claim.
fn judge(notes: &mut Notes, answer: &Answer) {
    let said = answer.json().unwrap_or_default();
    match (answer.status, answer.code().as_str()) {
        (200 | 202, _) if said["status"].is_string() => read_refund(notes, &said),
        // Another claim is open, the payment has failed, or there were too many.
        (409, "REFUND_UNAVAILABLE") | (502, "REFUND_FAILED") | (429, _) => {}
        // By a clock that was set, an invoice of now has expired, or is of tomorrow.
        (422, _) if said["detail"].as_str().is_some_and(|detail| detail.contains("expired")) => {}
        (status, code) => notes.is_wrong(format!("a claim of a refund is answered {status} {code}")),
    }
}
