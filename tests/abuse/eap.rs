//! EAP inside: States that nobody gave, packets that are none, TLS that lies about itself.

use std::net::UdpSocket;
use std::time::Duration;

use crate::packet::ACCESS_REQUEST;
use crate::packet::Raw;
use crate::packet::find;
use crate::world::World;

const CHALLENGE: u8 = 11;
const REJECT: u8 = 3;

const RESPONSE: u8 = 2;
const EAP_TLS: u8 = 13;

/// L, M and S (RFC 5216 section 3.1).
const L: u8 = 0x80;
const M: u8 = 0x40;

/// One conversation, as a NAS and a peer that lies carry it.
struct Talk<'w> {
    world: &'w World,
    state: Option<Vec<u8>>,
    /// Of the last request.
    identifier: u8,
}

/// What came of a response.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// A challenge, and the EAP packet in it.
    Challenge(Vec<u8>),
    Reject,
    Nothing,
}

impl<'w> Talk<'w> {
    /// Up to the first request of EAP-TLS.
    fn begin(world: &'w World) -> Self {
        let mut talk = Self {
            world,
            state: None,
            identifier: 1,
        };
        let identity = [&[RESPONSE, 1, 0, 13, 1][..], b"mallory@"].concat();
        let came = talk.say(&identity);
        let Came::Challenge(start) = came else {
            panic!("{came:?}");
        };
        assert_eq!(start[4..6], [EAP_TLS, 0x20], "EAP-TLS begins");
        talk
    }

    /// Sends an EAP packet as it is.
    fn say(&mut self, eap: &[u8]) -> Came {
        let request = Raw::new(ACCESS_REQUEST).with(1, b"mallory@").eap(eap);
        let request = match &self.state {
            Some(state) => request.with(24, state),
            None => request,
        };
        let request = request.signed(&self.world.secret);
        let socket = &self.world.socket;
        socket
            .set_read_timeout(Some(Duration::from_millis(700)))
            .unwrap();
        socket
            .send_to(&request, self.world.gateway.authentication)
            .unwrap();
        let mut buffer = [0; 5000];
        let reply = loop {
            match socket.recv(&mut buffer) {
                Ok(length) if buffer[1] == request[1] => break buffer[..length].to_vec(),
                Ok(_) => {}
                Err(_) => return Came::Nothing,
            }
        };
        let eap = find(&reply, 79).concat();
        match reply[0] {
            CHALLENGE => {
                self.state = find(&reply, 24).pop();
                self.identifier = eap[1];
                Came::Challenge(eap)
            }
            REJECT => {
                assert_eq!(eap.first(), Some(&4), "EAP-Failure");
                Came::Reject
            }
            code => panic!("code {code}"),
        }
    }

    /// A response of EAP-TLS with these flags and this after them.
    fn tls(&mut self, flags: u8, data: &[u8]) -> Came {
        let response = self.response(EAP_TLS, &[&[flags][..], data].concat());
        self.say(&response)
    }

    fn response(&self, kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(5 + data.len()).unwrap().to_be_bytes();
        let head = [RESPONSE, self.identifier, length[0], length[1], kind];
        [&head[..], data].concat()
    }

    /// Goes on with the same until the conversation is over; `None` if it never is.
    fn until_over(&mut self, flags: u8, data: &[u8]) -> Option<usize> {
        (1..=300).find(|_| !matches!(self.tls(flags, data), Came::Challenge(_)))
    }
}

