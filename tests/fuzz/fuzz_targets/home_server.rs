//! libFuzzer's entry to `drive/home_server.rs`.
#![no_main]

#[path = "../drive/home_server.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
