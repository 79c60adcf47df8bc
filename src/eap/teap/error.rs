//! What a peer is told about a failure: Error TLV (RFC 9930 section 4.2.6).

use crate::eap::error::FailureReason;
use crate::eap::error::InnerRefusal;

/// The number of an error. Of a password it is told the same whether it is wrong or not
/// looked at.
pub(super) const fn code(reason: &FailureReason) -> u32 {
    match reason {
        FailureReason::Blocked => 1004,
        FailureReason::Certificate(_) => 1020,
        FailureReason::Inner(why) => match why {
            InnerRefusal::Binding | InnerRefusal::Unbound => 2001,
            InnerRefusal::Order
            | InnerRefusal::Mandatory(_)
            | InnerRefusal::Malformed(_)
            | InnerRefusal::Credential => 2002,
            InnerRefusal::Realm => 1021,
            InnerRefusal::Refused(_) | InnerRefusal::Off(_) | InnerRefusal::NothingOffered => 1032,
            InnerRefusal::Password
            | InnerRefusal::Unchecked(_)
            | InnerRefusal::Unsuited(_)
            | InnerRefusal::Name
            | InnerRefusal::OtherName
            | InnerRefusal::Challenge
            | InnerRefusal::Distrust
            | InnerRefusal::Result
            | InnerRefusal::Nobody
            | InnerRefusal::Reported(_) => 1001,
        },
        FailureReason::NoIdentity
        | FailureReason::NothingOffered
        | FailureReason::Refused(_)
        | FailureReason::PeerAlert { .. }
        | FailureReason::PeerClosed
        | FailureReason::Silence(_)
        | FailureReason::Version
        | FailureReason::Incompatible(_)
        | FailureReason::Tls(_)
        | FailureReason::ApplicationData
        | FailureReason::Stalled
        | FailureReason::Fragment(_)
        | FailureReason::Rounds { .. }
        | FailureReason::InvalidPackets { .. }
        | FailureReason::Internal(_) => 1003,
    }
}
