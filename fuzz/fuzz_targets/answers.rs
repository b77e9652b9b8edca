//! What a provider answers: the first line is the status, and what follows is the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::upstream::answers(input));
