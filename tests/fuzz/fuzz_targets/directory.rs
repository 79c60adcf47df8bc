//! libFuzzer's entry to `drive/directory.rs`.
#![no_main]

#[path = "../drive/directory.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
