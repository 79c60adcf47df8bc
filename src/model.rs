//! The words that every plane uses: who asks, with what device, what is known of it, and the answer.
//!
//! This room owns the nouns of the gateway and nothing that happens to them. It names no other
//! room, no protocol and no file. Numbers are decoded and names are spelled here once, so that a
//! MAC address that a NAS writes with dots and one that Intune writes without separators are the
//! same value everywhere else.
//!
//! Start at [`Subject`] (the question), [`Posture`] (what is known) and [`Decision`] (the answer).

mod cause;
mod certificate;
mod device;
mod fact;
mod hex;
mod plain;
mod platform;
mod posture;
mod problem;
mod proof;
mod secret;
mod shown;
mod subject;
mod time;
mod user;
mod verdict;

pub use cause::alert_name;
pub use cause::causes;
pub use cause::certificate_error;
pub use cause::tls_error;
pub use certificate::Ambiguity;
pub use certificate::CertificateError;
pub use certificate::CertificateId;
pub use certificate::CertificateIdentity;
pub use certificate::Fingerprint;
pub use certificate::ParseFingerprintError;
pub use device::DeviceId;
pub use device::EasDeviceId;
pub use device::EntraDeviceId;
pub use device::MacAddress;
pub use device::ParseIdentifierError;
pub use device::SerialNumber;
pub use fact::ComplianceState;
pub use fact::Fact;
pub use fact::SourceId;
pub use fact::ThreatLevel;
pub use fact::Tri;
pub use hex::hex;
pub use plain::Plain;
pub use plain::is_plain;
pub use platform::Join;
pub use platform::OsVersion;
pub use platform::Ownership;
pub use platform::Platform;
pub use posture::Posture;
pub use posture::Retirement;
pub use problem::Problem;
pub use problem::Severity;
pub use proof::NtKey;
pub use proof::Proof;
pub use proof::ProofKind;
pub use secret::Secret;
pub use secret::WeakSecret;
pub use shown::Shown;
pub use subject::ClaimedDevice;
pub use subject::Credential;
pub use subject::Established;
pub use subject::Identifier;
pub use subject::KnownClient;
pub use subject::MailContext;
pub use subject::Medium;
pub use subject::NasContext;
pub use subject::Plane;
pub use subject::Presented;
pub use subject::Subject;
pub use time::Monotonic;
pub use time::Now;
pub use time::Timestamp;
pub use user::GroupId;
pub use user::UserId;
pub use user::UserRef;
pub use verdict::Decision;
pub use verdict::Generation;
pub use verdict::PolicyId;
pub use verdict::Reason;
pub use verdict::Rehearsed;
pub use verdict::Verdict;
