//! What somebody can do about a failure; for those whose own sentence does not say it.

use crate::eap::CertificateRefusal;
use crate::eap::FailureReason;
use crate::eap::InnerRefusal;
use crate::trust::OnlineRefusal;

impl FailureReason {
    /// What to do about it; `None` if the sentence says it already.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::PeerAlert { number } => of_alert(*number),
            Self::Incompatible(_) => {
                "update the device's supplicant, or see tls_min, tls_max and profile in [eap], in the \
                 [eap.group] of its NAS, and for TEAP in [eap.teap]"
            }
            Self::Certificate(refusal) => refusal.advice(),
            Self::Rounds { .. } => {
                "raise max_rounds in [eap], or the size of the device's fragments"
            }
            Self::NoIdentity => {
                "the NAS or the supplicant does not begin EAP with an identity: update it"
            }
            Self::Refused(_) => {
                "set the device to a method that is offered, or add its method to [methods]"
            }
            Self::PeerClosed => {
                "the device gave up without saying why: look into its log, and whether its profile \
                 trusts this gateway's CA and name"
            }
            Self::Silence(silence) => silence.advice(),
            Self::Version => "the supplicant speaks PEAPv1 or another draft: update it",
            Self::Tls(_) => {
                "the supplicant is broken, or somebody changes what it sends: update it, and look \
                 whether only this NAS's devices fail"
            }
            Self::ApplicationData => {
                "the supplicant speaks inside of EAP-TLS, which has no inside: set its method right"
            }
            Self::Stalled => {
                "the supplicant stopped amid the handshake: update it, and look for lost fragments \
                 (fragment_size in [eap], Framed-MTU of the NAS)"
            }
            Self::Fragment(_) => {
                "fragments were lost or changed on the way, or a chain is too long: shorten the \
                 device's chain, lower fragment_size in [eap]"
            }
            Self::InvalidPackets { .. } => {
                "the supplicant or the NAS sends broken EAP: update it, or block the device"
            }
            Self::Internal(_) => "look into the gateway's log, and report it with this decision",
            Self::Inner(refusal) => return refusal.advice(),
            Self::NothingOffered => {
                "add an EAP method to allow in [methods], or in the section of this NAS's group there"
            }
            // The decision is explained by its policies.
            Self::Blocked => return None,
        })
    }
}

/// What an alert of the peer (RFC 8446 section 6) asks somebody to do.
const fn of_alert(number: u8) -> &'static str {
    match number {
        // unknown_ca
        48 => {
            "the device does not trust the CA of the gateway's certificate: give the CA to the \
             devices, in their Wi-Fi profile"
        }
        // bad_certificate, unsupported_certificate, certificate_unknown
        42 | 43 | 46 => {
            "the device does not accept the gateway's certificate: give its profile the CA and the \
             server's name, and look whether the certificate has that name and serverAuth"
        }
        // certificate_revoked
        44 => "the device takes the gateway's certificate for revoked: replace it",
        // certificate_expired
        45 => {
            "the device takes the gateway's certificate for expired or not yet valid: look at it \
             with `portreeve certs show`, and at the device's clock"
        }
        // handshake_failure, protocol_version, insufficient_security
        40 | 70 | 71 => {
            "nothing in common in TLS: update the device's supplicant, or see tls_min, tls_max and \
             profile in [eap], in the [eap.group] of its NAS, and for TEAP in [eap.teap]"
        }
        // access_denied
        49 => "the device refuses this gateway by a rule of its own: look into its profile",
        // unrecognized_name
        112 => "the device asks for another server name: set the name in its profile right",
        // bad_certificate_status_response
        113 => "the device wants a stapled OCSP answer, which is not sent: switch that off there",
        // unknown_psk_identity, certificate_required, no_application_protocol, no_certificate
        41 | 115 | 116 | 120 => {
            "the device takes the gateway for another kind of server: set its \
                                 method right"
        }
        // user_canceled, close_notify
        0 | 90 => {
            "the device, or the person at it, gave up: perhaps it asked whether to trust the \
             gateway's certificate"
        }
        // internal_error
        80 => {
            "either the device does not accept the server's name (wpa_supplicant's domain_match says no \
             more than this), or it failed by itself: compare the names, look into its log"
        }
        // decrypt_error, bad_record_mac, and whatever says that the protocol is broken
        _ => {
            "the device could not read what it got: update its supplicant, and look whether the NAS \
             or a proxy changes or drops packets"
        }
    }
}

