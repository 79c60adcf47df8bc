//! The lines that `ntlm_auth --helper-protocol=ntlm-server-1` reads and writes.
//!
//! `Name: value`, or `Name:: value` in base 64, and a line with a dot ends either side's turn
//! (ntlm_auth(1)). What users type always goes in base 64, so that no name can add a line.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::directory::name::LoginName;

/// What a helper says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The answer is right; the user's session key, which of NT hashes is the hash of the hash.
    Yes([u8; 16]),
    /// It is not, or it cannot be told; why.
    No(String),
}

/// Octets that are not a whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// The dot has not come yet.
    More,
    /// It will never be one.
    Malformed,
}

/// The question whether `response` answers `challenge`.
pub(super) fn write(
    name: &LoginName<'_>,
    domain: &str,
    challenge: &[u8; 8],
    response: &[u8; 24],
) -> Vec<u8> {
    let mut lines = String::new();
    let mut line = |key: &str, value: &str| {
        lines.push_str(key);
        lines.push_str(value);
        lines.push('\n');
    };
    let user = if name.is_machine {
        // A machine's account is its name without domain, and a dollar sign.
        format!("{}$", name.user)
    } else {
        name.user.to_owned()
    };
    line("Username:: ", &STANDARD.encode(user));
    // What stands behind an @ is a Kerberos realm and no NT domain.
    let is_domain = name.whole.contains('\\');
    let domain = name.realm.filter(|_| is_domain).unwrap_or(domain);
    if !domain.is_empty() {
        line("NT-Domain:: ", &STANDARD.encode(domain));
    }
    line("LANMAN-Challenge: ", &hex(challenge));
    line("NT-Response: ", &hex(response));
    line("Request-User-Session-Key: ", "Yes");
    line(".", "");
    lines.into_bytes()
}

