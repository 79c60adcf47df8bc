//! The audit of wipes: a line for each order and for each step of it, and what a start learns from it.
//!
//! A line is on the disk before what it tells of happens; the records beside it are saved when there is
//! time and room. So after a start the last line of a client counts where it says that a wipe is done,
//! told or called off. It never brings an order to life: an order is in force only when the records have
//! it too, and its line may stand here although the administrator was told that it could not be given.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::inventory::MailClient;
use crate::inventory::Wipe;
use crate::inventory::WipeOrder;
use crate::inventory::WipeStage;
use crate::model::EasDeviceId;
use crate::model::Timestamp;
use crate::store::Circle;

/// The files, and lines that have not come to the disk yet.
pub(super) struct Audit {
    circle: Circle,
    /// No more than what calls off orders that were given with room on the disk: the next order is given
    /// only when these are written.
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

/// Has the audit overrule what was kept of `clients`; how many of them it altered.
pub(super) fn overrule(folder: &Path, clients: &mut [MailClient]) -> io::Result<usize> {
    let mut last: HashMap<(EasDeviceId, Box<str>), Option<Line>> = clients
        .iter()
        .filter(|client| client.wipe.is_some())
        .map(|client| ((client.eas, client.user.clone()), None))
        .collect();
    if last.is_empty() {
        return Ok(0);
    }
    circle(folder).read(|octets| {
        // A torn line is none.
        let Ok(line) = serde_json::from_slice::<Line>(octets) else {
            return;
        };
        let Ok(eas) = line.device.parse() else {
            return;
        };
        if let Some(known) = last.get_mut(&(eas, line.user.clone())) {
            *known = Some(line);
        }
    })?;
    let mut altered = 0;
    for client in clients {
        let Some(order) = client.wipe else { continue };
        let key = (client.eas, client.user.clone());
        let Some(Some(line)) = last.get(&key) else {
            continue;
        };
        client.wipe = line.after(order);
        if client.wipe != Some(order) {
            altered += 1;
        }
    }
    Ok(altered)
}

/// What counts of a line at a start.
#[derive(Debug, Deserialize)]
struct Line {
    event: String,
    /// Earlier versions gave their orders no number.
    #[serde(default)]
    order: Option<u64>,
    user: Box<str>,
    device: String,
}

impl Line {
    /// What is left of an order that was kept, if this is the last line of its client.
    fn after(&self, kept: WipeOrder) -> Option<WipeOrder> {
        if self.event == Event::Forgotten.word() {
            return None;
        }
        let number = self.order.unwrap_or(0);
        if number < kept.number {
            // The line of the order itself is not there: somebody has put the files aside.
            return Some(kept);
        }
        if number > kept.number {
            // Another is given only when this one is called off.
            return None;
        }
        match WipeStage::parse(&self.event) {
            Some(stage) => Some(kept.at(stage)),
            None if Wipe::parse(&self.event) == Some(kept.wipe) => Some(kept),
            None => None,
        }
    }
}

fn circle(folder: &Path) -> Circle {
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

    const AT: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn client(device: &str, wipe: Option<WipeOrder>) -> MailClient {
        let mut client = MailClient::new(device.parse().unwrap(), "alice", AT);
        client.wipe = wipe;
        client
    }

    const fn order(number: u64, stage: WipeStage) -> WipeOrder {
        WipeOrder {
            wipe: Wipe::Device,
            number,
            stage,
        }
    }

    #[test]
    fn the_last_word_of_the_audit_counts_after_a_start_but_gives_no_order() {
        use WipeStage::Done;
        use WipeStage::Failed;
        use WipeStage::Ordered;
        use WipeStage::Sent;
        let device = Event::Ordered(Wipe::Device);
        type Lines<'a> = &'a [(Event, Option<u64>)];
        let rows: [(Lines<'_>, Option<WipeOrder>, Option<WipeOrder>); 15] = [
            (&[], Some(order(7, Ordered)), Some(order(7, Ordered))),
            (
                &[(device, Some(7))],
                Some(order(7, Ordered)),
                Some(order(7, Ordered)),
            ),
            // How far it was.
            (
                &[(device, Some(7)), (Event::At(Sent), Some(7))],
                Some(order(7, Ordered)),
                Some(order(7, Sent)),
            ),
            (
                &[(Event::At(Sent), Some(7)), (Event::At(Failed), Some(7))],
                Some(order(7, Ordered)),
                Some(order(7, Failed)),
            ),
            (
                &[(Event::At(Sent), Some(7)), (Event::At(Done), Some(7))],
                Some(order(7, Sent)),
                Some(order(7, Done)),
            ),
            // It was called off, or never given.
            (
                &[(device, Some(7)), (Event::Cancelled, Some(7))],
                Some(order(7, Sent)),
                None,
            ),
            (
                &[(device, Some(7)), (Event::Refused, Some(7))],
                Some(order(7, Ordered)),
                None,
            ),
            (
                &[(Event::Cancelled, Some(7)), (Event::Forgotten, None)],
                Some(order(7, Sent)),
                None,
            ),
            // Another came after it, of which the records have nothing.
            (
                &[(device, Some(7)), (device, Some(9))],
                Some(order(7, Sent)),
                None,
            ),
            // The lines are of an earlier order, or of an earlier version.
            (
                &[(device, Some(5)), (Event::Cancelled, Some(5))],
                Some(order(7, Ordered)),
                Some(order(7, Ordered)),
            ),
            (
                &[(device, None), (Event::At(Done), None)],
                Some(order(0, Ordered)),
                Some(order(0, Done)),
            ),
            (
                &[(device, None), (Event::Cancelled, None)],
                Some(order(0, Ordered)),
                None,
            ),
            (
                &[(device, None), (Event::Cancelled, Some(0))],
                Some(order(0, Ordered)),
                None,
            ),
            // An order that is here alone.
            (&[(device, Some(7))], None, None),
            (&[(device, Some(7)), (Event::At(Sent), Some(7))], None, None),
        ];
        for (row, (lines, kept, expected)) in rows.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let mut audit = Audit::new(folder.path());
            let other = client("other", None);
            for (event, number) in lines {
                let about = client("PHONE", None);
                let order = number.map(|number| order(number, Ordered));
                audit
                    .append(&line(AT, *event, &about, order, None))
                    .unwrap();
                let noise = line(AT, Event::Cancelled, &other, order, None);
                audit.append(&noise).unwrap();
            }
            audit.append("{\"event\":\"cancelled\",\"dev").unwrap();
            let mut clients = [client("phone", kept), client("third", kept)];
            let altered = overrule(folder.path(), &mut clients).unwrap();
            let [phone, third] = clients;
            assert_eq!(phone.wipe, expected, "row {row}");
            assert_eq!(third.wipe, kept, "row {row}");
            assert_eq!(altered, usize::from(kept != expected), "row {row}");
        }
    }

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
