//! Any octets as a realm, as records of DNS, and as a certificate that should bear the realm.

use portreeve::radius::Lead;
use portreeve::radius::MAX_LEADS;
use portreeve::radius::MAX_SERVERS;
use portreeve::radius::Naptr;
use portreeve::radius::Srv;
use portreeve::radius::bears_realm;
use portreeve::radius::leads;
use portreeve::radius::realm_to_look_up;
use portreeve::radius::servers;

/// One run. Lines are the realm, then records: order, preference or weight, flag, service, name.
pub fn drive(octets: &[u8]) {
    let mut lines = octets.split(|octet| *octet == b'\n');
    let realm = realm_to_look_up(lines.next().unwrap_or(&[]));
    if let Some(realm) = &realm {
        assert!(realm.len() <= 253 && realm.contains('.'));
        assert_eq!(realm_to_look_up(realm.as_bytes()).as_ref(), Some(realm));
    }
    let text = String::from_utf8_lossy(octets);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .take(MAX_ROWS)
        .map(|line| line.split(' ').collect())
        .collect();
    let number = |text: &str| text.bytes().map(u16::from).fold(0, u16::wrapping_add);
    let mut naptrs = Vec::new();
    let mut srvs = Vec::new();
    for row in &rows {
        let [order, preference, flags, service, name, ..] = row.as_slice() else {
            continue;
        };
        naptrs.push(Naptr {
            order: number(order),
            preference: number(preference),
            flags: flags.as_bytes(),
            service: service.as_bytes(),
            regexp: b"",
            replacement: name,
        });
        srvs.push(Srv {
            priority: number(order),
            weight: number(preference),
            port: number(service),
            target: name,
        });
    }
    let services = ["aaa+auth:radius.tls.tcp".to_owned()];
    let found = leads(&naptrs, &services);
    assert!(found.len() <= MAX_LEADS);
    for lead in found {
        let (Lead::Services(name) | Lead::Host(name)) = lead;
        assert!((1..=253).contains(&name.len()));
    }
    for draw in [0, 1, u32::MAX] {
        let found = servers(&srvs, |below| draw.min(below.saturating_sub(1)));
        assert!(found.len() <= MAX_SERVERS.min(srvs.len()));
        assert!(
            found
                .iter()
                .all(|(host, port)| !host.is_empty() && *port > 0)
        );
    }
    let realm = realm.as_deref().unwrap_or("example.org");
    assert!(!bears_realm(octets, ""), "no certificate bears nothing");
    let _bears = bears_realm(octets, realm);
}

const MAX_ROWS: usize = 256;
