//! libFuzzer's entry to `drive/network.rs`.
#![no_main]

#[path = "../drive/network.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
