//! What the server behind a Lightning address answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::money::lightning_address(input));
