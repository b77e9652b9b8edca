//! Amounts of bitcoin, in thousandths of a satoshi.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::fmt;

/// The number of millisatoshis in a satoshi.
const MSAT_PER_SAT: u64 = 1_000;

const MILLION: u64 = 1_000_000;

/// More than all bitcoin that can exist, in msat: no amount above it means anything.
const MAX_MSAT: u64 = 21_000_000 * 100_000_000 * MSAT_PER_SAT;

/// An amount in millisatoshis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msat(u64);

/// An amount that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount is larger than all bitcoin")]
pub struct AmountOverflow;

/// What a price is multiplied by, in millionths: 1.1 means exactly that, which no binary fraction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceFactor(u64);

/// A number that no price is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be from 0.01 to 100")]
pub struct BadFactor;

impl PriceFactor {
    /// The price as it is.
    pub const ONE: Self = Self(MILLION);

    /// `factor` to the nearest millionth; refuses what is not from 0.01 to 100.
    pub fn new(factor: f64) -> Result<Self, BadFactor> {
        if !(0.01..=100.0).contains(&factor) {
            return Err(BadFactor);
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 10^4 to 10^8, and whole"
        )]
        let millionths = (factor * 1e6).round() as u64;
        Ok(Self(millionths))
    }
}

impl Msat {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `msat` millisatoshis; refuses more than 21 million bitcoin.
    pub const fn new(msat: u64) -> Result<Self, AmountOverflow> {
        if msat > MAX_MSAT {
            return Err(AmountOverflow);
        }
        Ok(Self(msat))
    }

    /// `sat` satoshis; refuses more than 21 million bitcoin.
    pub const fn from_sat(sat: u64) -> Result<Self, AmountOverflow> {
        match sat.checked_mul(MSAT_PER_SAT) {
            Some(msat) => Self::new(msat),
            None => Err(AmountOverflow),
        }
    }

    /// This amount `times` over; refuses more than 21 million bitcoin.
    pub const fn times(self, times: u64) -> Result<Self, AmountOverflow> {
        match self.0.checked_mul(times) {
            Some(msat) => Self::new(msat),
            None => Err(AmountOverflow),
        }
    }

    /// This amount multiplied by `factor`, rounded up to a millisatoshi; refuses more than 21 million bitcoin.
    pub fn scaled(self, factor: PriceFactor) -> Result<Self, AmountOverflow> {
        let product = u128::from(self.0).saturating_mul(u128::from(factor.0)).div_ceil(u128::from(MILLION));
        Self::new(u64::try_from(product).map_err(|_| AmountOverflow)?)
    }

    /// This amount, rounded up to a whole satoshi.
    #[must_use]
    pub const fn rounded_up_to_sat(self) -> Self {
        // The largest amount is a whole number of satoshis, so none is rounded beyond it.
        Self(self.sat_rounded_up().saturating_mul(MSAT_PER_SAT))
    }

    /// The amount in msat.
    #[must_use]
    pub const fn msat(self) -> u64 {
        self.0
    }

    /// The amount in satoshis; `None`: it has a part of a satoshi.
    #[must_use]
    pub const fn whole_sat(self) -> Option<u64> {
        if self.0.is_multiple_of(MSAT_PER_SAT) { Some(self.sat_rounded_up()) } else { None }
    }

    /// The amount in satoshis, rounded up: what a payer is told must cover the amount.
    #[must_use]
    pub const fn sat_rounded_up(self) -> u64 {
        self.0.div_ceil(MSAT_PER_SAT)
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} msat", self.0)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sats_survive_the_way_through_msat(sat in 0..=21_000_000_u64 * 100_000_000) {
            prop_assert_eq!(Msat::from_sat(sat).unwrap().sat_rounded_up(), sat);
            prop_assert_eq!(Msat::from_sat(sat).unwrap().whole_sat(), Some(sat));
        }

        #[test]
        fn a_part_of_a_sat_is_rounded_up(sat in 0..1_000_000_u64, rest in 1..1000_u64) {
            prop_assert_eq!(Msat::new(sat * 1000 + rest).unwrap().sat_rounded_up(), sat + 1);
            prop_assert_eq!(Msat::new(sat * 1000 + rest).unwrap().whole_sat(), None);
        }

        #[test]
        fn a_price_is_multiplied_exactly_and_rounded_up(sat in 1..1_000_000_u64, hundredths in 1..=10_000_u64) {
            #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "small and whole")]
            let factor = PriceFactor::new(hundredths as f64 / 100.0).unwrap();
            let scaled = Msat::from_sat(sat).unwrap().scaled(factor).unwrap();
            prop_assert_eq!(scaled.msat(), sat * hundredths * 10);
            prop_assert_eq!(scaled.rounded_up_to_sat().whole_sat(), Some((sat * hundredths).div_ceil(100)));
        }

        #[test]
        fn nothing_overflows(sat in any::<u64>(), times in any::<u64>()) {
            if let Ok(amount) = Msat::from_sat(sat) && let Ok(product) = amount.times(times) {
                prop_assert!(u128::from(product.msat()) == u128::from(sat) * 1000 * u128::from(times));
            }
        }
    }

    #[test]
    fn a_factor_has_bounds_and_a_price_too() {
        for factor in [0.0, -1.0, 0.009, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(PriceFactor::new(factor), Err(BadFactor), "{factor}");
        }
        assert_eq!(PriceFactor::new(1.0), Ok(PriceFactor::ONE));
        let all = Msat::new(MAX_MSAT).unwrap();
        assert_eq!(all.scaled(PriceFactor::ONE), Ok(all));
        assert_eq!(all.rounded_up_to_sat(), all);
        assert_eq!(all.scaled(PriceFactor::new(1.000_001).unwrap()), Err(AmountOverflow));
        assert_eq!(Msat::new(1).unwrap().scaled(PriceFactor::new(0.01).unwrap()), Msat::new(1));
    }
}
