//! Heads of HTTP/2 that would be something else in HTTP/1.1, and those that have no end.

use std::time::Duration;

use portreeve::net::eas::Limits;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::site::target;
use crate::world::HOST;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What has no end in the gateway has one here.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// One frame (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn opening() -> Vec<u8> {
    let mut octets = PREFACE.to_vec();
    octets.extend(frame(SETTINGS, 0, 0, &[]));
    octets
}

/// A string without Huffman (RFC 7541 section 5.2).
fn string(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    if text.len() < 127 {
        octets.push(u8::try_from(text.len()).unwrap());
    } else {
        octets.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            octets.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        octets.push(u8::try_from(rest).unwrap());
    }
    octets.extend(text);
    octets
}

/// A field that is not put into the table (section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name.as_bytes()), string(value.as_bytes())].concat()
}

/// The fields of a Sync of alice's good device.
pub(crate) fn good() -> Vec<(String, String)> {
    let authorization = basic("right");
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", &target("good", "Sync", "length")),
        ("ms-asprotocolversion", "14.1"),
        ("authorization", &authorization),
        ("user-agent", "Test/1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

pub(crate) fn packed(fields: &[(String, String)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| field(name, value));
    fields.collect::<Vec<_>>().concat()
}

/// What came back for stream 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// An answer; its first field as it is packed.
    Answer(u8),
    /// The stream or the connection was ended.
    Ended,
}

/// Sends octets, and reads until stream 1 or the connection has come to something.
async fn sent(site: &Site, octets: &[u8]) -> Came {
    let mut stream = site.tls(b"h2", None).await;
    drop(stream.write_all(octets).await);
    drop(stream.flush().await);
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let mut rest = received.as_slice();
        while let [a, b, c, kind, _, _, _, _, number, tail @ ..] = rest {
            let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
            let Some((payload, tail)) = tail.split_at_checked(length) else {
                break;
            };
            match (*kind, *number) {
                (HEADERS, 1) => return Came::Answer(payload[0]),
                (RST_STREAM, 1) | (GOAWAY, _) => return Came::Ended,
                _ => rest = tail,
            }
        }
        match timeout(LONG, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) | Err(_) => return Came::Ended,
            Ok(count) => received.extend(&buffer[..count]),
        }
    }
}

/// `:status` 200 and 400 of the static table.
const OK: Came = Came::Answer(0x88);
const BAD: Came = Came::Answer(0x8c);

