//! A bare Go server on layeh.com/radius: what a naive server with the same signatures costs. Its
//! source is `bare.go`; the library comes from the Go module proxy, or from a folder where that
//! is not to be had.

use std::fs;
use std::io;
use std::process::Command;

use super::Setting;
use super::contest::About;
use super::contest::words;
use super::folder::text;
use super::program;
use super::program::Program;
use crate::load::world;

/// What its rows say.
pub(super) fn about(devices: u32) -> About {
    let version = program::find("go").map_or_else(
        || "none".to_owned(),
        |go| format!("Go {}, layeh {LIBRARY}", program::version(&go, "version")),
    );
    About {
        name: NAME,
        version,
        logs: "nothing",
        devices,
    }
}

/// Builds it and starts it with the made-up devices and users.
pub(super) fn start(setting: &Setting, port: u16, secret: &str, users: u32) -> io::Result<Program> {
    let binary = build(setting)?;
    let first = super::radius::plain(world::mac(0)).to_lowercase();
    let command = words(&[
        &binary,
        &format!("127.0.0.1:{port}"),
        secret,
        &first,
        &setting.devices.to_string(),
        &users.to_string(),
    ]);
    Program::start(
        &command,
        &setting.folder.path(""),
        setting.folder.path("go.log"),
    )
}

fn build(setting: &Setting) -> io::Result<String> {
    let missing = || io::Error::other("go is not installed");
    let go = program::find("go").ok_or_else(missing)?;
    let main = setting
        .folder
        .write("go/src/bare/main.go", include_str!("bare.go"))?;
    let source = main.parent().unwrap_or(&main);
    let binary = text(&setting.folder.path("go/bare"));
    let go = |arguments: &[&str], modules: &str| {
        run(Command::new(&go)
            .args(arguments)
            .current_dir(source)
            .env("GOPATH", setting.folder.path("go"))
            .env("GOCACHE", setting.folder.path("go/cache"))
            // What lies in the module cache could not be removed with the folder.
            .env("GOFLAGS", if modules == "on" { "-modcacherw" } else { "" })
            .env("GO111MODULE", modules))
    };
    match &setting.layeh {
        Some(layeh) => {
            let place = setting.folder.path("go/src/layeh.com");
            fs::create_dir_all(&place)?;
            let layeh = layeh.canonicalize()?;
            std::os::unix::fs::symlink(layeh, place.join("radius"))?;
            go(&["build", "-o", &binary, "bare"], "off")?;
        }
        None => {
            go(&["mod", "init", "bare"], "on")?;
            go(&["get", &format!("layeh.com/radius@{LIBRARY}")], "on")?;
            go(&["build", "-o", &binary, "."], "on")?;
        }
    }
    Ok(binary)
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().next_back().unwrap_or("nothing");
    Err(io::Error::other(format!("go said: {last}")))
}

pub(super) const NAME: &str = "Go, layeh/radius";

/// The newest of the library, of December 2023.
const LIBRARY: &str = "v0.0.0-20231213012653-1006025d24f8";