#[test]
fn states_that_nobody_gave_are_refused_rfc3579_2_6_1_rfc5080_2_1_1() {
    let world = World::new();
    for length in [0, 1, 18, 19, 20, 253] {
        let mut talk = Talk::begin(&world);
        talk.state = Some(vec![0; length]);
        let forged = talk.tls(0, &[]);
        assert_eq!(forged, Came::Reject, "length {length}");
        world.lives("a forged State");
    }
    // That of another conversation, with a bit more.
    let mut talk = Talk::begin(&world);
    for place in 0..19 {
        let mut other = Talk::begin(&world);
        other.state.as_mut().unwrap()[place] ^= 1;
        let came = other.tls(0, &[]);
        assert!(
            matches!(came, Came::Reject | Came::Nothing),
            "{place}: {came:?}"
        );
    }
    world.lives("States with a bit more");
    let goes_on = talk.tls(0, &[0x16]);
    assert!(
        !matches!(goes_on, Came::Nothing),
        "its own is none the worse"
    );
}

#[test]
fn packets_that_are_no_eap_are_dropped_rfc3748_4_1() {
    let world = World::new();
    let before = world.dropped("eap_out_of_order");
    let mut talk = Talk::begin(&world);
    let id = talk.identifier;
    for (row, eap) in [
        ("three octets", vec![RESPONSE, id, 0]),
        (
            "a length that lies",
            vec![RESPONSE, id, 0xff, 0xff, EAP_TLS, 0],
        ),
        ("a length of nothing", vec![RESPONSE, id, 0, 0, EAP_TLS, 0]),
        ("a request", vec![1, id, 0, 6, EAP_TLS, 0]),
        ("a success", vec![3, id, 0, 4]),
        ("a failure", vec![4, id, 0, 4]),
        ("an unknown code", vec![9, id, 0, 4]),
        (
            "another identifier",
            vec![RESPONSE, id ^ 1, 0, 6, EAP_TLS, 0],
        ),
    ] {
        assert_eq!(talk.say(&eap), Came::Nothing, "row {row}");
        world.lives(row);
    }
    assert!(world.dropped("eap_out_of_order") >= before + 8);
    // None of it has ended the conversation.
    assert!(!matches!(talk.tls(L, &[0, 0, 0, 1, 0x16]), Came::Nothing));
}

#[test]
fn types_that_are_confused_end_nothing_but_their_own_conversation_rfc3748_5_3() {
    let world = World::new();
    let expanded = [0, 0x37, 0x2a, 0, 0, 0, 1];
    for (row, kind, data) in [
        ("a Nak of nothing", 3, &[][..]),
        ("a Nak for what is none", 3, &[0]),
        ("a Nak of 200 types", 3, &[99; 200]),
        ("an expanded Nak that is cut", 254, &expanded[..3]),
        ("an expanded type", 254, &expanded),
        ("Identity again", 1, b"mallory@"),
        ("Notification", 2, b"hello"),
        ("MD5-Challenge", 4, &[16, 1, 2]),
        ("EAP-TTLS to EAP-TLS", 21, &[0x80, 0, 0, 0, 9]),
        ("PEAP to EAP-TLS", 25, &[0]),
        ("EAP-MSCHAPv2 outside of a tunnel", 26, &[2, 1, 0, 59]),
        ("type 0", 0, &[]),
        ("type 255", 255, &[1; 1000]),
    ] {
        let mut talk = Talk::begin(&world);
        let response = talk.response(kind, data);
        talk.say(&response);
        world.lives(row);
    }
}

#[test]
fn tls_lengths_that_lie_allocate_nothing_and_end_it_rfc5216_3_1() {
    let world = World::new();
    for (row, flags, data) in [
        ("4 GiB", L | M, &[0xff, 0xff, 0xff, 0xff, 0x16][..]),
        ("64 KiB and one", L | M, &[0, 1, 0, 1, 0x16]),
        ("less than there is", L, &[0, 0, 0, 1, 0x16, 3, 1]),
        ("a length that is cut", L, &[0, 0]),
        ("nothing at all", L, &[0, 0, 0, 0]),
        ("all flags", 0xff, &[0, 0, 0, 4, 1, 2, 3, 4]),
    ] {
        let mut talk = Talk::begin(&world);
        let mut came = talk.tls(flags, data);
        // A packet that cannot be used is asked for again, five times (RFC 3579 section 2.2).
        for _ in 0..6 {
            if came == Came::Reject {
                break;
            }
            came = talk.tls(flags, data);
        }
        assert!(
            matches!(came, Came::Reject | Came::Nothing),
            "row {row}: {came:?}"
        );
        world.lives(row);
    }
}

