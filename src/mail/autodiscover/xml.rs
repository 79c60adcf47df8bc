//! The XML of Autodiscover (MS-ASCMD 2.2.1.2, MS-OXDSCLI 2.2.4), read as values and written anew.
//!
//! Read without a document type, without entities beyond those that XML has itself, and to a depth
//! and size that are bounded: everything else is no answer.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Why a document is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is too long, or packed.
    #[error("it is too long or packed")]
    Long,
    /// It is no XML, or XML with what has no place here.
    #[error("it is no plain XML")]
    Xml,
    /// What has to be there is missing.
    #[error("it is none of ActiveSync")]
    Missing,
    /// The settings of another protocol are asked for.
    #[error("it asks for another protocol")]
    OtherSchema,
}

/// What an upstream has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is a mailbox.
    Settings {
        /// The name of its user.
        name: String,
        /// Its mail address.
        address: String,
        /// Where its ActiveSync is.
        url: String,
    },
    /// There is none, or something is wrong, by this code.
    Error(u16),
    /// The client is to ask somewhere else.
    Elsewhere(String),
}

/// The mail address that a request is about.
///
/// # Errors
///
/// When it is none of ActiveSync.
pub fn read_request(octets: &[u8]) -> Result<String, Unreadable> {
    let mut address = None;
    let mut schema = None;
    walk(octets, |path, text| match path {
        ["Autodiscover", "Request", "EMailAddress"] => address = Some(text.to_owned()),
        ["Autodiscover", "Request", "AcceptableResponseSchema"] => schema = Some(text.to_owned()),
        _ => {}
    })?;
    let schema = schema.ok_or(Unreadable::Missing)?;
    if !schema.eq_ignore_ascii_case(RESPONSE) {
        return Err(Unreadable::OtherSchema);
    }
    let address = address.ok_or(Unreadable::Missing)?;
    let is_address = address.len() <= MAX_ADDRESS
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        })
        && !address.chars().any(|c| c.is_control() || c.is_whitespace());
    if is_address {
        Ok(address)
    } else {
        Err(Unreadable::Missing)
    }
}

/// What an answer says.
///
/// # Errors
///
/// When it is none of ActiveSync.
pub fn read_answer(octets: &[u8]) -> Result<Answer, Unreadable> {
    let (mut name, mut address, mut url) = (String::new(), None, None);
    let (mut elsewhere, mut error) = (None, None);
    let mut server = (false, None);
    walk(octets, |path, text| match path {
        ["Autodiscover", "Response", "User", "DisplayName"] => name = text.to_owned(),
        ["Autodiscover", "Response", "User", "EMailAddress"] => address = Some(text.to_owned()),
        [
            "Autodiscover",
            "Response",
            "Action",
            "Settings",
            "Server",
            "Type",
        ] => {
            server.0 = text.eq_ignore_ascii_case("MobileSync");
        }
        [
            "Autodiscover",
            "Response",
            "Action",
            "Settings",
            "Server",
            "Url",
        ] => {
            server.1 = Some(text.to_owned());
        }
        // Its end: of several the first that is of ActiveSync counts.
        ["Autodiscover", "Response", "Action", "Settings", "Server"] => {
            let (is_ours, found) = std::mem::take(&mut server);
            if is_ours && url.is_none() {
                url = found;
            }
        }
        ["Autodiscover", "Response", "Action", "Redirect"] => elsewhere = Some(text.to_owned()),
        [
            "Autodiscover",
            "Response",
            "Action" | "Account",
            "RedirectAddr" | "RedirectUrl",
        ] => elsewhere = Some(text.to_owned()),
        ["Autodiscover", "Response", "Error", "ErrorCode"]
        | [
            "Autodiscover",
            "Response",
            "Action",
            "Error",
            "Status" | "ErrorCode",
        ] => {
            error = text.parse::<u16>().ok().or(Some(600));
        }
        _ => {}
    })?;
    if let Some(place) = elsewhere {
        return Ok(Answer::Elsewhere(shown(&place)));
    }
    if let Some(error) = error {
        return Ok(Answer::Error(error));
    }
    match (address, url) {
        (Some(address), Some(url)) if name.len() + address.len() <= MAX_TEXT => {
            Ok(Answer::Settings { name, address, url })
        }
        _ => Err(Unreadable::Missing),
    }
}

