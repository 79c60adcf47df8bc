//! The message as it would have travelled (RFC 5322, RFC 2045 to 2047), for clients that take nothing
//! else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::Timestamp;

use super::message::Message;

/// A message of two forms, text and HTML, in ASCII and with lines of at most 76 characters.
pub(super) fn write(message: &Message) -> String {
    let mut lines = format!(
        "From: {}\r\n",
        mailbox(&message.from).unwrap_or_else(|| message.from.clone())
    );
    // A user whose name is no address stands in no header.
    if let Some(to) = mailbox(&message.to) {
        lines.push_str(&format!("To: {to}\r\n"));
    }
    lines.push_str(&format!("Subject: {}\r\n", text(&message.subject)));
    lines.push_str(&format!("Date: {}\r\n", date(message.sent)));
    // One for each revision and time, as of a message that was sent once.
    let id = (message.revision, message.sent.unix_millis());
    let host = message.from.rsplit_once('@').map_or("", |(_, host)| host);
    let host = host.trim_end_matches('>');
    lines.push_str(&format!("Message-ID: <{}.{}@{host}>\r\n", id.0, id.1));
    lines.push_str("MIME-Version: 1.0\r\n");
    lines.push_str(&format!(
        "Content-Type: multipart/alternative; boundary=\"{BOUNDARY}\"\r\n"
    ));
    for (kind, part) in [("plain", &message.text), ("html", &message.html)] {
        lines.push_str(&format!(
            "\r\n--{BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        ));
        push_wrapped(&mut lines, &STANDARD.encode(part));
    }
    lines.push_str(&format!("\r\n--{BOUNDARY}--\r\n"));
    lines
}

/// An address, with the name before it as far as there is one; `None` if it is none that a header
/// takes.
fn mailbox(given: &str) -> Option<String> {
    let (name, address) = match given.rsplit_once('<') {
        Some((name, address)) => (name.trim().trim_matches('"'), address.strip_suffix('>')?),
        None => ("", given),
    };
    let is_plain =
        |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet);
    let (local, host) = address.split_once('@')?;
    let is_address = [local, host]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(is_plain));
    if !is_address {
        return None;
    }
    if name.is_empty() {
        return Some(address.to_owned());
    }
    // As encoded words even where it need not be: what is special in a name is so in none of them.
    Some(format!("{}\r\n <{address}>", words(name)))
}

/// A text for a header (RFC 2047).
fn text(given: &str) -> String {
    let fits = given.len() <= 60 && !given.contains("=?");
    if fits && given.bytes().all(|octet| (b' '..=b'~').contains(&octet)) {
        return given.to_owned();
    }
    words(given)
}

/// Encoded words, each in a line of its own and none with a part of a character (RFC 2047 section 2
/// and 5).
fn words(given: &str) -> String {
    let mut words = String::new();
    let mut rest = given;
    while !rest.is_empty() {
        let at = rest.floor_char_boundary(WORD);
        let (word, after) = rest.split_at(at);
        if !words.is_empty() {
            words.push_str("\r\n ");
        }
        words.push_str(&format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words
}

fn push_wrapped(lines: &mut String, encoded: &str) {
    let mut rest = encoded;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push_str("\r\n");
        rest = after;
    }
}

/// RFC 5322 section 3.3, in UTC.
fn date(at: Timestamp) -> String {
    // As RFC 3339 has it: 2026-01-31T12:00:00.000Z.
    let told = at.to_string();
    let part = |from: usize, to: usize| told.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().unwrap_or(1);
    let month = MONTHS.get(month.saturating_sub(1)).unwrap_or(&"Jan");
    // The first of January 1970 was a Thursday.
    let days = at.unix_seconds().div_euclid(24 * 3600);
    let day = usize::try_from(days.saturating_add(4).rem_euclid(7)).unwrap_or_default();
    let day = DAYS.get(day).unwrap_or(&"Sun");
    format!(
        "{day}, {} {month} {} {} +0000",
        part(8, 10),
        part(0, 4),
        part(11, 19)
    )
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// No line of base64 begins with a hyphen.
const BOUNDARY: &str = "portreeve";
/// Characters of a line of base64 (RFC 2045 section 6.8).
const LINE: usize = 76;
/// Octets of an encoded word: with `Subject:` before it a line has 76 characters at most (RFC 2047 section
/// 2).
const WORD: usize = 39;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(from: &str, to: &str, subject: &str) -> Message {
        Message {
            revision: 54003,
            from: from.to_owned(),
            to: to.to_owned(),
            subject: subject.to_owned(),
            text: "Schalten Sie die Verschlüsselung ein. ".repeat(9),
            html: "<p>&</p>".to_owned(),
            sent: Timestamp::parse_rfc3339("2026-01-31T12:00:00Z").unwrap(),
        }
    }

    #[test]
    fn a_message_is_lines_of_ascii_with_what_rfc_5322_demands() {
        let subject = "Ihre Post wird zurückgehalten – さらに長い件名がここに続きます、ずっと";
        let written = write(&message(
            "\"Zugang, Mail\" <no-reply@mail.example.org>",
            "alice@example.org",
            subject,
        ));
        assert!(written.is_ascii());
        assert!(written.lines().all(|line| line.len() <= 78), "{written}");
        assert!(!written.replace("\r\n", "").contains(['\r', '\n']));
        for expected in [
            "From: =?utf-8?B?WnVnYW5nLCBNYWls?=\r\n <no-reply@mail.example.org>\r\n",
            "To: alice@example.org\r\n",
            "Date: Sat, 31 Jan 2026 12:00:00 +0000\r\n",
            "Message-ID: <54003.1769860800000@mail.example.org>\r\n",
            "\r\n--portreeve\r\nContent-Type: text/plain; charset=utf-8\r\n",
            "\r\n\r\nPHA+JjwvcD4=\r\n\r\n--portreeve--\r\n",
        ] {
            assert!(written.contains(expected), "{expected:?} in {written}");
        }
        let words: String = written
            .lines()
            .skip_while(|line| !line.starts_with("Subject: "))
            .take_while(|line| !line.starts_with("Date: "))
            .map(|line| {
                let word = line.trim_start_matches("Subject:").trim();
                let word = word.strip_prefix("=?utf-8?B?").unwrap();
                let octets = STANDARD.decode(word.strip_suffix("?=").unwrap()).unwrap();
                String::from_utf8(octets).unwrap()
            })
            .collect();
        assert_eq!(words, subject);
    }

    #[test]
    fn what_is_no_address_stands_in_no_header() {
        for to in [
            "alice",
            "müller@example.org",
            "a b@example.org",
            "@x",
            "a@b@c",
        ] {
            let written = write(&message("\"M\" <no-reply@mail.example.org>", to, "S"));
            assert!(!written.contains("To: "), "row {to}: {written}");
        }
        let plain = write(&message("a@example.org", "b@example.org", "Plain =?x"));
        assert!(
            plain.starts_with("From: a@example.org\r\nTo: b@example.org\r\nSubject: =?utf-8?B?")
        );
    }
}
