//! Requests on their way to another server, and its answers on their way back: what a proxy changes
//! in them (RFC 2865 section 2.3).
//!
//! Everything that hangs on a shared secret or an authenticator is taken out of hiding on one side
//! and hidden anew on the other: User-Password, the MPPE keys (RFC 2548 sections 2.4.1 to 2.4.3)
//! and Tunnel-Password (RFC 2868 section 3.5). Everything else, EAP among it, is carried as it
//! stands and in its order.

use std::fmt;

use zeroize::Zeroizing;

use crate::radius::attribute::Attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::attribute::VendorSpecific;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::authenticator::SharedSecret;
use crate::radius::client::RequestBuilder;
use crate::radius::code::Code;
use crate::radius::encode::EncodeError;
use crate::radius::hidden;
use crate::radius::hidden::Password;
use crate::radius::mschap;
use crate::radius::packet::MAX_PACKET;
use crate::radius::packet::Packet;
use crate::radius::token;
use crate::radius::verify::Verified;

/// A request that can be sent to any server: without identifier, signatures and hiding.
pub struct Forward {
    code: Code,
    attributes: Vec<(AttributeType, Zeroizing<Box<[u8]>>)>,
}

impl Forward {
    /// What `request`, which a device with `secret` has sent, becomes. `mark` is added as the last
    /// Proxy-State; attributes that `keep` refuses are left out.
    ///
    /// `None` for a password that cannot be taken out of hiding.
    #[must_use]
    pub fn new(
        request: &Verified<'_>,
        secret: &SharedSecret,
        mark: &[u8],
        keep: impl Fn(AttributeType, &[u8]) -> bool,
    ) -> Option<Self> {
        let packet = request.packet();
        let authenticator = packet.request_authenticator();
        let mut attributes = Vec::new();
        let mut add = |kind, value: &[u8]| attributes.push((kind, Zeroizing::new(value.into())));
        for Attribute { kind, value } in packet.attributes() {
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR => {}
                AttributeType::USER_PASSWORD => {
                    let plain = Password::reveal(value, secret.secret(), &authenticator)?;
                    add(kind, plain.expose());
                }
                AttributeType(_) if keep(kind, value) => add(kind, value),
                AttributeType(_) => {}
            }
        }
        // The challenge of CHAP is the authenticator where it is not said, and ours is another one.
        if packet.contains(AttributeType::CHAP_PASSWORD)
            && !packet.contains(AttributeType::CHAP_CHALLENGE)
        {
            add(AttributeType::CHAP_CHALLENGE, authenticator.octets());
        }
        add(AttributeType::PROXY_STATE, mark);
        let code = packet.code();
        Some(Self { code, attributes })
    }

    /// Whether it is an Accounting-Request.
    #[must_use]
    pub fn is_accounting(&self) -> bool {
        self.code == Code::AccountingRequest
    }

    /// Writes it for a server with `secret`. An Access-Request is always signed (CVE-2024-3596).
    ///
    /// # Errors
    ///
    /// When it does not fit: what is added may be 40 octets and more.
    pub fn write<'b>(
        &self,
        buffer: &'b mut [u8],
        identifier: u8,
        authenticator: RequestAuthenticator,
        secret: &SharedSecret,
    ) -> Result<&'b [u8], EncodeError> {
        let mut request = if self.is_accounting() {
            RequestBuilder::accounting_request(buffer, identifier, secret)
        } else {
            RequestBuilder::access_request(buffer, identifier, authenticator, secret)
        };
        for (kind, value) in &self.attributes {
            if *kind == AttributeType::USER_PASSWORD {
                request.user_password(value);
            } else {
                request.octets(*kind, value);
            }
        }
        request.finish()
    }

    /// Writes it for a connection of RADIUS/1.1, where nothing is hidden or signed (RFC 9765
    /// sections 5.1 and 5.2).
    ///
    /// # Errors
    ///
    /// When it does not fit.
    pub fn write_11<'b>(
        &self,
        buffer: &'b mut [u8; MAX_PACKET],
        token: u32,
    ) -> Result<&'b [u8], EncodeError> {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(kind, value)| (*kind, &***value));
        token::write(buffer, self.code, token, attributes)
    }

    /// The first value of an attribute; a password in the clear.
    #[must_use]
    pub fn find(&self, wanted: AttributeType) -> Option<&[u8]> {
        let mut all = self.attributes.iter();
        all.find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| &***value)
    }

    /// What kind of request it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }
}

