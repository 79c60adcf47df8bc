//! From a datagram to its reply: MAC authentication bypass, PAP, accounting, Status-Server and
//! duplicates, in a server without sockets; and the journal's line about a decision.

use portreeve::journal;
use portreeve::network::Door;

use crate::gateway::ACCOUNTING;
use crate::gateway::AUTHENTICATION;
use crate::gateway::Gateway;
use crate::gateway::SECRET;
use crate::gateway::accounting;
use crate::gateway::bypass;
use crate::gateway::password;
use crate::measured;
use crate::nas::Nas;

/// The packet path.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let mut gateway = Gateway::new(None);
    let mut nas = Nas::new("192.0.2.1:1812", SECRET);
    for (name, door, ask) in KINDS {
        let requests: Vec<Vec<u8>> = (0..REQUESTS + WARM_UP).map(|n| ask(&mut nas, n)).collect();
        let (first, rest) = requests.split_at(usize::try_from(WARM_UP).unwrap_or(0));
        // Buffers and tables come into being with the first ones.
        for request in first {
            gateway.take_in(*door, nas.address, request);
            assert!(nas.answers(request, &gateway.reply()), "{name}");
            gateway.server.clear_transmits();
            gateway.forget_records();
        }
        let mut replies = Vec::new();
        for request in rest {
            replies.push(serve(&mut gateway, *door, &nas, request));
            if replies.len() < rest.len() {
                gateway.forget_records();
            }
        }
        over(&format!("packet: {name}"), REQUESTS);
        for (request, reply) in rest.iter().zip(&replies) {
            assert!(nas.answers(request, reply), "{name}");
        }
        if *name == "MAC authentication bypass" {
            line(over, &gateway);
            // Each of the last 200 once more: the stored reply.
            let again = rest.iter().zip(&replies).rev().take(REPEATED);
            for (request, reply) in again {
                let stored = serve(&mut gateway, *door, &nas, request);
                assert_eq!(stored, *reply, "a duplicate gets the same reply");
            }
            over("packet: duplicate", u32::try_from(REPEATED).unwrap_or(1));
        }
        gateway.forget_records();
    }
}

/// One request and its reply.
fn serve(gateway: &mut Gateway, door: Door, nas: &Nas, request: &[u8]) -> Vec<u8> {
    measured(|| gateway.take_in(door, nas.address, request));
    let reply = gateway.reply();
    measured(|| gateway.server.clear_transmits());
    reply
}

/// What the journal's thread writes about the decision that was recorded last.
fn line(over: &mut dyn FnMut(&str, u32), gateway: &Gateway) {
    let record = gateway
        .shared
        .records
        .pop()
        .expect("a decision was recorded");
    let point = &gateway.shared.point;
    for _ in 0..LINES {
        let line = measured(|| journal::render(&record, point));
        assert!(line.contains("mab"), "{line}");
    }
    over("journal: a line", LINES);
}

type Ask = fn(&mut Nas, u32) -> Vec<u8>;

const KINDS: &[(&str, Door, Ask)] = &[
    ("MAC authentication bypass", AUTHENTICATION, bypass),
    ("PAP", AUTHENTICATION, password),
    ("accounting", ACCOUNTING, accounting),
    ("Status-Server", AUTHENTICATION, |nas, _| nas.status()),
];

const REQUESTS: u32 = 1_500;
const WARM_UP: u32 = 300;
const LINES: u32 = 200;

/// As many as a source's replies are kept.
const REPEATED: usize = 200;
