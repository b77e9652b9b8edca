//! What an `Authorization` header holds is bounded by the header, and none crashes or hangs.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::authorization(input));
