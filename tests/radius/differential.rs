//! Against the crate `radius`, which was written by others.
//!
//! It signs no Message-Authenticator, so that part is checked by the vectors only.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::HEADER;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;
use portreeve::radius::Template;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;
use proptest::prelude::*;
use radius::core::avp::AVP;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet as Theirs;
use radius::core::rfc2865;
use radius::core::rfc2866;
use radius::core::rfc2868;
use radius::core::tag::Tag;

use crate::support;
use crate::support::FIELD;
use crate::support::SECRET;

proptest! {
    /// Their Access-Request, our reading: lengths, order, values, User-Password.
    #[test]
    fn we_read_what_they_write(
        name in "[a-z]{1,60}",
        password in "[!-~]{1,128}",
        port in any::<u32>(),
        states in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..64), 0..4),
    ) {
        let mut theirs = Theirs::new_with_identifier(TheirCode::AccessRequest, SECRET, 9);
        rfc2865::add_user_name(&mut theirs, &name);
        rfc2865::add_user_password(&mut theirs, password.as_bytes()).unwrap();
        rfc2865::add_nas_port(&mut theirs, port);
        for state in &states {
            rfc2865::add_proxy_state(&mut theirs, state);
        }
        let octets = theirs.encode().unwrap();
        let nas = support::nas_with(SECRET, MessageAuthenticatorPolicy::Off);
        let verified = verify(Packet::new_checked(&octets).unwrap(), &nas).unwrap();
        let Ok(Request::Access(access)) = verified.request() else {
            panic!("an Access-Request");
        };
        prop_assert_eq!(access.user_name(), Some(name.as_bytes()));
        prop_assert_eq!(access.nas_port(), Some(port));
        prop_assert_eq!(access.proxy_states().collect::<Vec<_>>(), states);
        let revealed = access.password(nas.secret().secret()).unwrap();
        prop_assert_eq!(revealed.expose(), password.as_bytes());
    }

    /// Our Access-Request, their reading.
    #[test]
    fn they_read_what_we_write(
        name in "[a-z]{1,60}",
        password in "[!-~]{1,128}",
        address in any::<[u8; 4]>(),
        field in any::<[u8; 16]>(),
    ) {
        let mut buffer = [0; MAX_PACKET];
        let secret = support::shared();
        let field = RequestAuthenticator::new(field);
        let mut request = RequestBuilder::access_request(&mut buffer, 9, field, &secret);
        request
            .octets(AttributeType::USER_NAME, name.as_bytes())
            .user_password(password.as_bytes())
            .octets(AttributeType::NAS_IP_ADDRESS, &address);
        let theirs = Theirs::decode(request.finish().unwrap(), SECRET).unwrap();
        prop_assert_eq!(theirs.get_code(), TheirCode::AccessRequest);
        prop_assert_eq!(theirs.get_identifier(), 9);
        prop_assert_eq!(rfc2865::lookup_user_name(&theirs).unwrap().unwrap(), name);
        let read = rfc2865::lookup_user_password(&theirs).unwrap().unwrap();
        prop_assert_eq!(read, password.as_bytes());
        let read = rfc2865::lookup_nas_ip_address(&theirs).unwrap().unwrap();
        prop_assert_eq!(read.octets(), address);
    }

    /// Request Authenticators of accounting, both ways (RFC 2866 section 3).
    #[test]
    fn accounting_requests_are_signed_alike(session in "[a-z0-9]{1,32}", status in any::<u32>()) {
        let mut theirs = Theirs::new_with_identifier(TheirCode::AccountingRequest, SECRET, 3);
        rfc2866::add_acct_status_type(&mut theirs, status);
        rfc2866::add_acct_session_id(&mut theirs, &session);
        let theirs = theirs.encode().unwrap();
        let mut buffer = [0; MAX_PACKET];
        let secret = support::shared();
        let mut ours = RequestBuilder::accounting_request(&mut buffer, 3, &secret);
        ours.integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
        let ours = ours.finish().unwrap();
        prop_assert_eq!(ours, &theirs[..]);
        prop_assert!(Theirs::is_authentic_request(ours, SECRET));
        prop_assert_eq!(support::judge(&theirs, &support::nas()), Ok(()));
    }

    /// Response Authenticators, both ways (RFC 2865 section 3).
    #[test]
    fn replies_are_signed_alike(
        message in "[ -~]{1,253}",
        timeout in any::<u32>(),
        accept in any::<bool>(),
    ) {
        let asked = support::access(&[(AttributeType::USER_NAME, b"alice")]);
        let request = Packet::new_checked(&asked).unwrap();
        let nas = support::nas();
        let origin = verify(request, &nas).unwrap().origin();
        let mut buffer = [0; MAX_PACKET];
        let mut ours = if accept {
            Reply::access_accept(&mut buffer, origin, nas.secret())
        } else {
            Reply::access_challenge(&mut buffer, origin, nas.secret())
        };
        ours.octets(AttributeType::REPLY_MESSAGE, message.as_bytes())
            .integer(AttributeType::SESSION_TIMEOUT, timeout);
        let ours = ours.finish().unwrap();
        prop_assert!(Theirs::is_authentic_response(ours, &asked, SECRET));
        let read = Theirs::decode(ours, SECRET).unwrap();
        prop_assert_eq!(rfc2865::lookup_reply_message(&read).unwrap().unwrap(), message.clone());
        prop_assert_eq!(rfc2865::lookup_session_timeout(&read).unwrap().unwrap(), timeout);

        let theirs = Theirs::decode(&asked, SECRET).unwrap();
        let mut theirs = theirs.make_response_packet(TheirCode::AccessReject);
        rfc2865::add_reply_message(&mut theirs, &message);
        let theirs = theirs.encode().unwrap();
        let reply = Packet::new_checked(&theirs).unwrap();
        let reply = verify_reply(reply, &request, nas.secret()).unwrap();
        prop_assert_eq!(reply.packet().code(), Code::AccessReject);
        prop_assert_eq!(reply.signature(), Signature::Missing);
    }

    /// Any attributes, any values: both see the same ones in the same places.
    #[test]
    fn attributes_are_encoded_alike(
        attributes in proptest::collection::vec(
            (1..=255_u8, proptest::collection::vec(any::<u8>(), 0..80)),
            0..30,
        ),
    ) {
        let mut theirs = Theirs::new_with_identifier(TheirCode::AccessRequest, SECRET, 1);
        let mut buffer = [0; MAX_PACKET];
        let secret = support::shared();
        let field = RequestAuthenticator::new(theirs.get_authenticator()[..].try_into().unwrap());
        let mut ours = RequestBuilder::unsigned_access_request(&mut buffer, 1, field, &secret);
        for (kind, value) in &attributes {
            theirs.add(AVP::from_bytes(*kind, value));
            ours.octets(AttributeType(*kind), value);
        }
        prop_assert_eq!(ours.finish().unwrap(), theirs.encode().unwrap());
    }
}

/// Text only: their tagged integers have five octets, where RFC 2868 section 3.1 has four.
#[test]
fn tagged_text_is_encoded_alike_rfc2868_3_6() {
    for tag in [1, 31] {
        let name = format!("Tunnel-Private-Group-Id:{tag}");
        let ours = Template::parse(&name, "quarantine").unwrap();
        let mut theirs = Theirs::new_with_identifier(TheirCode::AccessRequest, SECRET, 7);
        rfc2868::add_tunnel_private_group_id(&mut theirs, Some(&Tag::new(tag)), "quarantine");
        let theirs = theirs.encode().unwrap();
        assert_eq!(ours.octets(), &theirs[HEADER..], "row {tag}");
    }
}

#[test]
fn status_server_is_read_alike_rfc5997_2() {
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let request = RequestBuilder::status_server(&mut buffer, 4, FIELD, &secret);
    let theirs = Theirs::decode(request.finish().unwrap(), SECRET).unwrap();
    assert_eq!(theirs.get_code(), TheirCode::StatusServer);
    assert_eq!(theirs.get_authenticator()[..], FIELD.octets()[..]);
}
