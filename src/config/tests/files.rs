//! The files of this room, read with every mistake that people make.

use proptest::prelude::*;

use crate::config::enforcement;
use crate::config::gateway::Gateway;
use crate::config::nas;
use crate::config::users;
use crate::document::Section;
use crate::document::read;
use crate::radius::Dictionary;
use crate::radius::Prepared;
use crate::radius::Template;

/// Everything said of `text`, one problem a line.
fn said<T>(text: &str, reader: impl FnOnce(&mut Section<'_>) -> T) -> String {
    let (_, _, problems) = read("f", text, reader);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_value_where_tables_should_be() {
    assert_eq!(
        said("nas = 3\n", nas::read),
        "f:1: nas: expected tables under [[nas]], found a whole number"
    );
    assert_eq!(
        said("[nas]\nname = \"x\"\n", nas::read),
        "f:1: nas: expected tables under [[nas]], found a table"
    );
    assert_eq!(
        said("nas = [1]\n", nas::read).lines().next(),
        Some("f:1: nas[0]: expected a table, found a whole number")
    );
}

#[test]
fn nas_entries_table() {
    let sound = "network = \"10.0.0.1\"\nsecret = \"s\"\n";
    for (text, expected) in [
        (format!("name = \"a\"\n{sound}"), ""),
        (
            sound.to_owned(),
            "f:1: nas[0].name: this key is needed, for example: name = \"switch-3\"",
        ),
        (
            format!("name = \" \"\n{sound}"),
            "f:2: nas[0].name: is empty",
        ),
        (
            "name = \"a\"\nnetwork = \"10.0.0.300\"\nsecret = \"s\"\n".to_owned(),
            "f:3: nas[0].network: expected an address or a network such as \"10.1.2.3\" or \
             \"10.1.0.0/16\", found \"10.0.0.300\"",
        ),
        (
            "name = \"a\"\nnetwork = []\nsecret = \"s\"\n".to_owned(),
            "f:3: nas[0].network: an empty list lets nobody ask",
        ),
        (
            "name = \"a\"\nnetwork = \"::1\"\n".to_owned(),
            "f:1: nas[0].secret_file: this key is needed, for example: \
             secret_file = \"certs/secrets/switch-3\"",
        ),
        (
            format!("name = \"a\"\n{sound}secret_file = \"x\"\n"),
            "f:5: nas[0].secret_file: either secret or secret_file, not both",
        ),
        (
            format!("name = \"a\"\n{sound}message_authenticator = \"of\"\n"),
            "f:5: nas[0].message_authenticator: expected one of \"require\", \"auto\", \"off\", \
             found \"of\", did you mean \"off\"?",
        ),
    ] {
        let text = format!("[[nas]]\n{text}");
        assert_eq!(said(&text, nas::read), expected, "row {text}");
    }
}

#[test]
fn host_bits_of_a_network_are_cut_off() {
    let text =
        "[[nas]]\nname = \"a\"\nnetwork = [\"10.1.2.3/16\", \"2001:db8::1\"]\nsecret = \"s\"\n";
    let (entries, _, problems) = read("f", text, nas::read);
    assert_eq!(problems, []);
    let networks: Vec<String> = entries
        .iter()
        .flat_map(|entry| &entry.networks)
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.1.0.0/16", "2001:db8::1/128"]);
}

#[test]
fn users_table() {
    let nt = "nt_hash = \"44ebba8d5312b8d611474411f56989ae\"";
    for (text, expected) in [
        (format!("name = \"a\"\n{nt}\n"), ""),
        ("name = \"a\"\nclear = \"x\"\n".to_owned(), ""),
        (
            format!("{nt}\n"),
            "f:1: user[0].name: this key is needed, for example: name = \"alice@contoso.com\"",
        ),
        (
            "name = \"a\"\n".to_owned(),
            "f:1: user[0]: expected exactly one of password, nt_hash and clear, found 0",
        ),
        (
            format!("name = \"a\"\nclear = \"x\"\n{nt}\n"),
            "f:1: user[0]: expected exactly one of password, nt_hash and clear, found 2",
        ),
        (
            "name = \"a\"\npassword = \"hunter2\"\n".to_owned(),
            "f:3: user[0].password: expected a hash such as portreeve hash-password prints, or a \
             whole one that begins with $5$, $6$, $2a$, $2b$ or $2y$",
        ),
        (
            format!("name = \"a\"\npassword = \"$2b$10${BCRYPT}\"\n"),
            "",
        ),
        (
            format!("name = \"a\"\npassword = \"$2b$15${BCRYPT}\"\n"),
            "f:3: user[0].password: the hash has a cost of 15, at most 14 is accepted",
        ),
        (
            "name = \"a\"\nnt_hash = \"44\"\n".to_owned(),
            "f:3: user[0].nt_hash: expected an NT hash of 32 hexadecimal digits",
        ),
        (
            "name = \"a\"\nclear = \"\"\n".to_owned(),
            "f:3: user[0].clear: is empty, so that anybody could log in",
        ),
        (
            "name = \"a\"\npasword = \"x\"\n".to_owned(),
            "f:1: user[0]: expected exactly one of password, nt_hash and clear, found 0\n\
             f:3: user[0].pasword: unknown key, did you mean password?",
        ),
        (
            format!("name = \"a\"\n{nt}\n[[user]]\nname = \"A\"\n{nt}\n"),
            "f:5: user[1].name: a is already the name of user[0]",
        ),
    ] {
        let text = format!("[[user]]\n{text}");
        assert_eq!(said(&text, users::read), expected, "row {text}");
    }
}

/// Salt and hash of a bcrypt string.
const BCRYPT: &str = "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

#[test]
fn problems_never_repeat_a_password() {
    for text in [
        "[[user]]\nname = \"a\"\npassword = \"hunter2\"\n",
        "[[user]]\nname = \"a\"\nnt_hash = \"hunter2\"\n",
        "[[user]]\nname = \"a\"\nclear = [\"hunter2\"]\n",
    ] {
        let said = said(text, users::read);
        assert!(
            !said.is_empty() && !said.contains("hunter2"),
            "row {text}: {said}"
        );
    }
    let text = "[[nas]]\nname = \"a\"\nnetwork = \"::1\"\nsecret = [\"hunter2\"]\n";
    assert!(!said(text, nas::read).contains("hunter2"));
}

fn enforce(section: &mut Section<'_>) -> enforcement::Written {
    let mut enforce = section.child("enforce");
    let read = enforcement::read(&mut enforce);
    enforce.finish();
    read
}

#[test]
fn profiles_table() {
    let limited = "would give full access: set vlan, filter_id, role or attributes";
    for (text, expected) in [
        ("[enforce.default.allow]\nvlan = 10\n", String::new()),
        ("[enforce.default.allow]\nvlan = \"staff\"\n", String::new()),
        (
            "[enforce.default.allow]\nvlan = 4095\n",
            "f:2: enforce.default.allow.vlan: expected a VLAN number of 1 to 4094 or a name of \
             up to 32 octets"
                .to_owned(),
        ),
        (
            "[enforce.default.allow]\nvlan = \"0\"\n",
            "f:2: enforce.default.allow.vlan: expected a VLAN number of 1 to 4094 or a name of \
             up to 32 octets"
                .to_owned(),
        ),
        (
            "[enforce.default.quarantine]\n",
            format!("f:1: enforce.default.quarantine: quarantine {limited}"),
        ),
        (
            "[enforce.group.office.allow-claimed]\nsession_timeout = \"1h\"\n",
            format!("f:1: enforce.group.office.allow-claimed: allow-claimed {limited}"),
        ),
        (
            "[enforce.default.block]\nvlan = 3\n",
            "f:2: enforce.default.block.vlan: an Access-Reject carries reply_message only \
             (RFC 2865 section 5.44)"
                .to_owned(),
        ),
        (
            "[enforce.default.allow]\nsession_timeout = \"10s\"\n",
            "f:2: enforce.default.allow.session_timeout: expected 1m to 30d, found 10s".to_owned(),
        ),
        (
            "[enforce.default.allow]\nreply_message = \"\"\n",
            "f:2: enforce.default.allow.reply_message: expected 1 to 253 octets, found 0"
                .to_owned(),
        ),
        (
            "[enforce.default.alow]\n",
            "f:1: enforce.default.alow: unknown key, did you mean allow?".to_owned(),
        ),
    ] {
        assert_eq!(said(text, enforce), expected, "row {text}");
    }
}

/// What a text becomes, and all that is said of it.
fn encoded(text: &str) -> (enforcement::Enforcement, String) {
    let (written, lines, mut problems) = read("f", text, enforce);
    let enforcement = written.encode(Dictionary::builtin(), &lines, &mut problems);
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    (enforcement, said.join("\n"))
}

fn prepared(attributes: &[(&str, &str)]) -> Prepared {
    let templates: Vec<_> = attributes
        .iter()
        .map(|(name, value)| Template::new(Dictionary::builtin(), name, value).unwrap())
        .collect();
    Prepared::new(&templates)
}

#[test]
fn attributes_keep_the_order_of_the_file() {
    let text = "[enforce.default.allow]\nvlan = 7\nclass = \"c\"\n\
                [enforce.default.allow.attributes]\nTermination-Action = 1\n\
                Aruba-User-Role = [\"staff\", \"voice\"]\nIdle-Timeout = \"600\"\n";
    let (enforcement, said) = encoded(text);
    assert_eq!(said, "");
    let expected = prepared(&[
        ("Tunnel-Type", "VLAN"),
        ("Tunnel-Medium-Type", "IEEE-802"),
        ("Tunnel-Private-Group-Id", "7"),
        ("Class", "c"),
        ("Termination-Action", "1"),
        ("Aruba-User-Role", "staff"),
        ("Aruba-User-Role", "voice"),
        ("Idle-Timeout", "600"),
    ]);
    assert_eq!(enforcement.default.allow.attributes, expected);
}

#[test]
fn keys_become_attributes_in_the_way_of_the_vendor() {
    // (template, keys, attributes)
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let rows: [Row<'_>; 13] = [
        (
            "cisco-ios-xe",
            "acl = \"GUEST\"\nacl_lines = [\"permit udp any any eq 53\", \"deny ip any any\"]\n\
             redirect_url = \"https://help.example/{mac}\"\nredirect_acl = \"REDIRECT\"\n\
             role = \"LIMITED\"\nsecurity_group = \"0010-00\"",
            &[
                ("Filter-Id", "GUEST.in"),
                ("Cisco-AVPair", "ip:inacl#1=permit udp any any eq 53"),
                ("Cisco-AVPair", "ip:inacl#2=deny ip any any"),
                ("Cisco-AVPair", "url-redirect-acl=REDIRECT"),
                ("Cisco-AVPair", "url-redirect=https://help.example/{mac}"),
                ("Cisco-AVPair", "subscriber:service-name=LIMITED"),
                ("Cisco-AVPair", "cts:security-group-tag=0010-00"),
            ],
        ),
        (
            "cisco-asa",
            "vlan = 20\ngroup_policy = \"LIMITED\"\naddress_pool = \"POOL\"",
            &[
                ("ASA-VLAN", "20"),
                ("ASA-Group-Policy", "LIMITED"),
                ("ASA-Address-Pools", "POOL"),
            ],
        ),
        ("meraki", "group_policy = \"g\"", &[("Filter-Id", "g")]),
        ("aruba", "role = \"r\"", &[("Aruba-User-Role", "r")]),
        ("aruba", "vlan = \"v\"", &[("Aruba-Named-User-Vlan", "v")]),
        ("ruckus", "role = \"r\"", &[("Ruckus-User-Groups", "r")]),
        (
            "extreme",
            "role = \"r\"",
            &[("Filter-Id", "Enterasys:version=1:policy=r")],
        ),
        ("fortinet", "role = \"r\"", &[("Fortinet-Group-Name", "r")]),
        (
            "globalprotect",
            "role = \"r\"",
            &[("PaloAlto-User-Group", "r")],
        ),
        ("netscaler", "role = \"r\"", &[("Citrix-User-Groups", "r")]),
        (
            "strongswan",
            "role = \"r\"",
            &[("Tunnel-Type", "ESP"), ("Filter-Id", "r")],
        ),
        (
            "mikrotik",
            "vlan = 20\nrole = \"r\"",
            &[
                ("Tunnel-Type", "VLAN"),
                ("Tunnel-Medium-Type", "IEEE-802"),
                ("Tunnel-Private-Group-Id", "20"),
                ("Mikrotik-Wireless-VLANID", "20"),
                ("Mikrotik-Group", "r"),
            ],
        ),
        // Rules are parted by NUL (RFC 4849 section 2).
        (
            "standard",
            "acl_lines = [\"deny in tcp from any to any 25\", \"permit in ip from any to any\"]",
            &[
                ("NAS-Filter-Rule", "deny in tcp from any to any 25\0"),
                ("NAS-Filter-Rule", "permit in ip from any to any"),
            ],
        ),
    ];
    for (template, keys, expected) in rows {
        let text = format!(
            "[enforce.group.g]\ntemplate = \"{template}\"\n[enforce.group.g.allow]\n{keys}\n\
             [enforce.group.g.allow-claimed]\nfilter_id = \"x\"\n\
             [enforce.group.g.quarantine]\nfilter_id = \"x\"\n"
        );
        let (enforcement, said) = encoded(&text);
        assert_eq!(said, "", "row {template}");
        let allow = &enforcement.groups["g"].allow;
        assert_eq!(
            allow.attributes,
            prepared(expected),
            "row {template} {keys}"
        );
    }
}

#[test]
fn what_a_group_takes_over_is_said_in_the_way_of_its_devices() {
    let text = "[enforce.default.quarantine]\nvlan = \"repair\"\nrole = \"q\"\n\
                [enforce.default]\ntemplate = \"aruba\"\n\
                [enforce.group.ap]\ntemplate = \"mine\"\n\
                [enforce.template.mine]\nbase = \"ruckus\"\n\
                role = { Filter-Id = \"role:{value}\", Class = \"{user}\" }\n";
    let (enforcement, said) = encoded(text);
    assert_eq!(said, "");
    let aruba = prepared(&[
        ("Aruba-Named-User-Vlan", "repair"),
        ("Aruba-User-Role", "q"),
    ]);
    assert_eq!(enforcement.default.quarantine.attributes, aruba);
    let vlan = [
        ("Tunnel-Type", "VLAN"),
        ("Tunnel-Medium-Type", "IEEE-802"),
        ("Tunnel-Private-Group-Id", "repair"),
    ];
    let mine = [&vlan[..], &[("Filter-Id", "role:q"), ("Class", "{user}")]].concat();
    assert_eq!(
        enforcement.groups["ap"].quarantine.attributes,
        prepared(&mine)
    );
}

#[test]
fn templates_table() {
    for (text, expected) in [
        (
            "[enforce.group.g]\ntemplate = \"aruva\"\n",
            "f:2: enforce.group.g.template: aruva is no template, did you mean aruba?",
        ),
        (
            "[enforce.template.aruba]\nrole = { Class = \"x\" }\n",
            "f:1: enforce.template.aruba: is a ready template, choose another name and base = that",
        ),
        (
            "[enforce.template.mine]\nbase = \"mine\"\n",
            "f:1: enforce.template.mine: its base mine rests on itself",
        ),
        (
            "[enforce.template.mine]\nrolle = { Class = \"x\" }\n",
            "f:2: enforce.template.mine.rolle: unknown key, did you mean role?",
        ),
        (
            "[enforce.default.allow]\nrole = \"x\"\n",
            "f:2: enforce.default.allow.role: template standard has no role; it has vlan, \
             filter_id, acl_lines, address_pool",
        ),
        (
            "[enforce.group.g]\ntemplate = \"unifi\"\n[enforce.group.g.allow]\nvlan = \"x\"\n",
            "f:4: enforce.group.g.allow.vlan: template unifi has no names of VLANs, only numbers; \
             it has vlan, filter_id",
        ),
        // Full access must not come of a limit that the devices do not understand.
        (
            "[enforce.group.g]\ntemplate = \"netscaler\"\n",
            "f:1: enforce.group.g: allow-claimed, taken over from enforce.default.allow-claimed: \
             template netscaler has no vlan; it has filter_id, role\n\
             f:1: enforce.group.g: quarantine, taken over from enforce.default.quarantine: \
             template netscaler has no vlan; it has filter_id, role",
        ),
        (
            "[enforce.group.g]\ntemplate = \"cisco-asa\"\n[enforce.group.g.allow]\n\
             redirect_url = \"https://{what}\"\n",
            "f:4: enforce.group.g.allow.redirect_url: as Cisco-AVPair: Cisco-AVPair: {what} is no \
             variable, known are user, mac, reason, code, verdict, nas, group, ssid, decision; a \
             brace itself is written {{",
        ),
        (
            "[enforce.default.allow]\nfilter_id = \"{ssid}\"\nacl_lines = [\"\", \"a\"]\n",
            "f:3: enforce.default.allow.acl_lines: as NAS-Filter-Rule: NAS-Filter-Rule: expected \
             text of at least one octet, found \"\"",
        ),
    ] {
        assert_eq!(encoded(text).1, expected, "row {text}");
    }
}

#[test]
fn attributes_table() {
    for (line, expected) in [
        ("Filter-Id = \"x\"", ""),
        ("\"vendor:9:1\" = \"x\"", ""),
        (
            "Filter-I = \"x\"",
            "Filter-I: Filter-I is no known attribute; expected a name such as Filter-Id, or \
             attribute:NUMBER, or vendor:ID:NUMBER; did you mean Filter-Id?",
        ),
        (
            "Session-Timeout = 60",
            "Session-Timeout: is what session_timeout of this profile sets already",
        ),
        (
            "\"Tunnel-Private-Group-ID\" = \"7\"",
            "Tunnel-Private-Group-ID: is what vlan of this profile sets already",
        ),
        (
            "Foo = true",
            "Foo: expected a text, a number of 0 or more, or a list of those, found true or false",
        ),
        (
            "Idle-Timeout = -1",
            "Idle-Timeout: expected a text, a number of 0 or more, or a list of those, found a \
             whole number",
        ),
        (
            "Message-Authenticator = \"x\"",
            "Message-Authenticator: Message-Authenticator is set by the gateway itself and cannot \
             be configured",
        ),
        (
            "NAS-Port = 3",
            "NAS-Port: NAS-Port is sent by network devices and has no place in a reply",
        ),
    ] {
        let text = format!(
            "[enforce.default.allow]\nvlan = 7\nsession_timeout = \"1h\"\n\
             [enforce.default.allow.attributes]\n{line}\n"
        );
        let expected = match expected {
            "" => String::new(),
            problem => format!("f:5: enforce.default.allow.attributes.{problem}"),
        };
        assert_eq!(encoded(&text).1, expected, "row {line}");
    }
    for (lines, said) in [
        (4, ""),
        (
            5,
            "f:2: warning: enforce.default.allow.attributes: attributes take 1210 octets: answers over \
             1,500 octets travel in fragments, which some paths drop",
        ),
        (
            11,
            "f:2: enforce.default.allow.attributes: attributes take 2662 octets of a packet, at \
             most 2560 fit beside keys and names",
        ),
    ] {
        let long = vec![format!("\"{}\"", "x".repeat(240)); lines].join(", ");
        let text = format!("[enforce.default.allow]\nattributes = {{ Class = [{long}] }}\n");
        assert_eq!(encoded(&text).1, said, "row {lines}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_readers_panic(text in "[\\[\\]a-z_.=\"'{}, \n0-9\u{e9}#]{0,120}") {
        read("f", &text, Gateway::read);
        read("f", &text, nas::read);
        read("f", &text, users::read);
    }

    #[test]
    fn a_cut_sample_never_makes_the_readers_panic(cut in 0..6000_usize) {
        for (name, text) in crate::config::DEFAULT_FILES {
            let end = text.floor_char_boundary(cut);
            let text = text.get(..end).unwrap_or("");
            read(name, text, Gateway::read);
            read(name, text, nas::read);
            read(name, text, users::read);
        }
    }
}
