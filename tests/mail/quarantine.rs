//! A device in quarantine, from its first command to its real mailbox and back.

use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use portreeve::eas::quarantine::MAX_BODY;
use portreeve::inventory::Wipe;
use portreeve::inventory::WipeStage;
use portreeve::mail::Quarantine;
use portreeve::mail::Words;
use portreeve::model::ComplianceState;
use portreeve::net::eas::Limits;
use portreeve::wbxml::Event;
use portreeve::wbxml::Reader;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::service::settings;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::folder_hierarchy;
use portreeve::wbxml::sync::ping;
use tokio::time::timeout;

use crate::site::Plan;
use crate::site::Site;
use crate::site::command;
use crate::site::target;
use crate::world::HOST;

/// A client of either version of HTTP.
pub(crate) enum Client {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(crate) async fn of(site: &Site, version: &str) -> Self {
        match version {
            "2" => Self::Two(site.http2().await),
            _ => Self::One(site.http1().await),
        }
    }

    /// A command of the device `new`.
    pub(crate) async fn send(
        &mut self,
        name: &str,
        act: &str,
        body: Vec<u8>,
    ) -> Response<Incoming> {
        let mut sent: Request<Full<Bytes>> = command("new", name, act, Full::from(body));
        let sent = match self {
            Self::One(client) => {
                client.ready().await.unwrap();
                client.send_request(sent).await
            }
            Self::Two(client) => {
                sent.headers_mut().remove("host");
                let uri = format!("https://{HOST}{}", target("new", name, act));
                *sent.uri_mut() = uri.parse().unwrap();
                client.send_request(sent).await
            }
        };
        sent.unwrap()
    }

    /// The answer to a command, in short.
    pub(crate) async fn ask(&mut self, name: &str, body: Vec<u8>) -> String {
        shown(self.send(name, "length", body).await).await
    }
}

/// Elements by name, braces around content; anything but WBXML as it is.
pub(crate) async fn shown(response: Response<Incoming>) -> String {
    let status = response.status();
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    if status != StatusCode::OK {
        return status.as_str().to_owned();
    }
    let Ok(mut reader) = Reader::new(&octets) else {
        return String::from_utf8(octets.to_vec()).unwrap();
    };
    let mut shown = String::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::Start(tag) => shown.push_str(&format!("{}(", tag.name())),
            Event::Empty(tag) => shown.push_str(tag.name()),
            Event::Text(text) => shown.push_str(text),
            Event::Opaque(_) => shown.push_str("..."),
            Event::End(_) => shown.push(')'),
        }
    }
    shown
}

pub(crate) fn written(root: Tag, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, content);
    writer.finish()
}

pub(crate) fn folder_sync(key: &str) -> Vec<u8> {
    written(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::SYNC_KEY, key);
    })
}

pub(crate) fn sync(id: &str, key: &str) -> Vec<u8> {
    written(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, key);
                writer.leaf(air_sync::COLLECTION_ID, id);
            });
        });
    })
}

pub(crate) fn ping(seconds: &str, folder: &str) -> Vec<u8> {
    written(ping::PING, |writer| {
        writer.leaf(ping::HEARTBEAT_INTERVAL, seconds);
        writer.element(ping::FOLDERS, |writer| {
            writer.element(ping::FOLDER, |writer| writer.leaf(ping::ID, folder));
        });
    })
}

