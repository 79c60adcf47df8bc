//! The hash of what a file says, whatever way it is written.

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::SHA256;
use toml::de::DeTable;
use toml::de::DeValue;

/// SHA-256 over the document's values: keys sorted, lists in their order, each value with its kind
/// and length before it. Comments, blanks, quotes and the order of keys do not count.
pub(super) fn hash(table: &DeTable<'_>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(FORM);
    add_table(&mut context, table);
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

fn add_table(context: &mut Context, table: &DeTable<'_>) {
    // The order of the map is that of the keys, but a feature of the parser that any other crate
    // may switch on would change it.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by(|a, b| a.0.get_ref().cmp(b.0.get_ref()));
    add_head(context, b't', entries.len());
    for (key, value) in entries {
        add_text(context, b'k', key.get_ref());
        add_value(context, value.get_ref());
    }
}

fn add_value(context: &mut Context, value: &DeValue<'_>) {
    match value {
        DeValue::String(text) => add_text(context, b's', text),
        DeValue::Integer(number) => add_text(context, b'i', &number.to_string()),
        DeValue::Float(number) => add_text(context, b'f', number.as_str()),
        DeValue::Boolean(answer) => add_text(context, b'b', if *answer { "true" } else { "false" }),
        DeValue::Datetime(time) => add_text(context, b'd', &time.to_string()),
        DeValue::Array(elements) => {
            add_head(context, b'a', elements.len());
            for element in elements.iter() {
                add_value(context, element.get_ref());
            }
        }
        DeValue::Table(table) => add_table(context, table),
    }
}

fn add_text(context: &mut Context, kind: u8, text: &str) {
    add_head(context, kind, text.len());
    context.update(text.as_bytes());
}

fn add_head(context: &mut Context, kind: u8, length: usize) {
    context.update(&[kind]);
    context.update(&(length as u64).to_be_bytes());
}

/// Names the form that is hashed; a different form gets a different name.
const FORM: &[u8] = b"portreeve policy, first form\0";