impl CertificateRefusal {
    const fn advice(&self) -> &'static str {
        match self {
            Self::Missing => {
                "give the device a certificate, or let it speak a tunnelled method, see [methods]"
            }
            Self::Expired => "renew it; look whether the device still enrols by itself",
            Self::NotYetValid => "compare the clocks of its CA and of this gateway",
            Self::UnknownCa => "issue it by a CA of eap.client_ca, or add its CA there",
            Self::NotForClients => "issue it with the extended key usage clientAuth",
            Self::Revoked => {
                "if that is right, block or wipe the device; if not, issue it another certificate"
            }
            Self::RevocationUnknown => {
                "name its CA's list in revocation.lists or eap.revocation_lists"
            }
            Self::ListOutdated => {
                "have its CA issue a new list, see `portreeve status`; grace or outdated in \
                 [revocation] would let the old one count"
            }
            Self::Online(OnlineRefusal::NoResponder) => {
                "set revocation.responder, or have the CA name one in its certificates"
            }
            Self::Online(OnlineRefusal::Nothing(_)) => {
                "mend the responder; ocsp = \"soft\" would let devices in meanwhile"
            }
            Self::Online(OnlineRefusal::Asking) => "the next try finds the answer",
            Self::KeyUsage(_) => {
                "issue it with the key usage digitalSignature, and its CA's with keyCertSign"
            }
            Self::TooShort(_) => {
                "issue it, and its CA's, with a longer key: P-256, or RSA of 2048 or more"
            }
            Self::TooWeak(_) => "issue it with a key of P-384 or RSA 3072, signed with SHA-384",
            Self::BadSignature => {
                "the chain is broken, or the device has another certificate's key: issue it anew"
            }
            Self::Algorithm => {
                "issue it, and its CA's, with SHA-256 or better; with profile suiteb192 SHA-384 and P-384"
            }
            Self::Unreadable => "issue it anew: its encoding is broken, or an extension is unknown",
            Self::Ambiguous(_) => "issue it with one device and one user",
            Self::Other(_) => "look at it with `openssl x509 -text`, and issue it anew",
        }
    }
}

impl InnerRefusal {
    const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Password => {
                "type it again at the device, and forget what it remembers; whether the account is locked, \
                 its directory knows"
            }
            Self::OtherName => "set one name on the device, without a suffix in one of the places",
            Self::Credential | Self::Malformed(_) | Self::Order => {
                "the supplicant is broken: update it, or set it to another method inside"
            }
            Self::Mandatory(_) => {
                "switch off what it is for at the device; this gateway cannot do it"
            }
            Self::Distrust => {
                "the directory has another password than the device: set it anew in both"
            }
            Self::Result => "look into the device's log: its policy refused what was agreed inside",
            Self::Unsuited(_) => {
                "let the device speak pap or gtc inside of the tunnel, or store the password in a form \
                 that can answer"
            }
            Self::Reported(2001) | Self::Binding => {
                "the keys of tunnel and method differ: see binding and tls13_keys in [eap.teap] for what \
                 this supplicant means, update it; if all agree, somebody relays"
            }
            Self::Reported(1001) => {
                "the method inside failed at the device: look into its log, and whether it dislikes what \
                 it was offered"
            }
            Self::Unchecked(_) => {
                "`portreeve status` says how directories are; a wait after wrong passwords ends by itself \
                 once every device has the right one"
            }
            Self::Reported(_) => {
                "look into the device's log for this error of RFC 9930 section 4.2.6"
            }
            Self::Name
            | Self::Realm
            | Self::Off(_)
            | Self::Refused(_)
            | Self::NothingOffered
            | Self::Challenge
            | Self::Unbound
            | Self::Nobody => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eap::FragmentError;
    use crate::eap::Inner;
    use crate::eap::Invalid;
    use crate::eap::Silence;
    use crate::eap::Type;
    use crate::model::Ambiguity;
    use crate::trust::KeyMisused;
    use crate::trust::TooShort;
    use crate::trust::TooWeak;

    /// What a record holds of either, see `access::Outcome`.
    const MOST: usize = 255;

    fn certificates() -> Vec<CertificateRefusal> {
        vec![
            CertificateRefusal::Missing,
            CertificateRefusal::Expired,
            CertificateRefusal::NotYetValid,
            CertificateRefusal::UnknownCa,
            CertificateRefusal::NotForClients,
            CertificateRefusal::Revoked,
            CertificateRefusal::RevocationUnknown,
            CertificateRefusal::ListOutdated,
            CertificateRefusal::Online(OnlineRefusal::NoResponder),
            CertificateRefusal::Online(OnlineRefusal::Nothing("it is down".into())),
            CertificateRefusal::Online(OnlineRefusal::Asking),
            CertificateRefusal::KeyUsage(KeyMisused::Signing),
            CertificateRefusal::KeyUsage(KeyMisused::Issuing),
            CertificateRefusal::TooWeak(TooWeak {
                kind: "RSA",
                bits: 2048,
            }),
            CertificateRefusal::TooShort(TooShort { bits: 1024 }),
            CertificateRefusal::BadSignature,
            CertificateRefusal::Algorithm,
            CertificateRefusal::Unreadable,
            CertificateRefusal::Ambiguous(Ambiguity::Device),
            CertificateRefusal::Other("something".to_owned()),
        ]
    }

