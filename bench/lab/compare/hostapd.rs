//! hostapd as a RADIUS server: its EAP server and its list of users, without a radio.

use std::io;
use std::time::Duration;

use super::Setting;
use super::contest::About;
use super::contest::Limit;
use super::folder::text;
use super::pki::Pki;
use super::program;
use super::program::Program;
use crate::load::world;

/// The most devices that it is given: it walks through the whole list for each request.
pub(super) const MOST_DEVICES: u32 = 10_000;

/// It holds 1,000 sessions at most: those of EAP for 5 seconds after their end, those of addresses
/// for a minute.
pub(super) const EAP_LIMIT: Limit = Limit::new("700", Duration::from_secs(7));
pub(super) const MAB_LIMIT: Limit = Limit::new("900", Duration::from_secs(65));

pub(super) fn about(devices: u32) -> About {
    let program = program::find("hostapd");
    About {
        name: "hostapd",
        version: program.map_or_else(|| "none".to_owned(), |path| program::version(&path, "-v")),
        logs: "nothing",
        devices,
    }
}

/// With a list of addresses, for MAB.
pub(super) fn start_with_users(setting: &Setting, port: u16) -> io::Result<Program> {
    let users = users_file(setting.devices.min(MOST_DEVICES));
    start(setting, "hostapd-users", port, &users, "")
}

/// With EAP-TLS for everybody, and sessions that may be resumed.
pub(super) fn start_with_tls(setting: &Setting, port: u16, pki: &Pki) -> io::Result<Program> {
    let name = format!("hostapd-{}", pki.name());
    let tls = format!(
        "ca_cert={}\nserver_cert={}\nprivate_key={}\ntls_session_lifetime=3600\n\
         tls_flags=[ENABLE-TLSv1.3]\nfragment_size=1024\n",
        pki.file("root.pem"),
        pki.file("server.pem"),
        pki.file("server.key"),
    );
    start(setting, &name, port, "* TLS\n", &tls)
}

fn start(setting: &Setting, name: &str, port: u16, users: &str, tls: &str) -> io::Result<Program> {
    let missing = || io::Error::other("hostapd is not installed");
    let hostapd = program::find("hostapd").ok_or_else(missing)?;
    let users = setting.folder.write(&format!("{name}/users"), users)?;
    let clients = format!("127.0.0.1 {}\n", super::radius::SECRET);
    let clients = setting.folder.write(&format!("{name}/clients"), &clients)?;
    let conf = format!(
        "interface=lo\ndriver=none\nlogger_stdout=0\nlogger_syslog=0\neap_server=1\n\
         eap_user_file={}\nradius_server_clients={}\nradius_server_auth_port={port}\n{tls}",
        text(&users),
        text(&clients),
    );
    let conf = setting
        .folder
        .write(&format!("{name}/hostapd.conf"), &conf)?;
    let command = [text(&hostapd), text(&conf)];
    let log = setting.folder.path(&format!("{name}.log"));
    Program::start(&command, &setting.folder.path(name), log)
}

/// Every address may come in, with the answer of the other servers as far as it knows it.
fn users_file(devices: u32) -> String {
    let mut text = String::new();
    for n in 0..devices {
        let mac = super::radius::plain(world::mac(n));
        text.push_str(&format!("\"{mac}\" MACACL \"{mac}\"\n{ANSWER}"));
    }
    text
}

/// Tunnel-Type VLAN, Tunnel-Medium-Type IEEE-802, Tunnel-Private-Group-Id, Filter-Id,
/// Session-Timeout.
const ANSWER: &str = "radius_accept_attr=64:d:13\nradius_accept_attr=65:d:6\n\
                      radius_accept_attr=81:s:20\nradius_accept_attr=11:s:quarantine\n\
                      radius_accept_attr=27:d:3600\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_a_name_and_a_password() {
        let file = users_file(2);
        assert!(
            file.starts_with("\"00005e100000\" MACACL \"00005e100000\"\nradius_accept_attr=64")
        );
        assert_eq!(file.lines().count(), 12);
    }
}
