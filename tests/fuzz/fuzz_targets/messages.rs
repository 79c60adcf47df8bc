//! libFuzzer's entry to `drive/messages.rs`.
#![no_main]

#[path = "../drive/messages.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
