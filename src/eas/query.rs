//! Queries: two forms on the wire, one [`Request`], one canonical spelling of each form.
//!
//! ```text
//! plain    ?Cmd=Sync&User=alice&DeviceId=abc123&DeviceType=phone[&name=value]...
//! base64   ?base64( version 1 | command 1 | locale 2, little-endian
//!                 | length 1, DeviceId | length 1 (0 or 4), policy key, little-endian
//!                 | length 1, DeviceType | [ tag 1 | length 1 | value ]... )
//! ```
//!
//! The DeviceId of a base64 query is "a string or a GUID" (MS-ASHTTP 2.2.1.1.1.1): Windows clients
//! send the sixteen octets of a GUID, and the same device writes them as 32 hexadecimal digits in a
//! plain query. So sixteen octets that are no string are one [`EasDeviceId`] with their digits, in
//! the order of the octets, and travel on as the octets that they are.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_encode;

use crate::model::EasDeviceId;

use super::command::Command;
use super::error::Malformed;
use super::version::Version;

/// The longest query, in octets, as sent and as re-emitted: IIS refuses more than 2048 by default
/// (`requestFiltering maxQueryString`), so a longer one never reached an Exchange. 400 beyond it.
pub const MAX_QUERY: usize = 2048;

/// What the head says beside the query. With a base64 query these headers do not count, because
/// the query carries the same values (MS-ASHTTP 2.2.1.1.2.5, .6, .8), and they are not passed on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stated<'a> {
    /// `MS-ASProtocolVersion`.
    pub version: Option<&'a str>,
    /// `X-MS-PolicyKey`, decimal.
    pub policy_key: Option<&'a str>,
    /// `MS-ASAcceptMultiPart`.
    pub accept_multipart: Option<&'a str>,
}

/// One request head, understood once. Everything that is sent upstream is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Protocol version.
    pub version: Version,
    /// What is asked.
    pub command: Command,
    /// The device's id in the form that ids are compared in.
    pub device: EasDeviceId,
    /// Kind of device, such as `iPhone`; 1 to 64 printable ASCII characters.
    pub device_type: String,
    /// The user whom the query names: a claim, not proof. Always there in the plain form.
    pub user: Option<String>,
    /// The key of the security policy that the device has applied.
    pub policy_key: Option<u32>,
    /// The device takes ItemOperations answers in several parts. In the base64 form the bit stays
    /// in the parameters and this is a copy of it.
    pub accept_multipart: bool,
    /// The form it came in and is passed on in, with what only this form has.
    pub form: Form,
    /// The DeviceId as sent: with the letters' case, or the sixteen octets of a GUID. It is passed
    /// on so: an Exchange that has known the device for years must not see a new one.
    spelled: Box<[u8]>,
}

/// The two forms of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Names and values (MS-ASHTTP 2.2.1.1.1.2).
    Plain {
        /// Parameters beside the four, decoded, in the order sent.
        extra: Vec<(String, String)>,
    },
    /// Packed octets (MS-ASHTTP 2.2.1.1.1.1).
    Base64 {
        /// Language of the device, an LCID.
        locale: u16,
        /// Tag and value of each parameter but the User, in the order sent.
        parameters: Vec<(u8, Vec<u8>)>,
    },
}

impl Request {
    /// Reads the octets after the `?`.
    ///
    /// # Errors
    ///
    /// The first violation of MS-ASHTTP 2.2.1.1.1, or of the bounds of this file.
    pub fn parse(query: &[u8], stated: Stated<'_>) -> Result<Self, Malformed> {
        if query.is_empty() {
            return Err(Malformed::NoQuery);
        }
        if query.len() > MAX_QUERY {
            return Err(Malformed::TooLong);
        }
        // No base64 text has an ampersand, and no plain query of four parameters lacks one.
        let request = if query.contains(&b'&') {
            parse_plain(query, stated)?
        } else {
            parse_base64(query)?
        };
        // Of each octet at most three become, so that most queries need not be written to be counted.
        if query.len() > MAX_QUERY / 3 && request.query().len() > MAX_QUERY {
            return Err(Malformed::TooLong);
        }
        Ok(request)
    }

