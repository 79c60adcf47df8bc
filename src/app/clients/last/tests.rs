use super::*;
use crate::app::clients::audit::Audit;
use crate::app::clients::audit::line;
use crate::inventory;

const AT: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn client(device: &str, user: &str) -> MailClient {
    MailClient::new(device.parse().unwrap(), user, AT)
}

const fn order(number: u64, stage: WipeStage) -> WipeOrder {
    WipeOrder {
        wipe: Wipe::Device,
        number,
        stage,
    }
}

fn reader() -> Reader {
    inventory::open(inventory::Config::new([7; 16])).1
}

#[test]
fn the_last_line_of_a_client_counts_after_a_start_but_for_what_its_record_knows_of_the_order() {
    use WipeStage::Done;
    use WipeStage::Failed;
    use WipeStage::Ordered;
    use WipeStage::Sent;
    let device = Event::Ordered(Wipe::Device);
    let account = Event::Ordered(Wipe::Account);
    let sent = Event::At(Sent);
    let done = Event::At(Done);
    let off = Event::Cancelled;
    type Lines<'a> = &'a [(Event, Option<u64>)];
    type Row<'a> = (Lines<'a>, Option<WipeOrder>, Option<u64>, Option<WipeOrder>);
    let of = |number, stage| Some(order(number, stage));
    let of_account = |number, stage| {
        Some(WipeOrder {
            wipe: Wipe::Account,
            ..order(number, stage)
        })
    };
    let rows: [Row<'_>; 32] = [
        (&[], of(7, Ordered), None, of(7, Ordered)),
        (&[(device, Some(7))], of(7, Ordered), None, of(7, Ordered)),
        // How far it was.
        (
            &[(device, Some(7)), (sent, Some(7))],
            of(7, Ordered),
            None,
            of(7, Sent),
        ),
        (
            &[(sent, Some(7)), (Event::At(Failed), Some(7))],
            of(7, Ordered),
            None,
            of(7, Failed),
        ),
        (
            &[(sent, Some(7)), (done, Some(7))],
            of(7, Sent),
            None,
            of(7, Done),
        ),
        // The record is of an order that the lines have not got as far as.
        (&[(device, Some(7))], of(7, Sent), None, of(7, Sent)),
        (
            &[(device, Some(7)), (sent, Some(7))],
            of(7, Done),
            None,
            of(7, Done),
        ),
        // It was called off, or never given.
        (
            &[(device, Some(7)), (off, Some(7))],
            of(7, Sent),
            None,
            None,
        ),
        (
            &[(device, Some(7)), (Event::Refused, Some(7))],
            of(7, Ordered),
            None,
            None,
        ),
        (
            &[(off, Some(7)), (Event::Forgotten, None)],
            of(7, Sent),
            None,
            None,
        ),
        (&[(device, Some(7)), (off, Some(7))], None, None, None),
        (
            &[(device, Some(7)), (Event::Refused, Some(7))],
            None,
            None,
            None,
        ),
        // The record knows that, and the line is missing.
        (&[(device, Some(7)), (sent, Some(7))], None, Some(7), None),
        (&[(device, Some(7))], None, Some(9), None),
        // Another came after it, of which the record has nothing.
        (
            &[(device, Some(7)), (off, Some(7)), (account, Some(9))],
            of(7, Sent),
            None,
            of_account(9, Ordered),
        ),
        (
            &[(account, Some(9)), (sent, Some(9))],
            of(7, Sent),
            None,
            of_account(9, Sent),
        ),
        (
            &[(device, Some(9)), (off, Some(9))],
            of(7, Sent),
            None,
            None,
        ),
        (
            &[(device, Some(9)), (done, Some(9))],
            None,
            Some(7),
            of(9, Done),
        ),
        (
            &[(off, Some(7)), (Event::Forgotten, None), (device, Some(9))],
            None,
            None,
            of(9, Ordered),
        ),
        // The lines are of an earlier order, and those of the record's own are missing.
        (
            &[(device, Some(5)), (off, Some(5))],
            of(7, Ordered),
            Some(5),
            of(7, Ordered),
        ),
        (
            &[(off, Some(5)), (Event::Forgotten, None)],
            of(7, Ordered),
            None,
            of(7, Ordered),
        ),
        // Orders of earlier versions.
        (
            &[(device, None), (done, None)],
            of(0, Ordered),
            None,
            of(0, Done),
        ),
        (&[(device, None), (off, None)], of(0, Ordered), None, None),
        (
            &[(device, None), (off, Some(0))],
            of(0, Ordered),
            None,
            None,
        ),
        (&[(device, None), (done, None)], None, None, of(0, Done)),
        // An order that the record does not have.
        (&[(device, Some(7))], None, None, of(7, Ordered)),
        (
            &[(device, Some(7)), (sent, Some(7))],
            None,
            None,
            of(7, Sent),
        ),
        (
            &[(account, Some(7)), (sent, Some(7)), (done, Some(7))],
            None,
            Some(6),
            of_account(7, Done),
        ),
        // The line that has ordered it is missing; these say themselves what it was.
        (&[(sent, Some(7))], None, None, of(7, Sent)),
        (
            &[(account, Some(6)), (sent, Some(7))],
            None,
            None,
            of(7, Sent),
        ),
        (&[(off, Some(6)), (done, Some(7))], None, None, of(7, Done)),
        (&[(off, Some(7))], None, None, None),
    ];
    let reader = reader();
    for (row, (lines, kept, called_off, expected)) in rows.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut audit = Audit::new(folder.path());
        let other = client("other", "alice");
        for (event, number) in lines {
            let about = client("PHONE", "alice");
            let order = number.map(|number| {
                let is_account = matches!(event, Event::Ordered(Wipe::Account));
                let mut order = order(number, Ordered);
                order.wipe = if is_account {
                    Wipe::Account
                } else {
                    expected.map_or(Wipe::Device, |order| order.wipe)
                };
                order
            });
            audit
                .append(&line(AT, *event, &about, order, Some("root")))
                .unwrap();
            let noise = line(AT, Event::Cancelled, &other, order, None);
            audit.append(&noise).unwrap();
        }
        audit
            .append("{\"event\":\"cancelled\",\"dev\nnothing\n{\"to")
            .unwrap();
        let kept_of = |device, user| {
            let mut client = client(device, user);
            client.wipe = kept;
            client.called_off = called_off;
            client
        };
        // However the user's name is spelled.
        let mut clients = vec![kept_of("phone", "Alice"), kept_of("third", "alice")];
        let heard = overrule(folder.path(), &reader, &mut clients);
        let [phone, third] = &clients[..] else {
            panic!("row {row}");
        };
        assert_eq!(phone.wipe, expected, "row {row}");
        assert_eq!(third.wipe, kept, "row {row}");
        assert_eq!(heard.altered, usize::from(kept != expected), "row {row}");
        assert_eq!(heard.unclear, 0, "row {row}");
        assert_eq!(heard.unreadable, 2, "row {row}");
        if expected.is_none() && !lines.is_empty() {
            // The next order has a greater number than any before it.
            let last = lines.iter().filter_map(|(_, number)| *number).max();
            assert!(phone.called_off >= last, "row {row}");
        }
    }
}

