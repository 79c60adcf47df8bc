//! What was spoken in a conversation, as records name it.

use std::fmt;

use super::config::TlsVersion;
use super::offer::Inner;
use super::offer::Outer;

/// The methods of a conversation, as far as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// The method; `None` before one was offered.
    pub outer: Option<Outer>,
    /// What was spoken inside of it, once that is known.
    pub inner: Option<Inner>,
    /// What was spoken after that, by a user after a machine.
    pub second: Option<Inner>,
    /// TLS version, once that is known.
    pub version: Option<TlsVersion>,
    /// Whether an earlier conversation was resumed.
    pub resumed: bool,
}

/// `eap-tls 1.3`, `peap/mschapv2 1.2 resumed`, `teap/eap-tls+mschapv2 1.2`; `eap` where nothing was
/// offered.
impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outer.map_or("eap", Outer::name))?;
        if let Some(inner) = self.inner {
            write!(f, "/{}", inner.name())?;
        }
        if let Some(second) = self.second {
            write!(f, "+{}", second.name())?;
        }
        match self.version {
            None => {}
            Some(TlsVersion::Tls12) => f.write_str(" 1.2")?,
            Some(TlsVersion::Tls13) => f.write_str(" 1.3")?,
        }
        if self.resumed {
            f.write_str(" resumed")?;
        }
        Ok(())
    }
}
