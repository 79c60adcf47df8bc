//! libFuzzer's entry to `drive/dictionary.rs`.
#![no_main]

#[path = "../drive/dictionary.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