/// So long a test waits for what must come at once.
pub(crate) const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_device_in_quarantine_reads_why_and_goes_on_when_it_is_let_in_r32_r38() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        let folders = client.ask("FolderSync", folder_sync("0")).await;
        assert!(
            folders.contains("DisplayName(Inbox)"),
            "{version}: {folders}"
        );
        let first = client.ask("Sync", sync("portreeve.2", "0")).await;
        assert!(first.contains("SyncKey(portreeve.empty)"), "{first}");
        let message = client
            .ask("Sync", sync("portreeve.2", "portreeve.empty"))
            .await;
        for expected in [
            "Commands(Add(ServerId(portreeve.2:54006)",
            "To(alice)From(\"Mail access\" <no-reply@mail.example.org>)",
            "Subject(Mail is held back on your phone)",
            "device new, user alice, reason 54006.",
        ] {
            assert!(
                message.contains(expected),
                "{expected:?} is not in {message}"
            );
        }
        assert_eq!(
            site.origin.waiting(),
            0,
            "nothing has reached the mail server"
        );
        // It waits, and is woken by the change.
        let waits = async {
            let answer = client.ask("Ping", ping("3540", "portreeve.2")).await;
            (client, answer)
        };
        let waiting = tokio::spawn(waits);
        while site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
        site.world.set("new", ComplianceState::Compliant);
        let (mut client, answer) = timeout(SOON, waiting).await.unwrap().unwrap();
        assert_eq!(answer, "Ping(Status(7))", "{version}");
        // Until it has asked for its folders, whatever it says of the made-up ones stays here.
        let made_up = client
            .ask("Sync", sync("portreeve.2", "portreeve.empty"))
            .await;
        assert_eq!(made_up, "Sync(Status(12))");
        let hierarchy = client
            .ask("FolderSync", folder_sync("portreeve.folders"))
            .await;
        assert_eq!(hierarchy, "FolderSync(Status(9))");
        assert_eq!(site.origin.waiting(), 0);
        let asked = folder_sync("0");
        let length = asked.len();
        assert_eq!(
            client.ask("FolderSync", asked).await,
            format!("{length} octets")
        );
        drop(site.origin.next().await);
        // The answer may have been lost, so that is believed when it names a real folder.
        let made_up = client.ask("Sync", sync("portreeve.2", "0")).await;
        assert_eq!(made_up, "Sync(Status(12))");
        let real = sync("5", "0");
        let length = real.len();
        assert_eq!(client.ask("Sync", real).await, format!("{length} octets"));
        drop(site.origin.next().await);
        // From then on nothing but FolderSync is looked at: this is no WBXML.
        assert_eq!(client.ask("Sync", b"whatever".to_vec()).await, "8 octets");
        drop(site.origin.next().await);
        drop(client);
        site.drain().await;
    }
}

#[tokio::test]
async fn a_device_with_its_real_folders_keeps_them_and_is_told_that_mail_waits() {
    let site = Site::start().await;
    let mut client = Client::of(&site, "1.1").await;
    let hierarchy = client.ask("FolderSync", folder_sync("{real}1")).await;
    assert_eq!(
        hierarchy,
        "FolderSync(Status(1)SyncKey({real}1)Changes(Count(0)))"
    );
    assert_eq!(client.ask("Sync", sync("5", "{real}9")).await, "");
    let waiting = tokio::spawn(async move { client.ask("Ping", ping("600", "5")).await });
    while site.world.live.is_empty() {
        tokio::task::yield_now().await;
    }
    site.world.set("new", ComplianceState::Compliant);
    let answer = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(answer, "Ping(Status(2)Folders(Folder(5)))");
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

#[tokio::test]
async fn a_wait_ends_with_403_when_the_device_is_blocked_r14() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        let waits = async move { client.ask("Ping", ping("600", "portreeve.8")).await };
        let waiting = tokio::spawn(waits);
        while site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
        site.world.set("new", ComplianceState::NonCompliant);
        let answer = timeout(SOON, waiting).await.unwrap().unwrap();
        assert_eq!(answer, "403", "{version}");
        assert!(site.world.live.is_empty());
        site.drain().await;
    }
}

#[tokio::test]
async fn a_wait_ends_by_itself_and_by_the_client() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        let answer = client.ask("Ping", ping("1", "portreeve.8")).await;
        assert_eq!(answer, "Ping(Status(1))", "{version}");
        let waits = async move { client.ask("Ping", ping("600", "portreeve.8")).await };
        let waiting = tokio::spawn(waits);
        while site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        let gone = async {
            while !site.world.live.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, gone)
            .await
            .expect("a client that is gone holds nothing");
        site.drain().await;
    }
}

