use super::*;

/// Everything said of `text`, one problem a line.
fn said<T>(text: &str, reader: impl FnOnce(&mut Section<'_>) -> T) -> String {
    let (_, _, problems) = read("f", text, reader);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn listen(section: &mut Section<'_>) -> Option<u16> {
    let mut listen = section.child("listen");
    let port = listen.read("port");
    let _: Option<Vec<u16>> = listen.read("spare_ports");
    listen.finish();
    port
}

#[test]
fn each_wrong_key_is_reported_with_its_line_and_a_suggestion() {
    let text = "lisen = 1\n\n[listen]\nport = 1\nprot = 2\nspare-ports = []\n\nfoo.bar = 1\n";
    assert_eq!(
        said(text, listen),
        "f:1: lisen: unknown key, did you mean listen?\n\
         f:5: listen.prot: unknown key, did you mean port?\n\
         f:6: listen.spare-ports: unknown key, did you mean spare_ports?\n\
         f:8: listen.foo: unknown key, known here: port, spare_ports"
    );
}

#[test]
fn values_table() {
    for (value, expected) in [
        ("1", ""),
        ("0x1f", ""),
        (
            "[1]",
            "f:2: listen.port: expected a whole number without quotes, found a list",
        ),
        (
            "\"1\"",
            "f:2: listen.port: expected a whole number without quotes, found a text",
        ),
        ("65535", ""),
        (
            "65536",
            "f:2: listen.port: expected a whole number of 0 to 65535",
        ),
        (
            "-1",
            "f:2: listen.port: expected a whole number of 0 to 65535",
        ),
        (
            "99999999999999999999",
            "f:2: listen.port: expected a whole number of 0 to 65535",
        ),
        (
            "1.5",
            "f:2: listen.port: expected a whole number without quotes, found a number with a fraction",
        ),
        (
            "true",
            "f:2: listen.port: expected a whole number without quotes, found true or false",
        ),
        (
            "1979-05-27",
            "f:2: listen.port: expected a whole number without quotes, found a date",
        ),
        (
            "{}",
            "f:2: listen.port: expected a whole number without quotes, found a table",
        ),
    ] {
        let text = format!("[listen]\nport = {value}\n");
        assert_eq!(said(&text, listen), expected, "row {value}");
    }
}

#[test]
fn each_wrong_element_of_a_list_is_reported_on_its_line() {
    let text = "[listen]\nspare_ports = [\n  1,\n  \"2\",\n  3,\n  -4,\n]\n";
    assert_eq!(
        said(text, listen),
        "f:4: listen.spare_ports[1]: expected a whole number without quotes, found a text\n\
         f:6: listen.spare_ports[3]: expected a whole number of 0 to 65535"
    );
}

#[test]
fn syntax_errors_keep_other_problems_back() {
    for text in [
        "[listen]\nport = \n",
        "[listen]\nport = 1\nport = 2\n",
        "[listen\n",
        "= 1\nwrong = 1\n",
        "\u{0}",
    ] {
        let said = said(text, listen);
        assert!(!said.is_empty(), "row {text:?}");
        for line in said.lines() {
            assert!(line.contains("not TOML: "), "row {text:?}: {line}");
            assert!(line.starts_with("f:"), "row {text:?}: {line}");
        }
    }
}

#[test]
fn a_key_that_stands_twice_is_named() {
    for (text, expected) in [
        (
            "[listen]\nport = 1\nport = 2\n",
            "f:3: not TOML: duplicate key port",
        ),
        (
            "[listen]\nport = 1\n[listen]\n",
            "f:3: not TOML: duplicate key listen",
        ),
    ] {
        assert_eq!(said(text, listen), expected, "row {text:?}");
    }
}

#[test]
fn a_key_that_is_not_written_has_the_line_of_its_table() {
    let (_, written, _) = read("f", "\n[listen]\n", listen);
    for (key, expected) in [
        ("listen.port", "f:2: listen.port: x"),
        ("listen", "f:2: listen: x"),
        ("elsewhere.port", "f: elsewhere.port: x"),
    ] {
        assert_eq!(written.error(key, "x").to_string(), expected);
    }
}

#[test]
fn a_value_where_a_table_should_be() {
    assert_eq!(
        said("listen = 3\n", listen),
        "f:1: listen: expected a table, found a whole number"
    );
}
