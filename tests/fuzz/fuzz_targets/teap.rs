//! libFuzzer's entry to `drive/teap.rs`.
#![no_main]

#[path = "../drive/teap.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
