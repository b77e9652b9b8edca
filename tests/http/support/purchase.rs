//! A purchase, step by step.

use reqwest::RequestBuilder;
use serde_json::Value;

use super::{Answer, TestApp};

/// What was bought, and what proves it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub path: &'static str,
    pub body: String,
    pub macaroon: String,
    pub preimage: String,
}

impl Purchase {
    /// The credential as wallets send it.
    pub fn credential(&self) -> String {
        format!("L402 {}:{}", self.macaroon, self.preimage)
    }
}

impl TestApp {
    /// The answer to a request without a credential.
    pub async fn ask(&self, path: &str, body: &str) -> Answer {
        self.send(self.post(path, body.to_owned())).await
    }

    /// The preimage for an invoice.
    pub async fn pay(&self, invoice: &str) -> String {
        let body = serde_json::json!({"invoice": invoice}).to_string();
        let paid = self.send(self.post("/sandbox/pay", body)).await;
        assert_eq!(paid.status, 200, "{}", paid.text());
        text(&paid.json()["preimage"])
    }

    /// Pays the challenge that `answer` carries for `body`.
    pub async fn pay_challenge(&self, path: &'static str, body: &str, answer: &Answer) -> Purchase {
        assert_eq!(answer.status, 402, "{}", answer.text());
        let terms = answer.json();
        let preimage = self.pay(&text(&terms["invoice"])).await;
        Purchase { path, body: body.to_owned(), macaroon: text(&terms["macaroon"]), preimage }
    }

    /// Asks and pays; the credential is not presented yet.
    pub async fn buy(&self, path: &'static str, body: &str) -> Purchase {
        let challenge = self.ask(path, body).await;
        self.pay_challenge(path, body, &challenge).await
    }

    /// The request that presents a purchase's credential.
    pub fn presentation(&self, purchase: &Purchase) -> RequestBuilder {
        self.post(purchase.path, purchase.body.clone()).header("authorization", purchase.credential())
    }

    /// Presents a purchase's credential.
    pub async fn redeem(&self, purchase: &Purchase) -> Answer {
        self.send(self.presentation(purchase)).await
    }

    /// Presents a purchase under an `Authorization` header of the test's own.
    pub async fn redeem_as(&self, purchase: &Purchase, authorization: &str) -> Answer {
        self.send(self.post(purchase.path, purchase.body.clone()).header("authorization", authorization)).await
    }

    /// Presents a purchase and does not wait for its result.
    pub async fn redeem_async(&self, purchase: &Purchase) -> Answer {
        self.send(self.presentation(purchase).header("prefer", "respond-async")).await
    }
}

/// The string in a JSON value.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}
