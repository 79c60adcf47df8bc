use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::Purpose;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_253_400);

/// A folder of its own with the sample conf in it.
fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let conf = home.path().join("conf");
    let made = make_conf(&conf).unwrap();
    assert_eq!(made.len(), config::DEFAULT_FILES.len());
    (home, conf)
}

fn edit(conf: &Path, file: &str, from: &str, to: &str) {
    let path = conf.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_first_start_makes_a_configuration_that_can_be_used() {
    let (home, conf) = home();
    let made = prepare(&config::read(&conf), NOW).unwrap();
    assert!(made.iter().any(|made| made.kind == Kind::Secret));
    assert!(made.iter().any(|made| made.kind == Kind::Certificate));
    let loaded = config::read(&conf)
        .complete(Purpose::Start, NOW, &[])
        .unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.nas.len(), 2, "one for each network");
    assert_eq!(loaded.config.users.len(), 3);
    for folder in ["var", "var/journal"] {
        let path = home.path().join(folder);
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "row {folder}");
    }
    assert_eq!(
        prepare(&config::read(&conf), NOW).unwrap(),
        [],
        "a second start makes nothing"
    );
}

#[test]
fn a_conf_folder_that_exists_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(make_conf(home.path()).unwrap(), []);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_conf_folder_that_cannot_be_made_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = make_conf(&file.join("conf")).unwrap_err().to_string();
    assert!(error.contains("cannot be made"), "{error}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn files_with_secrets_are_the_owners_alone() {
    let (_home, conf) = home();
    for (file, expected) in [
        ("users.toml", 0o600),
        ("nas.toml", 0o600),
        ("gateway.toml", 0o644),
    ] {
        let mode = std::fs::metadata(conf.join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, expected, "row {file}");
    }
}

#[test]
fn nothing_is_made_from_a_configuration_with_errors() {
    let (home, conf) = home();
    edit(&conf, "gateway.toml", "grace = ", "grase = ");
    assert_eq!(prepare(&config::read(&conf), NOW).unwrap(), []);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn no_pki_is_made_where_others_can_reach_the_gateway_or_nobody_wants_it() {
    for (from, to) in [
        ("\"127.0.0.1:11812\"", "\"0.0.0.0:11812\""),
        ("\"127.0.0.1:11813\"", "\"192.0.2.1:11813\""),
        ("\"[::1]:18443\"", "\"[2001:db8::1]:18443\""),
        ("make_sample = true", "make_sample = false"),
    ] {
        let (home, conf) = home();
        edit(&conf, "gateway.toml", from, to);
        prepare(&config::read(&conf), NOW).unwrap();
        assert!(!home.path().join("certs").exists(), "row {to}");
        let refused = config::read(&conf)
            .complete(Purpose::Start, NOW, &[])
            .unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("certs/radius.pem does not exist"),
            "row {to}: {text}"
        );
    }
}

#[test]
fn certificates_of_ones_own_in_the_places_of_the_sample_stay() {
    let (home, conf) = home();
    let certs = home.path().join("certs");
    std::fs::create_dir_all(certs.join("keys")).unwrap();
    for file in [
        "root.pem",
        "radius.pem",
        "eas.pem",
        "keys/radius.key",
        "keys/eas.key",
    ] {
        std::fs::write(certs.join(file), "mine").unwrap();
    }
    let made = prepare(&config::read(&conf), NOW).unwrap();
    assert!(
        made.iter()
            .all(|made| made.kind != Kind::Certificate && made.kind != Kind::Key)
    );
    assert_eq!(
        std::fs::read_to_string(certs.join("root.pem")).unwrap(),
        "mine"
    );
    assert!(certs.join("secrets/nas-local").exists());
}

#[test]
fn a_certificate_is_added_for_each_new_sample_device() {
    let (home, conf) = home();
    prepare(&config::read(&conf), NOW).unwrap();
    let row = "device_id,name,owner\n0f8fad5b-d9cb-469f-a165-70867728950e,spare,bob\n";
    std::fs::write(conf.join("devices.csv"), row).unwrap();
    let made = prepare(&config::read(&conf), NOW).unwrap();
    let certificate = home.path().join("certs/devices/spare.pem");
    assert!(made.iter().any(|made| made.path == certificate), "{made:?}");
}

/// What [`prepare`] makes of a folder that holds what a killed start has left: a gateway that can
/// start, with files that belong together.
#[track_caller]
fn assert_heals(conf: &Path, home: &Path, row: &str) {
    let made = prepare(&config::read(conf), NOW).unwrap_or_else(|error| panic!("{row}: {error}"));
    let again = prepare(&config::read(conf), NOW).unwrap();
    assert_eq!(again, [], "row {row}: all is healed by {made:?}");
    if let Err(refused) = config::read(conf).complete(Purpose::Start, NOW, &[]) {
        panic!("row {row}: {refused}");
    }
    let certs = home.join("certs/devices");
    let keys = home.join("certs/keys/devices");
    let devices = std::fs::read_dir(certs).unwrap();
    let mut count = 0;
    for path in devices.map(|entry| entry.unwrap().path()) {
        let chain = config::inspect(&path).unwrap();
        let key = keys.join(path.file_name().unwrap()).with_extension("key");
        config::check_key(&key, &chain).unwrap_or_else(|error| panic!("{row}: {error}"));
        count += 1;
    }
    assert!(count > 0, "row {row}");
}

/// A start that was killed, as far as it had come: a key without its certificate could not be
/// finished, nor could half a file.
#[test]
fn a_start_that_was_killed_at_any_step_is_finished_by_the_next() {
    let (whole, conf) = home();
    let made = prepare(&config::read(&conf), NOW).unwrap();
    let files: Vec<&Path> = made
        .iter()
        .filter(|made| made.kind != Kind::Folder)
        .map(|made| made.path.strip_prefix(whole.path()).unwrap())
        .collect();
    assert!(files.len() > 10, "{files:?}");
    for steps in 0..files.len() {
        let (home, conf) = home();
        for file in files.iter().take(steps) {
            let to = home.path().join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(whole.path().join(file), to).unwrap();
        }
        assert_heals(&conf, home.path(), &format!("after {steps} files"));
    }
    for file in &files {
        let octets = std::fs::read(whole.path().join(file)).unwrap();
        let half = octets.get(..octets.len() / 2).unwrap();
        for (what, left) in [
            ("gone", None),
            ("empty", Some(&[][..])),
            ("cut", Some(half)),
            ("zeros", Some(&[0; 500])),
        ] {
            let (home, conf) = home();
            for file in &files {
                let to = home.path().join(file);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(whole.path().join(file), to).unwrap();
            }
            let path = home.path().join(file);
            match left {
                None => std::fs::remove_file(&path).unwrap(),
                Some(left) => std::fs::write(&path, left).unwrap(),
            }
            assert_heals(&conf, home.path(), &format!("{} {what}", file.display()));
        }
    }
}
