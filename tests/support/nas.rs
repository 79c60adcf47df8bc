//! A NAS without a socket: it writes requests and believes only replies that are signed.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use std::cell::Cell;
use std::net::SocketAddr;

use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Packet;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::SharedSecret;
use portreeve::radius::Signature;
use portreeve::radius::verify_reply;

/// One NAS, or one of its ports: identifiers are counted for each source port.
#[derive(Debug)]
pub(crate) struct Nas {
    pub(crate) address: SocketAddr,
    pub(crate) secret: SharedSecret,
    identifier: u8,
}

impl Nas {
    pub(crate) fn new(address: &str, secret: &[u8]) -> Self {
        Self {
            address: address.parse().unwrap(),
            secret: SharedSecret::new(Secret::new(secret.to_vec())),
            identifier: 0,
        }
    }

    /// A signed Access-Request.
    pub(crate) fn access(&mut self, build: impl FnOnce(&mut RequestBuilder<'_, '_>)) -> Vec<u8> {
        let (identifier, authenticator) = self.next();
        let mut buffer = [0; MAX_PACKET];
        let mut request =
            RequestBuilder::access_request(&mut buffer, identifier, authenticator, &self.secret);
        build(&mut request);
        request.finish().unwrap().to_vec()
    }

    /// An Access-Request as old devices send it, without Message-Authenticator.
    pub(crate) fn unsigned_access(
        &mut self,
        build: impl FnOnce(&mut RequestBuilder<'_, '_>),
    ) -> Vec<u8> {
        let (identifier, authenticator) = self.next();
        let mut buffer = [0; MAX_PACKET];
        let mut request = RequestBuilder::unsigned_access_request(
            &mut buffer,
            identifier,
            authenticator,
            &self.secret,
        );
        build(&mut request);
        request.finish().unwrap().to_vec()
    }

    /// An Accounting-Request.
    pub(crate) fn accounting(
        &mut self,
        build: impl FnOnce(&mut RequestBuilder<'_, '_>),
    ) -> Vec<u8> {
        let (identifier, _) = self.next();
        let mut buffer = [0; MAX_PACKET];
        let mut request = RequestBuilder::accounting_request(&mut buffer, identifier, &self.secret);
        build(&mut request);
        request.finish().unwrap().to_vec()
    }

    /// A Status-Server.
    pub(crate) fn status(&mut self) -> Vec<u8> {
        let (identifier, authenticator) = self.next();
        let mut buffer = [0; MAX_PACKET];
        let request =
            RequestBuilder::status_server(&mut buffer, identifier, authenticator, &self.secret);
        request.finish().unwrap().to_vec()
    }

    /// Believes a reply to `request`, or fails the test.
    #[track_caller]
    pub(crate) fn believe(&self, request: &[u8], reply: &[u8]) -> Reply {
        let request = Packet::new_checked(request).unwrap();
        let reply = Packet::new_checked(reply).unwrap();
        let verified = verify_reply(reply, &request, &self.secret).unwrap();
        Reply {
            octets: reply.octets().to_vec(),
            code: reply.code(),
            signature: verified.signature(),
            request: request.request_authenticator(),
        }
    }

    /// Whether `reply` answers `request`; what does not is passed over like any stray datagram.
    pub(crate) fn answers(&self, request: &[u8], reply: &[u8]) -> bool {
        let request = Packet::new_checked(request).unwrap();
        let reply = Packet::new_checked(reply).unwrap();
        verify_reply(reply, &request, &self.secret).is_ok()
    }

    fn next(&mut self) -> (u8, RequestAuthenticator) {
        // Never the same twice on a thread, so on none of the NASes of a test.
        thread_local! {
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }
        COUNT.set(COUNT.get() + 1);
        let mut octets = [0x5a; 16];
        octets[..8].copy_from_slice(&COUNT.get().to_be_bytes());
        self.identifier = self.identifier.wrapping_add(1);
        (self.identifier, RequestAuthenticator::new(octets))
    }
}

/// A reply that was believed.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) octets: Vec<u8>,
    pub(crate) code: Code,
    pub(crate) signature: Signature,
    request: RequestAuthenticator,
}

impl Reply {
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::new_checked(&self.octets).unwrap()
    }

    /// The first value of an attribute.
    pub(crate) fn find(&self, kind: AttributeType) -> Option<Vec<u8>> {
        self.packet().find(kind).map(<[u8]>::to_vec)
    }

    /// All values of an attribute, in order.
    pub(crate) fn all(&self, kind: AttributeType) -> Vec<Vec<u8>> {
        self.packet().find_all(kind).map(<[u8]>::to_vec).collect()
    }

    pub(crate) fn text(&self, kind: AttributeType) -> Option<String> {
        self.find(kind)
            .map(|value| String::from_utf8(value).unwrap())
    }

    pub(crate) fn integer(&self, kind: AttributeType) -> Option<u32> {
        self.packet().integer(kind)
    }

    /// The types of its attributes, in order, each once.
    pub(crate) fn kinds(&self) -> Vec<AttributeType> {
        let mut kinds: Vec<AttributeType> = self
            .packet()
            .attributes()
            .map(|attribute| attribute.kind)
            .collect();
        kinds.dedup();
        kinds
    }

    /// The EAP packet in it.
    pub(crate) fn eap(&self) -> Option<Vec<u8>> {
        let mut joined = [0; MAX_PACKET];
        let packet = self.packet();
        let message = packet.eap_message()?;
        message.join(&mut joined).map(<[u8]>::to_vec)
    }

    /// The MPPE keys, taken out of hiding.
    pub(crate) fn keys(&self, nas: &Nas) -> Option<MppeKeys> {
        MppeKeys::reveal(&self.packet(), nas.secret.secret(), &self.request)
    }
}
