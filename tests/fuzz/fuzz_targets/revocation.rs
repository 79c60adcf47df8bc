//! libFuzzer's entry to `drive/revocation.rs`.
#![no_main]

#[path = "../drive/revocation.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
