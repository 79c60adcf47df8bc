//! Keys that a finished conversation gives, and their derivation (RFC 5216 section 2.3, RFC 9190
//! section 2.3, RFC 5281 section 8, RFC 9427 sections 2.4 and 2.5).

use std::fmt;

use rustls::ConnectionCommon;
use rustls::ProtocolVersion;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::offer::Outer;
use super::packet::Type;

/// Master Session Key, 64 octets, for the NAS. Zeroed on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct Msk(Zeroizing<[u8; 64]>);

impl Msk {
    /// The octets.
    #[must_use]
    pub fn expose(&self) -> &[u8; 64] {
        &self.0
    }

    /// MSK\[0..31\]: the PMK, and MS-MPPE-Recv-Key (RFC 2548; the name is seen from the NAS).
    #[must_use]
    pub fn receive_key(&self) -> &[u8] {
        self.0.split_at(32).0
    }

    /// MSK\[32..63\]: MS-MPPE-Send-Key.
    #[must_use]
    pub fn send_key(&self) -> &[u8] {
        self.0.split_at(32).1
    }

    /// Compares in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl fmt::Debug for Msk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Msk(present)")
    }
}

/// Extended Master Session Key, 64 octets; it stays between server and peer.
#[derive(Clone)]
pub struct Emsk(Zeroizing<[u8; 64]>);

impl Emsk {
    /// The octets.
    #[must_use]
    pub fn expose(&self) -> &[u8; 64] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl fmt::Debug for Emsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emsk(present)")
    }
}

/// EAP Session-Id: names a conversation for EAP-Key-Name; 65 octets; not secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 65]);

impl SessionId {
    /// The octets, the method's Type first.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 65] {
        &self.0
    }

    fn new(kind: Type, method_id: &[u8; 64]) -> Self {
        let mut octets = [kind.0; 65];
        let (_, rest) = octets.split_at_mut(1);
        rest.copy_from_slice(method_id);
        Self(octets)
    }
}

/// What both ends know at the end.
#[derive(Clone, Debug)]
pub struct Keys {
    /// For the NAS.
    pub msk: Msk,
    /// For nobody else.
    pub emsk: Emsk,
    /// Name of the conversation. `None` in TEAP, which takes the first Finished of TLS for it (RFC
    /// 9930 section 3.8): rustls does not give that.
    pub session_id: Option<SessionId>,
}

impl Keys {
    /// Derives them from a connection whose handshake is complete, server's or peer's.
    ///
    /// `randoms` are needed for TLS 1.2 only: rustls does not give them, they are read from the
    /// first records. Those of TEAP come from what was spoken inside, see `Keys::of_chain`.
    ///
    /// # Errors
    ///
    /// When the handshake is not complete or the randoms are missing.
    pub fn derive<Data>(
        connection: &ConnectionCommon<Data>,
        randoms: &Randoms,
        method: Outer,
    ) -> Result<Self, rustls::Error> {
        let seed = || Zeroizing::new([0; 128]);
        let kind = method.kind();
        let (material, session_id) = if connection.protocol_version()
            == Some(ProtocolVersion::TLSv1_3)
        {
            // The length is an input of the TLS 1.3 exporter: exactly 128 and 64.
            let context = Some([kind.0]);
            let context = context.as_ref().map(<[u8; 1]>::as_slice);
            let material = connection.export_keying_material(seed(), KEY_MATERIAL_1_3, context)?;
            let method_id = connection.export_keying_material([0; 64], METHOD_ID_1_3, context)?;
            (material, SessionId::new(kind, &method_id))
        } else {
            // No context, which is not an empty one.
            let label = match method {
                Outer::Tls | Outer::Peap | Outer::Teap => KEY_MATERIAL_1_2,
                Outer::Ttls => TTLS_KEY_MATERIAL_1_2,
            };
            let material = connection.export_keying_material(seed(), label, None)?;
            let method_id = randoms.method_id().ok_or_else(|| {
                rustls::Error::General("the randoms of the hellos are missing".into())
            })?;
            (material, SessionId::new(kind, &method_id))
        };
        let (msk, emsk) = split(&material);
        Ok(Self {
            msk,
            emsk,
            session_id: Some(session_id),
        })
    }

    /// Those of TEAP: MSK and EMSK that its chain of keys ends with (RFC 9930 section 6.4).
    pub(crate) fn of_chain(material: &Zeroizing<[u8; 128]>) -> Self {
        let (msk, emsk) = split(material);
        Self {
            msk,
            emsk,
            session_id: None,
        }
    }

    /// TK of [MS-PEAP] section 3.1.5.5.2.1: what an inner method is bound to.
    pub(crate) fn tunnel_key(&self) -> &[u8; 60] {
        let first = self.msk.0.first_chunk();
        first.expect("60 octets are less than the 64 of an MSK")
    }

    /// The keys that PEAP has when both sides bound it to the inner method.
    pub(crate) fn bound(self, material: &Zeroizing<[u8; 128]>) -> Self {
        let (msk, emsk) = split(material);
        Self { msk, emsk, ..self }
    }
}