    fn inner() -> Vec<InnerRefusal> {
        vec![
            InnerRefusal::Password,
            InnerRefusal::Unsuited(Inner::Chap),
            InnerRefusal::Name,
            InnerRefusal::Realm,
            InnerRefusal::OtherName,
            InnerRefusal::Off(Inner::MsChapV2),
            InnerRefusal::NothingOffered,
            InnerRefusal::Credential,
            InnerRefusal::Malformed("attributes of EAP-TTLS"),
            InnerRefusal::Mandatory(1),
            InnerRefusal::Challenge,
            InnerRefusal::Distrust,
            InnerRefusal::Binding,
            InnerRefusal::Unbound,
            InnerRefusal::Result,
            InnerRefusal::Nobody,
            InnerRefusal::Reported(2001),
            InnerRefusal::Reported(1001),
            InnerRefusal::Reported(1),
            InnerRefusal::Order,
        ]
    }

    fn every() -> Vec<FailureReason> {
        let alerts = (0..=u8::MAX).map(|number| FailureReason::PeerAlert { number });
        let certificates = certificates().into_iter().map(FailureReason::Certificate);
        let inner = inner().into_iter().map(FailureReason::Inner);
        let others = [
            FailureReason::NoIdentity,
            FailureReason::NothingOffered,
            FailureReason::PeerClosed,
            FailureReason::Version,
            FailureReason::Incompatible("nothing in common".to_owned()),
            FailureReason::Tls("the rules are broken".to_owned()),
            FailureReason::ApplicationData,
            FailureReason::Stalled,
            FailureReason::Fragment(FragmentError::Empty),
            FailureReason::Rounds { limit: 100 },
            FailureReason::InvalidPackets {
                limit: 5,
                last: Invalid::Type(Type::TLS),
            },
            FailureReason::Internal("a fault".to_owned()),
        ];
        let silences = [
            Silence::Identity,
            Silence::Offer,
            Silence::OwnFragments,
            Silence::Fragments,
            Silence::Certificate,
            Silence::LastWord,
            Silence::Tunnel,
            Silence::Inside(Inner::MsChapV2),
            Silence::Binding,
            Silence::Overload,
        ];
        alerts
            .chain(silences.map(FailureReason::Silence))
            .chain(certificates)
            .chain(inner)
            .chain(others)
            .collect()
    }

    #[test]
    fn every_failure_tells_an_operator_what_to_do_and_fits_into_a_record() {
        for reason in every() {
            let sentence = reason.to_string();
            assert!(sentence.len() <= MOST, "{}: {sentence}", sentence.len());
            match reason.advice() {
                Some(advice) => assert!((10..=MOST).contains(&advice.len()), "row {sentence}"),
                // It says what to set, or where to look, or what it can only be.
                None => {
                    let says = [
                        "set ",
                        "see ",
                        "give ",
                        "switch ",
                        "broken, or",
                        "needs the",
                    ];
                    let said = says.iter().any(|word| sentence.contains(word));
                    assert!(said, "row {sentence}: nothing to do");
                }
            }
        }
    }

    #[test]
    fn the_failures_that_operators_meet_most_have_their_own_advice() {
        for (reason, word) in [
            (
                FailureReason::PeerAlert { number: 48 },
                "give the CA to the devices",
            ),
            (FailureReason::PeerAlert { number: 45 }, "certs show"),
            (FailureReason::PeerAlert { number: 70 }, "tls_min"),
            (FailureReason::PeerAlert { number: 90 }, "gave up"),
            (CertificateRefusal::Expired.into(), "renew"),
            (CertificateRefusal::NotYetValid.into(), "clocks"),
            (
                CertificateRefusal::Missing.into(),
                "give the device a certificate",
            ),
            (CertificateRefusal::NotForClients.into(), "clientAuth"),
            (CertificateRefusal::UnknownCa.into(), "client_ca"),
            (CertificateRefusal::Revoked.into(), "another certificate"),
            (InnerRefusal::Password.into(), "locked"),
        ] {
            let advice = reason.advice().unwrap();
            assert!(advice.contains(word), "row {reason}: {advice}");
        }
    }

    impl From<CertificateRefusal> for FailureReason {
        fn from(refusal: CertificateRefusal) -> Self {
            Self::Certificate(refusal)
        }
    }
}
