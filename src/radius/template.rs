//! Attributes of the configuration, encoded once when it is loaded.
//!
//! [`Template`] is one of them: its name is looked up in a [`Dictionary`], its value is laid out as
//! the dictionary says. [`Prepared`] is all that one answer gets: what is the same for everybody
//! lies there in one piece, which the path of a packet copies; only values that name a
//! [`Variable`] and values that are hidden with the shared secret are made for each packet.

mod error;
mod layout;
mod name;
mod prepared;
mod value;
mod variable;

use std::fmt;

use zeroize::Zeroizing;

pub use error::TemplateError;
pub use prepared::Prepared;
pub use variable::Values;
pub use variable::Variable;

use crate::radius::attribute::AttributeType;
use crate::radius::code::Code;
use crate::radius::dictionary::DataType;
use crate::radius::dictionary::Dictionary;
use crate::radius::dictionary::Hiding;
use crate::radius::reply;
use layout::Layout;
use name::Named;
use variable::Text;

/// One attribute of the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    kind: AttributeType,
    form: Form,
    /// For an attribute inside a TLV: what stands around the innermost TLV, and what is in there.
    /// Neighbours in one TLV are written as one.
    inside: Option<(Layout, Box<[u8]>)>,
}

/// What is known of an attribute when it is loaded.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// All of it: one attribute, or several where a value goes on.
    Fixed(Box<[u8]>),
    /// All but the values of variables.
    Varying(Layout, Text),
    /// All but what hides it: the tag and the value in clear.
    Salted(Layout, Option<u8>, Zeroizing<Vec<u8>>),
}

impl Template {
    /// Encodes an attribute of the gateway's own dictionary, without variables: a `{` is one.
    ///
    /// # Errors
    ///
    /// As [`Template::new`].
    pub fn parse(name: &str, value: &str) -> Result<Self, TemplateError> {
        let named = Named::resolve(Dictionary::builtin(), name)?;
        Self::fixed(&named, value)
    }

    /// Encodes an attribute.
    ///
    /// The name is one of the dictionary in any case (`Filter-Id`, `Aruba-User-Role`),
    /// `attribute:11`, `attribute:241.1` or `vendor:9:1`. A name may end in a tag,
    /// `Tunnel-Type:1`; without one, tag 0 is written before integers and none before text. The
    /// value is text as the attribute's type wants it, an integer also by name or as `0x..`;
    /// octets, and every value of an attribute given by number, are text or, after `0x`,
    /// hexadecimal digits. Text may name variables: `{mac}`; `{{` is a brace ([`Variable`]).
    ///
    /// # Errors
    ///
    /// [`TemplateError`] with what was expected.
    pub fn new(dictionary: &Dictionary, name: &str, value: &str) -> Result<Self, TemplateError> {
        let named = Named::resolve(dictionary, name)?;
        let is_text = named.kind == DataType::Text && named.hiding == Hiding::None;
        if !is_text || !value.contains('{') {
            return Self::fixed(&named, value);
        }
        let text = Text::parse(value).map_err(|found| TemplateError::Variable {
            name: named.shown(),
            found,
        })?;
        let Some(text) = text else {
            return Self::fixed(&named, &value.replace("{{", "{"));
        };
        let layout = named.layout().clone();
        let text = text.tagged(named.tag);
        let (octets, limit) = (text.longest(), layout.limit());
        if octets > limit {
            return Err(TemplateError::TooLong {
                name: named.shown(),
                octets,
                limit,
            });
        }
        Ok(Self {
            kind: named.attribute(),
            form: Form::Varying(layout, text),
            inside: None,
        })
    }

    fn fixed(named: &Named<'_>, value: &str) -> Result<Self, TemplateError> {
        let octets = value::encode(named, value).ok_or_else(|| TemplateError::Value {
            name: named.shown(),
            value: value.into(),
            expected: value::expected(named),
        })?;
        let layout = named.layout();
        let too_long = |octets, limit| TemplateError::TooLong {
            name: named.shown(),
            octets,
            limit,
        };
        let (form, inside) = if named.hiding == Hiding::Salted {
            let tag = named.tagged.then_some(named.tag.unwrap_or(0));
            let hidden = layout::hidden_length(octets.len(), tag);
            if hidden > layout.limit() {
                return Err(too_long(octets.len(), layout::most_hidden(layout, tag)));
            }
            let form = Form::Salted(layout.clone(), tag, Zeroizing::new(octets));
            (form, None)
        } else {
            let octets = value::with_tag(named, octets);
            let (most, count) = (layout.longest(named.concat), octets.len());
            let whole = layout
                .wrap(&octets, named.concat)
                .ok_or_else(|| too_long(count, most))?;
            let inside = layout.parent().map(|(parent, own)| {
                let inner = own.wrap(&octets, false).unwrap_or_default();
                (parent, inner.into_boxed_slice())
            });
            (Form::Fixed(whole.into_boxed_slice()), inside)
        };
        Ok(Self {
            kind: named.attribute(),
            form,
            inside,
        })
    }

    /// The standard number; 26 for every vendor's attribute.
    #[must_use]
    pub const fn kind(&self) -> AttributeType {
        self.kind
    }

    /// The whole attribute as it goes into a packet; empty if a packet decides what it is.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match &self.form {
            Form::Fixed(octets) => octets,
            Form::Varying(..) | Form::Salted(..) => &[],
        }
    }

    /// The most octets that it takes of a packet.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.form {
            Form::Fixed(octets) => octets.len(),
            Form::Varying(layout, text) => layout.head() + text.longest(),
            Form::Salted(layout, tag, plain) => {
                layout.head() + layout::hidden_length(plain.len(), *tag)
            }
        }
    }

    /// Whether it may stand in a reply of that code; the configuration asks when it is loaded, so
    /// that no reply fails for it later.
    #[must_use]
    pub fn is_allowed_in(&self, code: Code) -> bool {
        reply::is_allowed(code, self.kind)
    }
}

/// The attribute's name and its size; a value may be confidential.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({}, {} octets)", self.kind, self.size())
    }
}

#[cfg(test)]
mod tests;
