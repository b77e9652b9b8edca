//! The same, with an image: the first line is a media type, and what follows is the image; a body that begins with a
//! brace is taken as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::edge::model_request(input));
