//! Packet codes, spelled as the RFCs spell them.

use std::fmt;

use crate::radius::error::Malformed;

/// The first octet of a packet (RFC 2865 section 4, RFC 2866 section 4, RFC 5176 section 2,
/// RFC 5997 section 2, RFC 7930 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// 1, from a NAS.
    AccessRequest = 1,
    /// 2, from a server.
    AccessAccept = 2,
    /// 3, from a server.
    AccessReject = 3,
    /// 4, from a NAS.
    AccountingRequest = 4,
    /// 5, from a server.
    AccountingResponse = 5,
    /// 11, from a server.
    AccessChallenge = 11,
    /// 12, from a NAS or a proxy that asks whether the server is alive.
    StatusServer = 12,
    /// 40, from a server.
    DisconnectRequest = 40,
    /// 41, from a NAS.
    DisconnectAck = 41,
    /// 42, from a NAS.
    DisconnectNak = 42,
    /// 43, from a server.
    CoaRequest = 43,
    /// 44, from a NAS.
    CoaAck = 44,
    /// 45, from a NAS.
    CoaNak = 45,
    /// 52, from a server.
    ProtocolError = 52,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 14] = [
        Self::AccessRequest,
        Self::AccessAccept,
        Self::AccessReject,
        Self::AccountingRequest,
        Self::AccountingResponse,
        Self::AccessChallenge,
        Self::StatusServer,
        Self::DisconnectRequest,
        Self::DisconnectAck,
        Self::DisconnectNak,
        Self::CoaRequest,
        Self::CoaAck,
        Self::CoaNak,
        Self::ProtocolError,
    ];

    /// The octet on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name as the RFC writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessRequest => "Access-Request",
            Self::AccessAccept => "Access-Accept",
            Self::AccessReject => "Access-Reject",
            Self::AccountingRequest => "Accounting-Request",
            Self::AccountingResponse => "Accounting-Response",
            Self::AccessChallenge => "Access-Challenge",
            Self::StatusServer => "Status-Server",
            Self::DisconnectRequest => "Disconnect-Request",
            Self::DisconnectAck => "Disconnect-ACK",
            Self::DisconnectNak => "Disconnect-NAK",
            Self::CoaRequest => "CoA-Request",
            Self::CoaAck => "CoA-ACK",
            Self::CoaNak => "CoA-NAK",
            Self::ProtocolError => "Protocol-Error",
        }
    }
}

impl TryFrom<u8> for Code {
    type Error = Malformed;

    fn try_from(code: u8) -> Result<Self, Malformed> {
        Ok(match code {
            1 => Self::AccessRequest,
            2 => Self::AccessAccept,
            3 => Self::AccessReject,
            4 => Self::AccountingRequest,
            5 => Self::AccountingResponse,
            11 => Self::AccessChallenge,
            12 => Self::StatusServer,
            40 => Self::DisconnectRequest,
            41 => Self::DisconnectAck,
            42 => Self::DisconnectNak,
            43 => Self::CoaRequest,
            44 => Self::CoaAck,
            45 => Self::CoaNak,
            52 => Self::ProtocolError,
            _ => return Err(Malformed::UnknownCode { code }),
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_others_are_refused() {
        let mut known = 0;
        for octet in 0..=u8::MAX {
            match Code::try_from(octet) {
                Ok(code) => {
                    known += 1;
                    assert_eq!(code.number(), octet, "row {code}");
                    assert!(Code::ALL.contains(&code), "row {code}");
                }
                Err(error) => assert_eq!(error, Malformed::UnknownCode { code: octet }),
            }
        }
        assert_eq!(known, Code::ALL.len());
    }
}
