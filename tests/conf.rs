//! The sample configuration and what is said of misspelt keys in it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its ground must fail"
)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use portreeve::app::first_start;
use portreeve::config;
use portreeve::config::Loaded;
use portreeve::config::Purpose;
use portreeve::config::Refused;
use portreeve::model::Problem;
use portreeve::model::Timestamp;

#[test]
fn every_file_in_conf_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    assert_eq!(config::read(&folder).problems(), []);
    // The same files in a folder of their own, with all that they point at.
    assert_eq!(Home::new().loaded().warnings, []);
}

#[test]
fn every_file_in_conf_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut compiled: Vec<&str> = config::DEFAULT_FILES
        .iter()
        .map(|(name, _)| *name)
        .collect();
    compiled.sort_unstable();
    assert_eq!(files, compiled);
    for (name, text) in config::DEFAULT_FILES {
        assert_eq!(
            fs::read_to_string(folder.join(name)).unwrap(),
            *text,
            "row {name}"
        );
    }
}

#[test]
fn a_misspelt_key_is_refused_with_its_name_line_and_a_suggestion() {
    for (file, from, to, expected) in [
        (
            "gateway.toml",
            "fragment_size =",
            "fragmentsize =",
            "eap.fragmentsize: unknown key, did you mean fragment_size?",
        ),
        (
            "gateway.toml",
            "[shutdown]",
            "[shutdwon]",
            "shutdwon: unknown key, did you mean shutdown?",
        ),
        (
            "gateway.toml",
            "[enforce.default.quarantine]",
            "[enforce.default.quarantain]",
            "enforce.default.quarantain: unknown key, did you mean quarantine?",
        ),
        (
            "nas.toml",
            "message_authenticator = \"require\"",
            "mesage_authenticator = \"require\"",
            "nas[0].mesage_authenticator: unknown key, did you mean message_authenticator?",
        ),
        (
            "users.toml",
            "name = \"carol\"",
            "name = \"carol\"\ngroup = \"x\"",
            "user[2].group: unknown key, known here: name, password, nt_hash, clear",
        ),
    ] {
        let home = Home::new();
        home.edit(file, from, to);
        let line = home.line_of(file, to.lines().last().unwrap());
        let path = home.conf().join(file);
        let expected = format!("{}:{line}: {expected}", path.display());
        assert_eq!(home.refused().to_string(), expected, "row {to}");
    }
}

#[test]
fn mistakes_in_several_files_are_reported_together_in_their_order() {
    let home = Home::new();
    home.edit("gateway.toml", "grace = \"10s\"", "grace = \"10 sec\"");
    home.edit("gateway.toml", "level = \"info\"", "level = \"verbose\"");
    home.edit("gateway.toml", "authentication = [", "autentication = [");
    home.edit(
        "nas.toml",
        "network = [\"127.0.0.0/8\"",
        "network = [\"127.0.0.0/33\"",
    );
    home.edit("users.toml", "clear = ", "claer = ");
    let refused = home.refused();
    let found: Vec<(&str, &str)> = refused
        .problems
        .iter()
        .map(|problem| {
            let name = problem.file.rsplit('/').next().unwrap();
            (name, problem.key.as_str())
        })
        .collect();
    let expected = [
        ("gateway.toml", "listen.autentication"),
        ("gateway.toml", "log.level"),
        ("gateway.toml", "shutdown.grace"),
        ("nas.toml", "nas[0].network[0]"),
        ("users.toml", "user[2]"),
        ("users.toml", "user[2].claer"),
    ];
    assert_eq!(found, expected, "{refused}");
    for problem in &refused.problems {
        assert!(problem.line.is_some(), "{problem}");
    }
}

#[test]
fn files_that_are_missing_unreadable_or_unknown_are_named() {
    let home = Home::new();
    fs::remove_file(home.conf().join("nas.toml")).unwrap();
    assert_only(&home.refused().problems, "nas.toml: does not exist");

    let home = Home::new();
    fs::write(home.conf().join("users.toml"), b"# one\n# two \xff\n").unwrap();
    assert_only(
        &home.refused().problems,
        "users.toml: is not UTF-8 text in line 2",
    );

    let home = Home::new();
    fs::remove_file(home.conf().join("users.toml")).unwrap();
    assert!(home.loaded().config.users.is_empty());

    let home = Home::new();
    fs::remove_file(home.conf().join("gateway.toml")).unwrap();
    assert_only(
        &home.loaded().warnings,
        "gateway.toml: warning: does not exist, the defaults apply",
    );

    let home = Home::new();
    fs::write(home.conf().join("user.toml"), "").unwrap();
    assert_only(
        &home.loaded().warnings,
        "user.toml: warning: is not read, did you mean users.toml?",
    );

    let missing = home.conf().join("missing");
    let refused = config::read(&missing)
        .complete(Purpose::Check, now(), &[])
        .unwrap_err();
    assert!(
        refused.to_string().contains("missing: does not exist"),
        "{refused}"
    );
}

/// A folder with a conf folder of its own, and the throw-away PKI beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        first_start::make_conf(&home.conf()).unwrap();
        first_start::prepare(&config::read(&home.conf()), now()).unwrap();
        home
    }

    fn conf(&self) -> PathBuf {
        self.0.path().join("conf")
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.conf().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn line_of(&self, file: &str, text: &str) -> usize {
        let content = fs::read_to_string(self.conf().join(file)).unwrap();
        1 + content
            .lines()
            .position(|line| line.starts_with(text))
            .unwrap()
    }

    fn complete(&self) -> Result<Loaded, Refused> {
        config::read(&self.conf()).complete(Purpose::Start, now(), &[])
    }

    fn loaded(&self) -> Loaded {
        self.complete()
            .unwrap_or_else(|refused| panic!("{refused}"))
    }

    fn refused(&self) -> Refused {
        self.complete().unwrap_err()
    }
}

fn assert_only(problems: &[Problem], end: &str) {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with(end)), "{lines:?}");
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap())
}
