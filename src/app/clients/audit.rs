//! The audit of wipes: a line for each order and for each step of it.
//!
//! A line is on the disk before what it tells of happens; the records beside it are saved when there is
//! time and room, and may be lost or put back from a copy. So after a start the last line of a client
//! counts, see [`super::last`]: an order whose line is here is in force then. One that could not be given
//! has another line that says so.

use std::io;
use std::path::Path;

use serde_json::json;

use crate::inventory::MailClient;
use crate::inventory::Wipe;
use crate::inventory::WipeOrder;
use crate::inventory::WipeStage;
use crate::model::Timestamp;
use crate::store::Circle;

/// The files, and lines that have not come to the disk yet.
pub(super) struct Audit {
    circle: Circle,
    /// No more than what calls off or takes back orders that were begun with room on the disk, be it in an
    /// earlier process: the next one is begun only when these are written.
    unwritten: String,
}

/// What a line tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// It is to be wiped.
    Ordered(Wipe),
    /// How far that is.
    At(WipeStage),
    /// It is not any more.
    Cancelled,
    /// The order could not be given.
    Refused,
    /// Its record is gone.
    Forgotten,
}

impl Event {
    const fn word(self) -> &'static str {
        match self {
            Self::Ordered(wipe) => wipe.as_str(),
            Self::At(stage) => stage.as_str(),
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::Forgotten => "forgotten",
        }
    }

    /// What a line calls so.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let over = || {
            let over = [Self::Cancelled, Self::Refused, Self::Forgotten];
            over.into_iter().find(|event| event.word() == word)
        };
        let ordered = Wipe::parse(word).map(Self::Ordered);
        let at = || WipeStage::parse(word).map(Self::At);
        ordered.or_else(at).or_else(over)
    }
}

/// A line.
pub(super) fn line(
    at: Timestamp,
    event: Event,
    client: &MailClient,
    order: Option<WipeOrder>,
    by: Option<&str>,
) -> String {
    let mut line = json!({
        "time": at.to_string(),
        "event": event.word(),
        "order": order.map(|order| order.number),
        "wipe": order.map(|order| order.wipe.as_str()),
        "user": client.user,
        "device": client.spelled,
        "device_type": client.device_type,
        "model": client.model,
        "by": by,
    })
    .to_string();
    line.push('\n');
    line
}

impl Audit {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            circle: circle(folder),
            unwritten: String::new(),
        }
    }

    /// The same, with lines that are still to be written.
    pub(super) fn owing(folder: &Path, lines: String) -> Self {
        Self {
            unwritten: lines,
            ..Self::new(folder)
        }
    }

    /// Appends a line; it is on the disk when this returns, with all that were left before.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        let lines = format!("{}{line}", self.unwritten);
        let file = self.circle.append(lines.as_bytes())?;
        file.sync_data()?;
        self.unwritten.clear();
        Ok(())
    }

    /// The same; a line that cannot be written now is with a later one, or with [`Audit::retry`].
    pub(super) fn leave(&mut self, line: &str) -> io::Result<()> {
        self.append(line)
            .inspect_err(|_| self.unwritten.push_str(line))
    }

    /// Writes the lines that were left; `None` if there are none.
    pub(super) fn retry(&mut self) -> Option<io::Result<()>> {
        (!self.unwritten.is_empty()).then(|| self.append(""))
    }
}

/// Its files.
pub(super) fn circle(folder: &Path) -> Circle {
    Circle::new(folder, NAME, SIZE, FILES)
}

/// In the journal's folder: `wipes0.jsonl` and up.
const NAME: &str = "wipes";

/// An order has some 300 octets: more than anybody orders in years.
const SIZE: u64 = 10_000_000;
const FILES: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_could_not_be_written_comes_before_the_next() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("journal");
        // Something else is in its place.
        std::fs::write(&folder, b"").unwrap();
        let mut audit = Audit::new(&folder);
        assert!(audit.retry().is_none());
        assert!(audit.leave("one\n").is_err());
        assert!(audit.append("refused\n").is_err());
        assert!(audit.retry().unwrap().is_err());
        std::fs::remove_file(&folder).unwrap();
        audit.append("two\n").unwrap();
        assert!(audit.retry().is_none());
        let text = std::fs::read_to_string(folder.join("wipes0.jsonl")).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
