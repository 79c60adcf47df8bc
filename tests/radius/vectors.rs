//! Octets that others computed: decode, compare, encode, compare octets.

use std::collections::BTreeMap;

use md5::Digest;
use md5::Md5;
use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::DropReason;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::MppeKeys;
use portreeve::radius::Packet;
use portreeve::radius::Password;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Salt;
use portreeve::radius::SharedSecret;
use portreeve::radius::Signature;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

use crate::support;

#[test]
fn rfc2865_7_1() {
    let vector = Vector::named("rfc2865_7_1");
    let secret = vector.shared();
    let packet = Packet::new_checked(vector.get("request")).unwrap();
    let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Off);
    let verified = verify(packet, &nas).unwrap();
    let Ok(Request::Access(request)) = verified.request() else {
        panic!("an Access-Request");
    };
    assert_eq!(request.user_name(), Some(&b"nemo"[..]));
    assert_eq!(request.nas_port(), Some(3));
    assert_eq!(request.nas_ip_address(), Some([192, 168, 1, 16].into()));
    let password = request.password(secret.secret()).unwrap();
    assert_eq!(password.expose(), vector.get("password"));

    let mut buffer = [0; MAX_PACKET];
    let field = packet.request_authenticator();
    let mut again = RequestBuilder::unsigned_access_request(&mut buffer, 0, field, &secret);
    again
        .octets(AttributeType::USER_NAME, b"nemo")
        .user_password(vector.get("password"))
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 168, 1, 16])
        .integer(AttributeType::NAS_PORT, 3);
    assert_eq!(again.finish().unwrap(), vector.get("request"));
    vector.reply_is_right(Code::AccessAccept, Signature::Missing);
}

#[test]
fn rfc2865_7_2() {
    let vector = Vector::named("rfc2865_7_2");
    let packet = Packet::new_checked(vector.get("request")).unwrap();
    let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Off);
    let Ok(Request::Access(request)) = verify(packet, &nas).unwrap().request() else {
        panic!("an Access-Request");
    };
    let chap = request.chap().unwrap();
    assert_eq!(chap.identifier, 0x16);
    assert_eq!(chap.challenge, packet.request_authenticator().octets());
    vector.chap_is_right(chap);
    assert_eq!(request.service_type(), Some(2));
    vector.reply_is_right(Code::AccessAccept, Signature::Missing);
}

#[test]
fn rfc2865_7_3() {
    for (name, reply) in [
        ("rfc2865_7_3_challenge", Code::AccessChallenge),
        ("rfc2865_7_3_reject", Code::AccessReject),
    ] {
        let vector = Vector::named(name);
        let packet = Packet::new_checked(vector.get("request")).unwrap();
        let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Off);
        let Ok(Request::Access(request)) = verify(packet, &nas).unwrap().request() else {
            panic!("{name}: an Access-Request");
        };
        let password = request.password(vector.shared().secret()).unwrap();
        assert_eq!(password.expose(), vector.get("password"), "{name}");
        vector.reply_is_right(reply, Signature::Missing);
    }
    let challenge = Vector::named("rfc2865_7_3_challenge");
    let challenge = Packet::new_checked(challenge.get("reply")).unwrap();
    let second = Vector::named("rfc2865_7_3_reject");
    let second = Packet::new_checked(second.get("request")).unwrap();
    let state = challenge.find(AttributeType::STATE);
    assert_eq!(state, Some(&b"32769430"[..]));
    assert_eq!(second.find(AttributeType::STATE), state);
}

#[test]
fn rfc2865_5_2() {
    let vector = Vector::named("user_password_31");
    let secret = vector.shared();
    let field = vector.authenticator();
    let plain = Password::reveal(vector.get("hidden"), secret.secret(), &field).unwrap();
    assert_eq!(plain.expose(), vector.get("password"));
    let mut buffer = [0; MAX_PACKET];
    let mut request = RequestBuilder::access_request(&mut buffer, 0, field, &secret);
    request.user_password(vector.get("password"));
    let packet = Packet::new_checked(request.finish().unwrap()).unwrap();
    let hidden = packet.find(AttributeType::USER_PASSWORD);
    assert_eq!(hidden, Some(vector.get("hidden")));
}

