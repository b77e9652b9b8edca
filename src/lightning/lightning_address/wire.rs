//! LNURL's JSON.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::domain::Msat;
use crate::egress::Answer;
use crate::lightning::rest::Rest;
use crate::lightning::{BackendError, FaultKind};

use super::ADDRESS;

/// What an address takes, as it is typed (LUD-06, LUD-12). Amounts are in msat.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayRequest {
    tag: String,
    callback: String,
    min_sendable: u64,
    max_sendable: u64,
    metadata: String,
    comment_allowed: Option<u64>,
}

/// What an address takes.
pub(super) struct Params {
    callback: Url,
    /// Msat.
    min: u64,
    /// Msat.
    max: u64,
    /// Characters of a comment; 0: none is taken.
    comment_len: usize,
    /// The metadata may hold a picture: this is all that is needed of it.
    pub metadata_hash: [u8; 32],
}

/// A new invoice (LUD-06), and where to ask whether it was paid (LUD-21).
#[derive(Deserialize)]
pub(super) struct Made {
    pub pr: String,
    pub verify: Option<String>,
}

/// What became of an invoice (LUD-21).
#[derive(Deserialize)]
pub(super) struct Verified {
    pub settled: bool,
    pub preimage: Option<String>,
}

/// An error, whatever the HTTP status.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    status: String,
    #[serde(default)]
    reason: String,
}

impl Params {
    /// What stands at the address. Many a web site answers whatever it is asked with a page.
    pub(super) fn read(answer: &Answer, web: &Rest) -> Result<Self, BackendError> {
        let wrong = |what: &str| web.fault(FaultKind::Garbled, format!("{ADDRESS}: {what}"));
        let typed = answer.json().ok().filter(|typed: &PayRequest| typed.tag == "payRequest");
        let typed = typed.ok_or_else(|| wrong("what is served there is no Lightning address"))?;
        Ok(Self {
            callback: typed
                .callback
                .parse()
                .map_err(|_| wrong("the wallet's server names a callback that is no URL"))?,
            min: typed.min_sendable,
            max: typed.max_sendable,
            comment_len: usize::try_from(typed.comment_allowed.unwrap_or(0)).unwrap_or(usize::MAX),
            metadata_hash: Sha256::digest(&typed.metadata).into(),
        })
    }

    pub(super) fn require_within(&self, price: Msat, web: &Rest) -> Result<(), BackendError> {
        if (self.min..=self.max).contains(&price.msat()) {
            return Ok(());
        }
        let (low, high) = (self.min.div_ceil(1_000), self.max / 1_000);
        let message = format!(
            "{ADDRESS}: this wallet takes payments of {low} to {high} sat, and a price is {} sat",
            price.sat_rounded_up()
        );
        Err(web.fault(FaultKind::Refused, message))
    }

    /// The URL that makes an invoice; the description goes along as far as the wallet takes one.
    pub(super) fn callback(&self, amount: Msat, description: &str) -> Url {
        let mut url = self.callback.clone();
        url.query_pairs_mut().append_pair("amount", &amount.msat().to_string());
        let comment: String = description.chars().take(self.comment_len).collect();
        if !comment.is_empty() {
            url.query_pairs_mut().append_pair("comment", &comment);
        }
        url
    }
}

impl ErrorBody {
    /// What an error says; `None`: it is no error.
    pub(super) fn reason(self) -> Option<String> {
        self.status.eq_ignore_ascii_case("error").then_some(self.reason)
    }
}
