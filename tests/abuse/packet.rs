//! Packets octet by octet, right or wrong as they are wanted, without the gateway's own code.

use std::cell::Cell;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use md5::Digest;
use md5::Md5;

pub(crate) const ACCESS_REQUEST: u8 = 1;
pub(crate) const ACCOUNTING_REQUEST: u8 = 4;
pub(crate) const STATUS_SERVER: u8 = 12;

/// A packet before it is signed.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) octets: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(code: u8) -> Self {
        // Never the same twice on a thread, so that nothing is a retransmission.
        thread_local! {
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }
        COUNT.set(COUNT.get() + 1);
        let mut octets = vec![code, COUNT.get().to_be_bytes()[7], 0, 0];
        octets.extend_from_slice(&[0xa5; 8]);
        octets.extend_from_slice(&COUNT.get().to_be_bytes());
        Self { octets }
    }

    /// One attribute whose length is right.
    pub(crate) fn with(self, kind: u8, value: &[u8]) -> Self {
        let length = u8::try_from(value.len() + 2).unwrap();
        self.raw(&[kind, length]).raw(value)
    }

    /// Whatever it is.
    pub(crate) fn raw(mut self, octets: &[u8]) -> Self {
        self.octets.extend_from_slice(octets);
        self
    }

    /// An EAP packet in pieces of 253 octets.
    pub(crate) fn eap(self, packet: &[u8]) -> Self {
        packet
            .chunks(253)
            .fold(self, |request, piece| request.with(79, piece))
    }

    /// The length as it is.
    pub(crate) fn measured(mut self) -> Self {
        let length = u16::try_from(self.octets.len()).unwrap();
        self.octets[2..4].copy_from_slice(&length.to_be_bytes());
        self
    }

    /// Another length than it has.
    pub(crate) fn lying(mut self, length: u16) -> Vec<u8> {
        self.octets[2..4].copy_from_slice(&length.to_be_bytes());
        self.octets
    }

    /// Measured, with a right Message-Authenticator first (RFC 3579 section 3.2).
    pub(crate) fn signed(self, secret: &[u8]) -> Vec<u8> {
        let attributes = self.octets[20..].to_vec();
        let mut head = self;
        head.octets.truncate(20);
        let mut packet = head.with(80, &[0; 16]).raw(&attributes).measured().octets;
        let mut mac = Hmac::<Md5>::new_from_slice(secret).unwrap();
        mac.update(&packet);
        packet[22..38].copy_from_slice(&mac.finalize().into_bytes());
        packet
    }

    /// Measured, with a right Request Authenticator of accounting (RFC 2866 section 3).
    pub(crate) fn accounted(self, secret: &[u8]) -> Vec<u8> {
        let mut packet = self.measured().octets;
        packet[4..20].fill(0);
        let digest = Md5::digest([&packet[..], secret].concat());
        packet[4..20].copy_from_slice(&digest);
        packet
    }

    pub(crate) fn unsigned(self) -> Vec<u8> {
        self.measured().octets
    }
}

/// A signed answer to a request of the gateway (RFC 5176 section 2.3).
pub(crate) fn answer(request: &[u8], code: u8, attributes: &[u8], secret: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    let head = [code, request[1], length[0], length[1]];
    let signed = [&head[..], &request[4..20], attributes, secret].concat();
    [&head[..], &Md5::digest(signed), attributes].concat()
}

/// The values of an attribute.
pub(crate) fn find(packet: &[u8], kind: u8) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = &packet[20..];
    while let [of, length, ..] = *rest {
        let (attribute, after) = rest.split_at(usize::from(length));
        if of == kind {
            found.push(attribute[2..].to_vec());
        }
        rest = after;
    }
    found
}
