//! Rows as the operator sees them: no prompt, no image, no id that opens anything.

use crate::domain::JobId;

/// A job. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// The internal id.
    pub id: String,
    /// The payment, in hexadecimal.
    pub payment_hash: String,
    /// What was bought.
    pub service: String,
    /// Where it stands.
    pub state: String,
    /// What was paid.
    pub amount_msat: i64,
    /// The route that works on it, or did last.
    pub route: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was redeemed.
    pub created_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When it fails if it has not ended.
    pub deadline_at: i64,
    /// When it is due: after a pause, or when the lease on it runs out.
    pub run_after: i64,
    /// Whether somebody works on it.
    pub is_leased: bool,
    /// The number of the last lease.
    pub attempt: i64,
    /// Creates that went out.
    pub dispatches: i64,
    /// Attempts of this run that ended without an outcome.
    pub failures: i64,
    /// When the operator last had it run once more.
    pub retried_at: Option<i64>,
    /// When its result is deleted.
    pub expires_at: Option<i64>,
    /// When its result was deleted.
    pub swept_at: Option<i64>,
    /// What became of its refund.
    pub refund: Option<String>,
    /// Whether what it needs to run is there.
    pub has_input: bool,
}

/// A create.
#[derive(Clone, Debug)]
pub struct CreateRecord {
    /// Its number.
    pub seq: i64,
    /// The route's name.
    pub route: String,
    /// The account's name.
    pub account: String,
    /// Unix milliseconds.
    pub sent_at: i64,
    /// The provider's id of the generation.
    pub upstream_id: Option<String>,
    /// Millionths of the provider's own unit.
    pub charged_micros: Option<i64>,
    /// What that is to the operator.
    pub cost_msat: Option<i64>,
}

/// A callback.
#[derive(Clone, Debug)]
pub struct CallbackRecord {
    /// How often it was tried.
    pub tries: i64,
    /// Unix milliseconds of the next try.
    pub due_at: Option<i64>,
    /// What it came to; `None` while there is something to do.
    pub outcome: Option<String>,
}

/// A refund. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct RefundRecord {
    /// The job that failed: its internal id.
    pub job: String,
    /// The payment, in hexadecimal.
    pub payment_hash: String,
    /// What was bought.
    pub service: String,
    /// What is owed.
    pub amount_msat: i64,
    /// What became of it.
    pub status: String,
    /// Since when it is owed.
    pub created_at: i64,
    /// How often it was claimed.
    pub claims: i64,
    /// Who was told to pay it.
    pub payer: Option<String>,
    /// The invoice or the Lightning address that it is to be paid to, while a claim is open.
    pub pay_to: Option<String>,
    /// When it was claimed last.
    pub claimed_at: Option<i64>,
    /// When it was paid.
    pub paid_at: Option<i64>,
    /// What routing has cost, where it is known.
    pub fee_msat: Option<i64>,
    /// What the operator said who paid it by hand.
    pub note: Option<String>,
}

/// Which rows, newest first.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The state of a job or the status of a refund; `None`: any. `open` stands for every state of a job before its end,
    /// and `due` for a refund that was not paid.
    pub state: Option<String>,
    /// The name of a service; `None`: any.
    pub service: Option<String>,
    /// Those before this job alone; `None`: from the newest on.
    pub before: Option<JobId>,
    /// The most of them.
    pub limit: i64,
}

/// A secret that has minted macaroons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintingKey {
    /// The secret's fingerprint.
    pub fingerprint: String,
    /// Unix milliseconds when it stopped; `None`: it mints now.
    pub last_used: Option<i64>,
}
