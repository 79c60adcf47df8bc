//! Who is in, over a restart of the real program.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Packet;

use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;

const SNAPSHOT: &str = "var/sessions.snapshot";

/// A NAS that takes requests at a socket of its own.
struct Door {
    socket: UdpSocket,
    gateway: Gateway,
}

impl Door {
    /// With a device of the sample in it.
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let timeout = Some(Duration::from_millis(300));
        socket.set_read_timeout(timeout).unwrap();
        let port = socket.local_addr().unwrap().port();
        let gateway = Gateway::start(|conf| {
            conf.replace(
                "nas.toml",
                "accounting = true",
                &format!(
                    "accounting = true\ndynamic_authorization = true\n\
                     dynamic_authorization_port = {port}"
                ),
            );
        });
        let door = Self { socket, gateway };
        door.enter();
        door
    }

    /// A desktop of the sample gets in by its certificate.
    fn enter(&self) {
        let said = super::probe(&self.gateway);
        assert!(super::says(&said, "Access-Accept"), "{said:?}");
    }

    /// The request that puts the device out.
    fn leaves(&self) {
        let mut request = [0; 4096];
        let length = until("the device has to leave", || {
            self.socket.recv(&mut request).ok()
        });
        let packet = Packet::new_checked(&request[..length]).unwrap();
        assert_eq!(packet.code(), Code::DisconnectRequest);
        let user = packet.find(AttributeType::USER_NAME);
        assert_eq!(user, Some(&b"alice@example.com"[..]));
    }
}

/// The desktop does not meet the requirements any more.
fn turn_bad(conf: &Conf) {
    let devices = conf.read("devices.csv");
    let mut rows = devices.lines();
    let row = rows.find(|line| line.contains("alice-desktop")).unwrap();
    let bad = row.replace(",compliant,", ",noncompliant,");
    conf.replace("devices.csv", row, &bad);
}

#[test]
fn a_device_that_turned_bad_while_no_gateway_ran_is_put_out_by_the_next_one() {
    let Door { socket, gateway } = Door::new();
    let (status, folder) = gateway.stop();
    assert!(status.success());
    let mode = fs::metadata(folder.path().join(SNAPSHOT))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "it names people");
    turn_bad(&Conf::of(&folder));
    let gateway = Gateway::again(folder);
    Door { socket, gateway }.leaves();
}

#[test]
fn a_damaged_file_of_sessions_is_set_aside_and_the_gateway_runs() {
    let Door { socket, gateway } = Door::new();
    let (_, folder) = gateway.stop();
    let path = folder.path().join(SNAPSHOT);
    let mut octets = fs::read(&path).unwrap();
    let last = octets.len() - 2;
    octets[last] ^= 1;
    fs::write(&path, octets).unwrap();
    let gateway = Gateway::again(folder);
    let log = gateway.log();
    assert!(log.contains("not used and set aside"), "{log}");
    assert!(gateway.path("var/sessions.snapshot.damaged").exists());
    let door = Door { socket, gateway };
    door.enter();
    turn_bad(&door.gateway.conf());
    door.leaves();
}
