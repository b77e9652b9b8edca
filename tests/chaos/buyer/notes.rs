//! What one buyer did, and all that it saw.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::plan::Plan;

/// A challenge that was paid.
#[derive(Clone, Debug)]
pub struct Paid {
    pub macaroon: String,
    /// Hexadecimal.
    pub preimage: String,
    /// Hexadecimal.
    pub payment_hash: String,
    pub sats: u64,
}

impl Paid {
    pub fn credential(&self) -> String {
        format!("L402 {}:{}", self.macaroon, self.preimage)
    }
}

/// What a refund is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundSeen {
    pub status: String,
    pub sats: u64,
    /// A link to a wallet's way of fetching it, if there was one.
    pub lnurl: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Notes {
    /// The number of the purchase.
    pub job: u64,
    pub plan: Plan,
    pub paid: Option<Paid>,
    /// When the credential was first sent.
    pub presented: Option<Instant>,
    /// When the outcome was first seen.
    pub ended: Option<Instant>,
    pub job_ids: BTreeSet<String>,
    /// Paths of results.
    pub results: BTreeSet<String>,
    /// The provider's works that were in them.
    pub files: BTreeSet<String>,
    /// Codes of failures that owe the money back.
    pub failures: BTreeSet<String>,
    pub refund: Option<RefundSeen>,
    /// The invoices that it has offered for its refund.
    pub offered: Vec<String>,
    /// What must never happen, and did.
    pub wrongs: Vec<String>,
}

impl Notes {
    pub fn new(job: u64, plan: Plan) -> Self {
        Self {
            job,
            plan,
            paid: None,
            presented: None,
            ended: None,
            job_ids: BTreeSet::new(),
            results: BTreeSet::new(),
            files: BTreeSet::new(),
            failures: BTreeSet::new(),
            refund: None,
            offered: Vec::new(),
            wrongs: Vec::new(),
        }
    }

    pub const fn path(&self) -> &'static str {
        if self.plan.is_film { "/api/l402/video" } else { "/api/l402/3d-model" }
    }

    /// The bytes that are bought with.
    pub fn body(&self) -> Vec<u8> {
        let body = if self.plan.is_film {
            serde_json::json!({"model": "Video Generation", "prompt": format!("scene {}", self.job)})
        } else {
            serde_json::json!({"image": super::picture::draw(self.job)})
        };
        body.to_string().into_bytes()
    }

    pub fn is_delivered(&self) -> bool {
        !self.results.is_empty()
    }

    pub fn is_owed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Whether it knows what became of its money: with a result, it has looked into the file.
    pub fn has_outcome(&self) -> bool {
        self.is_owed() || self.is_delivered() && !self.files.is_empty()
    }

    pub fn is_wrong(&mut self, what: impl Into<String>) {
        // The same again says nothing new.
        let what = what.into();
        if !self.wrongs.contains(&what) {
            self.wrongs.push(what);
        }
    }

    pub fn saw_end(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
    }
}