/// Reads a reply.
///
/// # Errors
///
/// While its last line has not come, and when it cannot be one.
pub fn read(octets: &[u8]) -> Result<Reply, Incomplete> {
    let mut lines = octets.split_inclusive(|octet| *octet == b'\n');
    let (mut authenticated, mut key, mut why) = (None, None, None);
    let mut has_begun = false;
    loop {
        let Some(line) = lines.next().and_then(|line| line.strip_suffix(b"\n")) else {
            // A helper that goes on without end.
            return Err(if octets.len() > MAX_REPLY {
                Incomplete::Malformed
            } else {
                Incomplete::More
            });
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Samba ends a refusal twice, and the second end may come with the next reply.
        if !has_begun && matches!(line, b"." | b"") {
            continue;
        }
        if line == b"." {
            break;
        }
        has_begun = true;
        let line = std::str::from_utf8(line).map_err(|_| Incomplete::Malformed)?;
        let (name, value) = line.split_once(':').ok_or(Incomplete::Malformed)?;
        let value = match value.strip_prefix(':') {
            Some(encoded) => {
                let octets = STANDARD.decode(encoded.trim());
                let octets = octets.map_err(|_| Incomplete::Malformed)?;
                String::from_utf8(octets).map_err(|_| Incomplete::Malformed)?
            }
            None => value.trim().to_owned(),
        };
        match name {
            "Authenticated" => authenticated = Some(value == "Yes"),
            "User-Session-Key" => key = Some(unhex(&value).ok_or(Incomplete::Malformed)?),
            "Authentication-Error" | "Error" => why = Some(value),
            _ => {}
        }
    }
    if lines.any(|line| !matches!(line.trim_ascii_end(), b"." | b"")) {
        return Err(Incomplete::Malformed);
    }
    match (authenticated, key) {
        (Some(true), Some(key)) => Ok(Reply::Yes(key)),
        (Some(true), None) => Ok(Reply::No("winbind gave no session key".to_owned())),
        (Some(false), _) => Ok(Reply::No(why.unwrap_or_default())),
        (None, _) => match why {
            Some(why) => Ok(Reply::No(format!("winbind says: {why}"))),
            None => Err(Incomplete::Malformed),
        },
    }
}

/// Whether a refusal is about the user, and not about the domain that cannot be asked.
pub(super) fn is_of_user(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    !OF_DOMAIN.iter().any(|sign| why.contains(sign))
}

/// What a record says of a refusal.
pub(super) fn in_words(why: &str) -> String {
    // Samba's text for NT_STATUS_WRONG_PASSWORD speaks of a change of the password, which nobody wants here.
    if why.contains("current password is not correct") {
        return "the domain refuses: the password is not this user's".to_owned();
    }
    format!("the domain refuses: {why}")
}

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.map(|digit| digit.to_ascii_uppercase()).collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// Signs in Samba's texts, which end in the number of an NTSTATUS, that nobody was asked:
/// NO_LOGON_SERVERS, IO_TIMEOUT, CANT_ACCESS_DOMAIN_INFO, DOMAIN_CONTROLLER_NOT_FOUND,
/// NO_TRUST_SAM_ACCOUNT, TRUSTED_RELATIONSHIP_FAILURE, and whatever names winbind.
const OF_DOMAIN: [&str; 12] = [
    "winbind",
    "logon servers",
    "domain controller",
    "timed out",
    "timeout",
    "0xc000005e",
    "0xc00000b5",
    "0xc00000da",
    "0xc0000233",
    "0xc000018b",
    "0xc000018d",
    "access denied",
];

/// Four lines with a sentence have a tenth of it.
const MAX_REPLY: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_told_in_words_that_fit() {
        let samba = "When trying to update a password, this return status indicates that the value \
                     provided as the current password is not correct.";
        let said = in_words(samba);
        assert_eq!(said, "the domain refuses: the password is not this user's");
        assert!(is_of_user(samba));
        assert_eq!(
            in_words("Account locked out"),
            "the domain refuses: Account locked out"
        );
    }

    #[test]
    fn a_machine_asks_by_the_name_of_its_account() {
        let name = LoginName::new("host/pc1.contoso.com");
        let lines = String::from_utf8(write(&name, "CONTOSO", &[0; 8], &[0; 24])).unwrap();
        for (key, value) in [("Username", "pc1$"), ("NT-Domain", "CONTOSO")] {
            let line = format!("{key}:: {}\n", STANDARD.encode(value));
            assert!(lines.contains(&line), "row {key}: {lines}");
        }
    }

    #[test]
    fn a_question_is_lines_that_no_name_can_add_to() {
        let name = LoginName::new("CONTOSO\\al\nNT-Response: 00");
        let lines = String::from_utf8(write(&name, "OTHER", &[0xab; 8], &[0x01; 24])).unwrap();
        let expected = format!(
            "Username:: {}\nNT-Domain:: {}\nLANMAN-Challenge: ABABABABABABABAB\n\
             NT-Response: {}\nRequest-User-Session-Key: Yes\n.\n",
            STANDARD.encode("al\nNT-Response: 00"),
            STANDARD.encode("CONTOSO"),
            "01".repeat(24)
        );
        assert_eq!(lines, expected);
        for (whole, domain, expected) in [
            ("alice", "", None),
            ("alice", "OTHER", Some("OTHER")),
            ("alice@contoso.com", "OTHER", Some("OTHER")),
        ] {
            let lines = write(&LoginName::new(whole), domain, &[0; 8], &[0; 24]);
            let lines = String::from_utf8(lines).unwrap();
            let line = expected.map(|domain| format!("NT-Domain:: {}", STANDARD.encode(domain)));
            let found = lines.lines().find(|line| line.starts_with("NT-Domain"));
            assert_eq!(found, line.as_deref(), "row {whole} {domain}");
        }
    }

    #[test]
    fn replies_are_read_when_they_are_whole() {
        let key = "000102030405060708090A0B0C0D0E0F";
        let octets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        for (text, expected) in [
            (
                format!("Authenticated: Yes\nUser-Session-Key: {key}\n.\n"),
                Ok(Reply::Yes(octets)),
            ),
            (
                format!("Authenticated: Yes\r\nUser-Session-Key: {key}\r\n.\r\n"),
                Ok(Reply::Yes(octets)),
            ),
            (
                "Authenticated: No\nAuthentication-Error: Wrong\n.\n".to_owned(),
                Ok(Reply::No("Wrong".to_owned())),
            ),
            (
                "Authenticated: No\nAuthentication-Error:: V3Jvbmc=\n.\n".to_owned(),
                Ok(Reply::No("Wrong".to_owned())),
            ),
            (
                "Authenticated: No\n.\n".to_owned(),
                Ok(Reply::No(String::new())),
            ),
            (
                "Authenticated: Yes\n.\n".to_owned(),
                Ok(Reply::No("winbind gave no session key".to_owned())),
            ),
            (
                "Error: bad\n.\n".to_owned(),
                Ok(Reply::No("winbind says: bad".to_owned())),
            ),
            (String::new(), Err(Incomplete::More)),
            ("Authenticated: Yes\n".to_owned(), Err(Incomplete::More)),
            (
                format!("Authenticated: Yes\nUser-Session-Key: {key}\n."),
                Err(Incomplete::More),
            ),
            // The second end of the refusal before.
            (".\n".to_owned(), Err(Incomplete::More)),
            (".\n".repeat(9000), Err(Incomplete::Malformed)),
            (
                format!(".\nAuthenticated: Yes\nUser-Session-Key: {key}\n.\n"),
                Ok(Reply::Yes(octets)),
            ),
            (
                "Authenticated: No\nAuthentication-Error: Wrong\n.\n.\n".to_owned(),
                Ok(Reply::No("Wrong".to_owned())),
            ),
            ("garbage\n.\n".to_owned(), Err(Incomplete::Malformed)),
            (
                "User-Session-Key: 00\n.\n".to_owned(),
                Err(Incomplete::Malformed),
            ),
            (
                "Authenticated: No\n.\nAuthenticated: Yes\n.\n".to_owned(),
                Err(Incomplete::Malformed),
            ),
            ("x".repeat(9000), Err(Incomplete::Malformed)),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "row {text}");
        }
        assert_eq!(read(b"\xff\n.\n"), Err(Incomplete::Malformed));
    }

    #[test]
    fn a_domain_that_cannot_be_asked_is_no_wrong_password() {
        for (why, is_of_user) in [
            (
                "The attempted logon is invalid. This is either due to a bad username or \
                 authentication information. (0xc000006d)",
                true,
            ),
            ("Wrong Password (0xc000006a)", true),
            ("Account locked out (0xc0000234)", true),
            (
                "No logon servers are currently available to service the logon request. (0xc000005e)",
                false,
            ),
            ("Reading winbind reply failed! (0xc0000001)", false),
            ("winbind gave no session key", false),
        ] {
            assert_eq!(super::is_of_user(why), is_of_user, "row {why}");
        }
    }
}