#[test]
fn rfc2548_2_4() {
    let vector = Vector::named("access_pap");
    let secret = vector.shared();
    let mut buffer = [0; MAX_PACKET];
    let field = vector.authenticator();
    let mut request = RequestBuilder::access_request(&mut buffer, 0x2a, field, &secret);
    request
        .octets(AttributeType::USER_NAME, b"alice")
        .user_password(vector.get("password"))
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1]);
    assert_eq!(request.finish().unwrap(), vector.get("request"));

    let keys = MppeKeys::from_msk(vector.get("msk").try_into().unwrap());
    vector.writes_reply(|reply| {
        reply
            .mppe_keys(&keys, Salt::new(0x0001))
            .eap_message(vector.get("eap"));
    });
    vector.reply_is_right(Code::AccessAccept, Signature::First);

    let accept = Packet::new_checked(vector.get("reply")).unwrap();
    let revealed = MppeKeys::reveal(&accept, secret.secret(), &field).unwrap();
    assert_eq!(revealed.receive()[..], vector.get("msk")[..32]);
    assert_eq!(revealed.send()[..], vector.get("msk")[32..]);
    let wrong = Secret::new(b"testing124".to_vec());
    assert!(MppeKeys::reveal(&accept, &wrong, &field).is_none());
}

#[test]
fn rfc2865_5_40() {
    let vector = Vector::named("access_chap");
    let packet = Packet::new_checked(vector.get("request")).unwrap();
    let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Require);
    let Ok(Request::Access(request)) = verify(packet, &nas).unwrap().request() else {
        panic!("an Access-Request");
    };
    let chap = request.chap().unwrap();
    assert_eq!(Some(chap.challenge), packet.find(AttributeType(60)));
    vector.chap_is_right(chap);
}

#[test]
fn rfc3579_3_2_challenge_and_reject() {
    let challenge = Vector::named("access_challenge");
    let asked = challenge.request_from_authenticator();
    challenge.writes_reply_to(&asked, |reply| {
        reply
            .eap_message(challenge.get("eap"))
            .octets(AttributeType::STATE, challenge.get("state"));
    });
    let reject = Vector::named("access_reject");
    let asked = reject.request_from_authenticator();
    reject.writes_reply_to(&asked, |reply| {
        reply.eap_message(reject.get("eap"));
    });
}

#[test]
fn rfc2866_3() {
    let vector = Vector::named("accounting");
    let secret = vector.shared();
    let mut buffer = [0; MAX_PACKET];
    let mut request = RequestBuilder::accounting_request(&mut buffer, 7, &secret);
    request
        .integer(AttributeType::ACCT_STATUS_TYPE, 1)
        .octets(AttributeType::ACCT_SESSION_ID, b"sess-1")
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1]);
    assert_eq!(request.finish().unwrap(), vector.get("request"));
    vector.writes_reply(|_| {});
    vector.reply_is_right(Code::AccountingResponse, Signature::Missing);
}

#[test]
fn rfc2866_3_with_message_authenticator() {
    let vector = Vector::named("accounting_signed");
    let secret = vector.shared();
    let mut buffer = [0; MAX_PACKET];
    let mut request = RequestBuilder::accounting_request(&mut buffer, 8, &secret);
    request
        .sign()
        .integer(AttributeType::ACCT_STATUS_TYPE, 1)
        .octets(AttributeType::ACCT_SESSION_ID, b"sess-1")
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1]);
    assert_eq!(request.finish().unwrap(), vector.get("request"));
    let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Require);
    assert_eq!(support::judge(vector.get("request"), &nas), Ok(()));
    vector.reply_is_right(Code::AccountingResponse, Signature::First);
}

