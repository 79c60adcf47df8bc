//! libFuzzer's entry to `drive/fragment.rs`.
#![no_main]

#[path = "../drive/fragment.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