/// How many attributes, and not what they say.
impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("code", &self.code)
            .field("attributes", &self.attributes.len())
            .finish()
    }
}

/// An answer of another server, out of hiding.
pub struct Returned {
    code: Code,
    attributes: Vec<Carried>,
}

/// One attribute of it; its hidden values are never printed.
pub struct Carried {
    kind: AttributeType,
    /// As it stands; of what was hidden, in the clear.
    value: Zeroizing<Box<[u8]>>,
    hiding: Hiding,
}

/// How a value is hidden between two hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hiding {
    /// Not at all.
    None,
    /// A vendor's attribute of Microsoft with a salted key.
    Mppe(u8),
    /// MS-CHAP-MPPE-Keys: as a password, without salt.
    MsChapKeys,
    /// Tunnel-Password with its tag.
    TunnelPassword(u8),
}

impl Carried {
    /// Which attribute it is.
    #[must_use]
    pub const fn kind(&self) -> AttributeType {
        self.kind
    }

    /// Its value; of what was hidden, in the clear.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether it belongs to the authentication itself and authorises nothing: EAP, the keys that
    /// EAP or MSCHAP leave, MSCHAP's answer, and who the user is.
    #[must_use]
    pub fn is_of_authentication(&self) -> bool {
        match self.hiding {
            Hiding::Mppe(_) | Hiding::MsChapKeys => return true,
            Hiding::TunnelPassword(_) => return false,
            Hiding::None => {}
        }
        match self.kind {
            AttributeType::EAP_MESSAGE
            | AttributeType::EAP_KEY_NAME
            | AttributeType::USER_NAME
            | AttributeType::CLASS => true,
            AttributeType::VENDOR_SPECIFIC => {
                VendorSpecific::parse(&self.value).is_some_and(|specific| {
                    let mut numbers = specific.attributes().map(|(number, _)| number);
                    specific.vendor == VendorId::MICROSOFT
                        && numbers.all(|number| OF_AUTHENTICATION.contains(&number))
                })
            }
            AttributeType(_) => false,
        }
    }

    pub(super) const fn hiding(&self) -> Hiding {
        self.hiding
    }
}

impl Returned {
    /// Takes over a verified answer to a request with `authenticator`. Signatures and Proxy-States
    /// are left out: they are those of another hop. `None` for a hidden value that is none.
    #[must_use]
    pub fn new(
        packet: &Packet<'_>,
        secret: &SharedSecret,
        authenticator: &RequestAuthenticator,
    ) -> Option<Self> {
        let mut attributes = Vec::new();
        for Attribute { kind, value } in packet.attributes() {
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR | AttributeType::PROXY_STATE => {}
                AttributeType::VENDOR_SPECIFIC => {
                    let hidden = Some((secret, authenticator));
                    take_vendor(value, hidden, &mut attributes)?;
                }
                AttributeType::TUNNEL_PASSWORD => {
                    let (tag, hidden) = value.split_first()?;
                    let plain = hidden::reveal_salted(hidden, secret.secret(), authenticator)?;
                    attributes.push(Carried {
                        kind,
                        value: Zeroizing::new(plain.octets().into()),
                        hiding: Hiding::TunnelPassword(*tag),
                    });
                }
                AttributeType(_) => attributes.push(plain(kind, value)),
            }
        }
        let code = packet.code();
        Some(Self { code, attributes })
    }

    /// Takes over an answer of RADIUS/1.1, in which nothing is hidden (RFC 9765 section 5.1). `None`
    /// for a value that is too short to be what it should be.
    #[must_use]
    pub fn new_11(packet: &Packet<'_>) -> Option<Self> {
        let mut attributes = Vec::new();
        for Attribute { kind, value } in packet.attributes() {
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR | AttributeType::PROXY_STATE => {}
                AttributeType::VENDOR_SPECIFIC => take_vendor(value, None, &mut attributes)?,
                AttributeType::TUNNEL_PASSWORD => {
                    let (tag, plain) = value.split_first()?;
                    attributes.push(Carried {
                        kind,
                        value: Zeroizing::new(plain.into()),
                        hiding: Hiding::TunnelPassword(*tag),
                    });
                }
                AttributeType(_) => attributes.push(plain(kind, value)),
            }
        }
        let code = packet.code();
        Some(Self { code, attributes })
    }

    /// What was answered.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Leaves out what `stays` refuses.
    pub fn retain(&mut self, stays: impl Fn(&Carried) -> bool) {
        self.attributes.retain(stays);
    }

    /// Its attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = &Carried> {
        self.attributes.iter()
    }

    /// The first value of an attribute.
    #[must_use]
    pub fn find(&self, kind: AttributeType) -> Option<&[u8]> {
        let mut all = self.attributes.iter();
        all.find(|one| one.kind == kind).map(|one| &**one.value)
    }
}

