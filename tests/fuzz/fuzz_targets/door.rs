//! libFuzzer's entry to `drive/door.rs`.
#![no_main]

#[path = "../drive/door.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
