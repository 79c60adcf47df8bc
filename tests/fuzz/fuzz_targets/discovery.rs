//! libFuzzer's entry to `drive/discovery.rs`.
#![no_main]

#[path = "../drive/discovery.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