/// It was answered as if nothing had come, by which a client takes what it has sent up for received.
#[tokio::test]
async fn a_sync_that_was_under_way_is_tried_again_unless_it_only_waited_r14() {
    let waits = |key: &str, sends: bool| {
        written(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, key);
                writer.leaf(air_sync::COLLECTION_ID, "5");
                if sends {
                    writer.element(air_sync::COMMANDS, |writer| {
                        writer.leaf(air_sync::DELETE, "5:1");
                    });
                }
            });
            writer.leaf(air_sync::WAIT, "30");
        })
    };
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        // So that connections to the mail server are kept, and what is sent on them.
        let mut client = Client::of(&site, version).await;
        site.world.set("new", ComplianceState::Compliant);
        client.ask("FolderSync", folder_sync("0")).await;
        drop(site.origin.next().await);
        for (row, body, expected) in [
            ("sends", waits("{real}9", true), "Sync(Status(111))"),
            ("begins", waits("0", false), "Sync(Status(111))"),
            ("nothing", Vec::new(), ""),
            ("waits", waits("{real}9", false), ""),
        ] {
            site.world.set("new", ComplianceState::Compliant);
            let mut client = Client::of(&site, version).await;
            let under_way = tokio::spawn(async move {
                let answer = client.send("Sync", "hold", body).await;
                shown(answer).await
            });
            while !site.origin.next().await.target.contains("hold") {}
            site.world.set("new", ComplianceState::Unknown);
            let answer = timeout(SOON, under_way).await.unwrap().unwrap();
            assert_eq!(answer, expected, "row {row} HTTP/{version}");
        }
        site.drain().await;
    }
}

#[tokio::test]
async fn what_a_device_says_of_itself_reaches_the_mail_server_whole() {
    let about_it = || {
        written(settings::SETTINGS, |writer| {
            writer.element(settings::DEVICE_INFORMATION, |writer| {
                writer.element(settings::SET, |writer| {
                    writer.leaf(settings::MODEL, "X");
                });
            });
        })
    };
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        for (name, body) in [("Settings", about_it()), ("Provision", about_it())] {
            let response = client.send(name, "echo", body.clone()).await;
            assert_eq!(response.status(), StatusCode::OK, "{version} {name}");
            let echo = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(echo, body, "{version} {name}");
        }
        site.drain().await;
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_quarantine_and_passes_afterwards() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        drop(client.ask("FolderSync", folder_sync("0")).await);
        let long: Vec<u8> = (0..MAX_BODY + 200_000)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        let held = client.send("Sync", "echo", long.clone()).await;
        assert_eq!(held.status(), StatusCode::OK, "{version}");
        assert_eq!(shown(held).await, "Sync(Status(111))", "{version}");
        // A connection whose body was not read to its end may be closed.
        let mut client = Client::of(&site, version).await;
        site.world.set("new", ComplianceState::Compliant);
        let passed = client.send("Sync", "echo", long.clone()).await;
        assert_eq!(passed.status(), StatusCode::OK, "{version}");
        let echo = passed.into_body().collect().await.unwrap().to_bytes();
        assert!(echo == long, "{version}: {} octets", echo.len());
        site.drain().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_nothing() {
    let limits = Limits {
        body: Duration::from_millis(300),
        ..Limits::default()
    };
    let site = Site::with(Plan {
        limits,
        ..Plan::default()
    })
    .await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
         Authorization: {}\r\nContent-Length: 100\r\n\r\nabc",
        target("new", "Sync", "length"),
        crate::site::basic("right")
    );
    let told = site.raw(&head, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert!(site.world.live.is_empty());
    let broken = head
        .replace("Content-Length: 100", "Transfer-Encoding: chunked")
        .replace("\r\n\r\nabc", "\r\n\r\nzz\r\n");
    let told = site.raw(&broken, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    site.drain().await;
}

/// The message was in English whoever read it.
#[tokio::test]
async fn the_message_is_in_the_language_of_the_reader_in_the_form_it_takes_r32() {
    let site = Site::start().await;
    for (language, kind, expected) in [
        (
            "de-DE,de;q=0.9,en;q=0.8",
            "1",
            "Die Konformität des Geräts wird noch geprüft.",
        ),
        (
            "it, fr;q=0.5",
            "2",
            "<p>La conformité de l&#39;appareil est en cours de vérification.</p>",
        ),
        ("ja", "1", "デバイスのコンプライアンスを確認しています。"),
        ("xx", "1", "compliance is still being checked."),
    ] {
        let mut client = site.http1().await;
        let body = written(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, "portreeve.empty");
                    writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                    writer.element(air_sync::OPTIONS, |writer| {
                        writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                            writer.leaf(air_sync_base::TYPE, kind);
                        });
                    });
                });
            });
        });
        let mut sent: Request<Full<Bytes>> = command("new", "Sync", "length", Full::from(body));
        sent.headers_mut()
            .insert("accept-language", language.parse().unwrap());
        let message = shown(client.send_request(sent).await.unwrap()).await;
        assert!(message.contains(expected), "{language}: {message}");
        assert!(message.contains(&format!("Body(Type({kind})")), "{message}");
    }
    site.drain().await;
}

