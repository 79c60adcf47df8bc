//! Why a line of the configuration is no attribute.

/// Why a line of the configuration is no attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The name is in no dictionary and has no numeric form.
    #[error(
        "{name} is no known attribute; expected a name such as Filter-Id, or attribute:NUMBER, or \
         vendor:ID:NUMBER"
    )]
    UnknownName {
        /// As written.
        name: String,
    },
    /// The gateway writes this attribute itself.
    #[error("{name} is set by the gateway itself and cannot be configured")]
    SetByGateway {
        /// Its name.
        name: String,
    },
    /// The attribute belongs in requests.
    #[error("{name} is sent by network devices and has no place in a reply")]
    SetByNas {
        /// Its name.
        name: String,
    },
    /// The dictionary's word is no attribute of packets, or one that holds others.
    #[error("{name} {why}")]
    Unusable {
        /// Its name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A tag after an attribute without tags, or one that is not 0 to 31.
    #[error("{name}: expected no tag, or for Tunnel attributes a tag from 0 to 31")]
    Tag {
        /// As written.
        name: String,
    },
    /// The value does not fit the type.
    #[error("{name}: expected {expected}, found {value:?}")]
    Value {
        /// The attribute's name.
        name: String,
        /// As written.
        value: String,
        /// What the type wants.
        expected: String,
    },
    /// In braces stands no variable.
    #[error(
        "{name}: {found} is no variable, known are {known}; a brace itself is written {{{{",
        known = super::variable::known()
    )]
    Variable {
        /// The attribute's name.
        name: String,
        /// What stands there, with its braces.
        found: String,
    },
    /// The value does not fit one attribute.
    #[error("{name}: the value has {octets} octets, at most {limit} fit")]
    TooLong {
        /// The attribute's name.
        name: String,
        /// Octets of the value, at most where variables decide.
        octets: usize,
        /// The most that fit.
        limit: usize,
    },
}
