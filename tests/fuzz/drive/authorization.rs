//! Any octets as the Authorization header of a mail client, as a Basic credential, or as the claims of
//! a token: never a panic, and nothing goes to the mail server but what was sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::inventory;
use portreeve::mail::Action;
use portreeve::mail::Ask;
use portreeve::mail::Bearer;
use portreeve::mail::Config;
use portreeve::mail::Gateway;
use portreeve::mail::Head;
use portreeve::mail::Peer;
use portreeve::mail::Told;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Timestamp;
use portreeve::policy;

/// The first octet chooses what the others are.
pub fn drive(octets: &[u8]) {
    let Some((kind, rest)) = octets.split_first() else {
        return;
    };
    let header = match kind {
        b'b' => format!("Basic {}", STANDARD.encode(rest)).into_bytes(),
        b't' => {
            let parts = [&br#"{"alg":"RS256"}"#[..], rest, b"seal"];
            let parts = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
            format!("Bearer {}", parts.join(".")).into_bytes()
        }
        _ => rest.to_vec(),
    };
    let Ok(header) = HeaderValue::from_bytes(&header) else {
        return;
    };
    // A memory of its own for each, or guesses would be slowed down.
    let gateway = gateway();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("mail.example.org"));
    headers.insert("authorization", header.clone());
    let head = Head {
        method: &Method::OPTIONS,
        uri: &Uri::from_static("/Microsoft-Server-ActiveSync"),
        version: Version::HTTP_11,
        headers: &headers,
    };
    let peer = Arc::new(Peer {
        address: IpAddr::from([192, 0, 2, 7]),
        server_name: None,
        certificate: None,
    });
    let first = match gateway.handle_head(now(), &peer, &head).action {
        Action::Answer(reply) => {
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
            return;
        }
        Action::Ask(ask) => ask,
        Action::Forward(_) | Action::Publish(_) | Action::Discover(_) | Action::Read(_) => {
            panic!("let in before anybody was asked")
        }
    };
    assert!(!first.request.headers().contains_key("authorization"));
    let second = refused(&gateway, first).expect("a credential to ask about");
    let sent = second.request.headers().get("authorization");
    let sent = sent.expect("the credential");
    assert!(sent.is_sensitive());
    assert_eq!(essence(sent), essence(&header));
    assert!(refused(&gateway, second).is_none());
}

/// The mail server says 401.
fn refused(gateway: &Gateway, ask: Ask) -> Option<Ask> {
    let none = HeaderMap::new();
    let told = Told::Answer(StatusCode::UNAUTHORIZED, &none);
    match gateway.handle_told(now(), ask.ticket, told).action {
        Action::Ask(ask) => Some(ask),
        Action::Answer(reply) => {
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
            None
        }
        Action::Forward(_) | Action::Publish(_) | Action::Discover(_) | Action::Read(_) => {
            panic!("let in although refused")
        }
    }
}

/// The scheme and what follows, however many blanks stand between.
fn essence(header: &HeaderValue) -> (String, String) {
    let text = header.to_str().expect("a credential is ASCII");
    let (scheme, token) = text.split_once(' ').expect("a scheme");
    (
        scheme.to_ascii_lowercase(),
        token.trim_matches(' ').to_owned(),
    )
}

fn now() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(1000)),
        wall: Timestamp::from_unix_seconds(1_795_253_400),
    }
}

fn gateway() -> Gateway {
    static LIVE: OnceLock<Arc<Live>> = OnceLock::new();
    let live = LIVE.get_or_init(|| {
        let (_, reader) = inventory::open(inventory::Config::new([5; 16]));
        let text = include_str!("../../../conf/policy.toml");
        let (policy, _) = policy::parse("policy.toml", text).expect("the sample");
        Arc::new(Live::new(Arc::new(DecisionPoint::new(reader, policy))))
    });
    let upstream = "http://upstream.internal".parse().expect("an origin");
    let mut config = Config::new(vec!["mail.example.org".to_owned()], upstream);
    config.bearer = Bearer::new("realm=\"x\"", "upn").ok();
    let correlations = Arc::new(CorrelationSource::starting_at(now().wall));
    Gateway::new(config, Arc::clone(live), correlations, &[7; 32])
}