#[tokio::test]
async fn quarantine_can_be_a_refusal_from_one_answer_to_the_next() {
    let site = Site::start().await;
    let mut client = Client::of(&site, "1.1").await;
    let folders = client.ask("FolderSync", folder_sync("0")).await;
    assert!(folders.contains("DisplayName(Inbox)"), "{folders}");
    site.front.gateway.replace_words(Words {
        quarantine: Quarantine::Refuse,
        ..Words::default()
    });
    for (name, body) in [
        ("FolderSync", folder_sync("0")),
        ("Sync", sync("portreeve.2", "portreeve.empty")),
        ("Ping", ping("600", "portreeve.2")),
        ("Provision", Vec::new()),
    ] {
        assert_eq!(client.ask(name, body).await, "403", "{name}");
    }
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

/// A person and what scans links for them, over both versions of HTTP.
#[tokio::test]
async fn the_check_again_page_is_served_without_a_password_r39() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        let message = client
            .ask("Sync", sync("portreeve.2", "portreeve.empty"))
            .await;
        let (_, link) = message.split_once(&format!("https://{HOST}")).unwrap();
        let path: String = link
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "/-_".contains(*c))
            .collect();
        for (method, body, status) in [
            ("GET", true, 200),
            ("HEAD", false, 200),
            ("POST", true, 200),
            ("POST", true, 429),
            ("GET", true, 200),
            ("DELETE", true, 405),
        ] {
            let request = |uri: String| {
                let request = Request::builder().method(method).uri(uri);
                let host = (version == "1.1").then_some(HOST);
                let request = host
                    .into_iter()
                    .fold(request, |one, host| one.header("host", host));
                request.body(Full::from(Bytes::new())).unwrap()
            };
            let answer = match &mut client {
                Client::One(client) => {
                    client.ready().await.unwrap();
                    client.send_request(request(path.clone())).await.unwrap()
                }
                Client::Two(client) => {
                    let uri = format!("https://{HOST}{path}");
                    client.send_request(request(uri)).await.unwrap()
                }
            };
            assert_eq!(answer.status(), status, "{version} {method}");
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(!page.is_empty(), body, "{version} {method}");
        }
        let events = site.events.lock().unwrap().clone();
        let look_ups = events
            .iter()
            .filter(|event| matches!(event, portreeve::mail::Event::LookUp(_)));
        assert_eq!(look_ups.count(), 1, "{version}");
        assert_eq!(site.origin.waiting(), 0, "nothing reaches the mail server");
        drop(client);
        site.drain().await;
    }
}

#[tokio::test]
async fn a_wipe_is_on_record_before_its_client_hears_of_it_r41() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        drop(client.ask("FolderSync", folder_sync("0")).await);
        site.world.learn(&site.front.gateway);
        site.world.order("new", Some(Wipe::Device));
        assert_eq!(
            client.ask("FolderSync", folder_sync("0")).await,
            "FolderSync(Status(140))"
        );
        assert!(site.wipes.lock().unwrap().is_empty());
        assert_eq!(
            client.ask("Provision", Vec::new()).await,
            "Provision(Status(1)RemoteWipe)"
        );
        let news = site.wipes.lock().unwrap().pop().unwrap();
        assert_eq!((news.eas.as_str(), &*news.user), ("new", "alice"));
        assert_eq!(
            (news.order.wipe, news.order.stage),
            (Wipe::Device, WipeStage::Sent)
        );
        site.world.write_down(&news);
        drop(client);
        site.drain().await;
    }
}
