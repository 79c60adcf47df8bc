//! libFuzzer's entry to `drive/device_file.rs`.
#![no_main]

#[path = "../drive/device_file.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
