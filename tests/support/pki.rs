//! A throw-away PKI: roots, a server, and devices whose certificates are good or wrong in one way.
//!
//! All validity is around [`TODAY`], so that tests in virtual time know what is expired when.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::CertifiedIssuer;
use rcgen::CrlDistributionPoint;
use rcgen::CrlIssuingDistributionPoint;
use rcgen::CrlScope;
use rcgen::CustomExtension;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyIdMethod;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::OtherNameValue;
use rcgen::PKCS_ECDSA_P384_SHA384;
use rcgen::PKCS_RSA_SHA384;
use rcgen::RevokedCertParams;
use rcgen::RsaKeySize;
use rcgen::SanType;
use rcgen::SerialNumber;
use rcgen::date_time_ymd;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// 2026-06-01T00:00:00Z, in seconds.
pub(crate) const TODAY: i64 = 1_780_272_000;

/// The end of a device's certificate unless it is expired: 2027-01-01T00:00:00Z, in seconds.
pub(crate) const DEVICES_END: i64 = 1_798_761_600;

/// A CA.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Holder {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Holder {
    pub(crate) fn copy(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

/// What a device's certificate says; each field is good by default.
pub(crate) struct Device {
    pub(crate) name: &'static str,
    /// SAN URI `IntuneDeviceId://<guid>`.
    pub(crate) guid: Option<&'static str>,
    /// A second one.
    pub(crate) other_guid: Option<&'static str>,
    /// SAN e-mail address: the user.
    pub(crate) email: Option<&'static str>,
    /// SAN user principal names.
    pub(crate) principal_names: &'static [&'static str],
    pub(crate) serial: u8,
    pub(crate) expired: bool,
    pub(crate) not_yet_valid: bool,
    /// Year, month and day at whose begin it ends; the end of 2026 if nothing is said.
    pub(crate) ends: Option<(i32, u8, u8)>,
    /// EKU serverAuth instead of clientAuth.
    pub(crate) for_servers: bool,
    /// Octets of ballast in the certificate.
    pub(crate) ballast: usize,
    /// The URI of a CRL distribution point.
    pub(crate) point: Option<&'static str>,
    /// Key usage keyEncipherment instead of none stated.
    pub(crate) enciphers: bool,
    pub(crate) key: Kind,
}

/// What key a certificate has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    P256,
    P384,
    Rsa2048,
    Rsa3072,
}

impl Kind {
    pub(crate) fn pair(self) -> KeyPair {
        let pair = match self {
            Self::P256 => KeyPair::generate(),
            Self::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA384, RsaKeySize::_2048),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA384, RsaKeySize::_3072),
        };
        pair.unwrap()
    }
}

impl Default for Device {
    fn default() -> Self {
        Self {
            name: "phone",
            guid: Some("0f8fad5b-d9cb-469f-a165-70867728950e"),
            other_guid: None,
            email: None,
            principal_names: &[],
            serial: 7,
            expired: false,
            not_yet_valid: false,
            ends: None,
            for_servers: false,
            ballast: 0,
            point: None,
            enciphers: false,
            key: Kind::default(),
        }
    }
}

/// What a revocation list says.
pub(crate) struct List<'l> {
    pub(crate) serials: &'l [u8],
    pub(crate) number: u8,
    /// The URI of its distribution point, and what kind of certificates it is of.
    pub(crate) scope: Option<(&'l str, Option<CrlScope>)>,
}

