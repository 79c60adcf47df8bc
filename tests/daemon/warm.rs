//! Restarts: what was known is known again, before any source has answered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::command;
use super::gateway::Conf;
use super::gateway::Gateway;
use super::gateway::until;
use super::page;
use super::probe;
use super::says;

const SNAPSHOT: &str = "var/inventory.snapshot";

/// A sample whose devices lie in a file that is nowhere to be found at the next start.
fn left_without_sources() -> tempfile::TempDir {
    let gateway = Gateway::start(|_| {});
    assert!(!gateway.banner.contains("snapshot"), "{}", gateway.banner);
    let (status, folder) = gateway.stop();
    assert!(status.success());
    for file in ["devices.csv", "users.csv"] {
        fs::remove_file(folder.path().join("conf").join(file)).unwrap();
    }
    folder
}

fn octets(folder: &Path) -> Vec<u8> {
    fs::read(folder.join(SNAPSHOT)).unwrap()
}

#[test]
fn a_restart_without_any_source_answers_as_before() {
    let folder = left_without_sources();
    let mode = fs::metadata(folder.path().join(SNAPSHOT))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let gateway = Gateway::again(folder);
    let banner = &gateway.banner;
    assert!(
        banner.contains("6 devices, 6 users, 7 policies are loaded."),
        "{banner}"
    );
    assert!(banner.contains("are those of the snapshot of "), "{banner}");
    assert!(says(
        &probe(&gateway),
        "alice@example.com by EAP-TLS in TLS 1.3: Access-Accept"
    ));
    let status = command(&gateway, &["status"]);
    assert!(
        says(&status, "this start began with that of 20"),
        "{status:?}"
    );
    let metrics = page(&gateway, "/metrics");
    assert!(
        metrics.contains("portreeve_snapshot_restored 1"),
        "{metrics}"
    );
    // Once more: what nobody has said again is not lost.
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(
        gateway.banner.contains("6 devices, 6 users"),
        "{}",
        gateway.banner
    );
}

#[test]
fn what_changed_in_a_file_meanwhile_counts() {
    let (_, folder) = Gateway::start(|_| {}).stop();
    let conf = Conf::of(&folder);
    conf.replace("devices.csv", "SAMPLE0006", "CHANGED0006");
    let gateway = Gateway::again(folder);
    until("the file is read", || {
        let shown = command(&gateway, &["device", "CHANGED0006"]);
        shown.status.success().then_some(())
    });
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_the_sources_are_read() {
    let (_, folder) = Gateway::start(|_| {}).stop();
    let mut damaged = octets(folder.path());
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(folder.path().join(SNAPSHOT), damaged).unwrap();
    let gateway = Gateway::again(folder);
    assert!(
        gateway.banner.contains("6 devices, 6 users"),
        "{}",
        gateway.banner
    );
    assert!(!gateway.banner.contains("snapshot"), "{}", gateway.banner);
    let log = gateway.log();
    assert!(
        log.contains("its checksum is wrong") && log.contains("set aside"),
        "{log}"
    );
    assert!(gateway.path("var/inventory.snapshot.damaged").exists());
}

#[test]
fn switched_off_nothing_is_kept() {
    let gateway = Gateway::start(|conf| {
        conf.replace("gateway.toml", "warm_start = true", "warm_start = false");
    });
    let (_, folder) = gateway.stop();
    assert!(!folder.path().join(SNAPSHOT).exists());
}
