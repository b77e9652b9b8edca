//! What is owed back, and the wallets that claim it.

use bitcoin::bech32;
use satforge::lightning::{LightningBackend as _, OutgoingState};
use satforge::providers::Ending;
use serde_json::{Value, json};

use super::{Answer, Generation, Purchase, SubmitStep, TestApp, VIDEO, text, video_body};

/// A purchase that was not delivered, and the answer that says so.
pub struct Owed {
    pub purchase: Purchase,
    pub answer: Value,
}

impl Owed {
    pub async fn at(app: &TestApp) -> Self {
        app.provider.script([SubmitStep::Take(Generation::Ends(Ending::Failed))]);
        let purchase = app.buy(VIDEO, &video_body("a cat")).await;
        let failed = app.redeem(&purchase).await;
        assert_eq!(failed.outcome(), (502, "GENERATION_FAILED"), "{}", failed.text());
        Self { purchase, answer: failed.json() }
    }

    pub fn refund(&self) -> &Value {
        &self.answer["refund"]
    }

    /// What a wallet that scans the LNURL is told.
    pub async fn scan(&self, app: &TestApp) -> Value {
        get(app, &decoded(self.refund())).await.json()
    }

    pub async fn claim(&self, app: &TestApp, body: Value) -> Answer {
        let path = path_of(app, &text(&self.refund()["claim_url"]));
        let request = app.post(&path, body.to_string()).header("authorization", self.purchase.credential());
        app.send(request).await
    }

    /// The refund as its owner sees it now.
    pub async fn look(&self, app: &TestApp) -> Value {
        let path = path_of(app, &text(&self.refund()["claim_url"]));
        app.send(app.get(&path).header("authorization", self.purchase.credential())).await.json()
    }
}

/// The URL in an LNURL.
pub fn decoded(refund: &Value) -> String {
    let (hrp, bytes) = bech32::decode(refund["lnurl"].as_str().unwrap()).unwrap();
    assert_eq!(hrp.as_str(), "lnurl");
    String::from_utf8(bytes).unwrap()
}

pub fn path_of(app: &TestApp, url: &str) -> String {
    app.path_of(url)
}

pub async fn get(app: &TestApp, url: &str) -> Answer {
    app.send(app.get(&path_of(app, url))).await
}

/// An invoice of somebody's wallet.
pub async fn invoice(app: &TestApp, sats: u64) -> String {
    let made = app.send(app.post("/sandbox/invoice", json!({"amount_sats": sats}).to_string())).await;
    text(&made.json()["invoice"])
}

pub async fn withdraw(app: &TestApp, offer: &Value, invoice: &str) -> Value {
    let url = format!("{}?k1={}&pr={invoice}", text(&offer["callback"]), text(&offer["k1"]));
    get(app, &url).await.json()
}

/// Whether the node has paid this invoice.
pub async fn is_paid(app: &TestApp, invoice: &str) -> bool {
    let hash = satforge::lightning::decode_invoice(invoice).unwrap().payment_hash;
    matches!(app.lightning.lookup_outgoing(&hash).await.unwrap(), OutgoingState::Paid(_))
}
