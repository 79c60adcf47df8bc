//! Records of a phone before a real mail server, and its wipe, ordered on the command line.

use std::fs;

use nix::sys::signal::Signal;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::service::item_operations;
use portreeve::wbxml::service::provision;
use portreeve::wbxml::service::settings;

use crate::active_sync::Phone;
use crate::active_sync::written;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::sogo::Sogo;

fn gateway(sogo: &Sogo) -> Gateway {
    Gateway::start(|conf| {
        let upstream = format!("http://127.0.0.1:{}", sogo.port);
        conf.replace("gateway.toml", "http://127.0.0.1:18080", &upstream);
        let suffix = "# default_suffix = \"example.com\"";
        conf.replace("gateway.toml", suffix, &suffix[2..]);
        conf.append(
            "policy.toml",
            "\n[[conditional]]\nname = \"No attachments\"\nplanes = [\"mail\"]\n\
             targets = [\"staff\"]\nwhen = { commands = [\"attachments\"] }\naction = \"block\"\n",
        );
    })
}

/// The record of a client as the command prints it.
fn device(gateway: &Gateway, device: &str) -> Option<serde_json::Value> {
    let output = gateway.command(&["devices", device, "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    rows.get(0).cloned()
}

fn wipe(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<&str> = ["wipe"].iter().chain(arguments).copied().collect();
    let output = gateway.command(&arguments);
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_phone_is_on_record_and_is_erased_when_an_administrator_says_so_r36_r41() {
    let sogo = Sogo::start();
    let gateway = gateway(&sogo);
    for (name, base64) in [("abc000d1", false), ("abc000d2", true)] {
        let phone = Phone::new(&gateway, name, base64);
        phone.becomes("compliant");
        until("the phone is let in", || {
            let folders = phone.folder_sync("0");
            (!folders.is_empty() && !folders.contains("portreeve.")).then_some(())
        });
        let itself = written(settings::SETTINGS, |writer| {
            writer.element(settings::DEVICE_INFORMATION, |writer| {
                writer.element(settings::SET, |writer| {
                    writer.leaf(settings::MODEL, "=iPhone15C2");
                    writer.leaf(settings::OS, "iOS 18.1 22B83");
                });
            });
        });
        assert_eq!(phone.send(17, "Settings", &itself).status, 200);
        let record = until("the phone is on record", || {
            device(&gateway, name).filter(|row| row["Device Model"] == "=iPhone15C2")
        });
        assert_eq!(record["Exchange Access State"], "Allowed", "{record}");
        assert_eq!(record["Mapping"], "mapped", "{record}");
        assert_eq!(record["EAS Version"], "14.1", "{record}");
        let last = record["Last Success Sync Time To Exchange Server"].as_str();
        assert!(last.unwrap().starts_with("20"), "{record}");
        // A spreadsheet takes none of it for a formula.
        let csv = gateway.command(&["devices", name, "--csv"]).stdout;
        let csv = String::from_utf8(csv).unwrap();
        assert!(csv.contains(",'=iPhone15C2,"), "{csv}");
        let heading = csv.lines().next().unwrap();
        assert!(csv.starts_with(&format!("{heading}\r\n")), "{csv}");
        assert!(
            heading.ends_with(|last: char| last.is_ascii_alphanumeric()),
            "{csv}"
        );
        // Any name that the inventory has for the user finds it.
        for user in ["alice", "EXAMPLE\\Alice", "alice@example.com"] {
            let found = gateway.command(&["devices", name, "--user", user, "--json"]);
            assert_eq!(found.status.code(), Some(0), "row {user}");
        }
        // An attachment is refused in the form of its command; SOGo never hears of it.
        let fetch = written(item_operations::ITEM_OPERATIONS, |writer| {
            writer.element(item_operations::FETCH, |writer| {
                writer.leaf(item_operations::STORE, "Mailbox");
                writer.leaf(air_sync_base::FILE_REFERENCE, "mail%2f1%2f2");
            });
        });
        let refused = phone.send(19, "ItemOperations", &fetch);
        assert_eq!(refused.shown, "ItemOperations(Status(130))");

        // Not without a confirmation, and not what the client does not know.
        let (code, said) = wipe(&gateway, &[name]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing is done yet"), "{said}");
        let (code, said) = wipe(&gateway, &[name, "--account-only", "--yes"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("16.1"), "{said}");
        assert!(!phone.folder_sync("0").contains("Status(140)"));

        let (code, said) = wipe(&gateway, &[name, "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(phone.folder_sync("0"), "FolderSync(Status(140))");
        let orders = phone.send(20, "Provision", b"");
        assert_eq!(orders.shown, "Provision(Status(1)RemoteWipe )");
        // What it is told and says is on record before it hears of it.
        let audit = || fs::read_to_string(gateway.path("var/journal/wipes0.jsonl")).unwrap();
        let is_last = |event: &str| {
            let audit = audit();
            let last = audit.lines().last().unwrap();
            assert!(last.contains(&format!("\"event\":\"{event}\"")), "{audit}");
            assert!(last.contains(name), "{audit}");
        };
        is_last("sent");
        assert!(wipe(&gateway, &["--list"]).1.contains("device sent"));
        assert_eq!(
            phone.send(20, "Provision", &acknowledged()).shown,
            "Provision(Status(1))"
        );
        is_last("done");
        assert!(wipe(&gateway, &["--list"]).1.contains("device done"));
        assert_eq!(phone.send(9, "FolderSync", b"").status, 403);
        let audit = audit();
        let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
        let lines: Vec<_> = audit.lines().map(event).collect();
        let of_phone = lines.iter().filter(|line| line["device"] == name);
        let events: Vec<_> = of_phone.map(|line| &line["event"]).collect();
        assert_eq!(events, ["device", "sent", "done"]);
        let (code, said) = wipe(&gateway, &[name, "--cancel", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(!phone.folder_sync("0").is_empty());
    }
}

#[test]
fn an_order_and_the_records_outlive_the_program_r41() {
    let sogo = Sogo::start();
    let gateway = gateway(&sogo);
    let phone = Phone::new(&gateway, "abc000d3", false);
    phone.becomes("compliant");
    phone.folder_sync("0");
    until("the phone is on record", || device(&gateway, "abc000d3"));
    let (code, said) = wipe(&gateway, &["ABC000D3", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(wipe(&gateway, &["--list"]).1.contains("device ordered"));
    let phone = Phone::new(&gateway, "abc000d3", false);
    assert_eq!(phone.folder_sync("0"), "FolderSync(Status(140))");
    assert_eq!(
        phone.send(20, "Provision", b"").shown,
        "Provision(Status(1)RemoteWipe )"
    );
    // What the device has said of it outlives a kill: nobody has asked for a second wipe.
    let done = acknowledged();
    assert_eq!(
        phone.send(20, "Provision", &done).shown,
        "Provision(Status(1))"
    );
    gateway.signal(Signal::SIGKILL);
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(wipe(&gateway, &["--list"]).1.contains("device done"));
    let phone = Phone::new(&gateway, "abc000d3", false);
    assert_eq!(phone.send(9, "FolderSync", b"").status, 403);
}

#[test]
fn a_wipe_that_is_done_or_called_off_stays_so_when_the_records_cannot_be_saved_r41() {
    let sogo = Sogo::start();
    let gateway = gateway(&sogo);
    let name = "abc000d4";
    let order = |gateway: &Gateway| wipe(gateway, &[name, "--yes"]);
    let cancel = |gateway: &Gateway| wipe(gateway, &[name, "--cancel", "--yes"]);
    let listed = |gateway: &Gateway| wipe(gateway, &["--list"]).1;
    let phone = Phone::new(&gateway, name, false);
    phone.becomes("compliant");
    phone.folder_sync("0");
    until("the phone is on record", || device(&gateway, name));
    assert_eq!(order(&gateway).0, Some(0));
    // One order at a time, whoever gives the next: by the answer, and before it is confirmed.
    for more in [&["--yes"][..], &["--account-only", "--yes"], &[]] {
        let arguments = [&[name][..], more].concat();
        let (code, said) = wipe(&gateway, &arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("ordered for it already at 20"), "{said}");
        assert!(said.contains("call that off first"), "{said}");
    }
    // What is written beside the records cannot be.
    let beside = gateway.path("var/mail-clients.snapshot.new");
    let stands_in_the_way = |path: &std::path::Path| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("kept"), b"").unwrap();
    };
    stands_in_the_way(&beside);
    assert!(
        phone
            .send(20, "Provision", b"")
            .shown
            .contains("RemoteWipe")
    );
    let done = phone.send(20, "Provision", &acknowledged()).shown;
    assert_eq!(done, "Provision(Status(1))");
    gateway.signal(Signal::SIGKILL);
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("device done"));
    let (code, said) = cancel(&gateway);
    assert_eq!(code, Some(0), "{said}");
    gateway.signal(Signal::SIGKILL);
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("no wipe is ordered"));
    // Nor is an order given that would be lost; its line alone gives none.
    let (code, said) = order(&gateway);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the order is not given"), "{said}");
    let phone = Phone::new(&gateway, name, false);
    assert!(!phone.folder_sync("0").contains("Status(140)"));
    fs::remove_dir_all(&beside).unwrap();
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("no wipe is ordered"));

    // Neither can the audit.
    assert_eq!(order(&gateway).0, Some(0));
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("device ordered"));
    let beside = gateway.path("var/mail-clients.snapshot.new");
    let audit = gateway.path("var/journal/wipes0.jsonl");
    let aside = gateway.path("var/journal/aside");
    fs::rename(&audit, &aside).unwrap();
    stands_in_the_way(&beside);
    stands_in_the_way(&audit);
    let phone = Phone::new(&gateway, name, false);
    // It is not told what cannot be written down.
    assert_eq!(phone.send(20, "Provision", b"").status, 503);
    let (code, said) = cancel(&gateway);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("that is in force. It is not on the disk"),
        "{said}"
    );
    assert!(!phone.folder_sync("0").contains("Status(140)"));
    fs::remove_dir_all(&audit).unwrap();
    fs::rename(&aside, &audit).unwrap();
    until("it is written after all", || {
        let audit = fs::read_to_string(&audit).unwrap();
        let last = audit.lines().last()?.to_owned();
        last.contains("\"event\":\"cancelled\"").then_some(())
    });
    gateway.signal(Signal::SIGKILL);
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("no wipe is ordered"));

    // The audit alone cannot: then the records say of which order that is, and the next start writes it.
    fs::remove_dir_all(&beside).unwrap();
    assert_eq!(order(&gateway).0, Some(0));
    fs::rename(&audit, &aside).unwrap();
    stands_in_the_way(&audit);
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    let (code, said) = cancel(&gateway);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("that is in force. It is not in the audit on the disk yet"),
        "{said}"
    );
    gateway.signal(Signal::SIGKILL);
    let (_, folder) = gateway.stop();
    fs::remove_dir_all(&audit).unwrap();
    fs::rename(&aside, &audit).unwrap();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("no wipe is ordered"));
    until("it is written after all", || {
        let audit = fs::read_to_string(&audit).unwrap();
        let last = audit.lines().last()?.to_owned();
        last.contains("\"event\":\"cancelled\"").then_some(())
    });
    let (_, folder) = gateway.stop();
    fs::remove_file(folder.path().join("var/mail-clients.snapshot")).unwrap();
    let gateway = Gateway::again(folder);
    assert!(listed(&gateway).contains("no wipe is ordered"));
}

#[test]
fn whoever_was_to_be_wiped_stays_out_whatever_became_of_the_records_r41() {
    // With an older snapshot, or without one, a stolen phone was served again.
    let sogo = Sogo::start();
    let mut gateway = gateway(&sogo);
    let names = ["abc000e1", "abc000e2", "abc000e3", "abc000e4"];
    for name in names {
        let phone = Phone::new(&gateway, name, false);
        phone.becomes("compliant");
        until("the phone is let in", || {
            let folders = phone.folder_sync("0");
            (!folders.is_empty() && !folders.contains("portreeve.")).then_some(())
        });
        until("the phone is on record", || device(&gateway, name));
    }
    let (_, folder) = gateway.stop();
    let snapshot = folder.path().join("var/mail-clients.snapshot");
    let older = fs::read(&snapshot).unwrap();
    gateway = Gateway::again(folder);
    for (name, steps) in names.into_iter().zip([0, 1, 2, 3]) {
        assert_eq!(wipe(&gateway, &[name, "--yes"]).0, Some(0));
        let phone = Phone::new(&gateway, name, false);
        if steps > 0 {
            let told = phone.send(20, "Provision", b"").shown;
            assert!(told.contains("RemoteWipe"), "{told}");
        }
        if steps == 2 {
            phone.send(20, "Provision", &acknowledged());
        }
        if steps == 3 {
            assert_eq!(wipe(&gateway, &[name, "--cancel", "--yes"]).0, Some(0));
        }
    }
    let audit = gateway.path("var/journal/wipes0.jsonl");
    let (_, mut folder) = gateway.stop();
    let mut flipped = fs::read(&snapshot).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    let whole = [&older[..], &flipped, &flipped[..flipped.len() / 2]];
    for (row, octets) in whole.into_iter().map(Some).chain([None]).enumerate() {
        fs::remove_file(&snapshot).unwrap();
        if let Some(octets) = octets {
            fs::write(&snapshot, octets).unwrap();
        }
        gateway = Gateway::again(folder);
        let listed = wipe(&gateway, &["--list"]).1;
        let stages = ["device ordered", "device sent", "device done"];
        for stage in stages {
            assert!(listed.contains(stage), "row {row}: {listed}");
        }
        assert!(listed.contains("uid"), "row {row}: {listed}");
        assert!(!listed.contains(names[3]), "row {row}: {listed}");
        for name in &names[..2] {
            let phone = Phone::new(&gateway, name, false);
            let told = phone.folder_sync("0");
            assert_eq!(told, "FolderSync(Status(140))", "row {row} {name}");
        }
        let erased = Phone::new(&gateway, names[2], false);
        assert_eq!(erased.send(9, "FolderSync", b"").status, 403, "row {row}");
        let spared = Phone::new(&gateway, names[3], false);
        until("the phone whose wipe was called off is let in", || {
            let folders = spared.folder_sync("0");
            (!folders.is_empty() && !folders.contains("portreeve.")).then_some(())
        });
        assert!(
            !gateway.log().contains("must be ordered again"),
            "row {row}"
        );
        (_, folder) = gateway.stop();
    }
    // Of what is nowhere any more nothing is known, and that is said.
    fs::remove_file(&snapshot).unwrap();
    fs::remove_file(&audit).unwrap();
    gateway = Gateway::again(folder);
    assert!(wipe(&gateway, &["--list"]).1.contains("no wipe is ordered"));
    let log = gateway.log();
    assert!(
        log.contains("ordered wipes among them must be ordered again"),
        "{log}"
    );
}

/// A phone says that it has erased itself.
fn acknowledged() -> Vec<u8> {
    written(provision::PROVISION, |writer| {
        writer.element(provision::REMOTE_WIPE, |writer| {
            writer.leaf(provision::STATUS, "1");
        });
    })
}
