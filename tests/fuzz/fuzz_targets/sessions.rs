//! libFuzzer's entry to `drive/sessions.rs`.
#![no_main]

#[path = "../drive/sessions.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
