//! The chain that money is on.

use std::fmt;

/// The chain that an invoice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Real money, `lnbc…`.
    Bitcoin,
    /// `lntb…`
    Testnet,
    /// `lntbs…`
    Signet,
    /// `lnbcrt…`
    Regtest,
    /// `lnsb…`
    Simnet,
}

impl Network {
    /// What its invoices begin with.
    #[must_use]
    pub const fn invoice_prefix(self) -> &'static str {
        match self {
            Self::Bitcoin => "lnbc",
            Self::Testnet => "lntb",
            Self::Signet => "lntbs",
            Self::Regtest => "lnbcrt",
            Self::Simnet => "lnsb",
        }
    }

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Testnet => "testnet",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
            Self::Simnet => "simnet",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
