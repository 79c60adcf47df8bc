//! Home servers found by DNS (RFC 7585): which realms may be looked up, and what the records mean.
//! Whoever looks up brings the records; nothing here asks anybody.
//!
//! S-NAPTR (RFC 3958) with one step: a terminal record with flag `s` leads to SRV records, one with
//! flag `a` to addresses. Rewriting by regular expressions and records that lead to further NAPTR
//! records are passed over; nobody uses them for RADIUS.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// A NAPTR record, as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naptr<'r> {
    /// Lower ones come first.
    pub order: u16,
    /// Among those of one order, lower ones come first.
    pub preference: u16,
    /// What to look up next.
    pub flags: &'r [u8],
    /// Application service and protocol, such as `aaa+auth:radius.tls.tcp`.
    pub service: &'r [u8],
    /// A rule for rewriting; empty in records for RADIUS.
    pub regexp: &'r [u8],
    /// Where it leads.
    pub replacement: &'r str,
}

/// A SRV record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv<'r> {
    /// Lower ones come first.
    pub priority: u16,
    /// Its share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` where the service is not offered.
    pub target: &'r str,
}

/// Where a NAPTR record leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To SRV records of this name.
    Services(String),
    /// To the addresses of this host, at the port of RADIUS over TLS.
    Host(String),
}