/// Calls `visit` for each element, when it ends, with its path and its text.
fn walk(octets: &[u8], mut visit: impl FnMut(&[&str], &str)) -> Result<(), Unreadable> {
    let text = std::str::from_utf8(octets).map_err(|_| Unreadable::Xml)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    // Names are of the document, so paths hold places in it and not copies.
    let mut path: Vec<String> = Vec::new();
    let mut words = String::new();
    let mut has_root = false;
    loop {
        match reader.read_event().map_err(|_| Unreadable::Xml)? {
            Event::Start(start) => {
                if path.len() >= MAX_DEPTH || path.is_empty() && has_root {
                    return Err(Unreadable::Xml);
                }
                has_root = true;
                words.clear();
                path.push(start.local_name().into_inner().to_owned());
            }
            Event::Empty(empty) => {
                if path.is_empty() {
                    return Err(Unreadable::Xml);
                }
                path.push(empty.local_name().into_inner().to_owned());
                tell(&path, "", &mut visit);
                path.pop();
            }
            Event::End(_) => {
                tell(&path, words.trim(), &mut visit);
                words.clear();
                path.pop();
            }
            Event::Text(piece) => words.push_str(&piece.into_inner()),
            Event::CData(piece) => words.push_str(&piece.into_inner()),
            Event::GeneralRef(reference) => {
                let numbered = reference.resolve_char_ref().map_err(|_| Unreadable::Xml)?;
                let character = match (numbered, &*reference.into_inner()) {
                    (Some(character), _) => character,
                    (None, "lt") => '<',
                    (None, "gt") => '>',
                    (None, "amp") => '&',
                    (None, "quot") => '"',
                    (None, "apos") => '\'',
                    (None, _) => return Err(Unreadable::Xml),
                };
                words.push(character);
            }
            Event::Decl(_) | Event::Comment(_) => {}
            Event::DocType(_) | Event::PI(_) => return Err(Unreadable::Xml),
            Event::Eof => break,
        }
        if words.len() > MAX_TEXT {
            return Err(Unreadable::Long);
        }
    }
    // What is cut off is no document.
    if has_root && path.is_empty() {
        Ok(())
    } else {
        Err(Unreadable::Xml)
    }
}

fn tell(path: &[String], words: &str, visit: &mut impl FnMut(&[&str], &str)) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    visit(&path, words);
}

/// A request of our own.
pub(super) fn request(address: &str) -> String {
    let address = escaped(address);
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"{REQUEST}\"><Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>{RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"
    )
}

/// An answer of our own: the mailbox is here.
pub(super) fn settings(name: &str, address: &str, url: &str) -> String {
    let (name, address, url) = (escaped(name), escaped(address), escaped(url));
    whole(&format!(
        "<User><DisplayName>{name}</DisplayName><EMailAddress>{address}</EMailAddress></User>\
         <Action><Settings><Server><Type>MobileSync</Type><Url>{url}</Url><Name>{url}</Name>\
         </Server></Settings></Action>"
    ))
}

/// An answer of our own: there is none, by this code.
pub(super) fn error(code: u16) -> String {
    whole(&format!(
        "<Error><ErrorCode>{code}</ErrorCode>\
         <Message>The mail server has no ActiveSync settings for this request.</Message></Error>"
    ))
}

fn whole(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"{OUTER}\"><Response xmlns=\"{RESPONSE}\"><Culture>en:us</Culture>\
         {inside}</Response></Autodiscover>"
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// A text for a record: short, and in one line.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(MAX_SHOWN)
        .collect()
}

