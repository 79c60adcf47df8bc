//! libFuzzer's entry to `drive/wbxml.rs`.
#![no_main]

#[path = "../drive/wbxml.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
