//! A mail command from its head to what is sent on, and its answer's way back: in a gateway without
//! sockets, of a phone that has signed in, is let in and was served before.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::access::RecordQueue;
use portreeve::inventory;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::mail::Action;
use portreeve::mail::Config;
use portreeve::mail::Event;
use portreeve::mail::Forward;
use portreeve::mail::Gateway;
use portreeve::mail::Head;
use portreeve::mail::Outgoing;
use portreeve::mail::Peer;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::policy;

use crate::measured;

/// The mail path.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let (gateway, records) = gateway();
    let peer = Arc::new(Peer {
        address: IpAddr::from([192, 0, 2, 7]),
        server_name: Some(HOST.to_owned()),
        certificate: None,
    });
    let request = headers(&REQUEST);
    let uri: Uri = TARGET.parse().expect("a target of ours");
    let head = Head {
        method: &Method::POST,
        uri: &uri,
        version: Version::HTTP_11,
        headers: &request,
    };
    // The phone signs in, and buffers and tables come into being.
    let step = gateway.handle_head(now(), &peer, &head);
    drop(forward(&records, sign_in(&gateway, step)));
    drop(forward(&records, gateway.handle_head(now(), &peer, &head)));
    let mut forwards = Vec::new();
    for _ in 0..TIMES {
        let step = measured(|| gateway.handle_head(now(), &peer, &head));
        forwards.push(forward(&records, step));
    }
    over("mail: a request", TIMES);
    let answer = headers(&ANSWER);
    for Forward { exchange, .. } in &forwards {
        let answer = answer.clone();
        let (outgoing, event) =
            measured(|| gateway.handle_answer(now(), exchange, StatusCode::OK, answer));
        assert!(
            matches!(outgoing, Outgoing::Pass(StatusCode::OK, _)) && event.is_none(),
            "it is passed on, and nothing is new: {outgoing:?}"
        );
    }
    over("mail: its answer", TIMES);
    for forward in forwards {
        measured(|| drop(forward));
    }
    over("mail: the end of both", TIMES);
}

/// The mail server accepts whoever signs in.
fn sign_in(gateway: &Gateway, mut step: Step) -> Step {
    let offer = headers(&[("ms-asprotocolversions", "12.1,14.0,14.1,16.0,16.1")]);
    let nothing = HeaderMap::new();
    while let Action::Ask(ask) = step.action {
        let has_credential = ask.request.headers().contains_key("authorization");
        let told = if has_credential {
            Told::Answer(StatusCode::OK, &offer)
        } else {
            Told::Answer(StatusCode::UNAUTHORIZED, &nothing)
        };
        step = gateway.handle_told(now(), ask.ticket, told);
    }
    step
}

/// The request as it is sent on; its record goes where the journal would put it.
fn forward(records: &RecordQueue, step: Step) -> Forward {
    let Some(Event::Decision(record)) = step.event else {
        panic!("a decision is recorded");
    };
    records.give_back(record);
    let Action::Forward(forward) = step.action else {
        panic!("it is let through: {:?}", step.action);
    };
    forward
}

fn gateway() -> (Gateway, Arc<RecordQueue>) {
    let (policy, _) = policy::parse("bench", POLICY).expect("a policy of ours");
    let (mut writer, reader) = inventory::open(inventory::Config::new([42; 16]));
    let source = writer.name_source("benchmark");
    let user = UserId::parse("alice@contoso.com");
    let mut device = DeviceReport::new(DeviceId::derived("benchmark", "phone"));
    device.eas = EasDeviceId::parse(b"ApplF17GH4T8PMNN");
    device.owner.clone_from(&user);
    device.managed = Tri::Yes;
    device.compliance = Some(ComplianceState::Compliant);
    let mut user = UserReport::new(user.expect("a name of ours"));
    user.enabled = Tri::Yes;
    user.groups = vec![GroupId::named("staff")];
    let all = vec![Update::User(user), Update::Device(device)];
    writer.apply(source, now().wall, all);
    let point = Arc::new(DecisionPoint::new(reader, policy));
    let records = Arc::new(RecordQueue::new(2));
    let upstream = "http://exchange.contoso.com".parse();
    let gateway = Gateway::new(
        Config::new(vec![HOST.to_owned()], upstream.expect("a URL of ours")),
        Arc::new(Live::new(point)),
        Arc::new(CorrelationSource::starting_at(now().wall)),
        &[7; 32],
    )
    .with_records(Arc::clone(&records));
    // It is known and was served, so that its requests bring no news.
    let peer = Arc::new(Peer {
        address: IpAddr::from([192, 0, 2, 7]),
        server_name: None,
        certificate: None,
    });
    let request = headers(&REQUEST);
    for _ in 0..2 {
        let head = Head {
            method: &Method::POST,
            uri: &TARGET.parse().expect("a target of ours"),
            version: Version::HTTP_11,
            headers: &request,
        };
        let step = sign_in(&gateway, gateway.handle_head(now(), &peer, &head));
        let Forward { exchange, .. } = forward(&records, step);
        let (outgoing, _) =
            gateway.handle_answer(now(), &exchange, StatusCode::OK, HeaderMap::new());
        if let Outgoing::Watch(_, _, promise) = outgoing {
            gateway.handle_beginning(now(), *promise, b"");
        }
        let told: Vec<_> = std::iter::from_fn(|| gateway.poll_sighting()).collect();
        let told: Vec<_> = told.into_iter().map(|told| *told).collect();
        writer.see(&told);
    }
    (gateway, records)
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

const TIMES: u32 = 200;

const HOST: &str = "mail.contoso.com";

const TARGET: &str = "/Microsoft-Server-ActiveSync?Cmd=Sync&User=alice%40contoso.com\
                      &DeviceId=ApplF17GH4T8PMNN&DeviceType=iPhone";

const REQUEST: [(&str, &str); 9] = [
    ("host", HOST),
    ("content-type", "application/vnd.ms-sync.wbxml"),
    ("ms-asprotocolversion", "14.1"),
    ("x-ms-policykey", "1307199584"),
    ("accept", "*/*"),
    ("accept-language", "de-de"),
    ("authorization", "Basic YWxpY2VAY29udG9zby5jb206c2VjcmV0"),
    ("user-agent", "Apple-iPhone15C2/2106.93"),
    ("content-length", "300"),
];

const ANSWER: [(&str, &str); 7] = [
    ("cache-control", "private"),
    ("content-type", "application/vnd.ms-sync.wbxml"),
    ("ms-server-activesync", "15.2"),
    ("request-id", "6b29fc40-ca47-1067-b31d-00dd010662da"),
    ("x-beserver", "EX01"),
    ("date", "Sat, 21 Nov 2026 10:10:00 GMT"),
    ("content-length", "1024"),
];

/// 2026-11-21.
fn now() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(1000)),
        wall: Timestamp::from_unix_seconds(1_795_253_400),
    }
}

const POLICY: &str = r#"
[groups]
staff = "staff"

[break_glass]
members = []

[defaults]
not_targeted = "block"
no_policy_applies = "block"
no_credential = "block"
unknown_user = "block"
unknown_device = "block"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "block"
evaluating = "quarantine"
no_compliance_policy = "compliant"

[stale.network]
fresh_for = "24h"
grace_for = "0s"
then = "block"

[stale.mail]
fresh_for = "24h"
grace_for = "0s"
then = "block"

[stale.web]
fresh_for = "24h"
grace_for = "0s"
then = "block"

[[conditional]]
name = "Mail"
planes = ["mail"]
targets = ["staff"]
require = ["managed", "compliant"]
otherwise = "block"
"#;