impl Default for List<'_> {
    fn default() -> Self {
        Self {
            serials: &[],
            number: 1,
            scope: None,
        }
    }
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name), key()).unwrap())
    }

    /// The same with another key.
    pub(crate) fn root_with(name: &str, key: Kind) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name), key.pair()).unwrap())
    }

    /// A CA below this one, with this key.
    pub(crate) fn intermediate_of(&self, name: &str, key: Kind) -> Self {
        Self(CertifiedIssuer::signed_by(authority(name), key.pair(), &self.0).unwrap())
    }

    /// A CA below this one, for longer chains.
    pub(crate) fn intermediate(&self, name: &str, ballast: usize) -> Self {
        let mut params = authority(name);
        params.custom_extensions.push(filler(ballast));
        Self(CertifiedIssuer::signed_by(params, key(), &self.0).unwrap())
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A CA below this one with a serial number that lists can name.
    pub(crate) fn intermediate_with(&self, name: &str, serial: u8) -> Self {
        let mut params = authority(name);
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        Self(CertifiedIssuer::signed_by(params, key(), &self.0).unwrap())
    }

    /// Another certificate for a CA below this one, by which its key may issue certificates and
    /// no lists.
    pub(crate) fn without_crl_sign(&self, below: &Self, name: &str) -> CertificateDer<'static> {
        self.certify(below, name, KeyUsagePurpose::KeyCertSign)
    }

    /// Another one, by which it may issue lists and no certificates.
    pub(crate) fn without_key_cert_sign(
        &self,
        below: &Self,
        name: &str,
    ) -> CertificateDer<'static> {
        self.certify(below, name, KeyUsagePurpose::CrlSign)
    }

    fn certify(&self, below: &Self, name: &str, usage: KeyUsagePurpose) -> CertificateDer<'static> {
        let mut params = authority(name);
        params.key_usages = vec![usage];
        let certificate = params.signed_by(below.0.key(), &self.0).unwrap();
        certificate.der().clone()
    }

    pub(crate) fn key(&self) -> &KeyPair {
        self.0.key()
    }

    /// An OCSP responder: its certificate, for that or for servers, and its key.
    pub(crate) fn responder(
        &self,
        named: bool,
        expired: bool,
    ) -> (CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "responder");
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(if expired { 2026 } else { 2027 }, 1, 1);
        params.extended_key_usages = vec![if named {
            ExtendedKeyUsagePurpose::OcspSigning
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        let key = key();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.der().clone(), key)
    }

    /// A list of the kind that tells only what has changed: the extension cRLNumber of a complete one
    /// renamed to deltaCRLIndicator. Its signature does not matter, for it is refused before that.
    pub(crate) fn delta_list(&self) -> Vec<u8> {
        const NUMBER: [u8; 5] = [6, 3, 0x55, 0x1d, 20];
        const DELTA: u8 = 27;
        let mut der = self.revocation_list(&[7]).to_vec();
        let place = der
            .windows(NUMBER.len())
            .position(|octets| octets == NUMBER)
            .unwrap();
        der[place + NUMBER.len() - 1] = DELTA;
        der
    }

    /// The CA itself as if it were a device.
    pub(crate) fn as_device(&self) -> Holder {
        Holder {
            chain: vec![self.certificate()],
            key: PrivatePkcs8KeyDer::from(self.0.key().serialize_der()).into(),
        }
    }

    pub(crate) fn server(&self, name: &str) -> Holder {
        self.server_with(name, Kind::default())
    }

    pub(crate) fn server_with(&self, name: &str, key: Kind) -> Holder {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2028, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, Vec::new(), key)
    }

    pub(crate) fn device(&self, device: &Device) -> Holder {
        self.device_through(device, Vec::new())
    }

    /// With `intermediates`, those nearer to the device first, in its chain.
    pub(crate) fn device_through(
        &self,
        device: &Device,
        intermediates: Vec<CertificateDer<'static>>,
    ) -> Holder {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, device.name);
        params.serial_number = Some(SerialNumber::from_slice(&[device.serial]));
        params.subject_alt_names.extend(
            [device.guid, device.other_guid]
                .into_iter()
                .flatten()
                .map(|guid| SanType::URI(format!("IntuneDeviceId://{guid}").try_into().unwrap())),
        );
        params.subject_alt_names.extend(
            device
                .email
                .map(|email| SanType::Rfc822Name(email.try_into().unwrap())),
        );
        params
            .subject_alt_names
            .extend(device.principal_names.iter().map(|name| {
                let text = OtherNameValue::Utf8String((*name).into());
                SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], text))
            }));
        (params.not_before, params.not_after) = match (device.expired, device.not_yet_valid) {
            (true, _) => (date_time_ymd(2025, 1, 1), date_time_ymd(2026, 1, 1)),
            (_, true) => (date_time_ymd(2026, 12, 1), date_time_ymd(2027, 1, 1)),
            (false, false) => {
                let (year, month, day) = device.ends.unwrap_or((2027, 1, 1));
                (date_time_ymd(2026, 1, 1), date_time_ymd(year, month, day))
            }
        };
        params.extended_key_usages = vec![if device.for_servers {
            ExtendedKeyUsagePurpose::ServerAuth
        } else {
            ExtendedKeyUsagePurpose::ClientAuth
        }];
        if device.enciphers {
            params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
        }
        params
            .crl_distribution_points
            .extend(device.point.map(|uri| CrlDistributionPoint {
                uris: vec![uri.to_owned()],
            }));
        if device.ballast > 0 {
            params.custom_extensions.push(filler(device.ballast));
        }
        self.issue(params, intermediates, device.key)
    }

    /// A list that revokes these serial numbers, good until 2026-12-01.
    pub(crate) fn revocation_list(&self, serials: &[u8]) -> CertificateRevocationListDer<'static> {
        self.list(&List {
            serials,
            ..List::default()
        })
    }

    pub(crate) fn list(&self, list: &List<'_>) -> CertificateRevocationListDer<'static> {
        let revoked_certs = list.serials.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[serial]),
            revocation_time: date_time_ymd(2026, 5, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2026, 12, 1),
            crl_number: SerialNumber::from_slice(&[list.number]),
            issuing_distribution_point: list.scope.as_ref().map(|(point, scope)| {
                CrlIssuingDistributionPoint {
                    distribution_point: CrlDistributionPoint {
                        uris: vec![(*point).to_owned()],
                    },
                    scope: *scope,
                }
            }),
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().into()
    }

    fn issue(
        &self,
        params: CertificateParams,
        intermediates: Vec<CertificateDer<'static>>,
        kind: Kind,
    ) -> Holder {
        let key = kind.pair();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let mut chain = vec![certificate.der().clone()];
        chain.extend(intermediates);
        Holder {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2035, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Octets that nobody reads, in an extension that is not critical.
fn filler(octets: usize) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![0x5a; octets])
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}
