//! What a provider, or somebody who knows where it would, sends: the first line is the header with the signature, and
//! what follows is the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::upstream::webhooks(input));