/// The first half of the key material is the MSK, the second the EMSK.
fn split(material: &[u8; 128]) -> (Msk, Emsk) {
    let mut msk = Zeroizing::new([0; 64]);
    let mut emsk = Zeroizing::new([0; 64]);
    let (first, second) = material.split_at(64);
    msk.copy_from_slice(first);
    emsk.copy_from_slice(second);
    (Msk(msk), Emsk(emsk))
}

/// The random values of ClientHello and ServerHello.
#[derive(Clone, Debug, Default)]
pub struct Randoms {
    client: Option<[u8; 32]>,
    server: Option<[u8; 32]>,
}

impl Randoms {
    /// Looks for a hello at the start of one side's first flight; later flights and others
    /// change nothing. Neither hello is encrypted in any version.
    pub fn observe(&mut self, flight: &[u8]) {
        let Some((kind, random)) = hello_random(flight) else {
            return;
        };
        match kind {
            CLIENT_HELLO => self.client.get_or_insert(random),
            SERVER_HELLO => self.server.get_or_insert(random),
            _ => return,
        };
    }

    /// `client_random | server_random`, the Method-Id of TLS 1.2.
    fn method_id(&self) -> Option<[u8; 64]> {
        let mut octets = [0; 64];
        let (client, server) = octets.split_at_mut(32);
        client.copy_from_slice(&self.client?);
        server.copy_from_slice(&self.server?);
        Some(octets)
    }
}

/// Type and random of the handshake message that a flight begins with: 4 octets of header, 2 of
/// version, 32 of random, in as many records as the sender liked (RFC 5246 section 7.4.1).
fn hello_random(flight: &[u8]) -> Option<(u8, [u8; 32])> {
    let mut hello = Vec::with_capacity(HELLO_HEAD);
    let mut rest = flight;
    while hello.len() < HELLO_HEAD {
        let ([kind, _, _, high, low], after) = rest.split_first_chunk::<5>()?;
        if *kind != HANDSHAKE_RECORD {
            return None;
        }
        let (payload, next) =
            after.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if payload.is_empty() {
            return None;
        }
        let wanted = HELLO_HEAD.saturating_sub(hello.len());
        hello.extend_from_slice(payload.get(..wanted).unwrap_or(payload));
        rest = next;
    }
    let (random, head) = hello
        .split_last_chunk::<32>()
        .map(|(head, random)| (random, head))?;
    Some((*head.first()?, *random))
}

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_HEAD: usize = 4 + 2 + 32;

const KEY_MATERIAL_1_2: &[u8] = b"client EAP encryption";
const TTLS_KEY_MATERIAL_1_2: &[u8] = b"ttls keying material";
const KEY_MATERIAL_1_3: &[u8] = b"EXPORTER_EAP_TLS_Key_Material";
const METHOD_ID_1_3: &[u8] = b"EXPORTER_EAP_TLS_Method-Id";

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(kind: u8, random: u8) -> Vec<u8> {
        let mut message = vec![kind, 0, 0, 34, 3, 3];
        message.extend([random; 32]);
        message
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        for piece in message.chunks(size) {
            octets.extend([22, 3, 1, 0, u8::try_from(piece.len()).unwrap()]);
            octets.extend(piece);
        }
        octets
    }

    #[test]
    fn randoms_are_found_however_the_hello_is_cut() {
        for size in [1, 5, 37, 38, 200] {
            let mut randoms = Randoms::default();
            randoms.observe(&records(&hello(1, 0xaa), size));
            randoms.observe(&records(&hello(2, 0xbb), size));
            let id = randoms.method_id().unwrap();
            assert_eq!((id[0], id[63]), (0xaa, 0xbb), "row {size}");
        }
    }

    #[test]
    fn the_first_hello_counts_and_others_do_not() {
        let mut randoms = Randoms::default();
        for kind in [11, 1, 2] {
            randoms.observe(&records(&hello(kind, 1), 200));
            randoms.observe(&records(&hello(kind, 2), 200));
        }
        assert_eq!(randoms.method_id(), Some([1; 64]));
    }

    #[test]
    fn broken_records_give_no_random() {
        let flight = records(&hello(1, 0xaa), 200);
        for end in 0..flight.len() {
            assert_eq!(hello_random(&flight[..end]), None, "row {end}");
        }
        assert_eq!(hello_random(&[22, 3, 1, 0, 0, 22, 3, 1, 0, 0]), None);
        assert_eq!(hello_random(&[21, 3, 1, 0, 2, 2, 40]), None);
    }

    #[test]
    fn key_material_is_split_in_halves_and_quarters() {
        let mut material = [0; 128];
        for (position, octet) in material.iter_mut().enumerate() {
            *octet = u8::try_from(position).unwrap();
        }
        let (msk, emsk) = split(&material);
        assert_eq!((msk.receive_key()[0], msk.receive_key()[31]), (0, 31));
        assert_eq!((msk.send_key()[0], msk.send_key()[31]), (32, 63));
        assert_eq!((emsk.expose()[0], emsk.expose()[63]), (64, 127));
    }

    #[test]
    fn debug_shows_no_key() {
        let (msk, emsk) = split(&[7; 128]);
        assert_eq!(format!("{msk:?} {emsk:?}"), "Msk(present) Emsk(present)");
    }
}
