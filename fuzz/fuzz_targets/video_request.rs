//! A body that is sold can be run: once it is paid for, it means the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::video_request(input));
