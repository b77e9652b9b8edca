//! Chance. What happens is drawn from the seed and the name of what it happens to, and not from one sequence: so it does
//! not depend on who comes first.

use std::time::Duration;

/// A sequence of its own for one name.
pub struct Dice(u64);

impl Dice {
    /// The `nth` sequence of `what` for `key`.
    pub fn of(seed: u64, what: &str, key: u64, nth: u64) -> Self {
        let named = what.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
        Self(mix(mix(named ^ key) ^ nth))
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in so many of a thousand cases.
    pub const fn thousandths(&mut self, parts: u64) -> bool {
        self.below(1_000) < parts
    }

    /// One of several, by weight.
    pub fn pick<T: Copy>(&mut self, table: &[(u64, T)]) -> T {
        let mut at = self.below(table.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in table {
            if at < *weight {
                return *value;
            }
            at -= weight;
        }
        unreachable!("the weights were summed up")
    }

    /// Milliseconds from `least` up to `most`.
    pub const fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_be_bytes()));
        bytes
    }
}

/// The finaliser of `SplitMix64`.
const fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Lets time pass: here it is what is tested.
pub async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