#[test]
fn fragments_without_end_come_to_one_rfc5216_2_1_5() {
    let world = World::new();
    for (row, data) in [
        ("empty ones", &[][..]),
        ("of one octet", &[0x16][..]),
        ("of 900 octets", &[0x16; 900]),
    ] {
        let mut talk = Talk::begin(&world);
        let rounds = talk.until_over(M, data);
        assert!(
            rounds.is_some_and(|rounds| rounds <= 120),
            "row {row}: {rounds:?}"
        );
        world.lives(row);
    }
    // Announced once, and then more than that.
    let mut talk = Talk::begin(&world);
    talk.tls(L | M, &[0, 0, 0, 10, 1, 2, 3, 4]);
    let rounds = talk.until_over(M, &[0; 100]);
    assert!(rounds.is_some_and(|rounds| rounds <= 10), "{rounds:?}");
    world.lives("more than was announced");
}

#[test]
fn tls_that_is_none_gets_an_alert_and_a_failure_rfc8446() {
    let world = World::new();
    let handshake = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[kind][..], &length[1..], body].concat();
        let record = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[0x16, 3, 3][..], &record, &message].concat()
    };
    // RFC 8879: 16 MiB in some octets, which nobody has offered to expand.
    let bomb = [&[0, 1, 0xff, 0xff, 0xff, 0, 0, 20][..], &[0x78; 20]].concat();
    for (row, records) in [
        ("garbage", vec![0x16; 600]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (
            "a record of 64 KiB",
            vec![0x16, 3, 3, 0xff, 0xff, 1, 0, 0, 1],
        ),
        (
            "a hello of 16 MiB",
            vec![0x16, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff],
        ),
        ("an empty hello", handshake(1, &[])),
        ("a Finished first", handshake(20, &[7; 32])),
        ("a certificate first", handshake(11, &[0, 0, 3, 0, 0, 0])),
        ("a compressed certificate", handshake(25, &bomb)),
        ("application data first", vec![0x17, 3, 3, 0, 1, 0]),
        ("an alert", vec![0x15, 3, 3, 0, 2, 2, 80]),
        ("a change of ciphers", vec![0x14, 3, 3, 0, 1, 1]),
        ("SSL 2", vec![0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10]),
    ] {
        let mut talk = Talk::begin(&world);
        let mut came = talk.tls(0, &records);
        for _ in 0..8 {
            if !matches!(came, Came::Challenge(_)) {
                break;
            }
            came = talk.tls(0, &[]);
        }
        assert_ne!(came, Came::Challenge(Vec::new()), "row {row}");
        assert!(
            matches!(came, Came::Reject | Came::Nothing),
            "row {row}: {came:?}"
        );
        world.lives(row);
    }
}

/// Ten thousand conversations that nobody goes on with.
#[test]
fn half_open_conversations_do_not_keep_others_out_rfc3748_7_16() {
    let world = World::new();
    let identity = [&[RESPONSE, 1, 0, 13, 1][..], b"mallory@"].concat();
    // What they are answered is of no interest.
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..10_000 {
        let request = Raw::new(ACCESS_REQUEST).with(1, b"mallory@").eap(&identity);
        let request = request.signed(&world.secret);
        flood
            .send_to(&request, world.gateway.authentication)
            .unwrap();
    }
    world.lives("a flood");
    let begun = world.gateway.command(&[
        "probe",
        "eap-tls",
        "--server",
        &world.gateway.authentication.to_string(),
    ]);
    let said = String::from_utf8_lossy(&begun.stdout).into_owned();
    assert!(said.contains("Access-Accept"), "{said}");
}