    /// The DeviceId as people know it: with the letters' case as sent, or the digits of a GUID.
    #[must_use]
    pub fn spelled(&self) -> &str {
        let text = std::str::from_utf8(&self.spelled).ok();
        let text = text.filter(|text| text.bytes().all(|octet| octet.is_ascii_alphanumeric()));
        text.unwrap_or_else(|| self.device.as_str())
    }

    /// The canonical query, without the `?`: the form that came in, each field once, in the order
    /// of MS-ASHTTP, nothing encoded that need not be and everything that must. Parsing it gives an
    /// equal request.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = String::with_capacity(128);
        self.write_query(&mut query);
        query
    }

    /// Writes [`Request::query`] behind what stands in `target`.
    pub fn write_query(&self, target: &mut String) {
        match &self.form {
            Form::Plain { extra } => self.plain_query(target, extra),
            Form::Base64 { locale, parameters } => self.base64_query(target, *locale, parameters),
        }
    }

    /// `MS-ASProtocolVersion` to send with [`Request::query`]; the base64 form has it inside.
    #[must_use]
    pub fn version_header(&self) -> Option<&'static str> {
        match self.form {
            Form::Plain { .. } => Some(self.version.as_str()),
            Form::Base64 { .. } => None,
        }
    }

    /// `X-MS-PolicyKey` to send with [`Request::query`]; the base64 form has it inside.
    #[must_use]
    pub fn policy_key_header(&self) -> Option<u32> {
        match self.form {
            Form::Plain { .. } => self.policy_key,
            Form::Base64 { .. } => None,
        }
    }

    /// Whether to send `MS-ASAcceptMultiPart: T` with [`Request::query`].
    #[must_use]
    pub fn multipart_header(&self) -> bool {
        match self.form {
            Form::Plain { .. } => self.accept_multipart,
            Form::Base64 { .. } => false,
        }
    }

    fn plain_query(&self, target: &mut String, extra: &[(String, String)]) {
        let user = self.user.as_deref().unwrap_or("");
        let fixed = [
            (CMD, self.command.name().as_bytes()),
            (USER, user.as_bytes()),
            (DEVICE_ID, &*self.spelled),
            (DEVICE_TYPE, self.device_type.as_bytes()),
        ];
        let extra = extra
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (number, (name, value)) in fixed.into_iter().chain(extra).enumerate() {
            if number > 0 {
                target.push('&');
            }
            // Names are letters, digits, `-` and `_`: nothing to encode.
            target.push_str(name);
            target.push('=');
            target.extend(percent_encode(value, ENCODED));
        }
    }

    fn base64_query(&self, target: &mut String, locale: u16, parameters: &[(u8, Vec<u8>)]) {
        let mut octets = Vec::with_capacity(96);
        // A request of the base64 form was made from a version octet.
        octets.push(self.version.octet().unwrap_or_default());
        octets.push(self.command.code());
        octets.extend(locale.to_le_bytes());
        push_counted(&mut octets, &self.spelled);
        match self.policy_key {
            Some(key) => push_counted(&mut octets, &key.to_le_bytes()),
            None => push_counted(&mut octets, &[]),
        }
        push_counted(&mut octets, self.device_type.as_bytes());
        for (tag, value) in parameters {
            octets.push(*tag);
            push_counted(&mut octets, value);
        }
        if let Some(user) = &self.user {
            octets.push(TAG_USER);
            push_counted(&mut octets, user.as_bytes());
        }
        STANDARD.encode_string(octets, target);
    }
}

