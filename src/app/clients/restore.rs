//! The records of the last start: the snapshot, overruled by the audit of wipes.

use std::path::Path;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::app::users;
use crate::config::Config;
use crate::inventory::MailClient;
use crate::inventory::Writer;
use crate::model::Timestamp;
use crate::store;
use crate::store::SnapshotError;

use super::FORMAT;
use super::kept::Kept;
use super::last;
use super::last::Heard;

/// Takes up the records of the last start. Gives the lines that the audit does not have of what they know.
pub(in crate::app) fn restore(config: &Config, writer: &mut Writer, now: Timestamp) -> String {
    let heard = take_up(&super::path(config), &config.journal.folder, writer);
    tell(&heard);
    heard.owed(now)
}

fn take_up(path: &Path, journal: &Path, writer: &mut Writer) -> Heard {
    let mut clients = Vec::new();
    let saved = read(path, &mut clients);
    let heard = last::overrule(journal, &writer.reader(), &mut clients);
    let known = clients.len();
    // Whoever is to be wiped has room first.
    clients.sort_by_key(|client| client.wipe.is_none());
    let wipes = clients.partition_point(|client| client.wipe.is_some());
    writer.restore_clients(clients);
    // Where starts are warm, each with a mail plane writes that, as it writes the records.
    let had_mail = path.with_file_name(users::FILE).exists();
    let path = path.display();
    let advice = advice(&heard);
    match saved {
        Saved::At(at) => {
            info!(clients = known, saved = %at, "mail clients of the last start are known")
        }
        // At a first start there is nothing yet.
        Saved::Missing if heard.lines == 0 && !had_mail => {}
        Saved::Missing => {
            error!(%path, wipes, "the mail clients of the last start are not there; {advice}");
        }
        Saved::Unread(error) => {
            error!(%path, %error, wipes, "the mail clients of the last start cannot be read; {advice}");
        }
        Saved::Damaged(reason, aside) => {
            error!(%path, %reason, aside, wipes, "the mail clients of the last start are not used and set aside; {advice}");
        }
    }
    heard
}

/// What is in force, and what is to be done, where the records are lost.
const fn advice(heard: &Heard) -> &'static str {
    if heard.lines == 0 {
        "ordered wipes among them must be ordered again"
    } else if heard.error.is_some() || heard.unreadable > 0 {
        "wipes are in force as far as the audit can be read; others must be ordered again"
    } else {
        "wipes are in force as the audit has them"
    }
}

fn tell(heard: &Heard) {
    if heard.altered > 0 {
        warn!(
            wipes = heard.altered,
            "of wipes the audit knows more than the records of the last start, and counts"
        );
    }
    if !heard.missing.is_empty() {
        warn!(
            wipes = heard.missing.len(),
            "of wipes the records of the last start know that they are called off, or how far they are, and \
             the audit does not: it is written there as soon as the disk takes it"
        );
    }
    if heard.unclear > 0 {
        warn!(
            wipes = heard.unclear,
            "no line of the audit that can be read says what these wipes are to erase: it is what the account \
             has brought; where it is to be the whole device, call them off and order them again"
        );
    }
    if heard.unreadable > 0 {
        warn!(
            lines = heard.unreadable,
            "lines of the audit of wipes cannot be read, and what they say does not count"
        );
    }
    if let Some(error) = &heard.error {
        error!(%error, "a file of the audit of wipes cannot be read; how far wipes are may be wrong");
    }
}

/// What became of the snapshot.
enum Saved {
    At(Timestamp),
    Missing,
    Unread(std::io::Error),
    /// Why it is not used, and where it is now.
    Damaged(SnapshotError, String),
}

