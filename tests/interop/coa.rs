//! FreeRADIUS in the place of a NAS that takes CoA- and Disconnect-Requests: what the gateway sends is
//! read, and believed, by another implementation.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ports;

/// FreeRADIUS with a door for such requests.
struct Nas(Child);

impl Drop for Nas {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Nas {
    /// Answers as `policy` says, in FreeRADIUS's words, to whoever has the secret.
    fn start(gateway: &Gateway, port: u16, secret: &str, policy: &str) -> Self {
        let folder = gateway.path("nas");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.display();
        let config = format!(
            "prefix = {path}\nlogdir = {path}\nrun_dir = {path}\nraddbdir = {path}\n\
             libdir = /usr/lib/freeradius\nhostname_lookups = no\n\
             log {{\n destination = files\n file = {path}/radius.log\n}}\n\
             security {{\n max_attributes = 200\n status_server = no\n}}\n\
             client gateway {{\n ipaddr = 127.0.0.1\n secret = {secret}\n \
             require_message_authenticator = yes\n}}\n\
             modules {{\n always ok {{\n rcode = ok\n }}\n always reject {{\n rcode = reject\n }}\n}}\n\
             server nas {{\n listen {{\n type = coa\n ipaddr = 127.0.0.1\n port = {port}\n \
             virtual_server = nas\n}}\n\
             recv-coa {{\n {policy}\n}}\n send-coa {{\n ok\n}}\n}}\n"
        );
        fs::write(folder.join("radiusd.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/freeradius")
            .args(["-f", "-xx", "-l", &format!("{path}/debug.log"), "-d"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("freeradius is installed by tests/run");
        Self(child)
    }
}

/// A device that is in at a port of Cisco's kind, and then turns bad; what is recorded of the
/// requests to its NAS, as many as `count`.
fn turn_bad(policy: &str, count: usize) -> (Gateway, Nas, Vec<String>) {
    let port = ports::udp().port();
    let gateway = Gateway::start(|conf| {
        secret(conf, "not what the NAS has");
        conf.replace(
            "nas.toml",
            "accounting = true",
            &format!(
                "accounting = true\ndynamic_authorization = true\n\
                 dynamic_authorization_port = {port}\n\
                 dynamic_authorization_secret_file = \"conf/requests\""
            ),
        );
        conf.replace(
            "gateway.toml",
            "template = \"standard\"",
            "template = \"cisco-ios-xe\"",
        );
    });
    let nas = Nas::start(&gateway, port, SECRET, policy);
    // A new one is in force without a restart.
    secret(&gateway.conf(), SECRET);
    assert!(gateway.reload().contains("is in force"));
    let server = gateway.authentication.to_string();
    let probe = gateway.command(&["probe", "eap-tls", "--server", &server]);
    let said = String::from_utf8_lossy(&probe.stdout).into_owned();
    assert!(said.contains("Access-Accept"), "{said}");
    let devices = gateway.conf().read("devices.csv");
    let mut rows = devices.lines();
    let row = rows.find(|line| line.contains("alice-desktop")).unwrap();
    let bad = row.replace(",compliant,", ",noncompliant,");
    gateway.conf().replace("devices.csv", row, &bad);
    let methods = until("the requests are answered", || {
        let methods = methods(&gateway);
        (methods.len() >= count).then_some(methods)
    });
    (gateway, nas, methods)
}

/// Of requests to the NAS; that of its own requests is another one.
const SECRET: &str = "of-coa-requests-alone";

fn secret(conf: &Conf, secret: &str) {
    conf.write("requests", secret);
    let private = Permissions::from_mode(0o600);
    fs::set_permissions(conf.path("requests"), private).unwrap();
}

fn methods(gateway: &Gateway) -> Vec<String> {
    let journal = gateway.journal();
    let records = journal
        .lines()
        .filter_map(|line| line.split_once("\"method\":\""));
    records
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(method, _)| method.to_owned())
        .filter(|method| method.starts_with("coa") || method.starts_with("disconnect"))
        .collect()
}

#[test]
fn freeradius_takes_a_coa_request_with_the_vendors_command_by_its_own_secret_rfc5176_2_2() {
    let policy = "if (&Cisco-AVPair == \"subscriber:command=reauthenticate\") {\n ok\n }\n \
                  else {\n reject\n }";
    let (gateway, _nas, methods) = turn_bad(policy, 1);
    let log = fs::read(gateway.path("nas/debug.log")).unwrap_or_default();
    assert_eq!(methods, ["coa ack"], "{}", String::from_utf8_lossy(&log));
}

#[test]
fn what_freeradius_refuses_is_followed_by_a_disconnect_request_rfc5176_3_5() {
    let policy = "if (&Cisco-AVPair) {\n reject\n }\n else {\n ok\n }";
    let (_gateway, _nas, methods) = turn_bad(policy, 2);
    assert!(methods[0].starts_with("coa nak"), "{methods:?}");
    assert_eq!(methods[1], "disconnect ack");
}
