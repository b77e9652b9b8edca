//! Decoding is total, and canonical: what decodes encodes to the very bytes that it came from.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::macaroon(input));