fn read(path: &Path, clients: &mut Vec<MailClient>) -> Saved {
    let snapshot = match FORMAT.read(path) {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return Saved::Missing,
        Err(SnapshotError::Read(error)) => return Saved::Unread(error),
        Err(reason) => {
            let aside = store::set_aside(path);
            let aside = aside.map_or_else(|error| error.to_string(), |at| at.display().to_string());
            return Saved::Damaged(reason, aside);
        }
    };
    let mut unreadable = 0;
    let lines = snapshot.content().split(|octet| *octet == b'\n');
    clients.extend(lines.filter(|line| !line.is_empty()).filter_map(|line| {
        let kept = serde_json::from_slice::<Kept>(line).ok();
        let client = kept.and_then(Kept::client);
        unreadable += usize::from(client.is_none());
        client
    }));
    if unreadable > 0 {
        warn!(
            lines = unreadable,
            "mail clients of the last start cannot be read"
        );
    }
    Saved::At(snapshot.at)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::app::clients::audit::Audit;
    use crate::app::clients::audit::Event;
    use crate::app::clients::audit::line;
    use crate::inventory;
    use crate::inventory::Wipe;
    use crate::inventory::WipeOrder;
    use crate::inventory::WipeStage;

    const AT: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    #[test]
    fn whoever_was_to_be_wiped_stays_out_whatever_became_of_the_records_r41() {
        // With an older snapshot, or without one, a stolen device was served again.
        use WipeStage::Done;
        use WipeStage::Failed;
        use WipeStage::Ordered;
        use WipeStage::Sent;
        let rows: [(&[Event], Option<WipeStage>); 6] = [
            (&[], Some(Ordered)),
            (&[Event::At(Sent)], Some(Sent)),
            (&[Event::At(Sent), Event::At(Failed)], Some(Failed)),
            (&[Event::At(Sent), Event::At(Done)], Some(Done)),
            (&[Event::At(Sent), Event::Cancelled], None),
            (&[Event::Refused], None),
        ];
        let eas = "applc2".parse().unwrap();
        let client = MailClient::new(eas, "alice@example.com", AT);
        for (wipe, (events, stage)) in [Wipe::Device, Wipe::Account]
            .into_iter()
            .flat_map(|wipe| rows.map(|row| (wipe, row)))
        {
            for found in ["older", "ordered", "truncated", "flipped", "deleted"] {
                let row = format!("{wipe:?} {events:?} {found}");
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("mail-clients.snapshot");
                let order = WipeOrder {
                    wipe,
                    number: 1_795_974_760_165,
                    stage: Ordered,
                };
                let mut kept = client.clone();
                kept.wipe = (found == "ordered").then_some(order);
                let content = serde_json::to_vec(&Kept::of(&kept)).unwrap();
                FORMAT.write(&path, AT, &[&content]).unwrap();
                let mut octets = fs::read(&path).unwrap();
                match found {
                    "truncated" => fs::write(&path, &octets[..octets.len() / 2]).unwrap(),
                    "flipped" => {
                        *octets.last_mut().unwrap() ^= 1;
                        fs::write(&path, &octets).unwrap();
                    }
                    "deleted" => fs::remove_file(&path).unwrap(),
                    _ => {}
                }
                let mut audit = Audit::new(folder.path());
                let ordered = [Event::Ordered(wipe)];
                for event in ordered.iter().chain(events) {
                    let line = line(AT, *event, &client, Some(order), Some("root"));
                    audit.append(&line).unwrap();
                }
                let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
                take_up(&path, folder.path(), &mut writer);
                let entry = reader.client(&eas, "Alice@example.com", None);
                assert_eq!(entry.wipe, stage.map(|stage| order.at(stage)), "row {row}");
            }
        }
    }

    #[test]
    fn a_wipe_that_is_called_off_by_its_record_alone_stays_so_without_the_record_r41() {
        // The line of it was lost with the process on a full disk, half of another at the end of the file.
        for (row, kept) in [("called off", None), ("done", Some(WipeStage::Done))] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mail-clients.snapshot");
            let eas = "applc2".parse().unwrap();
            let mut client = MailClient::new(eas, "alice@example.com", AT);
            let order = WipeOrder {
                wipe: Wipe::Device,
                number: 7,
                stage: WipeStage::Sent,
            };
            let ordered = line(AT, Event::Ordered(order.wipe), &client, Some(order), None);
            let sent = line(AT, Event::At(order.stage), &client, Some(order), None);
            let torn = line(AT, Event::At(WipeStage::Failed), &client, Some(order), None);
            let audit = folder.path().join("wipes0.jsonl");
            fs::write(&audit, [&ordered, &sent, &torn[..100]].concat()).unwrap();
            client.wipe = kept.map(|stage| order.at(stage));
            client.called_off = kept.is_none().then_some(7);
            let content = serde_json::to_vec(&Kept::of(&client)).unwrap();
            FORMAT.write(&path, AT, &[&content]).unwrap();
            let restored = || {
                let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
                let heard = take_up(&path, folder.path(), &mut writer);
                let wipe = reader.client(&eas, "alice@example.com", None).wipe;
                (wipe, heard.owed(AT))
            };
            let (wipe, owed) = restored();
            assert_eq!(wipe, client.wipe, "row {row}");
            let mut keeper = Audit::owing(folder.path(), owed);
            keeper.retry().unwrap().unwrap();
            fs::remove_file(&path).unwrap();
            let (wipe, owed) = restored();
            assert_eq!(wipe, client.wipe, "row {row}");
            assert_eq!(owed, "", "row {row}");
        }
    }

    #[test]
    fn what_is_said_of_lost_records_is_what_the_audit_could_tell() {
        let of = |lines, unreadable, error: Option<&str>| {
            advice(&Heard {
                lines,
                unreadable,
                error: error.map(std::io::Error::other),
                ..Heard::default()
            })
        };
        assert!(of(3, 0, None).ends_with("as the audit has them"));
        for told in [of(3, 1, None), of(3, 0, Some("input/output error"))] {
            assert!(told.contains("as far as the audit can be read"), "{told}");
        }
        for told in [of(0, 0, None), of(0, 2, Some("input/output error"))] {
            assert!(told.ends_with("must be ordered again"), "{told}");
        }
    }

    #[test]
    fn an_order_that_stands_among_the_records_alone_is_in_force() {
        // The audit was put aside, or its line could not be written.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail-clients.snapshot");
        let eas = "applc2".parse().unwrap();
        let mut client = MailClient::new(eas, "alice@example.com", AT);
        client.wipe = Some(WipeOrder {
            wipe: Wipe::Device,
            number: 7,
            stage: WipeStage::Done,
        });
        let content = serde_json::to_vec(&Kept::of(&client)).unwrap();
        FORMAT.write(&path, AT, &[&content]).unwrap();
        let restored = || {
            let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
            let heard = take_up(&path, folder.path(), &mut writer);
            (reader.client(&eas, "alice@example.com", None).wipe, heard)
        };
        let (wipe, heard) = restored();
        assert_eq!(wipe, client.wipe);
        assert_eq!(heard.lines, 0);
        // Nor does an audit that cannot be read call it off.
        fs::create_dir(folder.path().join("wipes0.jsonl")).unwrap();
        let (wipe, heard) = restored();
        assert_eq!(wipe, client.wipe);
        assert!(heard.error.is_some());
    }
}
