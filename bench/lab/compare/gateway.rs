//! Portreeve: the sample configuration with ports of its own and the made-up world.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use super::Setting;
use super::contest::About;
use super::folder::free_port;
use super::folder::text;
use super::program;
use super::program::Program;

/// A gateway to be started.
#[derive(Debug)]
pub(super) struct Gateway {
    /// Its folder below the comparison's.
    name: String,
    folder: PathBuf,
    devices: u32,
    metrics: u16,
    /// Lines of gateway.toml: table, key and value.
    settings: Vec<(&'static str, &'static str, String)>,
}

impl Gateway {
    /// Writes the configuration of a gateway that knows `devices` of so many users.
    pub(super) fn new(setting: &Setting, name: &str, devices: u32, users: u32) -> io::Result<Self> {
        let conf = setting.folder.copy_conf(&format!("{name}/conf"))?;
        make_world(setting, &conf, devices, users)?;
        let metrics = free_port()?;
        let door = |name, place: String| (LISTEN, name, place);
        let closed = |name| door(name, "[]".to_owned());
        Ok(Self {
            folder: setting.folder.path(name),
            name: name.to_owned(),
            devices,
            metrics,
            settings: vec![
                closed("authentication"),
                closed("accounting"),
                closed("mail"),
                door("metrics", listen(metrics)),
            ],
        })
    }

    /// Gives a key in this table of gateway.toml another value; what is set last counts.
    pub(super) fn set(&mut self, table: &'static str, key: &'static str, value: String) {
        self.settings.push((table, key, value));
    }

    /// Opens a door at a free port of the loopback address.
    pub(super) fn open(&mut self, door: &'static str) -> io::Result<u16> {
        let port = free_port()?;
        self.set(LISTEN, door, listen(port));
        Ok(port)
    }

    /// Adds policies that are asked about every member of staff on the network and hold.
    pub(super) fn add_policies(&self, count: u32) -> io::Result<()> {
        let file = self.folder.join("conf/policy.toml");
        let mut text = fs::read_to_string(&file)?;
        for n in 0..count {
            text.push_str(&format!(
                "\n[[conditional]]\nname = \"Also {n}\"\nplanes = [\"network\"]\n\
                 targets = [\"staff\"]\n\
                 require = [\"managed\", \"registered\"]\notherwise = \"quarantine\"\n"
            ));
        }
        fs::write(file, text)
    }

    /// Starts it and waits until it knows its devices.
    pub(super) fn start(&self, setting: &Setting) -> io::Result<Program> {
        let file = self.folder.join("conf/gateway.toml");
        let mut gateway = fs::read_to_string(&file)?;
        for (table, key, value) in &self.settings {
            gateway = with(&gateway, table, key, value)?;
        }
        // The answers of all servers are alike: VLAN, filter, time limit, and no text.
        let gateway: Vec<&str> = gateway
            .lines()
            .filter(|line| !line.starts_with("reply_message"))
            .collect();
        fs::write(&file, gateway.join("\n"))?;
        let log = setting.folder.path(&format!("{}.log", self.name));
        let command = [text(&setting.folder.gateway())];
        let mut program = Program::start(&command, &self.folder, log)?;
        for _ in 0..TRIES {
            if let Some(end) = program.ended() {
                return Err(io::Error::other(end));
            }
            if known_devices(self.metrics).is_some_and(|known| known >= self.devices) {
                return Ok(program);
            }
            program::pause(BETWEEN_TRIES);
        }
        let said = program.last_words();
        Err(io::Error::other(format!(
            "does not load its devices: {said}"
        )))
    }

    /// A file below its folder.
    pub(super) fn file(&self, name: &str) -> String {
        text(&self.folder.join(name))
    }

    pub(super) fn about(&self, setting: &Setting) -> About {
        About {
            name: "Portreeve",
            version: program::version(&setting.folder.gateway(), "--version"),
            logs: "journal of every decision",
            devices: self.devices,
        }
    }
}

/// The made-up world's files; the passwords are nobody else's to read.
fn make_world(
    setting: &Setting,
    conf: &std::path::Path,
    devices: u32,
    users: u32,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    setting.folder.make(&[
        "load",
        "inventory",
        "--devices",
        &devices.to_string(),
        "--users",
        &users.to_string(),
        "--out",
        &text(conf),
    ])?;
    fs::set_permissions(conf.join("users.toml"), fs::Permissions::from_mode(0o600))
}

/// A list with one address, as gateway.toml has it.
fn listen(port: u16) -> String {
    format!("[\"127.0.0.1:{port}\"]")
}

/// `gateway` with another value of `key`, which stands in this table, in use or as a comment.
fn with(gateway: &str, table: &str, key: &str, value: &str) -> io::Result<String> {
    let (mut inside, mut found) = (false, false);
    let lines = gateway.lines().map(|line| {
        if line.starts_with('[') {
            inside = line == table;
        }
        let bare = line.trim_start_matches("# ");
        let is_it = bare
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='));
        if inside && is_it && !found {
            found = true;
            format!("{key} = {value}\n")
        } else {
            format!("{line}\n")
        }
    });
    let changed: String = lines.collect();
    if found {
        Ok(changed)
    } else {
        Err(io::Error::other(format!(
            "gateway.toml has no {key} in {table}"
        )))
    }
}

/// The devices that the gateway knows, from its metrics.
fn known_devices(port: u16) -> Option<u32> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    page.lines()
        .find_map(|line| line.strip_prefix("portreeve_devices ")?.trim().parse().ok())
}

/// Users of the made-up world, where a case needs no more.
pub(super) const USERS: u32 = 1_000;

/// Time to load a million devices, in all.
const TRIES: u32 = 240;
/// The table of the doors.
const LISTEN: &str = "[listen]";
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_another_value_in_its_table_and_nowhere_else() {
        let text =
            "[listen]\n# mail is a door\nmail = [1]\nmost = 5\n[mail]\n# key_x = 1\nmost = 2";
        assert_eq!(
            with(text, "[mail]", "most", "3").unwrap(),
            "[listen]\n# mail is a door\nmail = [1]\nmost = 5\n[mail]\n# key_x = 1\nmost = 3\n"
        );
        let changed = with(text, "[mail]", "key_x", "3").unwrap();
        assert!(changed.contains("\nkey_x = 3\n"));
        for (table, key) in [("[listen]", "key_x"), ("[mail]", "key"), ("[post]", "most")] {
            assert!(with(text, table, key, "3").is_err(), "row {table} {key}");
        }
    }

    #[test]
    fn the_sample_configuration_has_every_key_that_is_set() {
        let sample = include_str!("../../../conf/gateway.toml");
        let rows: [(&str, &[&str]); 5] = [
            (LISTEN, &["authentication", "accounting", "mail", "metrics"]),
            (
                "[eap]",
                &[
                    "certificate",
                    "key",
                    "client_ca",
                    "revocation_lists",
                    "demand_revocation",
                    "remembered_chains",
                ],
            ),
            ("[eap.teap]", &["tls_max"]),
            ("[methods]", &["allow", "inside"]),
            (
                "[mail]",
                &["upstream", "max_connections", "max_connections_per_address"],
            ),
        ];
        for (table, keys) in rows {
            for key in keys {
                assert!(with(sample, table, key, "[]").is_ok(), "row {table} {key}");
            }
        }
    }
}
