//! The entries of the errors page and the order in which it shows them.
//!
//! A caller who looks up a code wants to know first whether money is involved, so the page is ordered by the part of a
//! purchase rather than by status.

/// One entry of the error table.
pub struct ErrorDoc {
    /// The stable code, in upper snake case. It is also the anchor on the page.
    pub code: String,
    /// The status it comes with.
    pub status: u16,
    /// The problem's title.
    pub title: String,
    /// What has happened.
    pub meaning: String,
    /// What the caller should do.
    pub suggestion: String,
}

impl ErrorDoc {
    /// What has happened, cut into prose and code.
    pub fn meaning_parts(&self) -> impl Iterator<Item = (bool, &str)> {
        code_parts(&self.meaning)
    }

    /// What the caller should do, cut into prose and code.
    pub fn suggestion_parts(&self) -> impl Iterator<Item = (bool, &str)> {
        code_parts(&self.suggestion)
    }

    /// The part of a purchase that the error belongs to; the page is ordered by it.
    #[must_use]
    pub fn group(&self) -> ErrorGroup {
        match self.status {
            _ if self.code.starts_with("INVOICE_") => ErrorGroup::Sandbox,
            402 => ErrorGroup::Payment,
            403 | 409 | 410 | 502 => ErrorGroup::Result,
            429 | 500..=599 => ErrorGroup::Gateway,
            _ => ErrorGroup::Request,
        }
    }
}

/// The table's texts mark code with backticks, as they also go out as plain text. `true` is code.
fn code_parts(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split('`').enumerate().map(|(index, part)| (index % 2 == 1, part))
}

/// The part of a purchase that an error belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorGroup {
    /// The request cannot be run as it is; nothing was invoiced.
    Request,
    /// A payment is due, or a credential was refused.
    Payment,
    /// Something was paid for and is not, or is no longer, there.
    Result,
    /// The gateway cannot serve at the moment.
    Gateway,
    /// The pretended wallet of a sandbox.
    Sandbox,
}

impl ErrorGroup {
    /// Every part, in the order of a purchase.
    pub const ALL: [Self; 5] = [Self::Request, Self::Payment, Self::Result, Self::Gateway, Self::Sandbox];

    /// The anchor of the part on the page.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Request => "the-request",
            Self::Payment => "the-payment",
            Self::Result => "the-result",
            Self::Gateway => "the-gateway",
            Self::Sandbox => "the-sandbox",
        }
    }

    /// The heading of the part.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Request => "The request",
            Self::Payment => "The payment",
            Self::Result => "The result",
            Self::Gateway => "The gateway",
            Self::Sandbox => "The sandbox wallet",
        }
    }

    /// What holds for every error of the part.
    #[must_use]
    pub const fn lead(self) -> &'static str {
        match self {
            Self::Request => "The request cannot be run as it stands. No invoice was made and nothing was charged.",
            Self::Payment => {
                "A payment is due, or the credential was refused. A refusal consumes nothing, and a fresh challenge \
                 comes with it."
            }
            Self::Result => "Something was paid for and is not there, or is there no longer.",
            Self::Gateway => {
                "The gateway cannot serve at the moment. Without a credential nothing was charged; with a good one the \
                 payment stands, so repeat the same request."
            }
            Self::Sandbox => "Only the pretended wallet of a sandbox answers these.",
        }
    }
}
