//! Chance that a text decides: the same text throws the same numbers, on every machine and in every version.

use sha2::{Digest, Sha256};

use super::numbers::{floor, mix, place, real};

/// A `SplitMix64` generator seeded from a text.
pub struct Dice(u64);

impl Dice {
    /// Dice that `text` has loaded.
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        real((mixed ^ (mixed >> 31)) >> 40) / 16_777_216.0
    }

    /// A number between two others.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// One of several, each as likely.
    pub fn pick<'a, T, const N: usize>(&mut self, choices: &'a [T; N]) -> &'a T {
        &choices[floor(self.unit() * place(N)).min(N - 1)]
    }

    /// True with this likelihood.
    pub fn chance(&mut self, likelihood: f32) -> bool {
        self.unit() < likelihood
    }

    /// A smooth random curve of `length` points between 0 and 1 that has `waves` knots and closes on itself.
    pub fn curve(&mut self, waves: usize, length: usize) -> Vec<f32> {
        let knots: Vec<f32> = (0..waves).map(|_| self.unit()).collect();
        (0..length)
            .map(|index| {
                let at = place(index) / place(length) * place(waves);
                let knot = floor(at) % waves;
                let share = at.fract();
                mix(knots[knot], knots[(knot + 1) % waves], share * share * (3.0 - 2.0 * share))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_are_fixed_for_good() {
        let thousandths = |text| {
            let mut dice = Dice::of(text);
            [dice.unit(), dice.unit(), dice.unit()].map(|throw| floor(throw * 1_000.0))
        };
        assert_eq!(thousandths("a lighthouse at dusk"), [127, 869, 120]);
        assert_ne!(thousandths("a lighthouse at dawn"), thousandths("a lighthouse at dusk"));
    }

    #[test]
    fn throws_stay_within_bounds_and_spread() {
        let mut dice = Dice::of("");
        let throws: Vec<f32> = (0..1_000).map(|_| dice.unit()).collect();
        assert!(throws.iter().all(|throw| (0.0..1.0).contains(throw)));
        let mean = throws.iter().sum::<f32>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn curves_close_on_themselves() {
        let curve = Dice::of("ring").curve(8, 512);
        assert!((curve[511] - curve[0]).abs() < 0.02);
        assert!(curve.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.05));
    }
}
