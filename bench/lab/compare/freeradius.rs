//! FreeRADIUS in its fastest forms: no log, no accounting, no delay of rejects, only the modules
//! that a case needs, started from a folder of its own and not as the system's service.

use std::io;

use super::Setting;
use super::contest::About;
use super::folder::text;
use super::pki::Pki;
use super::program;
use super::program::Program;
use crate::load::world;

/// How it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One process without threads (`-s`).
    Single,
    /// Its pool of threads.
    Threaded,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Single => "FreeRADIUS -s",
            Self::Threaded => "FreeRADIUS threaded",
        }
    }
}

pub(super) fn about(form: Form, devices: u32) -> About {
    let program = program::find("freeradius");
    About {
        name: form.name(),
        version: program.map_or_else(|| "none".to_owned(), |path| program::version(&path, "-v")),
        logs: "nothing",
        devices,
    }
}

/// With a users file of `devices` and `users`, for MAB and PAP.
pub(super) fn start_with_users(
    setting: &Setting,
    form: Form,
    port: u16,
    users: u32,
) -> io::Result<Program> {
    let name = folder(form, "users");
    let file = setting.folder.write(
        &format!("{name}/users"),
        &users_file(setting.devices, users),
    )?;
    let modules = format!(
        "files {{\n usersfile = {}\n}}\npap {{\n normalise = no\n}}\n",
        text(&file)
    );
    let sections = "authorize {\n files\n pap\n}\nauthenticate {\n Auth-Type PAP {\n pap\n }\n}\n";
    start(setting, form, &name, port, &modules, sections)
}

/// With EAP-TLS. Sessions are resumed from a folder, the only place where it keeps them; `cache`
/// should be in memory.
pub(super) fn start_with_tls(
    setting: &Setting,
    port: u16,
    pki: &Pki,
    cache: &str,
) -> io::Result<Program> {
    let form = Form::Single;
    let name = folder(form, pki.name());
    let modules = format!(
        "eap {{\n default_eap_type = tls\n timer_expire = 60\n max_sessions = 65536\n \
         tls-config common {{\n private_key_file = {}\n certificate_file = {}\n ca_file = {}\n \
         fragment_size = 1024\n tls_min_version = \"1.2\"\n tls_max_version = \"1.3\"\n \
         ecdh_curve = \"\"\n cache {{\n enable = yes\n lifetime = 24\n name = compare\n \
         persist_dir = {cache}\n store {{\n Tunnel-Private-Group-Id\n }}\n }}\n }}\n \
         tls {{\n tls = common\n }}\n}}\n",
        pki.file("server.key"),
        pki.file("server.pem"),
        pki.file("root.pem"),
    );
    let sections = "authorize {\n eap\n}\nauthenticate {\n eap\n}\n";
    start(setting, form, &name, port, &modules, sections)
}

/// With PEAP and EAP-TTLS for users whose passwords it knows in clear; sessions as with EAP-TLS.
pub(super) fn start_with_tunnels(
    setting: &Setting,
    port: u16,
    pki: &Pki,
    (cache, users): (&str, u32),
) -> io::Result<Program> {
    let form = Form::Single;
    let name = folder(form, "tunnels");
    let file = setting
        .folder
        .write(&format!("{name}/users"), &users_file(0, users))?;
    let modules = format!(
        "files {{\n usersfile = {}\n}}\npap {{\n normalise = no\n}}\nmschap {{\n}}\n\
         eap {{\n default_eap_type = peap\n timer_expire = 60\n max_sessions = 65536\n \
         tls-config common {{\n private_key_file = {}\n certificate_file = {}\n ca_file = {}\n \
         fragment_size = 1024\n tls_min_version = \"1.2\"\n tls_max_version = \"1.3\"\n \
         ecdh_curve = \"\"\n cache {{\n enable = yes\n lifetime = 24\n name = compare\n \
         persist_dir = {cache}\n store {{\n Tunnel-Private-Group-Id\n User-Name\n }}\n }}\n }}\n \
         mschapv2 {{\n }}\n peap {{\n tls = common\n default_eap_type = mschapv2\n \
         virtual_server = inside\n }}\n ttls {{\n tls = common\n default_eap_type = mschapv2\n \
         virtual_server = inside\n }}\n}}\n",
        text(&file),
        pki.file("server.key"),
        pki.file("server.pem"),
        pki.file("root.pem"),
    );
    // What is spoken inside is another server's business, which stands behind the outer one.
    let sections = "authorize {\n eap\n}\nauthenticate {\n eap\n}\n}\nserver inside {\n\
                    authorize {\n files\n mschap\n eap {\n ok = return\n }\n pap\n}\n\
                    authenticate {\n Auth-Type PAP {\n pap\n }\n Auth-Type MS-CHAP {\n mschap\n }\n \
                    eap\n}\n";
    start(setting, form, &name, port, &modules, sections)
}

