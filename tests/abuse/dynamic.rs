//! Answers to what the gateway asks of NASes that are no answers (RFC 5176 section 6).

use std::time::Duration;

use crate::gateway::until;
use crate::packet::answer;
use crate::world::World;

const STRAY: &str = "portreeve_disconnects_total{outcome=\"stray\"} ";
const ACKNOWLEDGED: &str = "portreeve_disconnects_total{outcome=\"acknowledged\"} ";

#[test]
fn answers_that_are_none_change_nothing_and_the_right_one_counts_rfc5176_2_3() {
    let nas = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    nas.set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let port = nas.local_addr().unwrap().port();
    let world = World::with(|conf| {
        conf.replace(
            "nas.toml",
            "accounting = true",
            &format!(
                "accounting = true\ndynamic_authorization = true\n\
                 dynamic_authorization_port = {port}"
            ),
        );
    });
    let server = world.gateway.authentication.to_string();
    let probe = world
        .gateway
        .command(&["probe", "eap-tls", "--server", &server]);
    let said = String::from_utf8_lossy(&probe.stdout).into_owned();
    assert!(said.contains("Access-Accept"), "{said}");
    let devices = world.gateway.conf().read("devices.csv");
    let mut rows = devices.lines();
    let row = rows.find(|line| line.contains("alice-desktop")).unwrap();
    let bad = row.replace(",compliant,", ",noncompliant,");
    world.gateway.conf().replace("devices.csv", row, &bad);
    let mut buffer = [0; 5000];
    let (length, from) = until("the device has to leave", || {
        nas.recv_from(&mut buffer).ok()
    });
    let request = buffer[..length].to_vec();
    assert_eq!(request[0], 40);

    let secret = &world.secret;
    let right = answer(&request, 41, &[], secret);
    let mut other = right.clone();
    other[1] ^= 1;
    let mut lying = right.clone();
    lying[3] = 200;
    let mut flipped = right.clone();
    flipped[10] ^= 1;
    let mut before = world.metric(STRAY);
    for (row, octets) in [
        ("nothing", vec![0]),
        ("its own request", request.clone()),
        ("another identifier", other),
        ("a length that lies", lying),
        ("a bit of the authenticator", flipped),
        (
            "another secret",
            answer(&request, 41, &[], b"another secret than that"),
        ),
        ("an Access-Accept", answer(&request, 2, &[], secret)),
        ("a CoA-ACK", answer(&request, 44, &[], secret)),
        (
            "an attribute of length 0",
            answer(&request, 42, &[101, 0], secret),
        ),
        ("4,096 octets of nothing", vec![41; 4096]),
        ("a wrong Message-Authenticator", {
            let attribute = [&[80, 18][..], &[0; 16]].concat();
            answer(&request, 41, &attribute, secret)
        }),
    ] {
        nas.send_to(&octets, from).unwrap();
        until(&format!("{row} is counted"), || {
            (world.metric(STRAY) > before).then_some(())
        });
        before = world.metric(STRAY);
        world.lives(row);
    }
    // From another port, however right it is.
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    elsewhere.send_to(&right, from).unwrap();
    until("one from elsewhere is counted", || {
        (world.metric(STRAY) > before).then_some(())
    });
    assert_eq!(world.metric(ACKNOWLEDGED), 0);
    nas.send_to(&right, from).unwrap();
    until("the right one counts", || {
        (world.metric(ACKNOWLEDGED) == 1).then_some(())
    });
}
