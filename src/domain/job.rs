//! A job: what was paid for, from redemption to its one outcome.
//!
//! ```text
//! queued ─► dispatching(seq) ─► running(upstream id) ─► storing ─► succeeded(artifact)
//!    ▲            │                    │                   │
//!    └────────────┴── not started ─────┴── transient       │
//!    └──────────────────────── any of them ────────────────┴────► failed(failure), owed back
//! ```
//!
//! Only the operator can have a failed job run once more, while nobody has claimed what is owed for it.

use std::fmt;

use super::{JobId, Msat, PaymentHash, PublicJobId, RequestBinding};

/// A paid request and how far it has come.
#[derive(Clone, Debug)]
pub struct Job {
    /// The internal id.
    pub id: JobId,
    /// The callers' id.
    pub public_id: PublicJobId,
    /// The payment that bought it.
    pub payment_hash: PaymentHash,
    /// What the payment is bound to.
    pub binding: RequestBinding,
    /// What was paid, and what is owed back on failure.
    pub amount: Msat,
    /// How far it has come.
    pub state: JobState,
    /// The number of the lease; it fences every later write.
    pub attempt: i64,
    /// How many creates were sent, or about to be, to providers.
    pub dispatches: i64,
    /// How many of them were before the operator had the job run once more.
    pub earlier_dispatches: i64,
    /// Unix milliseconds of the redemption.
    pub created_at: i64,
    /// Unix milliseconds after which the job fails.
    pub deadline_at: i64,
    /// Whether somebody is called back when it ends.
    pub calls_back: bool,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Waits to be taken up.
    Queued,
    /// A create is about to go out, or went out and its answer is not known yet.
    Dispatching {
        /// The number of this create, from 1.
        seq: i64,
        /// The provider that it goes to.
        provider: String,
    },
    /// The provider works on it.
    Running(Upstream),
    /// The provider is done; the result is being copied.
    Storing(Upstream),
    /// Delivered.
    Succeeded(Delivery),
    /// Not delivered; the amount is owed back.
    Failed(Failed),
}

/// A provider's side of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The provider's own id.
    pub id: String,
}

/// A stored result.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The file's unguessable name.
    pub artifact: String,
    /// Unix milliseconds when the job ended.
    pub finished_at: i64,
    /// Unix milliseconds after which the file is deleted.
    pub expires_at: i64,
}

/// The end of a job that could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// Unix milliseconds when the job ended.
    pub finished_at: i64,
}

/// Why a paid request was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The model could not do it, or attempts ran out.
    GenerationFailed,
    /// The model's rules refuse this content.
    ContentRejected,
    /// The service's deadline passed.
    DeadlineExceeded,
    /// The payment was first presented after its window.
    RedemptionExpired,
    /// The request can no longer be run: prices stand, but rules have changed since.
    NotRunnable,
    /// The provider refuses the operator's account.
    OperatorFault,
    /// The provider delivered something that is not the result.
    ResultUnusable,
}

/// A transition that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot become {to}")]
pub struct IllegalTransition {
    from: &'static str,
    to: &'static str,
}

// The name of a result is all that is needed to read it, so it must not reach a log.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery(finished_at: {}, expires_at: {})", self.finished_at, self.expires_at)
    }
}

impl Job {
    /// The number of the create `seq` within this run of the job, from 1.
    #[must_use]
    pub const fn create_of_this_run(&self, seq: i64) -> i64 {
        seq.saturating_sub(self.earlier_dispatches)
    }
}

