//! A request is charged to its peer, or to an address that a trusted proxy has written down last.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::forwarded(input));
