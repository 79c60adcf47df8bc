//! The sample in `conf` is read without a word.

use std::path::Path;

use portreeve::model::ComplianceState;
use portreeve::model::GroupId;
use portreeve::model::Retirement;
use portreeve::model::Tri;
use portreeve::sync;
use portreeve::sync::State;

use crate::lab::Lab;

#[tokio::test]
async fn the_sample_has_six_devices_of_all_kinds() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let text = std::fs::read_to_string(conf.join("source.toml")).unwrap();
    let (config, warnings) = sync::parse("conf/source.toml", &conf, &text).unwrap();
    assert_eq!(warnings, []);
    let lab = Lab::start(&config);
    lab.handle.first_load().await;
    for status in lab.handle.status() {
        assert_eq!(status.state, State::Connected);
        assert_eq!(status.problems, []);
        assert_eq!(status.entries, 6);
    }
    let of = |number: u32| {
        let id = format!("5d1c8a40-6f2e-4b7a-9c31-{number:012}");
        lab.posture(id.parse().unwrap()).unwrap()
    };
    assert_eq!(of(1).compliance.value, ComplianceState::Compliant);
    assert_eq!(of(2).compliance.value, ComplianceState::NonCompliant);
    assert_eq!(of(3).compliance.value, ComplianceState::InGracePeriod);
    assert_eq!(of(4).managed.value, Tri::No);
    assert_eq!(of(5).retirement, Retirement::Retired);
    let alice = lab.reader.user("alice").unwrap();
    assert_eq!(of(6).owner, Some(alice.user));
    assert_eq!(lab.reader.groups(alice.groups), [GroupId::named("staff")]);
}

#[test]
fn the_tenant_in_the_sample_works_once_it_is_uncommented() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let text = std::fs::read_to_string(conf.join("source.toml")).unwrap();
    let (_, tenant) = text.split_once("# [[graph]]\n").unwrap();
    let lines = tenant.lines().filter_map(|line| {
        let line = line.strip_prefix("# ")?;
        line.contains(" = ").then_some(line)
    });
    let tenant = format!("[[graph]]\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    let (config, warnings) = sync::parse("source.toml", &conf, &tenant).unwrap();
    assert_eq!(warnings, []);
    let [graph] = config.graphs.as_slice() else {
        panic!("one tenant");
    };
    // What the sample shows as defaults are the defaults.
    assert_eq!(graph.timing, sync::Timing::default());
    assert_eq!(graph.limits, sync::Limits::default());
    assert!(graph.ca_file.is_some());
}
