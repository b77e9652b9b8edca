//! Refunds as their owner sees them.
//!
//! - [`claim`]: with the credential. - [`withdraw`]: with a wallet, by LNURL-withdraw. - [`page`]: the link between them.
//!
//! Architecture invariant: what gives money is shown to whoever presents the credential and to nobody else. Job
//! documents, events and callbacks never show a link, nor what became of a claim.

pub mod claim;
pub mod page;
pub mod withdraw;

use bitcoin::bech32::{self, Bech32, Hrp};
use serde::Serialize;

use crate::clock::signed_millis;
use crate::config::RefundMode;
use crate::domain::job::Job;
use crate::domain::{JobId, PublicJobId, Refund, RefundState};

use super::challenge::rfc3339_millis;
use super::error::{ErrorCode, YOUR_PAYMENT_STANDS};
use super::gateway::Gateway;
use super::problem::Problem;

/// Links are renewed this often, so that a caller who asks twice gets the same one mostly.
const LINK_STEP_MILLIS: i64 = 60_000;

/// A refund, for whoever presents the credential.
#[derive(Clone, Debug, Serialize)]
pub struct RefundDocument {
    status: &'static str,
    amount_sats: u64,
    /// What a wallet scans (LUD-01), while the refund can be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    lnurl: Option<String>,
    /// The page with the same as a QR code.
    url: String,
    /// When both of them expire. The claim does not: the credential gets new ones.
    expires_at: String,
    /// Where the refund can be claimed with the credential.
    claim_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<String>,
}

impl RefundDocument {
    /// What became of it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        self.status
    }

    /// Its page.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to tell its owner.
    #[must_use]
    pub fn sentence(&self) -> String {
        let sats = self.amount_sats;
        match self.status {
            "paid" => format!("The {sats} sats that you paid were paid back to you."),
            "claiming" => format!("The {sats} sats that are owed back to you are on their way."),
            _ => format!("{sats} sats are owed back to you; this credential is the claim to them."),
        }
    }
}

impl Gateway {
    /// What is owed for a job that has failed.
    pub(super) async fn refund_of(&self, job: &Job) -> Result<RefundDocument, Problem> {
        let stands = || Problem::new(ErrorCode::Internal).suggestion(YOUR_PAYMENT_STANDS);
        match self.refunds.of(job.id).await {
            Ok(Some(refund)) if !matches!(refund.state, RefundState::Cancelled) => {
                Ok(self.refund_document(&job.public_id, &refund))
            }
            // The operator has it run once more, and whoever asks again sees that.
            Ok(_) => Err(stands().retry_after(self.waiting.poll_interval)),
            Err(error) => Err(stands().retry_after(self.waiting.poll_interval).cause(&error)),
        }
    }

    fn refund_document(&self, id: &PublicJobId, refund: &Refund) -> RefundDocument {
        let (name, expires_at) = self.refund_link(refund.job);
        let claimable = matches!(refund.state, RefundState::Available) && self.pays_refunds();
        RefundDocument {
            status: refund.state.name(),
            amount_sats: refund.amount.sat_rounded_up(),
            lnurl: claimable.then(|| lnurl(&self.withdraw_url(&name))),
            url: format!("{}/refunds/{name}", self.public_url()),
            expires_at: rfc3339_millis(expires_at),
            claim_url: format!("{}/api/l402/refunds/{}", self.public_url(), id.as_str()),
            paid_at: match &refund.state {
                RefundState::Paid(paid) => Some(rfc3339_millis(paid.paid_at)),
                _ => None,
            },
        }
    }

    /// A new link's name, and when it expires in Unix milliseconds.
    fn refund_link(&self, job: JobId) -> (String, i64) {
        let link_for = i64::try_from(self.refunds.config().link_for.as_millis()).unwrap_or(i64::MAX);
        let expires_at = self.now_millis().saturating_add(link_for);
        let steps = expires_at.saturating_add(LINK_STEP_MILLIS - 1) / LINK_STEP_MILLIS;
        let expires_at = steps.saturating_mul(LINK_STEP_MILLIS);
        (self.jobs.links().refund(job, expires_at), expires_at)
    }

    fn withdraw_url(&self, name: &str) -> String {
        format!("{}/lnurl/{name}", self.public_url())
    }

    /// Whether the Lightning backend pays refunds, and not the operator by hand.
    fn pays_refunds(&self) -> bool {
        self.refunds.config().mode == RefundMode::Automatic
    }

    fn now_millis(&self) -> i64 {
        signed_millis(self.clock.unix_millis())
    }
}

/// A URL as wallets scan it (LUD-01). Wallets read it however long it is, but the checksum is made for 1,023 characters.
fn lnurl(url: &str) -> String {
    bech32::encode::<Bech32>(Hrp::parse_unchecked("lnurl"), url.as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of LUD-01.
    #[test]
    fn a_url_is_encoded_as_wallets_expect() {
        let url = "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df";
        let expected = "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35xvukxefcv5mkvv34x5ekzd3ev56nyd3hxqu\
                        rzepexejxxepnxscrvwfnv9nxzcn9xq6xyefhvgcxxcmyxymnserxfq5fns";
        assert_eq!(lnurl(url), expected);
    }
}
