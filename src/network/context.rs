//! Where a request came from, in words that a decision understands.

use std::net::IpAddr;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Text;
use crate::model::Credential;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::MacAddress;
use crate::model::Medium;
use crate::model::NasContext;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::network::charging::Charging;
use crate::network::claims::Claims;
use crate::radius::AccessRequest;
use crate::radius::Nas;

/// The port of one request; of fixed size, so that a conversation can keep it. The NAS itself
/// stands beside it: names that were cut to a fixed size could be those of another one.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) from: IpAddr,
    medium: Medium,
    ssid: Text<MAX_SSID>,
    /// Calling-Station-Id, where it is a MAC address.
    pub(super) station: Option<MacAddress>,
    /// Whether, and by whom, a Chargeable-User-Identity is asked for.
    pub(super) charging: Charging,
    /// The device that the client of a VPN claims to be; in a box, since few requests have one and each
    /// that waits would carry its room about.
    pub(super) claims: Option<Box<Claims>>,
}

impl Context {
    pub(super) fn new(from: IpAddr, request: &AccessRequest<'_>) -> Self {
        let medium = request.medium();
        let claims = match medium {
            Medium::Vpn => Claims::new(&request.device_claims()).map(Box::new),
            Medium::Unknown | Medium::Wired | Medium::Wireless => None,
        };
        Self {
            from,
            medium,
            ssid: request.ssid().map_or(Text::EMPTY, network_name),
            station: request.calling_mac(),
            charging: Charging::of(request),
            claims,
        }
    }

    /// Whether the port is a tunnel's end.
    pub(super) fn is_vpn(&self) -> bool {
        self.medium == Medium::Vpn
    }

    /// The device that is claimed, in the order of preference: by the words of a VPN's client, else by
    /// the station's address. Nothing of it is proof.
    pub(super) fn with_claimed<T>(&self, ask: impl FnOnce(&[Presented<'_>]) -> T) -> T {
        match self.claims.as_deref().filter(|claims| claims.identify()) {
            Some(claims) => claims.with(ask),
            None => {
                let claimed = self.station.map(|station| Presented {
                    identifier: Identifier::Mac(station),
                    established: Established::Claimed,
                });
                ask(claimed.as_slice())
            }
        }
    }

    /// Whether the words of a VPN's client are what is claimed.
    pub(super) fn is_identified_by_claims(&self) -> bool {
        self.claims.as_deref().is_some_and(Claims::identify)
    }

    /// The same for people.
    pub(super) fn shown_claim(&self) -> Text<64> {
        match (
            self.claims.as_deref().filter(|claims| claims.identify()),
            self.station,
        ) {
            (Some(claims), _) => claims.shown(),
            (None, Some(station)) => Text::new(readable(&station.spelled())),
            (None, None) => Text::EMPTY,
        }
    }

    pub(super) fn nas<'a>(&'a self, nas: &'a Nas) -> NasContext<'a> {
        NasContext {
            name: nas.name(),
            group: nas.group(),
            medium: self.medium,
            ssid: self.ssid.as_option(),
            claims: self.claims.as_deref().and_then(Claims::texts),
        }
    }

    /// Fills in the record of a decision about a subject from here.
    pub(super) fn record(
        &self,
        record: &mut DecisionRecord,
        id: Correlation,
        method: &str,
        subject: &Subject<'_>,
        decided: &Decided,
    ) {
        record.fill(id, method, subject, decided);
        record.from = Some(self.from);
        record.station = self.station;
    }

    /// Fills in the record of a peer that was not authenticated: nobody was judged, and why.
    pub(super) fn refusal(
        &self,
        record: &mut DecisionRecord,
        nas: &Nas,
        id: Correlation,
        refused: &Refused<'_>,
        now: Timestamp,
    ) {
        let subject = Subject {
            plane: Plane::Network,
            user: Some(refused.user),
            credential: Credential::None,
            device: &[],
            nas: Some(self.nas(nas)),
            mail: None,
        };
        record.fill_refused(id, refused.method, &subject, refused.why, now);
        record.from = Some(self.from);
        record.station = self.station;
    }
}

/// A peer that was not authenticated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'a> {
    /// By which method it tried.
    pub(super) method: &'a str,
    /// The name that it tried.
    pub(super) user: &'a str,
    /// A sentence for the record.
    pub(super) why: &'a str,
}

/// What can be read of octets that should be text, up to the first that cannot.
pub(super) fn readable(octets: &[u8]) -> &str {
    octets
        .utf8_chunks()
        .next()
        .map_or("", |chunk| chunk.valid())
}

/// A network name as policies compare it. One that is too long or no text has none: cut to what
/// fits, it would be another network's.
fn network_name(octets: &[u8]) -> Text<MAX_SSID> {
    match std::str::from_utf8(octets) {
        Ok(name) if name.len() <= MAX_SSID => Text::new(name),
        Ok(_) | Err(_) => Text::EMPTY,
    }
}

/// IEEE 802.11 has no longer network names.
const MAX_SSID: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_name_is_whole_or_none() {
        // Was cut at the first octet that is no text, and so made equal to another network's.
        let long = "a".repeat(33);
        for (octets, name) in [
            (&b"corp"[..], Some("corp")),
            (b"corp\xff", None),
            (b"corp\xffguest", None),
            ("caf\u{e9}".as_bytes(), Some("caf\u{e9}")),
            (&long.as_bytes()[1..], Some(&long[1..])),
            (long.as_bytes(), None),
        ] {
            assert_eq!(network_name(octets).as_option(), name, "row {octets:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_a_text() {
        assert_eq!(readable(b"ab\xffcd"), "ab");
        assert_eq!(readable(b"\xff"), "");
        assert_eq!(readable(b""), "");
    }
}
