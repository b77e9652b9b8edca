//! An invoice means to us what it means to the library that others read it with, and none but one over exactly the
//! amount is taken. The checksum is made here, or next to nothing would come through it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| satforge::fuzzing::money::invoice(input));
