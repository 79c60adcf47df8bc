//! libFuzzer's entry to `drive/radius_stream.rs`.
#![no_main]

#[path = "../drive/radius_stream.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
