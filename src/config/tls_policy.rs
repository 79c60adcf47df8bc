//! How TLS is spoken with the NASes of a group: `[eap.group.NAME]`.

use std::path::PathBuf;

use crate::document::Choice;
use crate::document::Section;
use crate::eap::TlsVersion;

/// What may differ from group to group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicy {
    /// PEM chain that supplicants see, the server's certificate first.
    pub certificate: PathBuf,
    /// PEM private key of it.
    pub key: PathBuf,
    /// Oldest TLS version.
    pub tls_min: TlsVersion,
    /// Newest TLS version.
    pub tls_max: TlsVersion,
    /// Oldest TLS version of tunnelled methods, if another one.
    pub tunnel_tls_min: Option<TlsVersion>,
    /// Newest TLS version of tunnelled methods, if another one.
    pub tunnel_tls_max: Option<TlsVersion>,
    /// Which suites and keys are good enough.
    pub profile: TlsProfile,
}

/// Which suites and keys are good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsProfile {
    /// Those of RFC 9325.
    #[default]
    Usual,
    /// Those of the 192-bit mode of WPA3-Enterprise.
    SuiteB192,
}

impl Choice for TlsProfile {
    const ALL: &'static [(&'static str, Self)] =
        &[("default", Self::Usual), ("suiteb192", Self::SuiteB192)];
}

impl Default for TlsPolicy {
    fn default() -> Self {
        Self {
            certificate: "certs/radius.pem".into(),
            key: "certs/keys/radius.key".into(),
            tls_min: TlsVersion::Tls12,
            tls_max: TlsVersion::Tls13,
            tunnel_tls_min: None,
            tunnel_tls_max: None,
            profile: TlsProfile::default(),
        }
    }
}

impl TlsPolicy {
    /// Reads its keys over what stands here.
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        section.set("certificate", &mut self.certificate);
        section.set("key", &mut self.key);
        section.set("tls_min", &mut self.tls_min);
        section.set("tls_max", &mut self.tls_max);
        section.set("tunnel_tls_min", &mut self.tunnel_tls_min);
        section.set("tunnel_tls_max", &mut self.tunnel_tls_max);
        section.set("profile", &mut self.profile);
        if self.tls_min > self.tls_max {
            section.error(
                "tls_min",
                "is newer than tls_max, so that no version is left",
            );
            return;
        }
        let lowest = self.tunnel_tls_min.unwrap_or(self.tls_min);
        let highest = self.tunnel_tls_max.unwrap_or(self.tls_max);
        if lowest > highest {
            section.error(
                "tunnel_tls_max",
                "is older than the oldest version of tunnels, so that none is left",
            );
        }
    }
}
