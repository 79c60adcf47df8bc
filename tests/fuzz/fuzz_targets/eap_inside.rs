//! libFuzzer's entry to `drive/eap_inside.rs`.
#![no_main]

#[path = "../drive/eap_inside.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