#[test]
fn rfc5997_3() {
    let vector = Vector::named("status_server");
    let secret = vector.shared();
    let mut buffer = [0; MAX_PACKET];
    let field = vector.authenticator();
    let request = RequestBuilder::status_server(&mut buffer, 11, field, &secret);
    assert_eq!(request.finish().unwrap(), vector.get("request"));
    vector.writes_reply(|_| {});
    vector.reply_is_right(Code::AccessAccept, Signature::First);
}

#[test]
fn rfc5176_3_requests_are_not_for_a_server() {
    for name in ["coa_request", "disconnect_request"] {
        let vector = Vector::named(name);
        let nas = support::nas_with(vector.get("secret"), MessageAuthenticatorPolicy::Require);
        let judged = support::judge(vector.get("request"), &nas);
        assert_eq!(judged, Err(DropReason::UnexpectedCode), "{name}");
    }
}

/// One block of `radius.txt`.
struct Vector(BTreeMap<String, Vec<u8>>);

impl Vector {
    fn named(name: &str) -> Self {
        let text = include_str!("../vectors/radius.txt");
        let wanted = format!("[{name}]");
        let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut key = String::new();
        let block = text.lines().skip_while(|line| *line != wanted).skip(1);
        for line in block.take_while(|line| !line.starts_with('[')) {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let octets = match line.split_once('=') {
                Some((name, octets)) => {
                    key = name.trim().into();
                    octets
                }
                None => line,
            };
            values.entry(key.clone()).or_default().extend(hex(octets));
        }
        assert!(!values.is_empty(), "no block {wanted}");
        Self(values)
    }

    fn get(&self, key: &str) -> &[u8] {
        &self.0[key]
    }

    fn shared(&self) -> SharedSecret {
        SharedSecret::new(Secret::new(self.get("secret").to_vec()))
    }

    fn authenticator(&self) -> RequestAuthenticator {
        RequestAuthenticator::new(self.get("authenticator").try_into().unwrap())
    }

    /// Some signed request with the vector's authenticator and identifier.
    fn request_from_authenticator(&self) -> Vec<u8> {
        let mut buffer = [0; MAX_PACKET];
        let secret = self.shared();
        let identifier = self.get("identifier")[0];
        let field = self.authenticator();
        RequestBuilder::access_request(&mut buffer, identifier, field, &secret)
            .finish()
            .unwrap()
            .to_vec()
    }

    fn writes_reply(&self, fill: impl FnOnce(&mut Reply<'_, '_>)) {
        self.writes_reply_to(self.get("request"), fill);
    }

    /// Builds the reply of the vector's code and compares all octets.
    fn writes_reply_to(&self, request: &[u8], fill: impl FnOnce(&mut Reply<'_, '_>)) {
        let nas = support::nas_with(self.get("secret"), MessageAuthenticatorPolicy::Require);
        let packet = Packet::new_checked(request).unwrap();
        let origin = verify(packet, &nas).unwrap().origin();
        let mut buffer = [0; MAX_PACKET];
        let build = match self.get("reply")[0] {
            2 => Reply::access_accept,
            3 => Reply::access_reject,
            5 => Reply::accounting_response,
            11 => Reply::access_challenge,
            code => panic!("no reply has code {code}"),
        };
        let mut reply = build(&mut buffer, origin, nas.secret());
        fill(&mut reply);
        assert_eq!(reply.finish().unwrap(), self.get("reply"));
    }

    fn reply_is_right(&self, code: Code, signature: Signature) {
        let request = Packet::new_checked(self.get("request")).unwrap();
        let reply = Packet::new_checked(self.get("reply")).unwrap();
        let verified = verify_reply(reply, &request, &self.shared()).unwrap();
        assert_eq!(verified.packet().code(), code);
        assert_eq!(verified.signature(), signature);
    }

    fn chap_is_right(&self, chap: portreeve::radius::ChapResponse<'_>) {
        let digest: [u8; 16] = Md5::new()
            .chain_update([chap.identifier])
            .chain_update(self.get("password"))
            .chain_update(chap.challenge)
            .finalize()
            .into();
        assert_eq!(*chap.response, digest);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16).expect("a hexadecimal digit"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "pairs of digits in {text}");
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
        .collect()
}
