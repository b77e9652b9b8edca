//! Names in paths: what was signed here is read back, and nothing else is.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::names(input));
