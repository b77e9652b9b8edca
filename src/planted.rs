//! Bugs that are planted on purpose, to show that the fault harness (`tests/chaos`) finds them.
//!
//! They exist with the cargo feature `planted-bugs` alone, which no release is built with: without it [`is`] is a
//! constant and the compiler leaves out what it guards.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A payment of unknown outcome counts as failed, so that its refund can be claimed, and is paid, again.
    DoublePayout,
    /// What may have been sent to a provider is sent again without a look.
    DoubleDispatch,
    /// A redemption is answered before it is on disk.
    LostRedemption,
    /// A result is sold for any preimage.
    FreeResult,
    /// What was delivered is owed back as well.
    RefundDelivered,
}

impl Bug {
    /// Every bug that can be planted.
    pub const ALL: [Self; 5] =
        [Self::DoublePayout, Self::DoubleDispatch, Self::LostRedemption, Self::FreeResult, Self::RefundDelivered];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoublePayout => "double-payout",
            Self::DoubleDispatch => "double-dispatch",
            Self::LostRedemption => "lost-redemption",
            Self::FreeResult => "free-result",
            Self::RefundDelivered => "refund-delivered",
        }
    }

    /// The bug of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

#[cfg(feature = "planted-bugs")]
static PLANTED: std::sync::OnceLock<Bug> = std::sync::OnceLock::new();

/// Plants `bug` in this process, for as long as it lives.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Bug) {
    // Whatever was planted first stays.
    let _ = PLANTED.set(bug);
}

/// Whether `bug` is planted in this process.
#[cfg(feature = "planted-bugs")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(&bug)
}

/// Whether `bug` is planted in this process: never.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
pub const fn is(_bug: Bug) -> bool {
    false
}
