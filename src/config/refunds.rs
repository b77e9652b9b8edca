//! How money is given back, as it is meant.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::time::Duration;

use crate::domain::Msat;

const MILLION: u128 = 1_000_000;

/// Who pays refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundMode {
    /// The Lightning backend, when the refund is claimed.
    Automatic,
    /// The operator, by hand.
    Manual,
}

/// How money is given back.
#[derive(Clone, Debug)]
pub struct RefundsConfig {
    /// Who pays.
    pub mode: RefundMode,
    /// The part of an amount that routing its refund may cost, in millionths.
    pub max_fee_ppm: u64,
    /// What routing a refund may cost at least, however small the amount is.
    pub max_fee_floor: Msat,
    /// How long the backend may try to pay.
    pub payment_timeout: Duration,
    /// How long a link to a refund is good; its owner can have a new one at any time.
    pub link_for: Duration,
    /// Whether Lightning addresses may lead to private addresses and over `http`.
    pub allow_private_addresses: bool,
    /// The time of each answer of a wallet behind a Lightning address.
    pub address_timeout: Duration,
}

impl RefundsConfig {
    /// The most that routing a refund of `amount` may cost the operator.
    #[must_use]
    pub fn max_fee(&self, amount: Msat) -> Msat {
        let part = u128::from(amount.msat()).saturating_mul(u128::from(self.max_fee_ppm)).div_ceil(MILLION);
        let part = u64::try_from(part).ok().and_then(|msat| Msat::new(msat).ok()).unwrap_or(Msat::ZERO);
        part.max(self.max_fee_floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_a_part_of_the_amount_and_never_less_than_the_floor() {
        let config = |max_fee_ppm, floor| RefundsConfig {
            mode: RefundMode::Automatic,
            max_fee_ppm,
            max_fee_floor: Msat::from_sat(floor).unwrap(),
            payment_timeout: Duration::from_secs(1),
            link_for: Duration::from_secs(1),
            allow_private_addresses: false,
            address_timeout: Duration::from_secs(1),
        };
        let fee = |ppm, floor, sat| config(ppm, floor).max_fee(Msat::from_sat(sat).unwrap()).msat();
        assert_eq!(fee(10_000, 10, 500), 10_000);
        assert_eq!(fee(10_000, 10, 5_000), 50_000);
        assert_eq!(fee(10_000, 0, 1), 10);
        assert_eq!(fee(0, 0, 1_000_000), 0);
    }
}
