//! A part of a file lies within it and is not empty.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::range(input));
