//! Why a request head is refused before anybody is asked about it.

/// A query or header that is not what MS-ASHTTP says; the client gets 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// No query at all.
    #[error("the query is missing")]
    NoQuery,
    /// Longer than [`super::MAX_QUERY`], as sent or in canonical form.
    #[error("the query exceeds {} octets", super::MAX_QUERY)]
    TooLong,
    /// Neither a plain nor a base64 query, or a mixture.
    #[error("the query is neither plain nor base64")]
    NeitherForm,
    /// An octet that must be written as `%xx`, or a `%` without two hexadecimal digits.
    #[error("the query is not encoded as a URI")]
    Encoding,
    /// Text that is not UTF-8 or holds a control character.
    #[error("a parameter is not clean UTF-8 text")]
    Text,
    /// The same parameter twice.
    #[error("a parameter stands there twice")]
    Duplicate,
    /// More extra parameters than a client ever sends.
    #[error("more parameters than any command has")]
    TooManyParameters,
    /// A parameter's name has other characters than letters, digits, `-` and `_`, or is too long.
    #[error("a parameter's name is not one")]
    ParameterName,
    /// A tag that MS-ASHTTP 2.2.1.1.1.1.3 does not list.
    #[error("parameter tag {0} is not assigned")]
    UnknownTag(u8),
    /// A parameter's value is longer than any server takes, or the Options are not one octet.
    #[error("a parameter's value has the wrong length")]
    ParameterLength,
    /// Cmd, User, DeviceId or DeviceType is missing from a plain query.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Not a command.
    #[error("the command is unknown")]
    UnknownCommand,
    /// Not a version, or absent with a plain query.
    #[error("the protocol version is unknown or missing")]
    UnknownVersion,
    /// Not 1 to 32 letters and digits, nor, in a base64 query, the 16 octets of a GUID.
    #[error("the DeviceId is not 1 to 32 letters and digits, nor a GUID of 16 octets")]
    DeviceId,
    /// Not 1 to 64 printable ASCII characters.
    #[error("the DeviceType is not 1 to 64 printable characters")]
    DeviceType,
    /// Empty, or longer than a user name can be.
    #[error("the User is not 1 to 253 octets")]
    User,
    /// The base64 query ends inside a field.
    #[error("the base64 query is cut")]
    Truncated,
    /// A policy key of a length other than 0 or 4, or a header that is no number.
    #[error("the policy key is not one")]
    PolicyKey,
    /// `MS-ASAcceptMultiPart` is neither `T` nor `F`.
    #[error("MS-ASAcceptMultiPart is neither T nor F")]
    AcceptMultiPart,
}

/// A body that is not what MS-ASCMD says; the client gets 400, or status 102 or 103 from version
/// 14.0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Not WBXML as ActiveSync has it.
    #[error(transparent)]
    Wbxml(#[from] crate::wbxml::Malformed),
    /// The outermost element is another command's.
    #[error("the body is another command's")]
    OtherCommand,
    /// An element that has to be there is not.
    #[error("the body is incomplete")]
    Incomplete,
    /// An element stands there twice.
    #[error("an element of the body stands there twice")]
    Twice,
    /// A Sync that waits in minutes and in seconds (MS-ASCMD 2.2.3.88.2).
    #[error("the body waits in minutes and in seconds")]
    TwoWaits,
    /// A value that is no number where one is due, or out of its range.
    #[error("a value in the body is out of range")]
    Value,
    /// More folders, items or body types than [`super::body::MAX_FOLDERS`].
    #[error("the body names more folders than any client has")]
    TooMany,
}