#[tokio::test]
async fn no_spelling_of_a_head_is_another_request_in_http_1_1_rfc9113_8() {
    let site = Site::start().await;
    let path = target("good", "Sync", "length");
    let set = |name: &str, value: &str| {
        let mut fields = good();
        for (known, at) in &mut fields {
            if known == name {
                value.clone_into(at);
            }
        }
        fields
    };
    let with = |name: &str, value: &str| {
        let mut fields = good();
        fields.push((name.to_owned(), value.to_owned()));
        fields
    };
    let without = |name: &str| {
        let mut fields = good();
        fields.retain(|(known, _)| known != name);
        fields
    };
    let hidden = format!("{path} HTTP/1.1\r\nHost: x\r\n\r\nPOST /owa");
    let mut late = without(":path");
    late.push((":path".to_owned(), path.clone()));
    for (row, fields, passes) in [
        ("good", good(), true),
        ("te trailers", with("te", "trailers"), true),
        (
            "value with CR LF",
            set("user-agent", "a\r\nX-Evil: 1"),
            false,
        ),
        ("value with LF", set("user-agent", "a\nX-Evil: 1"), false),
        ("value with NUL", set("user-agent", "a\0b"), false),
        ("name with CR LF", with("x\r\ny", "1"), false),
        ("name with colon", with("x:y", "1"), false),
        ("name with blank", with("x y", "1"), false),
        ("name in capitals", with("X-Y", "1"), false),
        ("no name", with("", "1"), false),
        (
            "transfer-encoding",
            with("transfer-encoding", "chunked"),
            false,
        ),
        ("connection", with("connection", "close"), false),
        ("proxy-connection", with("proxy-connection", "close"), false),
        ("keep-alive", with("keep-alive", "timeout=5"), false),
        ("upgrade", with("upgrade", "h2c"), false),
        ("te", with("te", "gzip"), false),
        (":path twice", with(":path", "/owa"), false),
        (":method twice", with(":method", "GET"), false),
        (":authority twice", with(":authority", "other"), false),
        ("pseudo field after others", late, false),
        ("unknown pseudo field", with(":evil", "1"), false),
        (":status", with(":status", "200"), false),
        (":protocol", with(":protocol", "websocket"), false),
        ("no :path", without(":path"), false),
        ("no :method", without(":method"), false),
        ("no :authority", without(":authority"), false),
        (":path with CR LF", set(":path", &hidden), false),
        (
            ":path with blank",
            set(":path", &format!("{path} x")),
            false,
        ),
        (":path of another", set(":path", "/owa/"), false),
        (":path with //", set(":path", &format!("/{path}")), false),
        (
            ":path with ..;",
            set(":path", &format!("/x/..;{path}")),
            false,
        ),
        (
            ":path with %2f",
            set(":path", &path.replacen('/', "/%2f", 1)),
            false,
        ),
        (
            ":path absolute",
            set(":path", &format!("https://{HOST}{path}")),
            false,
        ),
        (":path empty", set(":path", ""), false),
        (":path *", set(":path", "*"), false),
        (
            ":method with CR LF",
            set(":method", "POST / HTTP/1.1\r\n"),
            false,
        ),
        (":method CONNECT", set(":method", "CONNECT"), false),
        (":scheme http", set(":scheme", "http"), false),
        (
            ":authority with user",
            set(":authority", &format!("x@{HOST}")),
            false,
        ),
        (
            ":authority with CR LF",
            set(":authority", &format!("{HOST}\r\nX: y")),
            false,
        ),
        ("other host", with("host", "other.example"), false),
        (
            "two hosts",
            [
                with("host", HOST),
                vec![("host".to_owned(), HOST.to_owned())],
            ]
            .concat(),
            false,
        ),
        (
            "two lengths",
            [
                with("content-length", "0"),
                vec![("content-length".to_owned(), "4".to_owned())],
            ]
            .concat(),
            false,
        ),
        (
            "two credentials",
            with("authorization", "Basic YTpi"),
            false,
        ),
    ] {
        let mut octets = opening();
        let flags = END_STREAM | END_HEADERS;
        octets.extend(frame(HEADERS, flags, 1, &packed(&fields)));
        let came = sent(&site, &octets).await;
        assert_eq!(came == OK, passes, "row {row}: {came:?}");
        assert_eq!(site.origin.waiting(), usize::from(passes), "row {row}");
        if passes {
            let seen = site.origin.next().await;
            assert_eq!(seen.target, path, "row {row}");
            for name in ["te", "x-evil", "transfer-encoding", "connection"] {
                assert!(!seen.headers.contains_key(name), "row {row} {name}");
            }
        }
    }
    site.drain().await;
}

