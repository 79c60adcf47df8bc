//! Names and passwords, from a file or made by a pattern.

use std::borrow::Cow;
use std::fs;
use std::io;

/// A list of logins.
///
/// As text: a file with `NAME PASSWORD` in each line (`#` begins a comment), or a pattern
/// `NAME:PASSWORD`, or `NAME:PASSWORD+COUNT` where `{n}` stands for 0 to COUNT − 1.
#[derive(Clone, Debug)]
pub(crate) enum Logins {
    List(Vec<(String, String)>),
    Pattern {
        name: String,
        password: String,
        count: u64,
    },
}

impl Logins {
    /// Reads the text form.
    pub(crate) fn read(text: &str) -> io::Result<Self> {
        if let Some((name, rest)) = text.split_once(':') {
            return pattern(name, rest).ok_or_else(|| {
                wrong(format!(
                    "{text}: expected NAME:PASSWORD, or NAME:PASSWORD+COUNT with {{n}} in the name"
                ))
            });
        }
        let content = fs::read_to_string(text)
            .map_err(|error| io::Error::new(error.kind(), format!("{text}: {error}")))?;
        let mut list = Vec::new();
        for (number, line) in (1..).zip(content.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, password) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| wrong(format!("{text}: line {number}: expected NAME PASSWORD")))?;
            list.push((name.to_owned(), password.trim().to_owned()));
        }
        if list.is_empty() {
            return Err(wrong(format!("{text} names nobody")));
        }
        Ok(Self::List(list))
    }

    /// How many there are; at least one.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::List(list) => u64::try_from(list.len()).unwrap_or(u64::MAX),
            Self::Pattern { count, .. } => *count,
        }
    }

    /// Name and password number `index`, counted round and round.
    pub(crate) fn get(&self, index: u64) -> (Cow<'_, str>, Cow<'_, str>) {
        let index = index % self.len().max(1);
        match self {
            Self::List(list) => {
                let login = usize::try_from(index)
                    .ok()
                    .and_then(|index| list.get(index));
                login.map_or_else(Default::default, |(name, password)| {
                    (name.as_str().into(), password.as_str().into())
                })
            }
            Self::Pattern { name, password, .. } => (number(name, index), number(password, index)),
        }
    }

    /// Whether a name has this password.
    pub(crate) fn accept(&self, name: &str, password: &str) -> bool {
        match self {
            Self::List(list) => list.iter().any(|(n, p)| n == name && p == password),
            Self::Pattern { .. } => {
                (0..self.len()).any(|index| self.get(index) == (name.into(), password.into()))
            }
        }
    }
}

/// `text` with its `{n}` replaced.
pub(crate) fn number(text: &str, n: u64) -> Cow<'_, str> {
    if text.contains("{n}") {
        text.replace("{n}", &n.to_string()).into()
    } else {
        text.into()
    }
}

fn pattern(name: &str, rest: &str) -> Option<Logins> {
    let counted = rest
        .rsplit_once('+')
        .and_then(|(password, count)| Some((password, count.parse().ok()?)));
    let (password, count) = counted.unwrap_or((rest, 1));
    let tells_apart = count == 1 || (count > 1 && name.contains("{n}"));
    (!name.is_empty() && tells_apart).then(|| Logins::Pattern {
        name: name.to_owned(),
        password: password.to_owned(),
        count,
    })
}

fn wrong(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_make_logins() {
        for (text, count, index, login) in [
            ("alice:secret", 1, 7, ("alice", "secret")),
            ("alice:a+b", 1, 0, ("alice", "a+b")),
            ("u{n}@x:p{n}+100", 100, 42, ("u42@x", "p42")),
            ("u{n}@x:p{n}+100", 100, 142, ("u42@x", "p42")),
            ("u{n}:same+2", 2, 1, ("u1", "same")),
        ] {
            let logins = Logins::read(text).unwrap();
            assert_eq!(logins.len(), count, "row {text}");
            let (name, password) = logins.get(index);
            assert_eq!((&*name, &*password), login, "row {text}");
            assert!(logins.accept(&name, &password), "row {text}");
            assert!(!logins.accept(&name, "wrong"), "row {text}");
        }
        for wrong in [
            ":secret",
            "alice:secret+0",
            "alice:secret+5",
            "/does/not/exist",
        ] {
            assert!(Logins::read(wrong).is_err(), "row {wrong}");
        }
    }

    #[test]
    fn files_name_logins_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        fs::write(&file, "# who\n\nalice  a secret\nbob b\n").unwrap();
        let logins = Logins::read(file.to_str().unwrap()).unwrap();
        assert_eq!(logins.len(), 2);
        assert!(logins.accept("alice", "a secret"));
        assert_eq!(logins.get(3), ("bob".into(), "b".into()));
        fs::write(&file, "alice\n").unwrap();
        let error = Logins::read(file.to_str().unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("line 1: expected NAME PASSWORD")
        );
    }
}
