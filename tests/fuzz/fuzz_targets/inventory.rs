//! libFuzzer's entry to `drive/inventory.rs`.
#![no_main]

#[path = "../drive/inventory.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
