//! A phone with ActiveSync, a real mailbox behind the gateway, and what happens between them at each
//! verdict.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve::wbxml::Event;
use portreeve::wbxml::Reader;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::service::compose_mail;
use portreeve::wbxml::service::provision;
use portreeve::wbxml::service::settings;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::folder_hierarchy;
use portreeve::wbxml::sync::ping;
use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::sogo::Sogo;

pub(crate) struct Phone<'a> {
    gateway: &'a Gateway,
    folder: TempDir,
    /// Its DeviceId.
    device: &'static str,
    /// Whether its queries are packed.
    base64: bool,
}

/// What came back: the status, and the body as elements by name with braces around their content.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    headers: String,
    pub(crate) shown: String,
}

impl Phone<'_> {
    pub(crate) fn new<'a>(gateway: &'a Gateway, device: &'static str, base64: bool) -> Phone<'a> {
        Phone {
            gateway,
            folder: tempfile::tempdir().unwrap(),
            device,
            base64,
        }
    }

    /// A source tells of it.
    pub(crate) fn becomes(&self, compliance: &str) {
        let conf = self.gateway.conf();
        let id = format!("5d1c8a40-6f2e-4b7a-9c31-0000000{}", &self.device[3..]);
        let devices = conf.read("devices.csv");
        let others = devices.lines().filter(|line| !line.contains(self.device));
        let mut devices: Vec<String> = others.map(str::to_owned).collect();
        devices.push(format!(
            "{id},alice-{device},alice@example.com,ios,18.1,,,{device},yes,yes,{compliance},yes,no,\
             yes,yes,registered,company,managed\n",
            device = self.device,
        ));
        conf.write("devices.csv", &devices.join("\n"));
    }

    /// curl with a command; `number` tells its files from others'.
    fn curl(&self, number: &str, code: u8, name: &str, body: &[u8]) -> Command {
        let port = self.gateway.mail.expect("the mail door is open").port();
        let target = if self.base64 {
            let mut octets = vec![141, code, 9, 4, u8::try_from(self.device.len()).unwrap()];
            octets.extend_from_slice(self.device.as_bytes());
            octets.extend_from_slice(&[0, 6]);
            octets.extend_from_slice(b"iPhone");
            STANDARD.encode(octets)
        } else {
            format!(
                "Cmd={name}&User=alice&DeviceId={}&DeviceType=iPhone",
                self.device
            )
        };
        let path = |what: &str| self.folder.path().join(format!("{number}.{what}"));
        fs::write(path("in"), body).unwrap();
        // Where the answer has no body curl leaves that of an earlier one.
        fs::write(path("out"), "").unwrap();
        let mut command = Command::new("curl");
        command
            .args([
                "-s",
                "--max-time",
                "60",
                "-u",
                "alice:alice-mail",
                "-X",
                "POST",
            ])
            .arg("--cacert")
            .arg(self.gateway.path("certs/root.pem"))
            .arg("--resolve")
            .arg(format!("mail.portreeve.test:{port}:127.0.0.1"))
            .args(["-A", "Apple-iPhone15C2/2201.1", "-H"])
            .arg("Content-Type: application/vnd.ms-sync.wbxml")
            .arg("-D")
            .arg(path("head"))
            .arg("-o")
            .arg(path("out"));
        if !self.base64 {
            command.args(["-H", "MS-ASProtocolVersion: 14.1"]);
        }
        if !body.is_empty() {
            command
                .arg("--data-binary")
                .arg(format!("@{}", path("in").display()));
        }
        command
            .arg(format!(
                "https://mail.portreeve.test:{port}/Microsoft-Server-ActiveSync?{target}"
            ))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn send(&self, code: u8, name: &str, body: &[u8]) -> Got {
        let output = self.ask(code, name, body);
        assert!(output.status.success(), "{name}: {output:?}");
        self.got("one")
    }

    /// `None` of an answer that does not come whole.
    fn try_send(&self, code: u8, name: &str, body: &[u8]) -> Option<Got> {
        let output = self.ask(code, name, body);
        output.status.success().then(|| self.got("one"))
    }

    fn ask(&self, code: u8, name: &str, body: &[u8]) -> Output {
        let output = self.curl("one", code, name, body).output();
        output.expect("curl is installed by tests/run")
    }

    fn got(&self, number: &str) -> Got {
        let path = |what: &str| self.folder.path().join(format!("{number}.{what}"));
        let headers = fs::read_to_string(path("head")).unwrap();
        let status = headers.split_whitespace().nth(1).unwrap().parse().unwrap();
        let octets = fs::read(path("out")).unwrap_or_default();
        let shown = if octets.is_empty() || status != 200 {
            String::new()
        } else {
            understood_by_others(&path("out"), self.folder.path());
            shown(&octets)
        };
        Got {
            status,
            headers,
            shown,
        }
    }

    pub(crate) fn folder_sync(&self, key: &str) -> String {
        let body = written(folder_hierarchy::FOLDER_SYNC, |writer| {
            writer.leaf(folder_hierarchy::SYNC_KEY, key);
        });
        self.send(9, "FolderSync", &body).shown
    }

    fn sync(&self, folder: &str, key: &str) -> String {
        let body = written(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, key);
                    writer.leaf(air_sync::COLLECTION_ID, folder);
                    if key != "0" {
                        writer.empty(air_sync::GET_CHANGES);
                        writer.element(air_sync::OPTIONS, |writer| {
                            writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                                writer.leaf(air_sync_base::TYPE, "1");
                            });
                        });
                    }
                });
            });
        });
        self.send(0, "Sync", &body).shown
    }

    /// Sends a Ping, does something while it waits, and gives its answer.
    fn ping(&self, folder: &str, meanwhile: impl FnOnce()) -> Got {
        let body = written(ping::PING, |writer| {
            writer.leaf(ping::HEARTBEAT_INTERVAL, "600");
            writer.element(ping::FOLDERS, |writer| {
                writer.element(ping::FOLDER, |writer| {
                    writer.leaf(ping::ID, folder);
                    writer.leaf(ping::CLASS, "Email");
                });
            });
        });
        let before = waiting(self.gateway);
        let mut child = self.curl("ping", 18, "Ping", &body).spawn().unwrap();
        until("the Ping waits", || {
            (waiting(self.gateway) > before).then_some(())
        });
        meanwhile();
        let status = until("the Ping is answered", || child.try_wait().unwrap());
        assert!(status.success(), "{status}");
        self.got("ping")
    }

    fn send_mail(&self, id: &str) -> Got {
        let message = "From: alice@example.com\r\nTo: bob@example.com\r\nSubject: from the phone\r\n\
                       MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello Bob\r\n";
        let body = written(compose_mail::SEND_MAIL, |writer| {
            writer.leaf(compose_mail::CLIENT_ID, id);
            writer.empty(compose_mail::SAVE_IN_SENT_ITEMS);
            writer.element(compose_mail::MIME, |writer| {
                writer.event(Event::Opaque(message.as_bytes()));
            });
        });
        self.send(1, "SendMail", &body)
    }
}

