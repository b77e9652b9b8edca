//! Decoding is total, and canonical: what decodes encodes to the very bytes that it came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satforge::paywall::macaroon::Macaroon;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(macaroon) = Macaroon::decode(bytes) {
        assert_eq!(macaroon.encode(), bytes);
    }
});
