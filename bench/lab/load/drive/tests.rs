use std::io::Write;
use std::net::UdpSocket;
use std::thread;

use clap::Parser;
use portreeve::radius::AttributeType;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::RequestBuilder;
use portreeve::radius::verify;

use super::*;
use crate::load::pace::PaceArguments;

const SECRET: &[u8] = b"a secret for tests only";

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    pace: PaceArguments,
}

/// Operations of as many requests as their number says, modulo three and at least one.
struct Numbered {
    ended: u64,
}

impl Traffic for Numbered {
    /// Number, and requests that are left.
    type Task = (u32, u64);

    fn begin(&mut self, number: u64) -> Option<(u32, u64)> {
        Some((u32::try_from(number).ok()?, number % 3))
    }

    fn write(&mut self, task: &mut (u32, u64), draft: Draft<'_>) -> Result<usize, EncodeError> {
        let mut request = RequestBuilder::access_request(
            draft.buffer,
            draft.identifier,
            draft.authenticator,
            draft.secret,
        );
        request.integer(AttributeType::NAS_PORT, task.0);
        request.finish().map(<[u8]>::len)
    }

    fn read(&mut self, _: Now, task: &mut (u32, u64), _: &Answer<'_>) -> Next {
        match task.1.checked_sub(1) {
            Some(left) => {
                task.1 = left;
                Next::Request
            }
            None => Next::Done,
        }
    }

    fn end(&mut self, _: (u32, u64)) {
        self.ended += 1;
    }
}

/// A server that behaves by NAS-Port; ends when the socket is told nothing for a while.
fn serve(socket: &UdpSocket, behave: impl Fn(u32, u32) -> Behaviour) {
    let config = |secret: &[u8]| NasConfig {
        name: "nas".into(),
        group: "default".into(),
        network: IpAddr::from([127, 0, 0, 1]).into(),
        secret: Secret::new(secret.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    };
    let right = NasTable::new(vec![config(SECRET)]).unwrap();
    let wrong = SharedSecret::new(Secret::new(b"another secret entirely".to_vec()));
    let nas = right.iter().next().unwrap();
    let (mut octets, mut buffer) = ([0; 4096], [0; 4096]);
    let mut seen = std::collections::HashMap::new();
    while let Ok((length, from)) = socket.recv_from(&mut octets) {
        let packet = Packet::new_checked(&octets[..length]).unwrap();
        let verified = verify(packet, nas).unwrap();
        let port = packet.find(AttributeType::NAS_PORT).unwrap();
        let port = u32::from_be_bytes(port.try_into().unwrap());
        let tries = seen.entry(port).or_insert(0);
        *tries += 1;
        let secret = match behave(port, *tries) {
            Behaviour::Answer => nas.secret(),
            Behaviour::Forge => &wrong,
            Behaviour::Silence => continue,
        };
        let reply = Reply::access_accept(&mut buffer, verified.origin(), secret);
        socket.send_to(reply.finish().unwrap(), from).unwrap();
    }
}

enum Behaviour {
    Answer,
    Forge,
    Silence,
}

/// Drives 30 operations against a server; gives their tally, and how many were told to end.
fn run(extra: &[&str], behave: impl Fn(u32, u32) -> Behaviour + Send) -> (Tally, u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let server = socket.local_addr().unwrap().to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SECRET).unwrap();
    file.write_all(b"\n").unwrap();
    let secret = file.path().to_str().unwrap();
    let always = [
        "test",
        "--server",
        &server,
        "--secret-file",
        secret,
        "--count",
        "30",
    ];
    let arguments = Arguments::parse_from(always.iter().chain(extra));
    thread::scope(|scope| {
        scope.spawn(|| serve(&socket, behave));
        let clock = Clock::start();
        let ports = arguments.server.open(8, 1).unwrap();
        let plan = arguments.pace.plan(clock.now().monotonic, 0, 1);
        let mut traffic = Numbered { ended: 0 };
        let driven = drive(&arguments.server, ports, &mut traffic, plan, clock).unwrap();
        (driven.tally, traffic.ended)
    })
}

#[test]
fn every_operation_ends_once_whatever_its_length() {
    for extra in [&["--outstanding", "8"][..], &["--rate", "1000"]] {
        let (tally, ended) = run(extra, |_, _| Behaviour::Answer);
        assert_eq!(
            (tally.succeeded(), tally.failed()),
            (30, 0),
            "row {extra:?}"
        );
        assert_eq!(ended, 30, "row {extra:?}");
    }
}

#[test]
fn forged_and_missing_replies_are_told_apart() {
    let (tally, ended) = run(&["--timeout", "50"], |port, _| match port % 3 {
        0 => Behaviour::Answer,
        1 => Behaviour::Forge,
        _ => Behaviour::Silence,
    });
    assert_eq!(tally.succeeded(), 10);
    assert_eq!(tally.failures("false_signature"), 10);
    assert_eq!(tally.failures("timeout"), 10);
    assert_eq!(ended, 30);
}

#[test]
fn a_lost_request_is_sent_again_only_if_asked_for() {
    // The first datagram of each operation of one request is lost.
    let lose = |port, tries| match (port % 3, tries) {
        (0, 1) => Behaviour::Silence,
        _ => Behaviour::Answer,
    };
    let (tally, _) = run(&["--timeout", "50"], lose);
    assert_eq!((tally.succeeded(), tally.failures("timeout")), (20, 10));
    let (tally, _) = run(&["--timeout", "50", "--tries", "2"], lose);
    assert_eq!((tally.succeeded(), tally.failed()), (30, 0));
}