impl JobState {
    /// The name in the database, logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dispatching { .. } => "dispatching",
            Self::Running(_) => "running",
            Self::Storing(_) => "storing",
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) => "failed",
        }
    }

    /// The name that callers see: the gateway's own steps are all `running` to them.
    #[must_use]
    pub const fn public_name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dispatching { .. } | Self::Running(_) | Self::Storing(_) => "running",
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether the job has its outcome.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Failed(_))
    }

    /// The create number `seq` is about to go out.
    pub fn dispatch(self, seq: i64, provider: String) -> Result<Self, IllegalTransition> {
        match self {
            // A create whose outcome could not be found out may be followed by another.
            Self::Queued | Self::Dispatching { .. } => Ok(Self::Dispatching { seq, provider }),
            other => Err(other.cannot_become("dispatching")),
        }
    }

    /// The provider took the job under `upstream_id`.
    pub fn run(self, upstream_id: String) -> Result<Self, IllegalTransition> {
        match self {
            Self::Dispatching { provider, .. } => Ok(Self::Running(Upstream { provider, id: upstream_id })),
            other => Err(other.cannot_become("running")),
        }
    }

    /// The provider is done.
    pub fn store(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Running(upstream) => Ok(Self::Storing(upstream)),
            other => Err(other.cannot_become("storing")),
        }
    }

    /// Back to the queue: nothing was started, or what was started is surely over.
    pub fn requeue(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Queued | Self::Dispatching { .. } | Self::Running(_) => Ok(Self::Queued),
            other => Err(other.cannot_become("queued")),
        }
    }

    /// The result is stored.
    pub fn succeed(self, delivery: Delivery) -> Result<Self, IllegalTransition> {
        match self {
            Self::Storing(_) => Ok(Self::Succeeded(delivery)),
            other => Err(other.cannot_become("succeeded")),
        }
    }

    /// The job cannot be delivered.
    pub fn fail(self, failed: Failed) -> Result<Self, IllegalTransition> {
        if self.is_terminal() {
            return Err(self.cannot_become("failed"));
        }
        Ok(Self::Failed(failed))
    }

    const fn cannot_become(&self, to: &'static str) -> IllegalTransition {
        IllegalTransition { from: self.name(), to }
    }
}

impl Failure {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::GenerationFailed,
        Self::ContentRejected,
        Self::DeadlineExceeded,
        Self::RedemptionExpired,
        Self::NotRunnable,
        Self::OperatorFault,
        Self::ResultUnusable,
    ];

    /// The name in the database, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenerationFailed => "generation_failed",
            Self::ContentRejected => "content_rejected",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::RedemptionExpired => "redemption_expired",
            Self::NotRunnable => "not_runnable",
            Self::OperatorFault => "operator_fault",
            Self::ResultUnusable => "result_unusable",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = JobState> {
        let upstream = || Upstream { provider: "sandbox".into(), id: "u1".into() };
        prop_oneof![
            Just(JobState::Queued),
            (1..9_i64).prop_map(|seq| JobState::Dispatching { seq, provider: "sandbox".into() }),
            Just(JobState::Running(upstream())),
            Just(JobState::Storing(upstream())),
            Just(JobState::Succeeded(Delivery { artifact: "a".into(), finished_at: 1, expires_at: 2 })),
            prop::sample::select(&Failure::ALL[..])
                .prop_map(|failure| JobState::Failed(Failed { failure, finished_at: 1 })),
        ]
    }

    fn step(state: JobState, kind: u8) -> Result<JobState, IllegalTransition> {
        match kind {
            0 => state.dispatch(1, "sandbox".into()),
            1 => state.run("u1".into()),
            2 => state.store(),
            3 => state.requeue(),
            4 => state.succeed(Delivery { artifact: "b".into(), finished_at: 3, expires_at: 4 }),
            _ => state.fail(Failed { failure: Failure::GenerationFailed, finished_at: 3 }),
        }
    }

    proptest! {
        #[test]
        fn terminal_states_are_terminal(state in any_state(), kind in 0..6_u8) {
            if state.is_terminal() {
                prop_assert!(step(state, kind).is_err());
            }
        }

        #[test]
        fn every_open_state_can_fail(state in any_state()) {
            if !state.is_terminal() {
                prop_assert!(step(state, 5).is_ok());
            }
        }

        #[test]
        fn success_is_reached_only_through_storing(state in any_state()) {
            let storing = matches!(state, JobState::Storing(_));
            prop_assert_eq!(step(state, 4).is_ok(), storing);
        }
    }

    #[test]
    fn failures_are_read_back_by_name() {
        for failure in Failure::ALL {
            assert_eq!(Failure::from_name(failure.name()), Some(failure));
        }
    }
}
