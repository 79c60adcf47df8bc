//! Variables in values: what a packet knows and a configuration cannot.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::model::MacAddress;

/// What may stand between braces in a text: `https://help.example/?device={mac}`.
///
/// After `://` in the same text, all but the unreserved characters of RFC 3986 section 2.3 are
/// percent-encoded, so that a name cannot say more in a URL than a name. Elsewhere control
/// characters become `?`. What is longer than its bound is cut, in a URL after up to 32 octets more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `user`: the authenticated user, at most 64 octets; nothing if there is none.
    User,
    /// `mac`: the station's address as `00:11:22:aa:bb:cc`; nothing if the NAS did not say it.
    Mac,
    /// `reason`: why it was decided so, as records name it, such as `DeviceNotCompliant`.
    Reason,
    /// `code`: the same as a number, such as `53000`.
    Code,
    /// `verdict`: `allow`, `quarantine` or `block`.
    Verdict,
    /// `nas`: the name of the NAS in the configuration.
    Nas,
    /// `group`: the group of the NAS.
    Group,
    /// `ssid`: the wireless network's name; nothing if there is none.
    Ssid,
    /// `decision`: the number under which the decision is recorded, in hexadecimal.
    Decision,
}

/// The values of one packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    /// The authenticated user.
    pub user: Option<&'a str>,
    /// The station's address.
    pub mac: Option<MacAddress>,
    /// Why it was decided so.
    pub reason: &'a str,
    /// The same as a number.
    pub code: u16,
    /// What was decided.
    pub verdict: &'a str,
    /// The name of the NAS.
    pub nas: &'a str,
    /// Its group.
    pub group: &'a str,
    /// The wireless network.
    pub ssid: Option<&'a str>,
    /// The number of the decision.
    pub decision: u64,
}

impl Variable {
    const ALL: [(&'static str, Self, usize); 9] = [
        ("user", Self::User, 64),
        ("mac", Self::Mac, 17),
        ("reason", Self::Reason, 40),
        ("code", Self::Code, 5),
        ("verdict", Self::Verdict, 10),
        ("nas", Self::Nas, 64),
        ("group", Self::Group, 48),
        ("ssid", Self::Ssid, 32),
        ("decision", Self::Decision, 16),
    ];

    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(known, ..)| *known == name)
            .map(|(_, variable, _)| *variable)
    }

    /// Octets of its value before percent-encoding.
    fn longest(self) -> usize {
        let mut all = Self::ALL.iter();
        all.find(|(_, variable, _)| *variable == self)
            .map_or(0, |(_, _, longest)| *longest)
    }

    /// Octets of its value in a URL, percent-encoded.
    fn longest_in_url(self) -> usize {
        let encoding = match self {
            Self::User | Self::Nas | Self::Group | Self::Ssid => ROOM_FOR_ENCODING,
            // Five colons.
            Self::Mac => 10,
            Self::Reason | Self::Code | Self::Verdict | Self::Decision => 0,
        };
        self.longest().saturating_add(encoding)
    }
}

/// The names of all variables, for a message.
pub(super) fn known() -> String {
    let names = Variable::ALL.iter().map(|(name, ..)| *name);
    names.collect::<Vec<_>>().join(", ")
}

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pieces: Box<[Piece]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Octets(Box<[u8]>),
    Variable(Variable),
    /// Percent-encoded.
    InUrl(Variable),
}

