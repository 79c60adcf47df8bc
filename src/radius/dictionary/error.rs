//! What is wrong in a dictionary's text, and where.

/// One line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {fault}")]
pub struct SyntaxError {
    /// The file as it was included.
    pub file: String,
    /// Its line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first word is none of the format.
    #[error(
        "expected ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV or \
         $INCLUDE, found {0:?}"
    )]
    Keyword(String),
    /// Another number of words.
    #[error("expected {0}")]
    Shape(&'static str),
    /// A name with characters that no name has, or too long.
    #[error(
        "expected a name of up to {limit} letters, digits and -_./+:, found {found:?}",
        limit = super::MAX_NAME
    )]
    Name {
        /// As written.
        found: String,
    },
    /// No number, or one that has no place there.
    #[error("expected {expected}, found {found:?}")]
    Number {
        /// What was expected.
        expected: String,
        /// As written.
        found: String,
    },
    /// A data type that is not known.
    #[error("expected a type of {expected} or octets[N], found {found:?}")]
    Type {
        /// The known ones.
        expected: String,
        /// As written.
        found: String,
    },
    /// A flag that is not known.
    #[error("expected has_tag, encrypt=1 to 3, array, concat, secret or virtual, found {0:?}")]
    Flag(String),
    /// Flags that contradict the type or each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A vendor, attribute or parent that is not defined, or further below.
    #[error("{kind} {name} is not defined here")]
    Undefined {
        /// `vendor` or `attribute`.
        kind: &'static str,
        /// As written.
        name: String,
    },
    /// What stands before the last dot is no attribute that holds others.
    #[error("{name} is no tlv, so that nothing can be inside it")]
    NotNested {
        /// The parent.
        name: String,
    },
    /// One name for two things.
    #[error("{name} is {other} already")]
    Taken {
        /// As written.
        name: String,
        /// What it is.
        other: String,
    },
    /// An end without its begin, or the other way round.
    #[error("{0}")]
    Unbalanced(String),
    /// The file cannot be included.
    #[error("cannot include {name}: {why}")]
    Include {
        /// As written.
        name: String,
        /// What the reader of files, or a bound, says.
        why: String,
    },
    /// A bound.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}
