//! Any octets as a file of texts, as languages that a device asks for, as the address of a check-again
//! page, and as what an earlier start remembered of mail devices.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Version;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::eas;
use portreeve::inventory;
use portreeve::mail::Action;
use portreeve::mail::CHECK_PATH;
use portreeve::mail::Config;
use portreeve::mail::Gateway;
use portreeve::mail::Head;
use portreeve::mail::Peer;
use portreeve::message::About;
use portreeve::message::Book;
use portreeve::message::Kind;
use portreeve::message::Language;
use portreeve::message::Letter;
use portreeve::message::Site;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Platform;
use portreeve::model::Reason;
use portreeve::model::Timestamp;
use portreeve::policy;

/// One run.
pub fn drive(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    texts(&text);
    languages(&text);
    roll(octets, &text);
    for command in [eas::Command::Settings, eas::Command::Provision] {
        if let Some(about) = eas::about(command, octets) {
            assert!(about.model.is_none_or(|model| !model.trim().is_empty()));
        }
    }
}

/// What can be read can be written, and nothing in it becomes markup.
fn texts(text: &str) {
    let language = Language::english();
    let files = [("en.toml".to_owned(), language.clone(), text.to_owned())];
    let (book, problems) = Book::read(&files, &language);
    if !problems.is_empty() {
        return;
    }
    let about = About {
        name: Some(text),
        model: None,
        device_type: "<type>",
        device_id: "<id>",
        platform: Platform::Unknown,
        user: "<user>",
        reason: Reason::DeviceUnknown,
        request: None,
        until: None,
        check_again: None,
    };
    for kind in Kind::ALL {
        let letter = Letter::write(book.choose([&language]), &Site::default(), kind, &about);
        assert!(!letter.subject.contains(['\r', '\n']));
        for element in ["<type", "<id", "<user", "<script"] {
            assert!(!letter.html.contains(element), "{}", letter.html);
        }
    }
}

fn languages(text: &str) {
    let wanted = Language::wanted(text);
    assert!(wanted.len() <= 16);
    for one in wanted.iter().chain(&Language::of_device(text)) {
        assert_eq!(one.as_str().parse().as_ref(), Ok(one));
    }
}

/// What was read of a roll is what is saved, and no page is shown that has no link of ours.
fn roll(octets: &[u8], text: &str) {
    let (gateway, restored) = gateway().restore(now(), octets, octets);
    let (again, second) = self::gateway().restore(now(), &gateway.save(now()), b"");
    assert_eq!(second.devices, restored.devices);
    assert_eq!(second.places, restored.places);
    assert_eq!(second.unreadable, 0);
    drop(again.poll_post(now()));
    let Ok(uri) = format!("{CHECK_PATH}{text}").parse() else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("mail.example.org"));
    let head = Head {
        method: &Method::POST,
        uri: &uri,
        version: Version::HTTP_11,
        headers: &headers,
    };
    let peer = Arc::new(Peer {
        address: IpAddr::from([192, 0, 2, 7]),
        server_name: None,
        certificate: None,
    });
    let step = gateway.handle_head(now(), &peer, &head);
    assert!(step.event.is_none());
    let Action::Answer(reply) = step.action else {
        panic!("not answered: {:?}", step.action);
    };
    assert!(reply.status.is_client_error());
}

fn gateway() -> Gateway {
    static LIVE: OnceLock<(Arc<Live>, Config)> = OnceLock::new();
    let (live, config) = LIVE.get_or_init(|| {
        let (_, reader) = inventory::open(inventory::Config::new([5; 16]));
        let text = include_str!("../../../conf/policy.toml");
        let (policy, _) = policy::parse("policy.toml", text).expect("the sample");
        let point = Arc::new(DecisionPoint::new(reader, policy));
        let upstream = "http://upstream.internal".parse().expect("an origin");
        let config = Config::new(vec!["mail.example.org".to_owned()], upstream);
        (Arc::new(Live::new(point)), config)
    });
    let correlations = Arc::new(CorrelationSource::starting_at(now().wall));
    Gateway::new(config.clone(), Arc::clone(live), correlations, &[7; 32])
}

fn now() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(1000)),
        wall: Timestamp::from_unix_seconds(1_795_253_400),
    }
}
