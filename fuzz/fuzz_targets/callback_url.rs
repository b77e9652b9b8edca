//! A URL that strangers may have called is `https`, to a host that is not known to be private, and stays so.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::callback_url(input));
