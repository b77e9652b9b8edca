//! The payment hashes that were handed out lately: a backend that hands one out twice would let one payment buy two
//! things.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::domain::PaymentHash;

/// A bounded memory in two generations; it forgets the older one when the newer is full or old.
#[derive(Debug)]
pub struct HandedOut {
    generation_seconds: u64,
    capacity: usize,
    inner: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    began_at: u64,
    current: HashSet<PaymentHash>,
    previous: HashSet<PaymentHash>,
}

impl HandedOut {
    /// Remembers each hash for at least `generation_seconds`, unless more than `capacity` are handed out within that
    /// time.
    #[must_use]
    pub fn new(generation_seconds: u64, capacity: usize) -> Self {
        Self { generation_seconds, capacity, inner: Mutex::default() }
    }

    /// Whether `hash` was not known; it is from now on. `now` is in Unix seconds.
    pub fn insert(&self, hash: PaymentHash, now: u64) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if inner.current.len() >= self.capacity || now.saturating_sub(inner.began_at) >= self.generation_seconds {
            let full = std::mem::take(&mut inner.current);
            inner.previous = full;
            inner.began_at = now;
        }
        !inner.previous.contains(&hash) && inner.current.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn hash(n: u8) -> PaymentHash {
        PaymentHash::from_bytes([n; 32])
    }

    #[test]
    fn a_hash_is_new_once() {
        let memory = HandedOut::new(600, 10);
        assert!(memory.insert(hash(1), 0));
        assert!(!memory.insert(hash(1), 0));
        assert!(!memory.insert(hash(1), 700), "one generation later it is still known");
        assert!(memory.insert(hash(1), 2_000));
    }

    #[test]
    fn it_does_not_grow() {
        let memory = HandedOut::new(600, 10);
        for n in 0..100 {
            memory.insert(hash(n), 0);
        }
        let inner = memory.inner.lock().unwrap();
        assert!(inner.current.len() + inner.previous.len() <= 20);
    }
}