/// The realm as a name to look up, in lower case and without the last dot; `None` for one that is no
/// domain name of two labels or more. Names that are not ASCII have to come in their DNS form
/// (`xn--`): two spellings of one name would be two realms.
#[must_use]
pub fn realm_to_look_up(realm: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(realm).ok()?;
    let text = text.strip_suffix('.').unwrap_or(text);
    let sound = |label: &str| {
        let inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let labels = text.split('.');
    let whole = text.len() <= MAX_NAME && labels.clone().all(sound) && labels.count() >= 2;
    // An address is no realm, although it looks like one.
    let digits = text.bytes().all(|octet| !octet.is_ascii_alphabetic());
    (whole && !digits).then(|| text.to_ascii_lowercase())
}

/// The records that lead to one of `services`, the best first; at most [`MAX_LEADS`].
#[must_use]
pub fn leads(records: &[Naptr<'_>], services: &[String]) -> Vec<Lead> {
    let wanted = |service: &[u8]| {
        let mut names = services.iter();
        names.any(|name| name.as_bytes().eq_ignore_ascii_case(service))
    };
    let mut found: Vec<(u16, u16, Lead)> = records
        .iter()
        .filter(|record| wanted(record.service) && record.regexp.is_empty())
        .filter_map(|record| {
            let name = host(record.replacement)?;
            let lead = match record.flags {
                b"s" | b"S" => Lead::Services(name),
                b"a" | b"A" => Lead::Host(name),
                _ => return None,
            };
            Some((record.order, record.preference, lead))
        })
        .collect();
    found.sort_by_key(|(order, preference, _)| (*order, *preference));
    // Only those of the first order are followed (RFC 3403 section 4.1).
    let first = found.first().map(|(order, _, _)| *order);
    let best = found.into_iter();
    best.take_while(|(order, _, _)| Some(*order) == first)
        .map(|(_, _, lead)| lead)
        .take(MAX_LEADS)
        .collect()
}

/// Hosts and ports in the order in which they are to be asked (RFC 2782), at most [`MAX_SERVERS`].
/// `chance` gives a number below the one it gets.
#[must_use]
pub fn servers(records: &[Srv<'_>], mut chance: impl FnMut(u32) -> u32) -> Vec<(String, u16)> {
    let mut left: Vec<(&Srv<'_>, String)> = records
        .iter()
        .filter(|record| record.port > 0)
        .filter_map(|record| Some((record, host(record.target)?)))
        .collect();
    left.sort_by_key(|(record, _)| (record.priority, record.weight));
    let mut ordered = Vec::new();
    while let Some((first, _)) = left.first()
        && ordered.len() < MAX_SERVERS
    {
        let priority = first.priority;
        let group = left.iter().map(|(record, _)| record);
        let group = group.take_while(|record| record.priority == priority);
        let total: u32 = group.map(|record| u32::from(record.weight)).sum();
        let mut draw = chance(total.saturating_add(1)).min(total);
        let drawn = left
            .iter()
            .take_while(|(record, _)| record.priority == priority)
            .position(
                |(record, _)| match draw.checked_sub(u32::from(record.weight)) {
                    Some(0) | None => true,
                    Some(rest) => {
                        draw = rest;
                        false
                    }
                },
            );
        let (record, host) = left.remove(drawn.unwrap_or(0));
        ordered.push((host, record.port));
    }
    ordered
}

/// A name of DNS, in lower case and without the last dot; `None` for the root or one that no host or
/// service has.
fn host(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let sound = |label: &str| {
        let inner = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(inner)
    };
    let whole = name.len() <= MAX_NAME && name.split('.').all(sound);
    whole.then(|| name.to_ascii_lowercase())
}

/// NAPTR records of one realm that are followed.
pub const MAX_LEADS: usize = 4;

/// Servers of one realm that are asked.
pub const MAX_SERVERS: usize = 8;

/// RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn naptr<'r>(
        (order, preference): (u16, u16),
        flags: &'r str,
        service: &'r str,
        replacement: &'r str,
    ) -> Naptr<'r> {
        Naptr {
            order,
            preference,
            flags: flags.as_bytes(),
            service: service.as_bytes(),
            regexp: b"",
            replacement,
        }
    }

    #[test]
    fn realms_that_are_domain_names_are_looked_up_and_nothing_else_rfc7542_2_2() {
        let long = format!("{}.example.org", "a".repeat(64));
        for (realm, name) in [
            (&b"example.org"[..], Some("example.org")),
            (b"EXAMPLE.org.", Some("example.org")),
            (b"xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            (b"localhost", None),
            (b"", None),
            (b".", None),
            (b"example..org", None),
            (b"-example.org", None),
            (b"exam ple.org", None),
            (b"exam\0ple.org", None),
            (b"*.example.org", None),
            (b"_radius.example.org", None),
            (b"192.0.2.1", None),
            ("b\u{fc}cher.example".as_bytes(), None),
            (b"\xff.example.org", None),
            (long.as_bytes(), None),
        ] {
            assert_eq!(realm_to_look_up(realm).as_deref(), name, "row {realm:?}");
        }
    }

    #[test]
    fn leads_are_those_of_the_service_and_of_the_first_order_rfc3958_2_2() {
        const WANTED: &str = "x-eduroam:radius.tls";
        let records = [
            naptr((100, 20), "s", WANTED, "_two._tcp.example.org."),
            naptr(
                (100, 10),
                "S",
                "X-Eduroam:Radius.TLS",
                "_One._tcp.example.org.",
            ),
            naptr((100, 30), "a", WANTED, "radius.example.org."),
            naptr((200, 1), "s", WANTED, "_later._tcp.example.org."),
            naptr(
                (1, 1),
                "s",
                "aaa+auth:radius.tls.tcp",
                "_other._tcp.example.org.",
            ),
            naptr((1, 1), "u", WANTED, "radius.example.org."),
            naptr((1, 1), "", WANTED, "further.example.org."),
            naptr((1, 1), "s", WANTED, "."),
            naptr((1, 1), "s", WANTED, "bad name.example.org."),
            Naptr {
                regexp: b"!.*!x!",
                ..naptr((1, 1), "s", WANTED, "_regexp._tcp.example.org.")
            },
        ];
        let found = leads(&records, &[WANTED.to_owned()]);
        let services = |name: &str| Lead::Services(name.to_owned());
        assert_eq!(
            found,
            [
                services("_one._tcp.example.org"),
                services("_two._tcp.example.org"),
                Lead::Host("radius.example.org".to_owned()),
            ]
        );
        assert_eq!(leads(&records, &[]), []);
        let many = [records[0]; 20];
        assert_eq!(leads(&many, &[WANTED.to_owned()]).len(), MAX_LEADS);
    }

    #[test]
    fn servers_come_by_priority_and_among_equals_by_weight_rfc2782() {
        let srv = |priority, weight, target| Srv {
            priority,
            weight,
            port: 2083,
            target,
        };
        let records = [
            srv(20, 0, "last.example.org."),
            srv(10, 1, "small.example.org."),
            srv(10, 9, "Big.example.org."),
            srv(5, 0, "."),
            Srv {
                port: 0,
                ..srv(1, 1, "nowhere.example.org.")
            },
        ];
        let names = |draw: u32| {
            let found = servers(&records, |below| draw.min(below - 1));
            found.into_iter().map(|(host, _)| host).collect::<Vec<_>>()
        };
        let [small, big, last] = ["small.example.org", "big.example.org", "last.example.org"];
        assert_eq!(names(0), [small, big, last]);
        assert_eq!(names(1), [small, big, last]);
        assert_eq!(names(2), [big, small, last]);
        assert_eq!(names(99), [big, small, last]);
        let many = [srv(1, 65_535, "radius.example.org."); 100];
        assert_eq!(servers(&many, |below| below).len(), MAX_SERVERS);
    }
}
