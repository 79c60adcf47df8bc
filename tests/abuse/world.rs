//! A gateway that is sent what it does not want, and how one sees that it is alive.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::time::Duration;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::packet::ACCESS_REQUEST;
use crate::packet::Raw;
use crate::packet::STATUS_SERVER;

/// A running gateway and a NAS of it.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) secret: Vec<u8>,
    pub(crate) socket: UdpSocket,
}

/// Which socket something is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Authentication,
    Accounting,
}

/// What is to become of it.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// No answer, and one more of these is counted.
    Dropped(&'static str),
    /// An answer with this code.
    Answered(u8),
}

/// One row.
pub(crate) struct Case {
    pub(crate) row: &'static str,
    pub(crate) door: Door,
    pub(crate) octets: Vec<u8>,
    pub(crate) fate: Fate,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(edit: impl FnOnce(&crate::gateway::Conf)) -> Self {
        let gateway = Gateway::start(|conf| {
            // Half of the loopback network is nobody's.
            conf.replace("nas.toml", "127.0.0.0/8", "127.0.0.0/9");
            edit(conf);
        });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self {
            secret: gateway.secret().into_bytes(),
            socket,
            gateway,
        }
    }

    pub(crate) fn to(&self, door: Door) -> SocketAddr {
        match door {
            Door::Authentication => self.gateway.authentication,
            Door::Accounting => self.gateway.accounting,
        }
    }

    /// Sends all rows, one after the other, and looks after each whether the gateway lives.
    pub(crate) fn abuse(&self, cases: Vec<Case>) {
        for case in cases {
            let before = match case.fate {
                Fate::Dropped(reason) => self.dropped(reason),
                Fate::Answered(_) => 0,
            };
            let to = self.to(case.door);
            match case.fate {
                Fate::Dropped(reason) => {
                    self.socket.send_to(&case.octets, to).unwrap();
                    until(&format!("{} is counted as {reason}", case.row), || {
                        (self.dropped(reason) > before).then_some(())
                    });
                }
                Fate::Answered(code) => {
                    let answer = self.ask(to, &case.octets, case.row);
                    assert_eq!(answer[0], code, "row {}", case.row);
                }
            }
            self.lives(case.row);
        }
    }

    /// Sends until there is an answer; one to something else is passed over.
    pub(crate) fn ask(&self, to: SocketAddr, request: &[u8], row: &str) -> Vec<u8> {
        self.socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mut buffer = [0; 5000];
        until(&format!("{row} is answered"), || {
            self.socket.send_to(request, to).unwrap();
            let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
            (buffer[1] == request[1]).then(|| buffer[..length].to_vec())
        })
    }

    /// Whether a Status-Server is answered, and a device that comes by its MAC address.
    pub(crate) fn lives(&self, row: &str) {
        let status = Raw::new(STATUS_SERVER).signed(&self.secret);
        let bypass = Raw::new(ACCESS_REQUEST)
            .with(1, b"00-00-5E-00-53-01")
            .with(31, b"00-00-5E-00-53-01")
            .with(32, b"switch")
            .signed(&self.secret);
        for (what, request) in [("Status-Server", status), ("a device", bypass)] {
            let row = format!("{what} after {row}");
            let answer = self.ask(self.gateway.authentication, &request, &row);
            assert!([2, 3].contains(&answer[0]), "row {row}: {}", answer[0]);
        }
    }

    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        let line = format!("portreeve_radius_dropped_total{{reason=\"{reason}\"}} ");
        self.metric(&line)
    }

    /// The number behind a line of `/metrics`.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let mut stream = TcpStream::connect(self.gateway.metrics).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let value = page.lines().find_map(|found| found.strip_prefix(line));
        let value = value.unwrap_or_else(|| panic!("no line {line}"));
        value.trim().parse().unwrap()
    }
}
