//! libFuzzer's entry to `drive/radius_packet.rs`.
#![no_main]

#[path = "../drive/radius_packet.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
