//! Those who want something that they have not paid for.

use std::sync::PoisonError;

use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use crate::dice::Dice;
use crate::plan::Mischief;

use super::Market;
use super::notes::Notes;

impl Market {
    /// Tries it once; whatever is not a refusal is wrong.
    pub async fn steal(&self, notes: &mut Notes, challenge: &Value) {
        let macaroon = challenge["macaroon"].as_str().unwrap_or_default().to_owned();
        let own = notes.paid.as_ref().map(|paid| paid.preimage.clone()).unwrap_or_default();
        let (credential, body) = match notes.plan.mischief {
            Mischief::Guess => {
                let guess = hex::encode(Dice::of(self.world.seed, "guess", notes.job, 0).bytes());
                (format!("L402 {macaroon}:{guess}"), notes.body())
            }
            Mischief::ForeignPreimage => {
                let other = self.last_paid.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let Some(other) = other else { return };
                (format!("L402 {macaroon}:{}", other.preimage), notes.body())
            }
            Mischief::OtherBody => (format!("L402 {macaroon}:{own}"), Self::other_body(notes)),
            Mischief::Forged => (format!("L402 {}:{own}", forge(&macaroon)), notes.body()),
            Mischief::None | Mischief::Greedy => return,
        };
        let request = self.post(notes.path(), body).header(AUTHORIZATION, credential).header("Prefer", "wait=1");
        let Some(answer) = self.ask(request).await else { return };
        if !matches!(answer.status, 402 | 500 | 503) {
            let what = notes.plan.mischief;
            notes.is_wrong(format!("{what:?} was answered {} {}", answer.status, answer.code()));
        }
        let json = answer.json().unwrap_or_default();
        if json["videoUrl"].is_string() || json["modelUrl"].is_string() || json["job_id"].is_string() {
            notes.is_wrong(format!("{:?} got something", notes.plan.mischief));
        }
    }
}

/// The macaroon with another signature.
fn forge(macaroon: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut bytes = STANDARD.decode(macaroon).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    STANDARD.encode(bytes)
}
