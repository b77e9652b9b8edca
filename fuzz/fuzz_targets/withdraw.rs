//! What a wallet's call holds is read as it was meant: the first of each name.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::money::withdraw(input));