fn folder(form: Form, what: &str) -> String {
    match form {
        Form::Single => format!("freeradius-{what}"),
        Form::Threaded => format!("freeradius-threaded-{what}"),
    }
}

fn start(
    setting: &Setting,
    form: Form,
    name: &str,
    port: u16,
    modules: &str,
    sections: &str,
) -> io::Result<Program> {
    let missing = || io::Error::other("freeradius is not installed");
    let radiusd = program::find("freeradius").ok_or_else(missing)?;
    let path = text(&setting.folder.path(name));
    let secret = super::radius::SECRET;
    let pool = match form {
        Form::Single => "",
        Form::Threaded => {
            "thread pool {\n start_servers = 4\n max_servers = 4\n min_spare_servers = 4\n \
             max_spare_servers = 4\n max_requests_per_server = 0\n}\n"
        }
    };
    setting.folder.write(
        &format!("{name}/radiusd.conf"),
        &format!(
            "prefix = {path}\nlogdir = {path}\nrun_dir = {path}\nraddbdir = {path}\n\
             libdir = /usr/lib/freeradius\nhostname_lookups = no\nmax_request_time = 30\n\
             cleanup_delay = 5\nmax_requests = 65536\n{pool}\
             log {{\n destination = files\n file = {path}/radius.log\n auth = no\n}}\n\
             security {{\n max_attributes = 200\n reject_delay = 0\n status_server = yes\n}}\n\
             client generator {{\n ipaddr = 127.0.0.1\n secret = {secret}\n \
             require_message_authenticator = yes\n}}\n\
             modules {{\n{modules}}}\n\
             server compare {{\n listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {port}\n \
             }}\n{sections}}}\n"
        ),
    )?;
    let switch = match form {
        Form::Single => "-s",
        Form::Threaded => "-f",
    };
    let command = [text(&radiusd), switch.to_owned(), "-d".to_owned(), path];
    let log = setting.folder.path(&format!("{name}.log"));
    Program::start(&command, &setting.folder.path(name), log)
}

/// Every device may come in by its address, every user by the password.
fn users_file(devices: u32, users: u32) -> String {
    let answer = "\tTunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, \
                  Tunnel-Private-Group-Id = \"20\", Filter-Id = \"quarantine\", \
                  Session-Timeout = 3600";
    let mut text = String::new();
    for n in 0..devices {
        let mac = super::radius::plain(world::mac(n));
        text.push_str(&format!("{mac} Auth-Type := Accept\n{answer}\n"));
    }
    for n in 0..users {
        let (name, password) = (world::user(n), world::password(n));
        text.push_str(&format!(
            "{name} Cleartext-Password := \"{password}\"\n{answer}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_users_get_the_same_answer() {
        let file = users_file(2, 1);
        assert!(file.starts_with("00005e100000 Auth-Type := Accept\n\tTunnel-Type = VLAN"));
        assert!(file.contains("load0@example.com Cleartext-Password := \"password0\"\n\tTunnel"));
        assert_eq!(file.lines().count(), 6);
    }
}