#[test]
fn a_client_without_a_record_is_known_by_what_its_lines_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut phone = client("ApplC2", "alice");
    phone.spelled = "ApplC2".into();
    phone.device_type = "iPhone".into();
    phone.model = "iPhone15C2".into();
    let of = WipeOrder {
        wipe: Wipe::Account,
        number: 7,
        stage: WipeStage::Sent,
    };
    let ordered = line(
        AT,
        Event::Ordered(of.wipe),
        &phone,
        Some(of),
        Some("root (uid 0)"),
    );
    let sent = line(AT, Event::At(of.stage), &phone, Some(of), None);
    let off = line(
        AT,
        Event::Cancelled,
        &client("over", "bob"),
        Some(of),
        Some("root"),
    );
    // As earlier versions wrote it, and the line of the order is missing.
    let bare = sent
        .replace("ApplC2", "Bare")
        .replace(",\"wipe\":\"account-only\"", "");
    let bare = bare.replace("\"order\":7", "\"order\":8");
    assert_ne!(bare.len(), sent.len());
    let unknown = ["{\"event\":\"sent\"}\n", "[]\n"].concat()
        + &sent.replace("ApplC2", "no id")
        + &sent.replace("\"event\":\"sent\"", "\"event\":\"sunt\"")
        + &sent.replace("\"alice\"", "\" \"");
    Audit::new(folder.path())
        .append(&[ordered, sent, off, bare, unknown].concat())
        .unwrap();
    let mut clients = Vec::new();
    let heard = overrule(folder.path(), &reader(), &mut clients);
    let [first, second] = &clients[..] else {
        panic!("{clients:?}");
    };
    phone.wipe = Some(of);
    phone.wipe_by = "root (uid 0)".into();
    assert_eq!(format!("{first:?}"), format!("{phone:?}"));
    // Less than it may have been, and it stays out.
    assert_eq!(second.wipe, Some(WipeOrder { number: 8, ..of }));
    assert_eq!(&*second.spelled, "Bare");
    assert_eq!((heard.altered, heard.unclear), (2, 1));
    assert_eq!((heard.lines, heard.unreadable), (4, 5));
    assert!(heard.error.is_none());
}
