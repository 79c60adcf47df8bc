//! libFuzzer's entry to `drive/policy.rs`.
#![no_main]

#[path = "../drive/policy.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