#[tokio::test]
async fn a_length_that_lies_makes_no_second_request_rfc9113_8_1_1() {
    let site = Site::start().await;
    let path = target("good", "Sync", "length");
    for (row, length, body) in [
        (
            "longer body",
            "4",
            "mailPOST /owa HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
        ("shorter body", "40", "mail"),
        ("no body", "4", ""),
        ("no number", "4x", "mail"),
        ("sign", "+4", "mail"),
        ("list", "4, 4", "mail"),
    ] {
        let mut fields = good();
        fields.push(("content-length".to_owned(), length.to_owned()));
        let mut octets = opening();
        octets.extend(frame(HEADERS, END_HEADERS, 1, &packed(&fields)));
        octets.extend(frame(DATA, END_STREAM, 1, body.as_bytes()));
        let came = sent(&site, &octets).await;
        assert_ne!(came, OK, "row {row}");
        // A head may have gone before the lie was known; then its body was never whole.
        while site.origin.waiting() > 0 {
            let seen = site.origin.next().await;
            assert_eq!(seen.target, path, "row {row}");
            assert_eq!(seen.headers["content-length"], length, "row {row}");
        }
    }
    // Whatever lay on a connection to the mail server is not taken for this one's.
    let mut octets = opening();
    let flags = END_STREAM | END_HEADERS;
    octets.extend(frame(HEADERS, flags, 1, &packed(&good())));
    assert_eq!(sent(&site, &octets).await, OK);
    site.drain().await;
}

/// CVE-2024-27316 and its like: a head goes on for ever, and is kept.
#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let site = Site::start().await;
    let mut stream = site.tls(b"h2", None).await;
    let mut octets = opening();
    octets.extend(frame(HEADERS, END_STREAM, 1, &packed(&good())));
    let piece = frame(CONTINUATION, 0, 1, &field("x-a", &"x".repeat(4000)));
    stream.write_all(&octets).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = Vec::new();
    let flood = async {
        // 400 MB, if nobody minds.
        for count in 0..100_000_u32 {
            if writer.write_all(&piece).await.is_err() {
                return count;
            }
        }
        u32::MAX
    };
    let (count, _) = timeout(LONG, async {
        tokio::join!(flood, reader.read_to_end(&mut received))
    })
    .await
    .unwrap();
    assert!(count < 10_000, "{count} pieces were taken");
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

/// CVE-2016-6581: one large field in the table, named a thousand times in an octet each.
#[tokio::test]
async fn a_head_that_unpacks_to_megabytes_is_refused() {
    let site = Site::start().await;
    let mut block = packed(&good());
    // Into the table (RFC 7541 section 6.2.1), of which it is the newest, 62.
    block.push(0x40);
    block.extend(string(b"x-a"));
    block.extend(string(&[b'x'; 3900]));
    block.resize(block.len() + 10_000, 0x80 | 62);
    let mut octets = opening();
    octets.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    let came = sent(&site, &octets).await;
    assert_ne!(came, OK);
    assert_ne!(came, BAD, "it was unpacked and looked at");
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

/// It stayed open for good, and so a few thousand of them shut everybody else out.
#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed() {
    let site = Site::with(Plan {
        limits: Limits {
            head: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Plan::default()
    })
    .await;
    for begun in [&b""[..], PREFACE, &opening()] {
        let mut stream = site.tls(b"h2", None).await;
        stream.write_all(begun).await.unwrap();
        stream.flush().await.unwrap();
        let mut received = Vec::new();
        let ended = timeout(LONG, stream.read_to_end(&mut received)).await;
        assert!(ended.is_ok(), "row {} octets: still open", begun.len());
    }
    site.drain().await;
}

/// It held the end up for the whole time that exchanges may take.
#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_holds_no_end_up() {
    let site = Site::start().await;
    let mut stream = site.tls(b"h2", None).await;
    stream.write_all(&opening()).await.unwrap();
    stream.flush().await.unwrap();
    // The front's own settings: it is served.
    let mut octets = [0; 9];
    stream.read_exact(&mut octets).await.unwrap();
    let drained = timeout(Limits::default().drain / 2, site.drain()).await;
    assert!(drained.is_ok(), "still draining");
}

/// How many frames were taken and what was said in the end, when `flood` comes for as long as it may.
async fn flooded(site: &Site, before: &[u8], flood: &[u8]) -> (usize, Vec<u8>) {
    let mut stream = site.tls(b"h2", None).await;
    stream.write_all(before).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let at_once = flood.repeat(64);
    let mut received = Vec::new();
    let writing = async {
        for count in 0..MANY {
            if writer.write_all(&at_once).await.is_err() {
                return count * 64;
            }
        }
        usize::MAX
    };
    let (count, _) = timeout(LONG, async {
        tokio::join!(writing, reader.read_to_end(&mut received))
    })
    .await
    .unwrap();
    (count, received)
}

/// Rounds of 64 frames: some megabytes.
const MANY: usize = 10_000;

/// They were answered for as long as they came, at a third of a core for each connection.
#[tokio::test]
async fn frames_that_belong_to_no_request_end_the_connection_cve_2019_9512_9513_9515() {
    let site = Site::start().await;
    let mut asked = opening();
    let flags = END_STREAM | END_HEADERS;
    let path = target("good", "Ping", "hold");
    let mut fields = good();
    fields[3].1 = path;
    asked.extend(frame(HEADERS, flags, 1, &packed(&fields)));
    let setting = [0, 3, 0, 0, 0, 100];
    let floods: &[(&str, Vec<u8>)] = &[
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 5])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(0xfa, 0, 0, b"abc")),
        ("unknown, empty", frame(0xfb, 0xff, 7, &[])),
        ("PING", frame(PING, 0, 0, b"12345678")),
        ("PING that answers nothing", frame(PING, 1, 0, b"12345678")),
        ("SETTINGS", frame(SETTINGS, 0, 0, &setting)),
        ("SETTINGS, empty", frame(SETTINGS, 0, 0, &[])),
    ];
    let mut counted = 0;
    for (row, flood) in floods {
        for before in [opening(), asked.clone()] {
            let (count, received) = flooded(&site, &before, flood).await;
            assert!(count < 100_000, "row {row}: {count} frames were taken");
            let mut rest = received.as_slice();
            let mut last = (0, &[][..]);
            while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
                let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
                let Some((payload, tail)) = tail.split_at_checked(length) else {
                    break;
                };
                last = (*kind, payload);
                rest = tail;
            }
            // Unless the end came before it could be read.
            if last.0 == GOAWAY {
                assert_eq!(last.1.last(), Some(&0xb), "row {row}: ENHANCE_YOUR_CALM");
            }
            counted += 1;
            while site.origin.waiting() > 0 {
                site.origin.next().await;
            }
            // Others are served beside it.
            let mut octets = opening();
            octets.extend(frame(HEADERS, flags, 1, &packed(&good())));
            assert_eq!(sent(&site, &octets).await, OK, "row {row}");
            site.origin.next().await;
        }
    }
    let flooded = &site.front.counters.flooded;
    let flooded = flooded.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(flooded, counted, "each of them is counted");
    site.drain().await;
}

