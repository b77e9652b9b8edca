//! What is typed into the page, or sent in its place, is one credential at the most, and as long as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::recover(input));
