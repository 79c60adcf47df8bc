//! libFuzzer's entry to `drive/frames.rs`.
#![no_main]

#[path = "../drive/frames.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
