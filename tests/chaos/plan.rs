//! What each purchase is like: what the provider makes of it, and how its buyer behaves.

use crate::dice::Dice;
use crate::world::works::End;

/// What becomes of the work for one purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// The first create is interrupted, the next one is good.
    Interrupted,
    /// The first create is forgotten by the provider, the next one is good.
    Forgotten,
    Fails,
    Rejected,
    BadFile,
}

impl Fate {
    pub fn of(seed: u64, job: u64) -> Self {
        Dice::of(seed, "fate", job, 0).pick(&[
            (876, Self::Good),
            (40, Self::Interrupted),
            (10, Self::Forgotten),
            (40, Self::Fails),
            (30, Self::Rejected),
            // A few in a row would close the route for minutes.
            (4, Self::BadFile),
        ])
    }

    /// How the `nth` create ends.
    pub const fn end(self, nth: u64) -> End {
        match self {
            Self::Interrupted if nth == 0 => End::Interruption,
            Self::Good | Self::Forgotten | Self::Interrupted => End::Result,
            Self::Fails => End::Failure,
            Self::Rejected => End::Rejection,
            Self::BadFile => End::BadFile,
        }
    }

    /// Whether there is a result to be had.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Interrupted | Self::Forgotten)
    }
}

/// How a buyer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As clients do that know nothing.
    Hold,
    /// `Prefer: wait=N`.
    Plain(u64),
    /// `Prefer: respond-async`, and polls.
    Poll,
    /// Two requests at the same time.
    Twice,
    /// Hangs up after so many milliseconds, and comes back.
    HangUp(u64),
}

/// What a buyer does beside buying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    None,
    /// Presents the preimage of somebody else's purchase.
    ForeignPreimage,
    /// Presents a paid macaroon for other bytes.
    OtherBody,
    /// Changes a bit of the macaroon.
    Forged,
    /// Presents a macaroon with a preimage out of thin air.
    Guess,
    /// Wants its money back for what was delivered.
    Greedy,
}

/// How money that is owed is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Scans the LNURL.
    Lnurl,
    /// Posts an invoice with the credential.
    Invoice,
    /// Both ways at the same time, with two invoices.
    Both,
    /// Offers an invoice that it has offered for another refund as well.
    Reused,
    /// Not at all.
    Never,
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Plan {
    pub is_film: bool,
    /// Pays, but presents nothing before the end.
    pub comes_late: bool,
    pub pays: bool,
    pub pays_twice: bool,
    pub wait: Wait,
    pub mischief: Mischief,
    pub claim: Claim,
    /// Whether it looks again at what it has got.
    pub looks_again: bool,
    /// Whether it looks at `/recover`.
    pub recovers: bool,
}

impl Plan {
    pub fn of(seed: u64, job: u64) -> Self {
        let mut dice = Dice::of(seed, "buyer", job, 0);
        let hang_up = dice.below(400);
        Self {
            is_film: dice.thousandths(800),
            comes_late: dice.thousandths(30),
            pays: dice.thousandths(970),
            pays_twice: dice.thousandths(50),
            wait: dice.pick(&[
                (4, Wait::Hold),
                (3, Wait::Plain(3)),
                (4, Wait::Poll),
                (1, Wait::Twice),
                (2, Wait::HangUp(hang_up)),
            ]),
            mischief: dice.pick(&[
                (75, Mischief::None),
                (5, Mischief::ForeignPreimage),
                (5, Mischief::OtherBody),
                (5, Mischief::Forged),
                (5, Mischief::Guess),
                (5, Mischief::Greedy),
            ]),
            claim: dice.pick(&[
                (4, Claim::Lnurl),
                (4, Claim::Invoice),
                (2, Claim::Both),
                (1, Claim::Reused),
                (2, Claim::Never),
            ]),
            looks_again: dice.thousandths(250),
            recovers: dice.thousandths(200),
        }
    }
}