/// Requests under way that a change would end.
fn waiting(gateway: &Gateway) -> u64 {
    let status = gateway.command(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    status["mail_requests"].as_u64().unwrap()
}

pub(crate) fn written(root: Tag, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, content);
    writer.finish()
}

/// A document as text, which must come out octet for octet when it is written again.
fn shown(octets: &[u8]) -> String {
    let mut reader = Reader::new(octets).unwrap();
    let (mut shown, mut again) = (String::new(), Writer::new());
    while let Some(event) = reader.next_event().unwrap() {
        again.event(event);
        match event {
            Event::Start(tag) => shown.push_str(&format!("{}(", tag.name())),
            Event::Empty(tag) => shown.push_str(&format!("{} ", tag.name())),
            Event::Text(text) => shown.push_str(text),
            Event::Opaque(octets) => shown.push_str(&String::from_utf8_lossy(octets)),
            Event::End(_) => shown.push(')'),
        }
    }
    assert_eq!(again.finish(), octets, "{shown}");
    shown
}

/// libwbxml reads it as well.
fn understood_by_others(file: &Path, folder: &Path) {
    let output = Command::new("wbxml2xml")
        .args(["-l", "ACTIVESYNC", "-o"])
        .arg(folder.join("xml"))
        .arg(file)
        .output()
        .expect("wbxml2xml is installed by tests/run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = fs::read(file).unwrap();
    assert!(said.contains("succeeded"), "{said}\n{shown:02x?}");
}

/// The text of the first element of this name.
fn text_of<'a>(shown: &'a str, name: &str) -> &'a str {
    let begin = shown
        .find(&format!("{name}("))
        .unwrap_or_else(|| panic!("no {name}: {shown}"));
    let rest = shown.get(begin + name.len() + 1..).unwrap();
    rest.split(')').next().unwrap()
}

