//! The files of this room, read with every mistake that people make.

use proptest::prelude::*;

use crate::config::enforcement;
use crate::config::gateway::Gateway;
use crate::config::nas;
use crate::config::users;
use crate::document::Section;
use crate::document::read;
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
            format!("name = \"a\"\npassword = \"$5$rounds=500001$salt${SHA256}\"\n"),
            "f:3: user[0].password: the hash asks for 500001 rounds, at most 500000 are accepted",
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
/// The hash of a SHA-256-crypt string.
const SHA256: &str = "49yU6pOqknRiraoDvy5YVUvquhabVUIYqKQ8se7bFj2";

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

fn enforce(section: &mut Section<'_>) -> enforcement::Enforcement {
    let mut enforce = section.child("enforce");
    let read = enforcement::read(&mut enforce);
    enforce.finish();
    read
}

#[test]
fn profiles_table() {
    let limited = "would give full access: set vlan, filter_id or attributes";
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

#[test]
fn attributes_keep_the_order_of_the_file() {
    let text = "[enforce.default.allow.attributes]\nTermination-Action = 1\n\
                Aruba-User-Role = [\"staff\", \"voice\"]\nIdle-Timeout = \"600\"\n";
    let (enforcement, _, problems) = read("f", text, enforce);
    assert_eq!(problems, []);
    let expected = [
        ("Termination-Action", "1"),
        ("Aruba-User-Role", "staff"),
        ("Aruba-User-Role", "voice"),
        ("Idle-Timeout", "600"),
    ]
    .map(|(name, value)| Template::parse(name, value).unwrap());
    assert_eq!(enforcement.default.allow.attributes, expected);
}

#[test]
fn attributes_table() {
    for (line, expected) in [
        ("Filter-Id = \"x\"", ""),
        ("\"vendor:9:1\" = \"x\"", ""),
        (
            "Filter-I = \"x\"",
            "Filter-I: Filter-I is no known attribute; expected a name such as Filter-Id, or \
             attribute:NUMBER, or vendor:ID:NUMBER",
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
        assert_eq!(said(&text, enforce), expected, "row {line}");
    }
    let long = "x".repeat(240);
    let text = format!(
        "[enforce.default.allow]\nattributes = {{ Class = [\"{long}\", \"{long}\", \"{long}\"] }}\n"
    );
    assert_eq!(
        said(&text, enforce),
        "f:2: enforce.default.allow.attributes: take 726 octets of a packet, at most 600 fit \
         beside EAP"
    );
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
