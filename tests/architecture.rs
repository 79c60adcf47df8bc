//! Holds `src` against the table of rooms in `src/lib.rs`, and against the house rules that no
//! lint knows.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first file it cannot read"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// One row of the table.
struct Room {
    core: bool,
    may_name: Vec<String>,
}

#[test]
fn rooms_name_only_the_rooms_they_may() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for (name, room) in &rooms {
        for (path, text) in sources_of(name) {
            for (line, named) in rooms_named(&text) {
                let allowed =
                    named == *name || room.may_name.iter().any(|may| may == "*" || *may == named);
                if !allowed {
                    wrong.push(format!("{}:{line}: {name} names {named}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "directions broken:\n{}", wrong.join("\n"));
}

#[test]
fn cores_do_not_touch_the_outside_world() {
    let mut wrong = Vec::new();
    for (name, _) in rooms().iter().filter(|(_, room)| room.core) {
        for (path, text) in sources_of(name) {
            for (line, code) in code_lines(&text) {
                for word in SHELL_WORDS {
                    if code.contains(word) {
                        wrong.push(format!("{}:{line}: `{word}` in a core", path.display()));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "cores with shell words:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_file_of_src_belongs_to_a_room_of_the_table() {
    let rooms = rooms();
    for path in rust_files(Path::new("src")) {
        let relative = path.strip_prefix("src").unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = first.trim_end_matches(".rs");
        let known = ["lib", "main"].contains(&room) || rooms.contains_key(room);
        assert!(known, "{} belongs to no room", path.display());
    }
    for room in rooms.keys() {
        assert!(
            Path::new("src").join(format!("{room}.rs")).is_file(),
            "no file for room {room}"
        );
    }
}

#[test]
fn imports_and_files_follow_the_house_rules() {
    let mut wrong = Vec::new();
    for path in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        if path.file_name().is_some_and(|name| name == "mod.rs") {
            wrong.push(format!(
                "{shown}: a room's front file stands beside its folder"
            ));
        }
        for (line, code) in code_lines(&text) {
            if code.contains("use crate::{") || code.contains("super::super::") {
                wrong.push(format!(
                    "{shown}:{line}: one `use crate::room::Name;` per line"
                ));
            }
        }
        let length = code_lines(&text).count();
        let says_why = text
            .lines()
            .take(30)
            .any(|line| line.contains("over 500 lines"));
        if length > 500 && !says_why && !path.ends_with("tests.rs") {
            wrong.push(format!(
                "{shown}: {length} lines without its tests; split it or say why"
            ));
        }
        let is_tests = path.file_name().is_some_and(|name| name == "tests.rs");
        if !is_tests && !text.starts_with("//!") {
            wrong.push(format!("{shown}: the first line says what the file is"));
        }
    }
    assert!(
        wrong.is_empty(),
        "house rules broken:\n{}",
        wrong.join("\n")
    );
}

/// The table of `src/lib.rs`.
fn rooms() -> BTreeMap<String, Room> {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rooms: BTreeMap<_, _> = rows
        .map(|row| {
            let columns: Vec<_> = row
                .trim_end_matches('|')
                .split(" |")
                .map(str::trim)
                .collect();
            let [name, kind, _, may_name, ..] = columns.as_slice() else {
                panic!("a row of the table has too few columns: {row}");
            };
            let may_name = may_name
                .split(',')
                .map(|word| word.trim().trim_matches('`').to_owned())
                .filter(|word| !word.is_empty())
                .collect();
            (
                name.trim_matches('`').to_owned(),
                Room {
                    core: *kind == "core",
                    may_name,
                },
            )
        })
        .collect();
    assert!(
        rooms.len() > 10,
        "the table of rooms was not found in src/lib.rs"
    );
    rooms
}

fn sources_of(room: &str) -> Vec<(PathBuf, String)> {
    let front = PathBuf::from(format!("src/{room}.rs"));
    let mut files = rust_files(&Path::new("src").join(room));
    files.push(front);
    files
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Lines that are code, numbered from 1: no comments, and nothing from the tests at the foot on.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Each `crate::room` outside comments.
fn rooms_named(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, line) in code_lines(text) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            named.push((number, rest[..end].to_owned()));
        }
    }
    named
}

const SHELL_WORDS: [&str; 14] = [
    "tokio::",
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "async fn",
    ".await",
    "println!",
];