/// Which one, and not what it says.
impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried")
            .field("kind", &self.kind)
            .field("hiding", &self.hiding)
            .finish_non_exhaustive()
    }
}

/// How many attributes, and not what they say.
impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned")
            .field("code", &self.code)
            .field("attributes", &self.attributes.len())
            .finish()
    }
}

fn plain(kind: AttributeType, value: &[u8]) -> Carried {
    Carried {
        kind,
        value: Zeroizing::new(value.into()),
        hiding: Hiding::None,
    }
}

/// Each attribute of Microsoft's by itself: some are hidden, with these, and more than one may stand
/// together.
fn take_vendor(
    value: &[u8],
    hidden: Option<(&SharedSecret, &RequestAuthenticator)>,
    attributes: &mut Vec<Carried>,
) -> Option<()> {
    let kind = AttributeType::VENDOR_SPECIFIC;
    let Some(specific) =
        VendorSpecific::parse(value).filter(|one| one.vendor == VendorId::MICROSOFT)
    else {
        attributes.push(plain(kind, value));
        return Some(());
    };
    for (number, value) in specific.attributes() {
        let carried = match number {
            hidden::MS_MPPE_SEND_KEY | hidden::MS_MPPE_RECV_KEY => {
                let key = match hidden {
                    Some((secret, authenticator)) => {
                        let key = hidden::reveal_salted(value, secret.secret(), authenticator)?;
                        Zeroizing::new(key.octets().into())
                    }
                    None => Zeroizing::new(value.into()),
                };
                Carried {
                    kind,
                    value: key,
                    hiding: Hiding::Mppe(number),
                }
            }
            mschap::MS_CHAP_MPPE_KEYS => {
                let keys = match hidden {
                    Some((secret, authenticator)) => {
                        hidden::reveal_blocks(value, secret.secret(), authenticator)?
                    }
                    // What is hidden anew is in whole blocks.
                    None if value.len().is_multiple_of(16) => Zeroizing::new(value.into()),
                    None => return None,
                };
                Carried {
                    kind,
                    value: keys,
                    hiding: Hiding::MsChapKeys,
                }
            }
            _ => {
                let length = u8::try_from(value.len().checked_add(2)?).ok()?;
                let vendor = VendorId::MICROSOFT.0.to_be_bytes();
                plain(kind, &[&vendor[..], &[number, length], value].concat())
            }
        };
        attributes.push(carried);
    }
    Some(())
}

/// MS-CHAP-Error, MS-CHAP2-Success, MS-CHAP-Domain, MS-MPPE-Encryption-Policy and -Types
/// (RFC 2548 sections 2.1.5, 2.3.3, 2.1.4, 2.4.4, 2.4.5); keys are hidden and so told apart.
const OF_AUTHENTICATION: [u8; 5] = [2, 26, 10, 7, 8];
