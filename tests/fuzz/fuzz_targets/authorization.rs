//! libFuzzer's entry to `drive/authorization.rs`.
#![no_main]

#[path = "../drive/authorization.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
