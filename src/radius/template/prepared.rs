//! All attributes of one answer, ready to be copied into a packet.

use std::fmt;

use zeroize::Zeroizing;

use super::Form;
use super::Template;
use super::layout::Layout;
use super::layout::hidden_length;
use super::variable::Text;
use super::variable::Values;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::MAX_VALUE;
use crate::radius::client::RequestBuilder;
use crate::radius::code::Code;
use crate::radius::encode::EncodeError;
use crate::radius::hidden;
use crate::radius::hidden::Salt;
use crate::radius::reply::Reply;

/// Attributes in the order of the configuration; those that are the same for everybody lie there
/// as they go into a packet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    parts: Box<[Part]>,
    size: usize,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Octets(Box<[u8]>),
    Varying(Layout, Text),
    Salted(Layout, Option<u8>, Zeroizing<Vec<u8>>),
}

impl Prepared {
    /// Puts attributes together.
    #[must_use]
    pub fn new(templates: &[Template]) -> Self {
        let mut parts = Vec::new();
        let mut octets: Vec<u8> = Vec::new();
        let mut rest = templates;
        while let Some((template, after)) = rest.split_first() {
            rest = after;
            let part = match &template.form {
                Form::Fixed(whole) => {
                    match together(template, &mut rest) {
                        Some(together) => octets.extend_from_slice(&together),
                        None => octets.extend_from_slice(whole),
                    }
                    continue;
                }
                Form::Varying(layout, text) => Part::Varying(layout.clone(), text.clone()),
                Form::Salted(layout, tag, plain) => {
                    Part::Salted(layout.clone(), *tag, plain.clone())
                }
            };
            if !octets.is_empty() {
                parts.push(Part::Octets(std::mem::take(&mut octets).into()));
            }
            parts.push(part);
        }
        if !octets.is_empty() {
            parts.push(Part::Octets(octets.into()));
        }
        Self {
            size: templates.iter().map(Template::size).sum(),
            parts: parts.into(),
        }
    }

    /// Whether they can stand in a request, where nothing can be hidden with a salt.
    #[must_use]
    pub fn is_for_requests(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|part| !matches!(part, Part::Salted(..)))
    }

    /// The most octets that they take of a packet.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Their octets, if they are the same in every packet.
    #[must_use]
    pub const fn octets(&self) -> Option<&[u8]> {
        match &*self.parts {
            [] => Some(&[]),
            [Part::Octets(octets)] => Some(octets),
            _ => None,
        }
    }
}

/// An attribute inside a TLV with those that follow it in the same one, as far as they fit.
fn together(template: &Template, rest: &mut &[Template]) -> Option<Vec<u8>> {
    let (parent, inner) = template.inside.as_ref()?;
    let mut all = inner.to_vec();
    while let Some((next, after)) = rest.split_first()
        && let Some((other, inner)) = &next.inside
        && other == parent
        && all.len() + inner.len() <= parent.limit()
    {
        all.extend_from_slice(inner);
        *rest = after;
    }
    parent.wrap(&all, false)
}

impl RequestBuilder<'_, '_> {
    /// Attributes from the configuration, in a CoA-Request. What has to be hidden with the
    /// authenticator of a request that is being answered has no place there and is an error of
    /// [`finish`](Self::finish).
    pub fn prepared<'v>(
        &mut self,
        prepared: &Prepared,
        values: impl Fn() -> Values<'v>,
    ) -> &mut Self {
        for part in &prepared.parts {
            match part {
                Part::Octets(octets) => self.encoded(octets),
                Part::Varying(layout, text) => {
                    let mut whole = [0; MAX_WHOLE];
                    match varying(layout, text, &values(), &mut whole) {
                        Some(octets) => self.encoded(octets),
                        None => self.fail(TOO_LONG),
                    }
                }
                Part::Salted(..) => self.fail(EncodeError::NotAllowed {
                    kind: AttributeType::VENDOR_SPECIFIC,
                    code: Code::CoaRequest,
                }),
            }
        }
        self
    }
}

impl Reply<'_, '_> {
    /// Attributes from the configuration. `values` is asked if one of them has variables, `salt` if
    /// one is hidden.
    pub fn prepared<'v>(
        &mut self,
        prepared: &Prepared,
        values: impl Fn() -> Values<'v>,
        salt: impl Fn() -> Salt,
    ) -> &mut Self {
        for part in &prepared.parts {
            match part {
                Part::Octets(octets) => self.encoded(octets),
                Part::Varying(layout, text) => self.varying(layout, text, &values()),
                Part::Salted(layout, tag, plain) => {
                    let salt = self.another_salt(&salt);
                    self.salted(layout, *tag, plain, salt);
                }
            }
        }
        self
    }

    fn varying(&mut self, layout: &Layout, text: &Text, values: &Values<'_>) {
        let mut whole = [0; MAX_WHOLE];
        match varying(layout, text, values, &mut whole) {
            Some(octets) => self.encoded(octets),
            None => self.too_long(),
        }
    }

    fn salted(&mut self, layout: &Layout, tag: Option<u8>, plain: &[u8], salt: Salt) {
        let mut whole = [0; MAX_WHOLE];
        let octets = hidden_length(plain.len(), tag);
        let written = layout.begin(&mut whole, octets).and_then(|head| {
            let end = head.checked_add(octets)?;
            let mut value = whole.get_mut(head..end)?;
            if let Some(tag) = tag {
                let (first, rest) = value.split_first_mut()?;
                *first = tag;
                value = rest;
            }
            let (secret, authenticator) = self.hides_with();
            hidden::hide_salted(value, plain, secret, authenticator, salt)?;
            Some(end)
        });
        match written.and_then(|end| whole.get(..end)) {
            Some(octets) => self.encoded(octets),
            None => self.too_long(),
        }
    }

    /// Sizes were checked when the configuration was loaded, so that this does not happen.
    fn too_long(&mut self) {
        self.fail(TOO_LONG);
    }
}

/// Writes an attribute with variables; `None` if it does not fit.
fn varying<'w>(
    layout: &Layout,
    text: &Text,
    values: &Values<'_>,
    whole: &'w mut [u8; MAX_WHOLE],
) -> Option<&'w [u8]> {
    let mut value = [0; MAX_VALUE];
    let octets = text.write(values, &mut value)?;
    let value = value.get(..octets)?;
    let head = layout.begin(whole, value.len())?;
    let end = head.checked_add(octets)?;
    whole.get_mut(head..end)?.copy_from_slice(value);
    // An attribute of no octets says nothing and is left out (RFC 8044 section 3.4).
    whole.get(..if octets == 0 { 0 } else { end })
}

/// The sizes, not the values.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Prepared({} parts, {} octets)",
            self.parts.len(),
            self.size
        )
    }
}

const TOO_LONG: EncodeError = EncodeError::ValueTooLong {
    kind: AttributeType::VENDOR_SPECIFIC,
    octets: MAX_WHOLE,
};

/// Octets of an attribute: its length field is one octet.
const MAX_WHOLE: usize = 255;
