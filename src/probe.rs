//! Our own clients: RADIUS, the EAP peer and EAS, for the `probe` command, `portreeve-lab`
//! and the tests.
//!
//! They speak the other end of each protocol and check what they are told: a reply, a key or a
//! protected success indication that is missing or wrong is an error here. This room may name
//! `radius`, `eap`, `eas`, `directory` (what MSCHAP makes of a password) and `model`.

mod eas;
mod radius;
mod supplicant;

pub use eas::EasAnswer;
pub use eas::EasError;
pub use eas::EasRequest;
pub use eas::ask;
pub use radius::Challenged;
pub use radius::Client;
pub use radius::Login;
pub use radius::ProbeError;
pub use radius::Reply;
pub use supplicant::Answer;
pub use supplicant::Change;
pub use supplicant::Credential;
pub use supplicant::InsideSettings;
pub use supplicant::Machine;
pub use supplicant::PeerFailure;
pub use supplicant::Profile;
pub use supplicant::ProfileSettings;
pub use supplicant::Report;
pub use supplicant::Spoil;
pub use supplicant::Supplicant;
pub use supplicant::TeapPeer;
