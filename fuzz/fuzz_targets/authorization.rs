//! No `Authorization` header can crash or hang the gateway.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satforge::paywall::l402::parse_authorization;

fuzz_target!(|header: &[u8]| {
    let _ = parse_authorization(header);
});