const REQUEST: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006";
const RESPONSE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
const OUTER: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
/// Elements inside of each other; an answer has six.
const MAX_DEPTH: usize = 16;
/// Octets of one element's text.
const MAX_TEXT: usize = 4 << 10;
/// Octets of a mail address (RFC 5321 section 4.5.3.1).
const MAX_ADDRESS: usize = 320;
const MAX_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(inside: &str) -> String {
        format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<a:Autodiscover \
             xmlns:a=\"{OUTER}\"><Response xmlns=\"{RESPONSE}\">{inside}</Response>\
             </a:Autodiscover>"
        )
    }

    const USER: &str = "<User><DisplayName>Al &amp; &#x41;lice</DisplayName>\
                        <EMailAddress>alice@example.org</EMailAddress></User>";

    #[test]
    fn an_answer_is_read_as_values() {
        let other =
            "<Server><Type>CertEnroll</Type><Url>https://ca.internal/certsrv</Url></Server>";
        let ours = "<Server><Type>MobileSync</Type>\
                    <Url>https://ex.internal/Microsoft-Server-ActiveSync</Url>\
                    <Name>https://ex.internal/Microsoft-Server-ActiveSync</Name></Server>";
        let text = answer(&format!(
            "{USER}<Action><Settings>{other}{ours}</Settings></Action>"
        ));
        let expected = Answer::Settings {
            name: "Al & Alice".to_owned(),
            address: "alice@example.org".to_owned(),
            url: "https://ex.internal/Microsoft-Server-ActiveSync".to_owned(),
        };
        assert_eq!(read_answer(text.as_bytes()), Ok(expected));
        for end in 0..text.len() {
            let cut = read_answer(&text.as_bytes()[..end]);
            assert!(cut.is_err(), "cut at {end}: {cut:?}");
        }
        let moved = answer("<Action><Redirect>alice@cloud.example</Redirect></Action>");
        let expected = Answer::Elsewhere("alice@cloud.example".to_owned());
        assert_eq!(read_answer(moved.as_bytes()), Ok(expected));
        let failed = answer("<Error><ErrorCode>500</ErrorCode><Message>x</Message></Error>");
        assert_eq!(read_answer(failed.as_bytes()), Ok(Answer::Error(500)));
        let alone = answer(&format!(
            "{USER}<Action><Settings>{other}</Settings></Action>"
        ));
        assert_eq!(read_answer(alone.as_bytes()), Err(Unreadable::Missing));
    }

    #[test]
    fn what_we_write_is_read_as_it_was_meant() {
        let (name, address) = ("A <b>&\"'", "a&b@example.org");
        let url = "https://mail.example.org/Microsoft-Server-ActiveSync";
        let written = settings(name, address, url);
        let expected = Answer::Settings {
            name: name.to_owned(),
            address: address.to_owned(),
            url: url.to_owned(),
        };
        assert_eq!(read_answer(written.as_bytes()), Ok(expected));
        assert_eq!(read_answer(error(601).as_bytes()), Ok(Answer::Error(601)));
        assert_eq!(read_request(request(address).as_bytes()).unwrap(), address);
    }

    #[test]
    fn what_could_mean_anything_else_is_no_request() {
        let one = |address: &str, schema: &str| {
            format!(
                "<Autodiscover><Request><EMailAddress>{address}</EMailAddress>\
                 <AcceptableResponseSchema>{schema}</AcceptableResponseSchema>\
                 </Request></Autodiscover>"
            )
        };
        let outlook =
            "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        let long = one(&"a".repeat(5000), RESPONSE);
        let doubled = format!("{}<b/>", one("a@b", RESPONSE));
        for (row, text, expected) in [
            ("outlook", one("a@b", outlook), Unreadable::OtherSchema),
            ("no address", one("a", RESPONSE), Unreadable::Missing),
            ("two ats", one("a@b@c", RESPONSE), Unreadable::Missing),
            ("blank", one("a b@c", RESPONSE), Unreadable::Missing),
            ("empty", String::new(), Unreadable::Xml),
            ("JSON", "{}".to_owned(), Unreadable::Xml),
            (
                "no end",
                "<Autodiscover><Request>".to_owned(),
                Unreadable::Xml,
            ),
            ("two roots", doubled, Unreadable::Xml),
            ("depth", deep, Unreadable::Xml),
            ("long", long, Unreadable::Long),
            ("entity", one("&evil;@b", RESPONSE), Unreadable::Xml),
            (
                "document type",
                format!("<!DOCTYPE a [<!ENTITY e \"x\">]>{}", one("a@b", RESPONSE)),
                Unreadable::Xml,
            ),
            (
                "instruction",
                format!("<?xml-stylesheet href=\"x\"?>{}", one("a@b", RESPONSE)),
                Unreadable::Xml,
            ),
        ] {
            assert_eq!(read_request(text.as_bytes()), Err(expected), "row {row}");
        }
        assert_eq!(read_request(b"\xff\xfe<"), Err(Unreadable::Xml));
    }
}
