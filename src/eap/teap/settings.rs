//! What an operator chooses about TEAP.

use super::tlv::AUTHORITY_ID;
use super::tlv::TeapIdentity;
use crate::eap::config::TlsVersion;
use crate::eap::fragment::TEAP_START;

/// Choices about TEAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeapSettings {
    /// The newest TLS version, if the oldest that is spoken at all is not newer: there are several
    /// derivations of its keys in TLS 1.3, and few peers that speak any.
    pub tls_max: TlsVersion,
    /// Which derivation that is.
    pub tls13_keys: TeapKeys,
    /// What the tunnel is bound to its inner methods by.
    pub binding: TeapBinding,
    /// Whom a peer is asked for, in this order; each once, and one of them is enough.
    pub identities: Vec<TeapIdentity>,
    /// What a certificate is good for that is shown when the tunnel is made.
    pub certificate: TeapCertificate,
    /// Names this server, or all servers of one house, to peers; at most [`TeapSettings::MAX_ID`].
    pub authority_id: Vec<u8>,
}

impl TeapSettings {
    /// Octets of an Authority-ID: it stands in each first packet.
    pub const MAX_ID: usize = 64;

    /// Type-Data of the first Request (section 4.1): who the server is stands beside TLS.
    pub(in crate::eap) fn start(&self) -> Vec<u8> {
        let outer = self.outer_tlvs();
        let length = u32::try_from(outer.len()).unwrap_or(0).to_be_bytes();
        [&[TEAP_START][..], &length, &outer].concat()
    }

    /// What stands there: our Authority-ID TLV.
    pub(super) fn outer_tlvs(&self) -> Vec<u8> {
        let [high, low] = AUTHORITY_ID.to_be_bytes();
        let id = self.authority_id.as_slice();
        let length = u16::try_from(id.len()).unwrap_or(0).to_be_bytes();
        [&[high, low][..], &length, id].concat()
    }
}

impl Default for TeapSettings {
    /// What all known peers understand: Windows stops if it is asked for a user that is not there
    /// before the machine.
    fn default() -> Self {
        Self {
            tls_max: TlsVersion::Tls12,
            tls13_keys: TeapKeys::PHash,
            binding: TeapBinding::Msk,
            identities: vec![TeapIdentity::Machine, TeapIdentity::User],
            certificate: TeapCertificate::Unasked,
            authority_id: b"portreeve".to_vec(),
        }
    }
}

/// Keys of inner methods that the tunnel is bound to (RFC 9930 section 6.2). The text has been read
/// in two ways where methods follow each other of which one has an EMSK, as EAP-TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TeapBinding {
    /// Their MSKs alone, of which all peers have the same reading.
    Msk,
    /// MSKs in one chain and EMSKs in another: FreeRADIUS, Windows.
    TwoChains,
    /// One chain of whatever the peer chose: hostapd and wpa_supplicant of 2025 and later.
    OneChain,
}

/// How keys are derived in TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TeapKeys {
    /// By the PRF of TLS 1.2 with the hash of the suite: hostapd and wpa_supplicant.
    PHash,
    /// By the exporter of TLS (RFC 9427 section 2.2).
    Rfc9427,
}

/// What a certificate is good for that a peer shows when the tunnel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TeapCertificate {
    /// None is asked for.
    Unasked,
    /// It is the machine's, which is not asked for inside then.
    Machine,
    /// Nothing is asked inside.
    Enough,
}

impl TeapCertificate {
    pub(in crate::eap) const fn is_asked(self) -> bool {
        match self {
            Self::Unasked => false,
            Self::Machine | Self::Enough => true,
        }
    }
}
