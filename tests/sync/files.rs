//! Files that people and programs change under a running gateway.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::sync::Config;
use portreeve::sync::FileConfig;
use portreeve::sync::Run;
use portreeve::sync::State;
use tempfile::TempDir;

use crate::lab::Lab;
use crate::lab::reason;

const DEVICES: &str = "local/devices";
const USERS: &str = "local/users";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As editors do: a new file under the old name.
    fn replace(&self, name: &str, text: &str) {
        let new = self.path("new~");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    fn config(&self) -> FileConfig {
        FileConfig {
            devices: Some(self.path("devices.csv")),
            // Far apart: what is felt sooner is felt by watching.
            look_interval: Duration::from_hours(1),
            reload_interval: Duration::from_hours(1),
            ..FileConfig::new("local")
        }
    }
}

fn start(config: FileConfig) -> Lab {
    Lab::start(&Config {
        files: vec![config],
        ..Config::default()
    })
}

fn id(number: u32) -> DeviceId {
    format!("0f8fad5b-d9cb-469f-a165-{number:012}")
        .parse()
        .unwrap()
}

fn devices(count: u32, compliance: &str) -> String {
    let mut text = "device_id,compliance\n".to_owned();
    for number in 0..count {
        text.push_str(&format!("{},{compliance}\n", id(number)));
    }
    text
}

fn is(lab: &Lab, number: u32, state: ComplianceState) -> bool {
    lab.posture(id(number))
        .is_some_and(|posture| posture.compliance.value == state)
}

#[tokio::test]
async fn a_file_is_read_at_the_start_and_when_it_is_replaced() {
    let folder = Folder::new();
    folder.replace("devices.csv", &devices(5, "compliant"));
    let lab = start(folder.config());
    lab.handle.first_load().await;
    assert_eq!(lab.reader.device_count(), 5);
    assert!(is(&lab, 4, ComplianceState::Compliant));

    lab.forget_changes();
    folder.replace("devices.csv", &devices(6, "noncompliant"));
    lab.until_changed(id(5)).await;
    assert!(is(&lab, 4, ComplianceState::NonCompliant));
    assert_eq!(lab.reader.device_count(), 6);

    lab.forget_changes();
    std::fs::write(folder.path("devices.csv"), devices(6, "error")).unwrap();
    lab.until_changed(id(5)).await;
    assert!(is(&lab, 4, ComplianceState::Error));
    lab.tasks.stop().await;
}

#[tokio::test]
async fn a_linked_file_is_felt_by_looking() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("elsewhere")).unwrap();
    folder.replace("elsewhere/d.csv", &devices(5, "compliant"));
    std::os::unix::fs::symlink("elsewhere/d.csv", folder.path("devices.csv")).unwrap();
    let mut config = folder.config();
    config.look_interval = Duration::from_millis(50);
    let lab = start(config);
    lab.handle.first_load().await;
    lab.forget_changes();
    folder.replace("elsewhere/d.csv", &devices(5, "noncompliant"));
    lab.until_changed(id(4)).await;
}

#[tokio::test]
async fn bad_rows_are_told_and_the_rest_is_loaded() {
    let folder = Folder::new();
    let mut text = devices(30, "compliant");
    text.push_str(&format!("{},perhaps\n", id(30)));
    folder.replace("devices.csv", &text);
    let lab = start(folder.config());
    lab.handle.first_load().await;
    assert_eq!(lab.reader.device_count(), 30);
    let status = lab.until(DEVICES, |_| true).await;
    assert_eq!(status.state, State::Connected);
    assert_eq!(status.bad_rows, 1);
    let problem = status.problems[0].to_string();
    assert!(
        problem.contains("devices.csv:32: compliance: "),
        "{problem}"
    );
}

#[tokio::test]
async fn whatever_becomes_of_a_file_what_it_said_stays() {
    let folder = Folder::new();
    let good = devices(30, "compliant");
    folder.replace("devices.csv", &good);
    let lab = start(folder.config());
    lab.handle.first_load().await;
    let generation = lab.reader.generation();
    let cut = &good[..good.len() / 2];
    let many_bad = good.replace("compliant", "complaint");
    for (text, told) in [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("device_id,compliance\n", "no rows"),
        (cut, "no line end"),
        (&many_bad, "30 of 30 rows are bad"),
        ("device_id,colour\na,b\n", "unknown column"),
        ("<html>\n", "unknown column"),
    ] {
        let before = lab.until(DEVICES, |_| true).await.counters.failures;
        folder.replace("devices.csv", text);
        let status = lab.until(DEVICES, |s| s.counters.failures > before).await;
        assert!(reason(&status).contains(told), "row {told}: {status:?}");
        assert!(!status.problems.is_empty(), "row {told}");
        assert_eq!(lab.reader.device_count(), 30, "row {told}");
        assert_eq!(lab.reader.generation(), generation, "row {told}");
    }
    let before = lab.until(DEVICES, |_| true).await.counters.failures;
    std::fs::remove_file(folder.path("devices.csv")).unwrap();
    let status = lab.until(DEVICES, |s| s.counters.failures > before).await;
    assert!(reason(&status).contains("cannot read"), "{status:?}");
    assert_eq!(lab.reader.device_count(), 30);

    folder.replace("devices.csv", &good);
    lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(lab.reader.generation(), generation);
}

#[tokio::test]
async fn a_file_cut_at_a_line_end_is_held_back_until_an_operator_agrees_r47() {
    let folder = Folder::new();
    folder.replace("devices.csv", &devices(500, "compliant"));
    let lab = start(folder.config());
    lab.handle.first_load().await;
    folder.replace("devices.csv", &devices(200, "compliant"));
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(status.is_held(), "{status:?}");
    assert_eq!(lab.reader.device_count(), 500);
    lab.handle.sync_now(Some("local"), Run::Full, true).unwrap();
    lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(lab.reader.device_count(), 200);
}

#[tokio::test]
async fn an_unchanged_file_is_read_again_so_that_its_facts_stay_young_r49() {
    let folder = Folder::new();
    folder.replace("devices.csv", &devices(5, "compliant"));
    let lab = start(folder.config());
    lab.handle.first_load().await;
    let before = lab.posture(id(1)).unwrap().compliance.observed;
    let status = lab.run(DEVICES, Run::Quick).await;
    assert_eq!(status.counters.successes, 2, "a look counts as a success");
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.counters.failures, 0);
    assert!(lab.posture(id(1)).unwrap().compliance.observed >= before);
}

#[tokio::test]
async fn a_missing_file_is_told_and_taken_when_it_comes() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.users = Some(folder.path("users.json"));
    folder.replace("users.json", r#"[{"user": "alice", "enabled": true}]"#);
    let lab = start(config);
    lab.handle.first_load().await;
    assert_eq!(lab.reader.user_count(), 1);
    let status = lab.until(DEVICES, |_| true).await;
    assert!(reason(&status).contains("cannot read"), "{status:?}");
    folder.replace("devices.csv", &devices(5, "compliant"));
    lab.until(DEVICES, |s| s.state == State::Connected).await;
    let status = lab.until(USERS, |_| true).await;
    assert_eq!(status.state, State::Connected);
}

#[tokio::test]
async fn a_folder_that_cannot_be_watched_is_no_error() {
    let mut config = Folder::new().config();
    config.devices = Some(Path::new("/nonexistent/devices.csv").to_owned());
    let lab = start(config);
    lab.handle.first_load().await;
    let status = lab.until(DEVICES, |_| true).await;
    assert!(reason(&status).contains("cannot read"), "{status:?}");
}
