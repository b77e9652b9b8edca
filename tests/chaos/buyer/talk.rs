//! Asking the gateway, and reading what it says.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::Market;
use super::notes::{Notes, RefundSeen};

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The JSON, behind any number of spaces.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub fn code(&self) -> String {
        let json = self.json().unwrap_or_default();
        json["error_code"].as_str().unwrap_or_default().to_owned()
    }
}

/// What the presentation of a credential came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// The path of the result.
    Result(String),
    Owed,
    /// It goes on; the path to look at.
    Accepted(String),
    /// Nothing yet: no connection, half an answer, or a fault that passes.
    Nothing,
}

impl Market {
    /// `None`: no whole answer came.
    pub async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.ok()?.to_vec();
        Some(Answer { status, headers, body })
    }

    pub fn post(&self, path: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
        let request = self.world.client.post(format!("{}{path}", self.url)).timeout(Duration::from_secs(20));
        request.header(CONTENT_TYPE, "application/json").body(body)
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.world.client.get(format!("{}{path}", self.url)).timeout(Duration::from_secs(20))
    }

    /// Presents the credential once.
    pub async fn present(&self, notes: &mut Notes, prefer: &str) -> Said {
        let Some(paid) = notes.paid.clone() else { return Said::Nothing };
        notes.presented.get_or_insert_with(std::time::Instant::now);
        let mut request = self.post(notes.path(), notes.body()).header(AUTHORIZATION, paid.credential());
        if !prefer.is_empty() {
            request = request.header("Prefer", prefer);
        }
        match self.ask(request).await {
            Some(answer) => read(notes, &answer),
            None => Said::Nothing,
        }
    }
}

/// Reads an answer to the buyer's own credential with its own bytes, and writes down what it says.
pub fn read(notes: &mut Notes, answer: &Answer) -> Said {
    if let Some(id) = answer.headers.get("x-job-id").and_then(|id| id.to_str().ok()) {
        notes.job_ids.insert(id.to_owned());
    }
    let Some(json) = answer.json() else { return unreadable(notes, answer) };
    // What comes after the spaces has its own status.
    let status = match (answer.status, json["status"].as_u64()) {
        (200, Some(status)) => u16::try_from(status).unwrap_or(0),
        (status, _) => status,
    };
    let url = json["videoUrl"].as_str().or_else(|| json["modelUrl"].as_str());
    match (status, url) {
        (200, Some(url)) => {
            let path = url.find("/artifacts/").map_or(url, |at| &url[at..]).to_owned();
            notes.results.insert(path.clone());
            notes.saw_end();
            Said::Result(path)
        }
        (200 | 202, None) if json["poll_url"].is_string() => {
            let url = json["poll_url"].as_str().unwrap_or_default();
            if let Some(id) = json["job_id"].as_str() {
                notes.job_ids.insert(id.to_owned());
            }
            Said::Accepted(url.find("/api/").map_or(url, |at| &url[at..]).to_owned())
        }
        (502 | 410, _) if json["refund"].is_object() => {
            notes.failures.insert(json["error_code"].as_str().unwrap_or_default().to_owned());
            read_refund(notes, &json["refund"]);
            notes.saw_end();
            Said::Owed
        }
        (408 | 500 | 503, _) => Said::Nothing,
        (status, _) => {
            let code = json["error_code"].as_str().unwrap_or_default().to_owned();
            notes.is_wrong(format!("a good credential was answered {status} {code}"));
            Said::Nothing
        }
    }
}

fn unreadable(notes: &mut Notes, answer: &Answer) -> Said {
    // An answer that broke off is no answer; what is whole must be JSON.
    if answer.body.iter().any(|byte| *byte != b' ') {
        notes.is_wrong(format!("an answer with status {} cannot be read", answer.status));
    }
    Said::Nothing
}

/// What stands in a failure's `refund`, or in a refund's own document.
pub fn read_refund(notes: &mut Notes, refund: &Value) {
    let status = refund["status"].as_str().unwrap_or_default().to_owned();
    let sats = refund["amount_sats"].as_u64().unwrap_or(0);
    let owed = notes.paid.as_ref().map_or(0, |paid| paid.sats);
    if sats != owed {
        notes.is_wrong(format!("{sats} sat are said to be owed back of {owed}"));
    }
    let was_paid = notes.refund.as_ref().is_some_and(|seen| seen.status == "paid");
    if was_paid && status != "paid" {
        notes.is_wrong(format!("a refund that was paid is {status}"));
    }
    let lnurl = refund["lnurl"].as_str().map(str::to_owned);
    notes.refund = Some(RefundSeen { status, sats, lnurl });
}