/// A phone that reads slowly, and says so often, is no flood.
#[tokio::test]
async fn a_client_that_tells_of_each_piece_that_it_has_read_is_served() {
    let site = Site::start().await;
    let length = 1 << 20;
    let mut fields = good();
    fields[3].1 = target("good", "Sync", "echo");
    let mut octets = opening();
    // Windows that no answer fills, so that what is said of them changes nothing but their size.
    octets.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 32, 0, 0]));
    octets.extend(frame(WINDOW_UPDATE, 0, 0, &[0, 32, 0, 0]));
    octets.extend(frame(HEADERS, END_HEADERS, 1, &packed(&fields)));
    let stream = site.tls(b"h2", None).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    writer.write_all(&octets).await.unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    let (mut uploaded, mut downloaded, mut told) = (0_usize, 0_usize, 0);
    // Of the connection, and of the stream: the front's settings are not acknowledged.
    let mut windows = [65_535_usize; 2];
    timeout(LONG, async {
        loop {
            while uploaded < length && windows.iter().all(|window| *window >= 8192) {
                uploaded += 8192;
                windows = windows.map(|window| window - 8192);
                let flags = if uploaded == length { END_STREAM } else { 0 };
                let piece = frame(DATA, flags, 1, &[b'x'; 8192]);
                writer.write_all(&piece).await.unwrap();
            }
            let count = reader.read(&mut buffer).await.unwrap();
            assert!(count > 0, "cut after {downloaded} octets, {told} updates");
            received.extend(&buffer[..count]);
            let mut rest = received.as_slice();
            let mut more = Vec::new();
            while let [a, b, c, kind, flags, _, _, _, number, tail @ ..] = rest {
                let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
                let Some((payload, tail)) = tail.split_at_checked(length) else {
                    break;
                };
                assert!(*kind != GOAWAY && *kind != RST_STREAM, "{downloaded}");
                if *kind == WINDOW_UPDATE {
                    let more = u32::from_be_bytes(payload.try_into().unwrap());
                    windows[usize::from(*number)] += usize::try_from(more).unwrap();
                }
                if *kind == DATA {
                    downloaded += length;
                    for _ in 0..1 + length / 512 {
                        more.extend(frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]));
                        told += 1;
                    }
                    more.extend(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]));
                    more.extend(frame(PING, 0, 0, b"how long"));
                    if flags & END_STREAM != 0 {
                        return;
                    }
                }
                rest = tail;
            }
            received = rest.to_vec();
            writer.write_all(&more).await.unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(downloaded, length);
    assert!(told > 2000, "{told} updates are more than are free");
    site.drain().await;
}
