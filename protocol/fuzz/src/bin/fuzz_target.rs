//! The fuzzer on the target that `INFRAME_FUZZ_TARGET` names.

#![no_main]

use std::sync::OnceLock;

use inframe_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("INFRAME_FUZZ_TARGET").unwrap_or_default();
        TARGETS.iter().find(|target| target.name == name).expect("INFRAME_FUZZ_TARGET names no target")
    });
    (target.run)(bytes);
});