fn parse_plain(query: &[u8], stated: Stated<'_>) -> Result<Request, Malformed> {
    let mut command = None;
    let mut user = None;
    let mut device = None;
    let mut device_type = None;
    let mut extra: Vec<(String, String)> = Vec::new();
    for pair in query.split(|&octet| octet == b'&') {
        let equals = pair.iter().position(|&octet| octet == b'=');
        let (name, value) = equals
            .and_then(|at| pair.split_at_checked(at))
            .ok_or(Malformed::NeitherForm)?;
        let name = parameter_name(name)?;
        let value = decode(value.strip_prefix(b"=").unwrap_or(value))?;
        if name.eq_ignore_ascii_case(CMD) {
            let parsed = Command::from_name(&value).ok_or(Malformed::UnknownCommand)?;
            set_once(&mut command, parsed)?;
        } else if name.eq_ignore_ascii_case(USER) {
            set_once(&mut user, checked_user(value.into_owned())?)?;
        } else if name.eq_ignore_ascii_case(DEVICE_ID) {
            let parsed = EasDeviceId::parse(value.as_bytes()).ok_or(Malformed::DeviceId)?;
            set_once(&mut device, (parsed, value))?;
        } else if name.eq_ignore_ascii_case(DEVICE_TYPE) {
            set_once(&mut device_type, checked_device_type(value.into_owned())?)?;
        } else {
            // A server may read the first or the last of two, so none of the others stands twice
            // either.
            if extra
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(&name))
            {
                return Err(Malformed::Duplicate);
            }
            if extra.len() >= MAX_EXTRA {
                return Err(Malformed::TooManyParameters);
            }
            // Another server might find this one first.
            if is_of_base64(&name) {
                return Err(Malformed::Duplicate);
            }
            extra.push((name.into_owned(), value.into_owned()));
        }
    }
    let (device, spelled) = device.ok_or(Malformed::Missing(DEVICE_ID))?;
    Ok(Request {
        version: stated
            .version
            .and_then(Version::parse)
            .ok_or(Malformed::UnknownVersion)?,
        command: command.ok_or(Malformed::Missing(CMD))?,
        device,
        device_type: device_type.ok_or(Malformed::Missing(DEVICE_TYPE))?,
        user: Some(user.ok_or(Malformed::Missing(USER))?),
        policy_key: stated.policy_key.map(stated_policy_key).transpose()?,
        accept_multipart: match stated.accept_multipart {
            None | Some("F") => false,
            Some("T") => true,
            Some(_) => return Err(Malformed::AcceptMultiPart),
        },
        form: Form::Plain { extra },
        spelled: spelled.as_bytes().into(),
    })
}

fn parse_base64(query: &[u8]) -> Result<Request, Malformed> {
    // The engine refuses missing padding, bits after the last octet and every foreign character.
    let octets = STANDARD.decode(query).map_err(|_| Malformed::NeitherForm)?;
    let mut reader = Reader(&octets);
    let version = Version::from_octet(reader.octet()?).ok_or(Malformed::UnknownVersion)?;
    let command = Command::from_code(reader.octet()?).ok_or(Malformed::UnknownCommand)?;
    let locale = u16::from_le_bytes([reader.octet()?, reader.octet()?]);
    let spelled = reader.counted()?;
    let device = packed_device(spelled).ok_or(Malformed::DeviceId)?;
    let policy_key = match *reader.counted()? {
        [] => None,
        [a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => return Err(Malformed::PolicyKey),
    };
    let device_type = checked_device_type(text(reader.counted()?)?)?;
    let mut user = None;
    let mut options = None;
    let mut parameters: Vec<(u8, Vec<u8>)> = Vec::new();
    while !reader.0.is_empty() {
        let tag = reader.octet()?;
        let value = reader.counted()?;
        if tag == TAG_USER {
            set_once(&mut user, checked_user(text(value)?)?)?;
            continue;
        }
        if tag > TAG_USER {
            return Err(Malformed::UnknownTag(tag));
        }
        if parameters.iter().any(|(other, _)| *other == tag) {
            return Err(Malformed::Duplicate);
        }
        if tag == TAG_OPTIONS {
            match *value {
                [octet] => options = Some(octet),
                _ => return Err(Malformed::ParameterLength),
            }
        }
        parameters.push((tag, value.to_vec()));
    }
    Ok(Request {
        version,
        command,
        device,
        device_type,
        user,
        policy_key,
        accept_multipart: options.is_some_and(|octet| octet & OPTION_MULTIPART != 0),
        form: Form::Base64 { locale, parameters },
        spelled: spelled.into(),
    })
}

/// Whether a name reads as the beginning of a query in base64: version and command.
fn is_of_base64(name: &str) -> bool {
    let octets = name.get(..4).and_then(|start| STANDARD.decode(start).ok());
    octets.is_some_and(|octets| {
        let version = octets.first().copied().and_then(Version::from_octet);
        let command = octets.get(1).copied().and_then(Command::from_code);
        version.is_some() && command.is_some()
    })
}

/// The DeviceId of a base64 query: a string, or else the sixteen octets of a GUID. Sixteen letters
/// and digits are a string: of random GUIDs, one in seven thousand million reads so.
fn packed_device(octets: &[u8]) -> Option<EasDeviceId> {
    if let Some(device) = EasDeviceId::parse(octets) {
        return Some(device);
    }
    let guid = <[u8; 16]>::try_from(octets).ok()?;
    let digits = format!("{:032x}", u128::from_be_bytes(guid));
    EasDeviceId::parse(digits.as_bytes())
}

/// A cursor over the octets of a base64 query; every read says whether there was enough.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(first)
    }

    /// A length octet and as many octets.
    fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.octet()?);
        let (value, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(value)
    }
}

