//! libFuzzer's entry to `drive/http1.rs`.
#![no_main]

#[path = "../drive/http1.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
