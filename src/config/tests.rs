mod files;
mod profiles;
mod reactions;

use super::gateway::Gateway;
use super::*;
use crate::radius::Dictionary;
use crate::radius::Template;

fn default_text(name: &str) -> &'static str {
    DEFAULT_FILES
        .iter()
        .find(|(file, _)| *file == name)
        .map(|(_, text)| *text)
        .unwrap()
}

#[test]
fn gateway_toml_says_the_defaults_of_the_code() {
    let text = default_text("gateway.toml");
    let (gateway, _, problems) = document::read("gateway.toml", text, Gateway::read);
    assert_eq!(problems, []);
    assert_eq!(gateway, Gateway::default());
}

#[test]
fn gateway_toml_names_every_key_there_is() {
    let text = default_text("gateway.toml");
    let (_, written, _) = document::read("gateway.toml", text, Gateway::read);
    assert!(written.lines.len() > 60, "{}", written.lines.len());
    for (key, line) in &written.lines {
        let name = key.rsplit('.').next().unwrap();
        let named = text
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .any(|comment| comment.split_whitespace().next() == Some(name));
        assert!(
            line.is_some() || named || name == "group",
            "{key} stands nowhere in conf/gateway.toml"
        );
    }
}

fn encoded(text: &str) -> Enforcement {
    let (gateway, written, mut problems) = document::read("f", text, Gateway::read);
    let enforcement = &gateway.enforcement;
    let encoded = enforcement.encode(Dictionary::builtin(), &written, &mut problems);
    assert_eq!(problems, []);
    encoded
}

#[test]
fn the_default_profiles_limit_what_they_must() {
    let profiles = encoded("").default;
    let limits = |profile: &Profile| !profile.attributes.is_empty();
    assert!(!limits(&profiles.allow), "allow");
    assert!(limits(&profiles.allow_claimed), "allow-claimed");
    assert!(limits(&profiles.quarantine), "quarantine");
    assert!(
        profiles.block.reply_message.is_some() && !limits(&profiles.block),
        "block"
    );
}

#[test]
fn a_group_overrides_whole_profiles_and_inherits_the_others() {
    let text = "[enforce.default.allow]\nvlan = 5\n\
                [enforce.group.aruba.quarantine]\nattributes = { \"Aruba-User-Role\" = \"q\" }\n";
    let enforcement = encoded(text);
    let aruba = enforcement.groups.get("aruba").unwrap();
    let role = Template::parse("Aruba-User-Role", "q").unwrap();
    let own = aruba.quarantine.attributes.octets();
    assert_eq!(
        own,
        Some(role.octets()),
        "nothing of the default quarantine is added"
    );
    assert_eq!(aruba.allow, enforcement.default.allow);
}

#[test]
fn relative_paths_start_beside_the_conf_folder() {
    for (folder, base, expected) in [
        ("conf", "..", ""),
        ("./conf", "..", "."),
        ("/etc/portreeve/conf", "..", "/etc/portreeve"),
        ("/etc/portreeve", ".", "/etc/portreeve/."),
        ("/etc/portreeve", "/srv", "/srv"),
        (".", "..", "./.."),
    ] {
        let found = base_folder(Path::new(folder), Path::new(base));
        assert_eq!(found.as_os_str(), expected, "row {folder} {base}");
    }
}

#[test]
fn problems_are_sorted_by_file_and_line() {
    let problem = |file: &str, line| Problem {
        file: file.to_owned(),
        line,
        key: String::new(),
        message: String::new(),
        severity: Severity::Error,
    };
    let mut problems = vec![
        problem("c", Some(1)),
        problem("a", Some(9)),
        problem("b", Some(2)),
        problem("a", None),
        problem("d", Some(1)),
        problem("c", None),
    ];
    sort(&["b".to_owned(), "a".to_owned()], &mut problems);
    let order: Vec<_> = problems
        .iter()
        .map(|one| (one.file.as_str(), one.line))
        .collect();
    let expected = [
        ("b", Some(2)),
        ("a", None),
        ("a", Some(9)),
        ("c", None),
        ("c", Some(1)),
        ("d", Some(1)),
    ];
    assert_eq!(order, expected);
}
