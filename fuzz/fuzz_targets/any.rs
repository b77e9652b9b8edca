//! Any of the other targets, by its name in FUZZ_TARGET: one program to link where all of them are run.
#![no_main]

use std::sync::LazyLock;

use satforge::fuzzing::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    TARGETS.iter().find(|(name, _)| *name == wanted).expect("FUZZ_TARGET names one of the targets").1
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
