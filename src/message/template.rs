//! One text with fields, taken apart when it is read.

use crate::document::suggestion;

/// A text: paragraphs of words and fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Vec<Piece>>);

/// A part of a paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Words(String),
    /// To be filled in.
    Field(Field),
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// What people call the device: its name, else its model, else its type.
    Device,
    /// What ActiveSync calls this type of device.
    DeviceType,
    /// Its model.
    Model,
    /// Its DeviceId.
    DeviceId,
    /// The user as signed in.
    User,
    /// Why, as people read it.
    Reason,
    /// What to do about it.
    Advice,
    /// The reason's number.
    Code,
    /// The number of the decision, to ask `explain` about.
    Request,
    /// When access ends.
    Until,
    /// Whom to ask.
    HelpDesk,
    /// Where this platform is enrolled; a paragraph of its own.
    Links,
    /// Where to look once more at once; a paragraph of its own.
    CheckAgain,
}

impl Field {
    const ALL: [(&'static str, Self); 13] = [
        ("device", Self::Device),
        ("device_type", Self::DeviceType),
        ("model", Self::Model),
        ("device_id", Self::DeviceId),
        ("user", Self::User),
        ("reason", Self::Reason),
        ("advice", Self::Advice),
        ("code", Self::Code),
        ("request", Self::Request),
        ("until", Self::Until),
        ("help_desk", Self::HelpDesk),
        ("links", Self::Links),
        ("check_again", Self::CheckAgain),
    ];

    const fn is_block(self) -> bool {
        matches!(self, Self::Links | Self::CheckAgain)
    }
}

/// What a text is for: how long it may be and which fields it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One line with plain fields: a subject, the caption of a link.
    Line,
    /// A sentence or two about a reason, which may name the device, the user and the help desk.
    Sentence,
    /// A whole message with every field.
    Body,
}

impl Shape {
    const fn longest(self) -> usize {
        match self {
            Self::Line => 200,
            Self::Sentence => 1000,
            Self::Body => MAX_TEXT,
        }
    }

    const fn takes(self, field: Field) -> bool {
        match self {
            Self::Line | Self::Sentence => matches!(
                field,
                Field::Device
                    | Field::DeviceType
                    | Field::Model
                    | Field::DeviceId
                    | Field::User
                    | Field::HelpDesk
                    | Field::Until
            ),
            Self::Body => true,
        }
    }
}

/// The longest body, in characters: what a phone shows of a mail is a tenth of it.
pub const MAX_TEXT: usize = 8000;

impl Template {
    /// Takes a text apart.
    ///
    /// # Errors
    ///
    /// What is wrong with it, one sentence: too long, empty, a field that is not known or not of
    /// this text, a brace that is not closed, control characters.
    pub(super) fn parse(text: &str, shape: Shape) -> Result<Self, String> {
        let text = text.trim().replace("\r\n", "\n");
        let length = text.chars().count();
        if length == 0 {
            return Err("the text is empty".to_owned());
        }
        if length > shape.longest() {
            let longest = shape.longest();
            return Err(format!(
                "the text has {length} characters, at most {longest} are taken"
            ));
        }
        if shape == Shape::Line && text.contains('\n') {
            return Err("expected one line".to_owned());
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("the text has a control character".to_owned());
        }
        let paragraphs = text.split("\n\n").map(str::trim);
        let paragraphs = paragraphs.filter(|paragraph| !paragraph.is_empty());
        let paragraphs: Result<Vec<_>, _> = paragraphs.map(|text| paragraph(text, shape)).collect();
        Ok(Self(paragraphs?))
    }
}

/// A paragraph with the links of the device's platform.
pub(super) fn links() -> Template {
    Template(vec![vec![Piece::Field(Field::Links)]])
}

/// A paragraph with whom to ask.
pub(super) fn help_desk() -> Template {
    Template(vec![vec![Piece::Field(Field::HelpDesk)]])
}

fn paragraph(text: &str, shape: Shape) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        words.push_str(before);
        // Doubled, a brace stands for itself.
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            words.push_str(from.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let (name, after) = from
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .ok_or("a brace stands alone: write {{ or }} for a brace itself")?;
        if !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words)));
        }
        pieces.push(Piece::Field(field(name, shape)?));
        rest = after;
    }
    words.push_str(rest);
    if !words.is_empty() {
        pieces.push(Piece::Words(words));
    }
    let has_block = pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Field(field) if field.is_block()));
    if has_block && pieces.len() > 1 {
        return Err("{links} and {check_again} stand in a paragraph of their own".to_owned());
    }
    Ok(pieces)
}

fn field(name: &str, shape: Shape) -> Result<Field, String> {
    let known = || Field::ALL.iter().filter(|(_, field)| shape.takes(*field));
    if let Some((_, field)) = known().find(|(known, _)| *known == name) {
        return Ok(*field);
    }
    let shown: String = name.chars().take(30).collect();
    let shown = shown.escape_debug();
    if Field::ALL.iter().any(|(known, _)| *known == name) {
        return Err(format!("the field {{{shown}}} has no place in this text"));
    }
    let names = known().map(|(name, _)| *name);
    Err(match suggestion(name, names) {
        Some(meant) => format!("unknown field {{{shown}}}, did you mean {{{meant}}}?"),
        None => {
            let known: Vec<&str> = known().map(|(name, _)| *name).collect();
            format!(
                "unknown field {{{shown}}}, known here: {}",
                known.join(", ")
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart_and_mistakes_are_named() {
        for (text, shape, expected) in [
            ("Your {device}", Shape::Line, Ok(1)),
            ("a\n\nb\n\n\n\nc", Shape::Body, Ok(3)),
            ("a\r\n\r\nb", Shape::Body, Ok(2)),
            ("{{x}} stays", Shape::Line, Ok(1)),
            ("{links}", Shape::Body, Ok(1)),
            ("", Shape::Line, Err("the text is empty")),
            (" \n ", Shape::Body, Err("the text is empty")),
            ("a\nb", Shape::Line, Err("expected one line")),
            (
                "a\u{0}b",
                Shape::Line,
                Err("the text has a control character"),
            ),
            (
                "{devise}",
                Shape::Line,
                Err("unknown field {devise}, did you mean {device}?"),
            ),
            (
                "{links}",
                Shape::Line,
                Err("the field {links} has no place in this text"),
            ),
            (
                "{reason}",
                Shape::Sentence,
                Err("the field {reason} has no place in this text"),
            ),
            (
                "see {links}",
                Shape::Body,
                Err("{links} and {check_again} stand in a paragraph of their own"),
            ),
            (
                "a { b",
                Shape::Line,
                Err("a brace stands alone: write {{ or }} for a brace itself"),
            ),
            (
                "a } b",
                Shape::Line,
                Err("a brace stands alone: write {{ or }} for a brace itself"),
            ),
        ] {
            let parsed = Template::parse(text, shape).map(|template| template.0.len());
            assert_eq!(parsed, expected.map_err(str::to_owned), "row {text:?}");
        }
    }

    #[test]
    fn the_longest_text_is_taken_and_one_more_is_not() {
        for (shape, longest) in [
            (Shape::Line, 200),
            (Shape::Sentence, 1000),
            (Shape::Body, MAX_TEXT),
        ] {
            // Characters, not octets: Japanese has as much room.
            assert!(Template::parse(&"語".repeat(longest), shape).is_ok());
            let long = Template::parse(&"語".repeat(longest + 1), shape);
            let message = format!(
                "the text has {} characters, at most {longest} are taken",
                longest + 1
            );
            assert_eq!(long, Err(message));
        }
    }
}
