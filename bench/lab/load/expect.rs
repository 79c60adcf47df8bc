//! What an answer should say.

use std::str::FromStr;

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Packet;

/// The answer that counts as right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Accept or Reject.
    Any,
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Access-Accept with this VLAN, by number or name (RFC 3580 section 3.31).
    Vlan(String),
}

impl Expect {
    /// Whether a last answer, no challenge, is as expected; if not, in which way.
    pub(super) fn check(&self, reply: &Packet<'_>) -> Result<(), &'static str> {
        match (self, reply.code()) {
            (Self::Any | Self::Accept, Code::AccessAccept)
            | (Self::Any | Self::Reject, Code::AccessReject) => Ok(()),
            (Self::Vlan(expected), Code::AccessAccept) => {
                let held = reply.find(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
                if held.map(untagged) == Some(expected.as_bytes()) {
                    Ok(())
                } else {
                    Err("wrong_vlan")
                }
            }
            (Self::Any, _) => Err("wrong_code"),
            (Self::Accept | Self::Vlan(_), _) => Err("not_accepted"),
            (Self::Reject, _) => Err("not_rejected"),
        }
    }

    /// Whether refusals are right.
    pub(super) const fn takes_reject(&self) -> bool {
        matches!(self, Self::Any | Self::Reject)
    }

    /// Whether acceptances are right.
    pub(super) const fn takes_accept(&self) -> bool {
        matches!(self, Self::Any | Self::Accept | Self::Vlan(_))
    }
}

impl FromStr for Expect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "accept" => Ok(Self::Accept),
            "reject" => Ok(Self::Reject),
            _ => match text.strip_prefix("vlan=") {
                Some(vlan) if !vlan.is_empty() => Ok(Self::Vlan(vlan.to_owned())),
                Some(_) | None => Err("expected accept, reject, any or vlan=20".to_owned()),
            },
        }
    }
}

/// A tag of 1 to 31 may stand before the text of a tunnel attribute (RFC 2868 section 3.6).
fn untagged(value: &[u8]) -> &[u8] {
    match value.split_first() {
        Some((0..=0x1f, rest)) => rest,
        Some(_) | None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply without signatures, which are checked elsewhere.
    fn reply(code: u8, vlan: Option<&[u8]>) -> Vec<u8> {
        let mut octets = vec![code, 1, 0, 20];
        octets.extend([0; 16]);
        if let Some(vlan) = vlan {
            octets.extend([81, u8::try_from(vlan.len() + 2).unwrap()]);
            octets.extend(vlan);
        }
        octets[3] = u8::try_from(octets.len()).unwrap();
        octets
    }

    #[test]
    fn answers_are_judged_by_code_and_vlan() {
        let (accept, reject, response) = (2, 3, 5);
        for (expect, code, vlan, expected) in [
            ("accept", accept, None, Ok(())),
            ("accept", reject, None, Err("not_accepted")),
            ("reject", reject, None, Ok(())),
            ("reject", accept, None, Err("not_rejected")),
            ("any", accept, None, Ok(())),
            ("any", reject, None, Ok(())),
            ("any", response, None, Err("wrong_code")),
            ("vlan=20", accept, Some(&b"20"[..]), Ok(())),
            ("vlan=20", accept, Some(&b"\x0120"[..]), Ok(())),
            ("vlan=20", accept, Some(&b"30"[..]), Err("wrong_vlan")),
            ("vlan=20", accept, None, Err("wrong_vlan")),
            ("vlan=20", reject, None, Err("not_accepted")),
        ] {
            let octets = reply(code, vlan);
            let packet = Packet::new_checked(&octets).unwrap();
            let held = expect.parse::<Expect>().unwrap().check(&packet);
            assert_eq!(held, expected, "row {expect} {code} {vlan:?}");
        }
        for wrong in ["", "vlan=", "yes", "vlan"] {
            assert!(wrong.parse::<Expect>().is_err(), "row {wrong}");
        }
    }
}
