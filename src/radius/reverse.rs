//! Disconnect- and CoA-Requests that a home server sends back over the connection that we opened
//! (RFC 8559): where they are not carried on, they are refused with the reason.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::radius::attribute::Attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::authenticator::SharedSecret;
use crate::radius::code::Code;
use crate::radius::encode;
use crate::radius::encode::EncodeError;
use crate::radius::encode::Writer;
use crate::radius::packet::MAX_PACKET;
use crate::radius::packet::Packet;
use crate::radius::version11;

/// "Request Not Routable (Proxy)": the Error-Cause of RFC 5176 section 3.5 for a request that a
/// proxy carries no further (RFC 8559 section 3.3).
pub const NOT_ROUTABLE: u32 = 502;

/// The NAK to such a request, in `buffer`; `version_11` says how the connection speaks. `None` for a
/// packet that is no such request, or is not signed with the secret: nothing answers that.
///
/// # Errors
///
/// When its Proxy-States do not fit beside the Error-Cause.
pub fn refuse_reverse<'b>(
    request: &Packet<'_>,
    secret: &SharedSecret,
    version_11: bool,
    cause: u32,
    buffer: &'b mut [u8; MAX_PACKET],
) -> Option<Result<&'b [u8], EncodeError>> {
    let code = if request.code() == Code::DisconnectRequest {
        Code::DisconnectNak
    } else if request.code() == Code::CoaRequest {
        Code::CoaNak
    } else {
        return None;
    };
    let authenticator = request.request_authenticator();
    if !version_11 {
        let right = secret.request_authenticator(request.octets());
        if !right.ct_eq(&authenticator) {
            return None;
        }
    }
    let mut writer = if version_11 {
        version11::begin(buffer, code, version11::token(request))
    } else {
        let identifier = request.identifier();
        let mut writer = Writer::new(buffer, code, identifier, authenticator.octets(), 0);
        writer.message_authenticator();
        writer
    };
    writer.attribute(AttributeType::ERROR_CAUSE, &[&cause.to_be_bytes()]);
    // RFC 5176 section 3.1.
    for Attribute { kind, value } in request.attributes() {
        if kind == AttributeType::PROXY_STATE {
            writer.attribute(kind, &[value]);
        }
    }
    if version_11 {
        return Some(writer.finish_unsealed().map(|(packet, _)| &*packet));
    }
    Some(writer.finish(secret).map(|packet| {
        let right = secret.response_authenticator(packet, &authenticator);
        encode::set_authenticator(packet, right.octets());
        &*packet
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::radius::client::RequestBuilder;
    use crate::radius::client::verify_reply;

    #[test]
    fn a_disconnect_that_goes_no_further_is_refused_with_502_rfc8559_3_3() {
        let secret = SharedSecret::new(Secret::new(b"radsec".to_vec()));
        let mut buffer = [0; MAX_PACKET];
        let mut builder = RequestBuilder::disconnect_request(&mut buffer, 9, &secret);
        builder.octets(AttributeType::PROXY_STATE, b"theirs");
        let request = builder.finish().unwrap().to_vec();
        let request = Packet::new_checked(&request).unwrap();
        let mut buffer = [0; MAX_PACKET];
        let refused = refuse_reverse(&request, &secret, false, NOT_ROUTABLE, &mut buffer);
        let refused = Packet::new_checked(refused.unwrap().unwrap()).unwrap();
        let refused = verify_reply(refused, &request, &secret).unwrap();
        let refused = refused.packet();
        assert_eq!(refused.code(), Code::DisconnectNak);
        assert_eq!(
            refused.find(AttributeType::ERROR_CAUSE),
            Some(&[0, 0, 1, 246][..])
        );
        assert_eq!(
            refused.find(AttributeType::PROXY_STATE),
            Some(&b"theirs"[..])
        );
    }

    #[test]
    fn what_is_signed_with_another_secret_or_is_no_request_is_not_answered() {
        let secret = SharedSecret::new(Secret::new(b"radsec".to_vec()));
        let other = SharedSecret::new(Secret::new(b"another".to_vec()));
        let mut buffer = [0; MAX_PACKET];
        let disconnect = RequestBuilder::disconnect_request(&mut buffer, 9, &other);
        let disconnect = disconnect.finish().unwrap().to_vec();
        let mut buffer = [0; MAX_PACKET];
        let accounting = RequestBuilder::accounting_request(&mut buffer, 9, &secret);
        let accounting = accounting.finish().unwrap().to_vec();
        for (row, octets, version_11) in [
            ("another secret", &disconnect, false),
            ("no such request", &accounting, false),
            ("no such request of 1.1", &accounting, true),
        ] {
            let request = Packet::new_checked(octets).unwrap();
            let mut buffer = [0; MAX_PACKET];
            let refused = refuse_reverse(&request, &secret, version_11, NOT_ROUTABLE, &mut buffer);
            assert!(refused.is_none(), "row {row}");
        }
    }
}