/// The ServerId of the real Inbox among the folders.
fn inbox(folders: &str) -> &str {
    let end = folders
        .find(")Type(2)")
        .unwrap_or_else(|| panic!("no Inbox: {folders}"));
    let before = folders.get(..end).unwrap();
    text_of(before.rsplit("Add(").next().unwrap(), "ServerId")
}

#[test]
fn a_phone_goes_from_quarantine_to_its_mailbox_and_back_with_its_keys_r32_r36_r38() {
    let sogo = Sogo::start();
    let gateway = Gateway::start(|conf| {
        let upstream = format!("http://127.0.0.1:{}", sogo.port);
        conf.replace("gateway.toml", "http://127.0.0.1:18080", &upstream);
        let suffix = "# default_suffix = \"example.com\"";
        conf.replace("gateway.toml", suffix, &suffix[2..]);
    });
    // To SOGo a device that comes with both forms of the query is two.
    for (device, base64) in [("abc000c1", false), ("abc000c2", true)] {
        let phone = Phone::new(&gateway, device, base64);
        let subject = |what: &str| format!("the {what} of {device}");
        let deliver = |what: &str| {
            let subject = subject(what);
            let message = format!(
                "From: bob@example.com\nTo: alice@example.com\nSubject: {subject}\n\
                 Message-Id: <{what}.{device}@example.com>\n\
                 Date: Sat, 21 Nov 2026 10:00:00 +0000\n\nRead me.\n"
            );
            sogo.deliver("alice", &format!("{what}.{device}"), &message);
        };
        deliver("first");
        held_back(&sogo, &phone);
        let (folders, inbox, mail, key) = let_in(&sogo, &phone);
        assert!(mail.contains(&subject("first")), "{mail}");
        // Nothing new comes, and what it has stays.
        let cut = phone.ping(&inbox, || phone.becomes("unknown"));
        assert_eq!(cut.status, 200, "{cut:?}");
        assert!(cut.headers.contains("x-portreeve-reason: "), "{cut:?}");
        deliver("second");
        assert_eq!(phone.sync(&inbox, &key), "");
        assert_eq!(
            phone.folder_sync(&folders),
            format!("FolderSync(Status(1)SyncKey({folders})Changes(Count(0)))")
        );
        // It goes on from there when it is let in again: the second message, not the first anew.
        let back = phone.ping(&inbox, || phone.becomes("compliant"));
        assert!(back.shown.starts_with("Ping(Status(2)"), "{back:?}");
        let (mail, _) = settled(&phone, &inbox, &key);
        assert!(mail.contains(&subject("second")), "{mail}");
        assert!(!mail.contains(&subject("first")), "{mail}");
        // Blocked: 403 for everything.
        phone.becomes("noncompliant");
        let blocked = until("the phone is blocked", || {
            // One that is under way as it happens is cut.
            let got = phone.try_send(9, "FolderSync", b"")?;
            (got.status == 403).then_some(got)
        });
        assert!(
            blocked.headers.contains("x-portreeve-reason: 53000"),
            "{blocked:?}"
        );
    }
}

/// Unknown: quarantine. Nothing of the mailbox is to be had, and nothing that is sent is lost.
fn held_back(sogo: &Sogo, phone: &Phone<'_>) {
    let sent_before = sogo.sent.lock().unwrap().len();
    let folders = phone.folder_sync("0");
    assert!(folders.contains("ServerId(portreeve.2)"), "{folders}");
    let begun = phone.sync("portreeve.2", "0");
    assert_eq!(text_of(&begun, "SyncKey"), "portreeve.empty");
    let message = phone.sync("portreeve.2", "portreeve.empty");
    assert!(message.contains("reason 54003"), "{message}");
    assert!(!message.contains("bob@example.com"), "{message}");
    assert_eq!(phone.send_mail("1").shown, "SendMail(Status(120))");
    assert_eq!(sogo.sent.lock().unwrap().len(), sent_before);
    // Provision and what the phone says of itself are the server's to answer.
    let policy = written(provision::PROVISION, |writer| {
        writer.element(provision::POLICIES, |writer| {
            writer.element(provision::POLICY, |writer| {
                writer.leaf(provision::POLICY_TYPE, "MS-EAS-Provisioning-WBXML");
            });
        });
    });
    let policy = phone.send(20, "Provision", &policy);
    assert!(
        policy.shown.starts_with("Provision(Status(1)"),
        "{policy:?}"
    );
    let itself = written(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| {
                writer.leaf(settings::MODEL, "X1");
                writer.leaf(settings::FRIENDLY_NAME, "Alices Handy");
                writer.leaf(settings::OS_LANGUAGE, "Deutsch");
            });
        });
    });
    let itself = phone.send(17, "Settings", &itself);
    assert!(itself.shown.starts_with("Settings(Status(1)"), "{itself:?}");
    in_its_own_language(phone);
}

