//! A preference that was understood is understood again when it is written down plainly.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::prefer(input));
