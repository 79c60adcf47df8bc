//! Profiles and templates, read and encoded with every mistake that people make.

use crate::config::enforcement;
use crate::config::tests::files::said;
use crate::document::Section;
use crate::document::read;
use crate::radius::Dictionary;
use crate::radius::Prepared;
use crate::radius::Template;

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