/// Appends a length octet and the value. All values are at most 255 octets: they came with a length
/// octet, or have a smaller bound.
fn push_counted(octets: &mut Vec<u8>, value: &[u8]) {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    octets.push(length);
    octets.extend(value.iter().take(usize::from(length)));
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Duplicate),
    }
}

/// A decoded name. Characters that a server may fold into others (PHP reads `.`, blank and `[` as
/// `_`) are in no parameter of the protocol.
fn parameter_name(encoded: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let name = decode(encoded)?;
    let clean = name
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_');
    if name.is_empty() || name.len() > MAX_NAME || !clean {
        return Err(Malformed::ParameterName);
    }
    Ok(name)
}

/// Decodes `%xx` once and `+` as a blank, as .NET and PHP read a query, to clean UTF-8.
fn decode(encoded: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let is_plain = |octet: &u8| matches!(octet, 0x21..=0x7e) && !matches!(octet, b'%' | b'+');
    if encoded.iter().all(is_plain)
        && let Ok(text) = std::str::from_utf8(encoded)
    {
        return Ok(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2).ok_or(Malformed::Encoding)?;
                let [high, low] = *digits else {
                    return Err(Malformed::Encoding);
                };
                octets.push(hexadecimal(high)? << 4 | hexadecimal(low)?);
                rest = tail;
            }
            b'+' => octets.push(b' '),
            0x21..=0x7e => octets.push(first),
            _ => return Err(Malformed::Encoding),
        }
    }
    text(&octets).map(Cow::Owned)
}

fn hexadecimal(digit: u8) -> Result<u8, Malformed> {
    let value = char::from(digit).to_digit(16).ok_or(Malformed::Encoding)?;
    u8::try_from(value).map_err(|_| Malformed::Encoding)
}

fn text(octets: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(octets).map_err(|_| Malformed::Text)?;
    if text.chars().any(char::is_control) {
        return Err(Malformed::Text);
    }
    Ok(text.to_owned())
}

fn checked_user(user: String) -> Result<String, Malformed> {
    if user.trim().is_empty() || user.len() > MAX_USER {
        return Err(Malformed::User);
    }
    Ok(user)
}

fn checked_device_type(device_type: String) -> Result<String, Malformed> {
    let printable = device_type
        .bytes()
        .all(|octet| (0x20..0x7f).contains(&octet));
    if device_type.is_empty() || device_type.len() > MAX_DEVICE_TYPE || !printable {
        return Err(Malformed::DeviceType);
    }
    Ok(device_type)
}

/// Decimal digits only: a sign or blank that one reader skips and another refuses is refused.
fn stated_policy_key(header: &str) -> Result<u32, Malformed> {
    if !header.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Malformed::PolicyKey);
    }
    header.parse().map_err(|_| Malformed::PolicyKey)
}

const CMD: &str = "Cmd";
const USER: &str = "User";
const DEVICE_ID: &str = "DeviceId";
const DEVICE_TYPE: &str = "DeviceType";

/// Tag of the Options parameter (MS-ASHTTP 2.2.1.1.1.1.3).
const TAG_OPTIONS: u8 = 7;
/// Tag of the User parameter, the highest that is assigned.
const TAG_USER: u8 = 8;
/// The Options bit of a client that takes an answer in several parts.
const OPTION_MULTIPART: u8 = 0x02;

/// Six extra parameters are defined; twice as many leave room for a client's own. 400 beyond it.
const MAX_EXTRA: usize = 12;
/// Twice the longest name of the protocol (AttachmentName). 400 beyond it.
const MAX_NAME: usize = 32;
/// The bound of a user's name everywhere in the gateway (the User-Name of RADIUS). 400 beyond it.
const MAX_USER: usize = 253;
/// The longest seen in the field has 32; a base64 query could carry 255. 400 beyond it.
const MAX_DEVICE_TYPE: usize = 64;

/// All but the unreserved characters of RFC 3986 section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests;
