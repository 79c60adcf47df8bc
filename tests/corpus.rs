//! Replays the fuzzers' corpora through the parsers, in every ordinary test run.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first file it cannot read"
)]
#![expect(
    unreachable_pub,
    reason = "the drives are shared with the fuzz targets"
)]

use std::fs;
use std::panic::catch_unwind;

#[path = "fuzz/drive/authorization.rs"]
mod authorization;
#[path = "fuzz/drive/device_file.rs"]
mod device_file;
#[path = "fuzz/drive/dictionary.rs"]
mod dictionary;
#[path = "fuzz/drive/directory.rs"]
mod directory;
#[path = "fuzz/drive/discovery.rs"]
mod discovery;
#[path = "fuzz/drive/door.rs"]
mod door;
#[path = "fuzz/drive/eap_inside.rs"]
mod eap_inside;
#[path = "fuzz/drive/eap_packet.rs"]
mod eap_packet;
#[path = "fuzz/drive/eas_query.rs"]
mod eas_query;
#[path = "fuzz/drive/fragment.rs"]
mod fragment;
#[path = "fuzz/drive/frames.rs"]
mod frames;
#[path = "fuzz/drive/graph_json.rs"]
mod graph_json;
#[path = "fuzz/drive/home_server.rs"]
mod home_server;
#[path = "fuzz/drive/http1.rs"]
mod http1;
#[path = "fuzz/drive/inventory.rs"]
mod inventory;
#[path = "fuzz/drive/messages.rs"]
mod messages;
#[path = "fuzz/drive/network.rs"]
mod network;
#[path = "fuzz/drive/policy.rs"]
mod policy;
#[path = "fuzz/drive/radius_packet.rs"]
mod radius_packet;
#[path = "fuzz/drive/radius_stream.rs"]
mod radius_stream;
#[path = "fuzz/drive/revocation.rs"]
mod revocation;
#[path = "fuzz/drive/sessions.rs"]
mod sessions;
#[path = "fuzz/drive/teap.rs"]
mod teap;
#[path = "fuzz/drive/wbxml.rs"]
mod wbxml;

/// Panics if a parser breaks one of its promises on these octets.
type Drive = fn(&[u8]);

const DRIVES: &[(&str, Drive)] = &[
    ("authorization", authorization::drive),
    ("device_file", device_file::drive),
    ("dictionary", dictionary::drive),
    ("directory", directory::drive),
    ("discovery", discovery::drive),
    ("door", door::drive),
    ("eap_inside", eap_inside::drive),
    ("eap_packet", eap_packet::drive),
    ("eas_query", eas_query::drive),
    ("fragment", fragment::drive),
    ("frames", frames::drive),
    ("graph_json", graph_json::drive),
    ("home_server", home_server::drive),
    ("http1", http1::drive),
    ("inventory", inventory::drive),
    ("messages", messages::drive),
    ("network", network::drive),
    ("policy", policy::drive),
    ("radius_packet", radius_packet::drive),
    ("radius_stream", radius_stream::drive),
    ("revocation", revocation::drive),
    ("sessions", sessions::drive),
    ("teap", teap::drive),
    ("wbxml", wbxml::drive),
];

#[test]
fn every_parser_survives_its_corpus_and_changes_of_it() {
    for (name, drive) in DRIVES {
        replay(name, *drive);
    }
}

#[test]
fn every_drive_is_replayed_and_has_a_target() {
    let named: Vec<String> = DRIVES
        .iter()
        .map(|(name, _)| format!("{name}.rs"))
        .collect();
    assert_eq!(names("tests/fuzz/drive"), named);
    assert_eq!(names("tests/fuzz/fuzz_targets"), named);
    // A manifest that does not parse is seen by nobody until a fuzzer is to run.
    let manifest = fs::read_to_string("tests/fuzz/Cargo.toml").unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let built: Vec<String> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| format!("{}.rs", bin["name"].as_str().unwrap()))
        .collect();
    assert_eq!(built, named);
    // The drives are compiled by this test, with its own dependencies: those of the fuzzers must be
    // no fewer.
    let ours: toml::Table = fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let has = |table: &toml::Table, section: &str, name: &str| {
        table
            .get(section)
            .and_then(|section| section.get(name))
            .is_some()
    };
    let names_of = |section: &str| ours[section].as_table().unwrap().keys().cloned();
    for name in names_of("dependencies").chain(names_of("dev-dependencies")) {
        let path = format!("{}::", name.replace('-', "_"));
        for drive in &named {
            let text = fs::read_to_string(format!("tests/fuzz/drive/{drive}")).unwrap();
            let is_used = text.match_indices(&path).any(|(at, _)| {
                !text[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
            });
            assert!(
                !is_used || has(&manifest, "dependencies", &name),
                "{drive} uses {name}, which tests/fuzz/Cargo.toml does not have"
            );
        }
    }
}

fn replay(name: &str, drive: fn(&[u8])) {
    let folder = format!("tests/fuzz/corpus/{name}");
    let files = names(&folder);
    assert!(files.len() >= 5, "{folder} has {} seeds", files.len());
    for file in files {
        let octets = fs::read(format!("{folder}/{file}")).unwrap();
        assert!(
            catch_unwind(|| drive(&octets)).is_ok(),
            "{folder}/{file} panicked"
        );
        // What is cut short or has one octet changed must be survived as well.
        for end in (0..octets.len()).step_by(octets.len() / 16 + 1) {
            drive(&octets[..end]);
        }
        for at in (0..octets.len()).step_by(octets.len() / 64 + 1) {
            let mut changed = octets.clone();
            changed[at] ^= 0xff;
            drive(&changed);
        }
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
