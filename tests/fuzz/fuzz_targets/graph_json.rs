//! libFuzzer's entry to `drive/graph_json.rs`.
#![no_main]

#[path = "../drive/graph_json.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drive::drive(octets));