/// From then on the message names the phone as it has told, in its language and as HTML; and its link
/// shows what is known, and has the sources asked (R32, R39).
fn in_its_own_language(phone: &Phone<'_>) {
    let body = written(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, "portreeve.empty");
                writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                writer.element(air_sync::OPTIONS, |writer| {
                    writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                        writer.leaf(air_sync_base::TYPE, "2");
                    });
                });
            });
        });
    });
    let message = phone.send(0, "Sync", &body).shown;
    for expected in [
        "Subject(Mail wird auf Ihrem Gerät Alices Handy zurückgehalten)",
        "Body(Type(2)",
        "<html lang=\"de\"",
        "<p>Das Gerät ist der Geräteverwaltung nicht bekannt.</p>",
    ] {
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let link = message
        .split_once("https://mail.portreeve.test/")
        .unwrap()
        .1;
    let (path, _) = link.split_once('"').unwrap();
    for (method, expected) in [
        ("GET", "wird Mail zurückgehalten"),
        ("POST", "Die Geräteverwaltung wird gefragt."),
        ("POST", "Gerade eben wurde gefragt."),
    ] {
        let port = phone.gateway.mail.unwrap().port();
        let page = Command::new("curl")
            .args(["-s", "--max-time", "60", "-X", method, "--cacert"])
            .arg(phone.gateway.path("certs/root.pem"))
            .args([
                "--resolve",
                &format!("mail.portreeve.test:{port}:127.0.0.1"),
            ])
            .args(["-H", "Accept-Language: de"])
            .arg(format!("https://mail.portreeve.test:{port}/{path}"))
            .output()
            .unwrap();
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        assert!(page.contains(expected), "{method} {path}: {page}");
    }
}

/// It becomes compliant while it waits, and finds its real mailbox: the key of its folders, its
/// Inbox, the mail in it and the key of that.
fn let_in(sogo: &Sogo, phone: &Phone<'_>) -> (String, String, String, String) {
    let woken = phone.ping("portreeve.2", || phone.becomes("compliant"));
    assert_eq!(woken.shown, "Ping(Status(7))", "{woken:?}");
    assert_eq!(
        phone.folder_sync("portreeve.folders"),
        "FolderSync(Status(9))"
    );
    let folders = phone.folder_sync("0");
    assert!(!folders.contains("portreeve."), "{folders}");
    let inbox = inbox(&folders).to_owned();
    let begun = phone.sync(&inbox, "0");
    let (mail, key) = settled(phone, &inbox, text_of(&begun, "SyncKey"));
    let sent_before = sogo.sent.lock().unwrap().len();
    assert_eq!(phone.send_mail("2").status, 200);
    let sent = until("the message has left", || {
        sogo.sent.lock().unwrap().get(sent_before).cloned()
    });
    assert!(sent.contains("Hello Bob"), "{sent}");
    (text_of(&folders, "SyncKey").to_owned(), inbox, mail, key)
}

/// What SOGo brings of an Inbox from `key` on, until it brings no more, and the key after that.
fn settled(phone: &Phone<'_>, inbox: &str, key: &str) -> (String, String) {
    let (mut brought, mut key) = (String::new(), key.to_owned());
    for _ in 0..20 {
        let answer = phone.sync(inbox, &key);
        if answer.is_empty() && !brought.is_empty() {
            return (brought, key);
        }
        if !answer.is_empty() {
            key = text_of(&answer, "SyncKey").to_owned();
        }
        if answer.contains("Subject(") {
            brought.push_str(&answer);
        }
    }
    panic!("there is no end to it: {brought}");
}
