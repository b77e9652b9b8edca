//! A claim names one destination, and a Lightning address leads nowhere but to its well-known path at its host.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::money::claim(input));
