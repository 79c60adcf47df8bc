//! The files of this room, read with every mistake that people make.

use proptest::prelude::*;

use crate::config::gateway::Gateway;
use crate::config::nas;
use crate::config::users;
use crate::document::Section;
use crate::document::read;

/// Everything said of `text`, one problem a line.
pub(super) fn said<T>(text: &str, reader: impl FnOnce(&mut Section<'_>) -> T) -> String {
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
            format!(
                "name = \"a\"\n{sound}dynamic_authorization = true\n\
                 dynamic_authorization_secret_file = \"x\"\n"
            ),
            "",
        ),
        (
            format!("name = \"a\"\n{sound}dynamic_authorization_secret = \"x\"\n"),
            "f:5: nas[0].dynamic_authorization_secret: means nothing without \
             dynamic_authorization = true",
        ),
        (
            format!(
                "name = \"a\"\n{sound}dynamic_authorization = true\n\
                 dynamic_authorization_secret = \"x\"\n\
                 dynamic_authorization_secret_file = \"y\"\n"
            ),
            "f:7: nas[0].dynamic_authorization_secret_file: either \
             dynamic_authorization_secret or dynamic_authorization_secret_file, not both",
        ),
        (
            "name = \"a\"\ncertificate_name = \"a.example.org\"\n\
             dynamic_authorization = true\ndynamic_authorization_secret = \"x\"\n"
                .to_owned(),
            "f:5: nas[0].dynamic_authorization_secret: means nothing over TLS, where requests go \
             on the connection",
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
