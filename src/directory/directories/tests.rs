use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::directory::parse;

const TEXT: &str = "
    deadline = \"5s\"
    [[ldap]]
    name = \"a\"
    servers = [\"ldap://127.0.0.1:9\"]
    start_tls = false
    base = \"dc=a\"
    [[ldap]]
    name = \"b\"
    servers = [\"ldap://127.0.0.1:9\"]
    start_tls = false
    base = \"dc=b\"
    [winbind]
    command = [\"/bin/false\"]
";

fn config(text: &str) -> Config {
    parse("f", Path::new("/"), text).unwrap().0
}

fn clock() -> Clock {
    Clock::new(Monotonic::default)
}

/// A reload closed every connection, and asked servers again that had just failed.
#[test]
fn what_is_configured_as_it_was_goes_on_after_a_reload() {
    let before = Directories::new(config(TEXT), &clock());
    for (row, from, to, kept) in [
        ("nothing", "", "", [true, true, true]),
        (
            "the deadline of all",
            "\"5s\"",
            "\"4s\"",
            [true, true, true],
        ),
        ("one base", "dc=b", "dc=c", [true, false, true]),
        (
            "all servers",
            "127.0.0.1",
            "127.0.0.2",
            [false, false, true],
        ),
        ("one name", "\"a\"", "\"z\"", [false, true, true]),
        ("the helper", "/bin/false", "/bin/true", [true, true, false]),
    ] {
        let text = TEXT.replace(from, to);
        let after = before.renewed(config(&text), &clock());
        let ldap = before.ldap.iter().zip(&after.ldap);
        let mut goes_on: Vec<bool> = ldap.map(|(one, other)| Arc::ptr_eq(one, other)).collect();
        let (one, other) = (before.winbind.as_ref(), after.winbind.as_ref());
        goes_on.push(Arc::ptr_eq(one.unwrap(), other.unwrap()));
        assert_eq!(goes_on, kept, "row {row}");
    }
    assert!(before.renewed(config(""), &clock()).is_empty());
}

#[test]
fn another_password_or_authority_makes_another_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let text = TEXT.replace(
        "base = \"dc=a\"",
        "base = \"dc=a\"\nbind_dn = \"cn=a\"\nbind_password_file = \"password\"",
    );
    let read = |password: &str| {
        fs::write(&path, password).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        parse("f", folder.path(), &text).unwrap().0
    };
    let before = Directories::new(read("one"), &clock());
    let goes_on = |config: Config| {
        let after = before.renewed(config, &clock());
        Arc::ptr_eq(&before.ldap[0], &after.ldap[0])
    };
    assert!(goes_on(read("one")));
    assert!(!goes_on(read("two")));
    let mut other = read("one");
    other.ldap[0].1.authorities = crate::model::Fingerprint::of(b"of another authority");
    assert!(!goes_on(other));
}

#[tokio::test]
async fn what_came_of_questions_is_counted_over_reloads() {
    let before = Directories::new(config(TEXT), &clock());
    let password = Question::Password(Secret::new(b"x".to_vec()));
    let told = before.ask("alice", &password).await;
    assert!(matches!(told, Told::Unavailable(_)), "{told:?}");
    let after = before.renewed(config(TEXT), &clock());
    assert_eq!(after.status().outcomes[3], ("unavailable", 1));
}
