//! libFuzzer's entry to `drive/eas_query.rs`.
#![no_main]

#[path = "../drive/eas_query.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
