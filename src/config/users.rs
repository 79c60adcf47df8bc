//! `users.toml`: passwords for those without a certificate.

use crate::directory::Entry;
use crate::directory::Password;
use crate::document::Section;
use crate::model::Secret;
use crate::model::UserId;

/// One `[[user]]` with its key, `user[0]`.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    pub(super) entry: Entry,
    pub(super) key: String,
}

/// Reads every `[[user]]`; one with a mistake is left out, its problems are reported.
pub(super) fn read(section: &mut Section<'_>) -> Vec<Keyed> {
    let mut users: Vec<Keyed> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for (index, mut table) in section.children("user").into_iter().enumerate() {
        let key = format!("user[{index}]");
        let Some(entry) = read_one(&mut table) else {
            continue;
        };
        if let Some(other) = seen.insert(entry.name.clone(), key.clone()) {
            table.error(
                "name",
                format!("{} is already the name of {other}", entry.name),
            );
            continue;
        }
        users.push(Keyed { entry, key });
    }
    users
}

fn read_one(section: &mut Section<'_>) -> Option<Entry> {
    let name: Option<String> = section.require("name", "name = \"alice@contoso.com\"");
    let hash: Option<String> = section.read("password");
    let nt_hash: Option<String> = section.read("nt_hash");
    let clear: Option<String> = section.read("clear");
    section.finish();

    let user = name.as_deref().and_then(UserId::parse);
    if name.is_some() && user.is_none() {
        section.error("name", "expected 1 to 253 octets");
    }
    let forms = FORMS.iter().filter(|form| section.has(form)).count();
    if forms != 1 {
        section.error(
            "",
            format!("expected exactly one of password, nt_hash and clear, found {forms}"),
        );
        return None;
    }
    let password = match (hash, nt_hash, clear) {
        (Some(text), _, _) => parsed(section, "password", text.parse()),
        (_, Some(text), _) => parsed(section, "nt_hash", text.parse()).map(Password::NtHash),
        (_, _, Some(text)) if text.is_empty() => {
            section.error("clear", "is empty, so that anybody could log in");
            None
        }
        (_, _, Some(text)) => Some(Password::Clear(Secret::new(text.into_bytes()))),
        (None, None, None) => None,
    };
    Some(Entry {
        name: user?,
        password: password?,
    })
}

fn parsed<T, E: std::fmt::Display>(
    section: &Section<'_>,
    key: &str,
    outcome: Result<T, E>,
) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            section.error(key, error.to_string());
            None
        }
    }
}

/// The keys of which a user has one.
const FORMS: [&str; 3] = ["password", "nt_hash", "clear"];