impl Text {
    /// Reads a text; `None` if it names no variable.
    ///
    /// # Errors
    ///
    /// What stands in braces and is no variable.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        let mut in_url = false;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                plain.push('{');
                rest = after;
                continue;
            }
            let (name, after) = after.split_once('}').ok_or_else(|| format!("{{{after}"))?;
            let variable = Variable::named(name).ok_or_else(|| format!("{{{name}}}"))?;
            in_url |= plain.contains("://");
            if !plain.is_empty() {
                pieces.push(Piece::Octets(
                    std::mem::take(&mut plain).into_bytes().into(),
                ));
            }
            pieces.push(if in_url {
                Piece::InUrl(variable)
            } else {
                Piece::Variable(variable)
            });
            rest = after;
        }
        if pieces.is_empty() {
            return Ok(None);
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Octets(plain.into_bytes().into()));
        }
        Ok(Some(Self {
            pieces: pieces.into(),
        }))
    }

    /// The same after a tag (RFC 2868 section 3.6).
    pub(super) fn tagged(self, tag: Option<u8>) -> Self {
        let Some(tag) = tag.filter(|tag| *tag != 0) else {
            return self;
        };
        let tag = std::iter::once(Piece::Octets(Box::new([tag])));
        Self {
            pieces: tag.chain(self.pieces).collect(),
        }
    }

    /// The most octets that it can have.
    pub(super) fn longest(&self) -> usize {
        let longest = self.pieces.iter().map(|piece| match piece {
            Piece::Octets(octets) => octets.len(),
            Piece::Variable(variable) => variable.longest(),
            Piece::InUrl(variable) => variable.longest_in_url(),
        });
        longest.sum()
    }

    /// Writes it at the start of `place` and gives the octets used; `None` if they do not fit.
    pub(super) fn write(&self, values: &Values<'_>, place: &mut [u8]) -> Option<usize> {
        let mut out = Out { place, end: 0 };
        for piece in &self.pieces {
            match piece {
                Piece::Octets(octets) => out.put(octets)?,
                Piece::Variable(variable) => out.variable(*variable, values, false)?,
                Piece::InUrl(variable) => out.variable(*variable, values, true)?,
            }
        }
        Some(out.end)
    }
}

struct Out<'o> {
    place: &'o mut [u8],
    end: usize,
}

impl Out<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let after = self.end.checked_add(octets.len())?;
        self.place.get_mut(self.end..after)?.copy_from_slice(octets);
        self.end = after;
        Some(())
    }

    fn variable(&mut self, variable: Variable, values: &Values<'_>, in_url: bool) -> Option<()> {
        let longest = if in_url {
            variable.longest_in_url()
        } else {
            variable.longest()
        };
        match variable {
            Variable::User => self.text(values.user.unwrap_or_default(), longest, in_url),
            Variable::Mac => match values.mac {
                Some(mac) => self.octets(&mac.spelled(), in_url),
                None => Some(()),
            },
            Variable::Reason => self.text(values.reason, longest, in_url),
            Variable::Code => self.number(u64::from(values.code), 10),
            Variable::Verdict => self.text(values.verdict, longest, in_url),
            Variable::Nas => self.text(values.nas, longest, in_url),
            Variable::Group => self.text(values.group, longest, in_url),
            Variable::Ssid => self.text(values.ssid.unwrap_or_default(), longest, in_url),
            Variable::Decision => self.number(values.decision, 16),
        }
    }

    /// As much of a text as is allowed, whole characters of it.
    fn text(&mut self, text: &str, longest: usize, in_url: bool) -> Option<()> {
        let mut left = longest;
        for character in text.chars() {
            let mut octets = [0; 4];
            let octets = character.encode_utf8(&mut octets).as_bytes();
            let plain = !in_url || octets.iter().all(|octet| is_unreserved(*octet));
            let takes = octets.len().saturating_mul(if plain { 1 } else { ENCODED });
            let Some(rest) = left.checked_sub(takes) else {
                break;
            };
            left = rest;
            self.octets(octets, in_url)?;
        }
        Some(())
    }

    fn octets(&mut self, octets: &[u8], in_url: bool) -> Option<()> {
        for &octet in octets {
            if in_url && !is_unreserved(octet) {
                let digit = |value: u8| HEXADECIMAL.get(usize::from(value)).copied();
                self.put(&[b'%', digit(octet >> 4)?, digit(octet & 0xf)?])?;
            } else if octet.is_ascii_control() {
                self.put(b"?")?;
            } else {
                self.put(&[octet])?;
            }
        }
        Some(())
    }

    fn number(&mut self, number: u64, radix: u64) -> Option<()> {
        let mut digits = [0; 20];
        let (mut rest, mut used) = (number, 0);
        for place in digits.iter_mut().rev() {
            let digit = usize::try_from(rest.checked_rem(radix)?).ok()?;
            *place = HEXADECIMAL.get(digit)?.to_ascii_lowercase();
            rest = rest.checked_div(radix)?;
            used = 1_usize.saturating_add(used);
            if rest == 0 {
                break;
            }
        }
        self.put(digits.get(digits.len().checked_sub(used)?..)?)
    }
}

/// RFC 3986 section 2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";

/// Octets of a percent-encoded one.
const ENCODED: usize = 3;

/// Sixteen characters of a name may need encoding before it is cut: `@` is one of them.
const ROOM_FOR_ENCODING: usize = 32;
