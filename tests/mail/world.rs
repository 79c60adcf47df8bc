//! A gateway with an inventory of its own, and the words to talk to it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Version;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::inventory;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::MailClient;
use portreeve::inventory::Sighting;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Wipe;
use portreeve::inventory::WipeOrder;
use portreeve::inventory::WipeStage;
use portreeve::inventory::Writer;
use portreeve::mail::Action;
use portreeve::mail::Ask;
use portreeve::mail::Binding;
use portreeve::mail::Config;
use portreeve::mail::Event;
use portreeve::mail::Forward;
use portreeve::mail::Gateway;
use portreeve::mail::Head;
use portreeve::mail::Outgoing;
use portreeve::mail::Peer;
use portreeve::mail::Read;
use portreeve::mail::Reply;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::mail::WipeNews;
use portreeve::model::CertificateIdentity;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Platform;
use portreeve::model::Retirement;
use portreeve::model::SourceId;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::policy;

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
planes = ["mail", "web"]
targets = ["staff"]
require = ["managed", "compliant"]
otherwise = "block"
"#;

/// The name that the gateway is published under.
pub(crate) const HOST: &str = "mail.example.org";

/// An inventory and the decisions made from it.
pub(crate) struct World {
    pub(crate) live: Arc<Live>,
    point: Arc<DecisionPoint>,
    source: SourceId,
    writer: Mutex<Writer>,
    orders: AtomicU64,
    now: Timestamp,
}

impl World {
    /// The devices `good` (compliant), `bad` (not compliant) and `new` (not evaluated), all of
    /// `alice`, known by these words as their DeviceId; and `bob`, who has none.
    pub(crate) fn new() -> Self {
        Self::at(start().wall)
    }

    /// The same, delivered at another time.
    pub(crate) fn at(now: Timestamp) -> Self {
        let (policy, _) = policy::parse("policy.toml", POLICY).unwrap();
        let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
        let source = writer.name_source("test");
        for name in ["alice", "bob"] {
            let mut user = UserReport::new(UserId::parse(name).unwrap());
            user.enabled = Tri::Yes;
            user.groups = vec![GroupId::named("staff")];
            let qualified = [format!("corp\\{name}"), format!("{name}@corp.example")];
            user.aliases = qualified
                .iter()
                .filter_map(|alias| UserId::parse(alias))
                .collect();
            writer.apply(source, now, vec![Update::User(user)]);
        }
        let point = Arc::new(DecisionPoint::new(reader, policy));
        let live = Arc::new(Live::new(Arc::clone(&point)));
        let world = Self {
            live,
            point,
            source,
            writer: Mutex::new(writer),
            orders: AtomicU64::new(1),
            now,
        };
        world.set("good", ComplianceState::Compliant);
        world.set("bad", ComplianceState::NonCompliant);
        world.set("new", ComplianceState::Unknown);
        world
    }

    /// A source reports the state of a device of alice; what hangs on it is judged again.
    pub(crate) fn set(&self, device: &str, state: ComplianceState) {
        self.report(device, device, "alice", state);
    }

    /// The same at another time.
    pub(crate) fn set_at(&self, now: Timestamp, device: &str, state: ComplianceState) {
        self.report_at(now, device, (device, "alice"), state);
    }

    /// A source reports a device with its DeviceId, its owner and its state.
    pub(crate) fn report(&self, device: &str, eas: &str, owner: &str, state: ComplianceState) {
        self.report_at(self.now, device, (eas, owner), state);
    }

    fn report_at(
        &self,
        now: Timestamp,
        device: &str,
        (eas, owner): (&str, &str),
        state: ComplianceState,
    ) {
        let mut report = DeviceReport::new(self.id(device));
        report.eas = EasDeviceId::parse(eas.as_bytes());
        report.owner = UserId::parse(owner);
        report.managed = Tri::Yes;
        report.compliance = Some(state);
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.apply(self.source, now, vec![Update::Device(report)]);
        self.live.sweep(now, &changes);
    }

    /// A source states the version of the system of an iPhone of alice, which is compliant.
    pub(crate) fn state_version(&self, device: &str, version: &str) {
        let mut report = DeviceReport::new(self.id(device));
        report.eas = EasDeviceId::parse(device.as_bytes());
        report.owner = UserId::parse("alice");
        report.managed = Tri::Yes;
        report.compliance = Some(ComplianceState::Compliant);
        report.platform = Platform::Ios;
        report.os_version = version.parse().unwrap();
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.apply(self.source, self.now, vec![Update::Device(report)]);
        self.live.sweep(self.now, &changes);
    }

    /// The same, and its management system has let go of it or is about to.
    pub(crate) fn retire(&self, device: &str, state: &str) {
        let mut report = DeviceReport::new(self.id(device));
        report.eas = EasDeviceId::parse(device.as_bytes());
        report.owner = UserId::parse("alice");
        report.managed = Tri::Yes;
        report.compliance = Some(ComplianceState::Compliant);
        report.retirement = Retirement::from_management_state(state);
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.apply(self.source, self.now, vec![Update::Device(report)]);
        self.live.sweep(self.now, &changes);
    }

    /// Takes in what a gateway has told of its clients; how much that was.
    pub(crate) fn learn(&self, gateway: &Gateway) -> usize {
        let told = std::iter::from_fn(|| gateway.poll_sighting());
        let told: Vec<Sighting> = told.map(|told| *told).collect();
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.see(&told);
        self.live.sweep(self.now, &changes);
        told.len()
    }

    /// A binding arrives.
    pub(crate) fn bind(&self, binding: &Binding) {
        let Binding {
            eas,
            user,
            device,
            at,
        } = binding;
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.bind(*eas, user, *device, *at);
        self.live.sweep(self.now, &changes);
    }

    /// An administrator orders a wipe of a client of Alice's, or calls it off.
    pub(crate) fn order(&self, device: &str, wipe: Option<Wipe>) {
        let eas = device.parse().unwrap();
        let mut writer = self.writer.lock().unwrap();
        let order = wipe.map(|wipe| WipeOrder {
            wipe,
            number: self.orders.fetch_add(1, Ordering::Relaxed),
            stage: WipeStage::Ordered,
        });
        let client = (&eas, "alice");
        let changes = writer.order_wipe(client, self.now, order, None).unwrap();
        self.live.sweep(self.now, &changes);
    }

    /// An administrator forgets a client of Alice's.
    pub(crate) fn forget(&self, device: &str) {
        let mut writer = self.writer.lock().unwrap();
        let changes = writer.forget_client(&device.parse().unwrap(), "alice");
        self.live.sweep(self.now, &changes.unwrap());
        self.free_place(device);
    }

    /// What follows when a client of Alice's was forgotten.
    pub(crate) fn free_place(&self, device: &str) {
        self.point.free_place("alice", device.parse().unwrap());
    }

    /// Writes down how far a wipe is.
    pub(crate) fn write_down(&self, news: &WipeNews) {
        let mut writer = self.writer.lock().unwrap();
        let wipe = Some(news.order);
        let client = (&news.eas, &*news.user);
        let changes = writer.order_wipe(client, self.now, wipe, None).unwrap();
        self.live.sweep(self.now, &changes);
    }

    /// The record of a client.
    pub(crate) fn client(&self, device: &str, user: &str) -> Option<Arc<MailClient>> {
        let reader = self.writer.lock().unwrap().reader();
        let mut all = reader.clients().into_iter();
        all.find(|client| client.eas.as_str() == device && &*client.user == user)
    }

    /// Puts further policies into force.
    pub(crate) fn with_policies(&self, more: &str) {
        let (policy, _) = policy::parse("policy.toml", &format!("{POLICY}\n{more}")).unwrap();
        self.point.replace_policy(policy);
    }

    /// The id of a device.
    pub(crate) fn id(&self, device: &str) -> DeviceId {
        DeviceId::derived("test", device)
    }

    /// A gateway before `http://upstream.internal`.
    pub(crate) fn gateway(&self) -> Gateway {
        self.gateway_with(config())
    }

    pub(crate) fn gateway_with(&self, config: Config) -> Gateway {
        let correlations = Arc::new(CorrelationSource::starting_at(start().wall));
        Gateway::new(config, Arc::clone(&self.live), correlations, &[7; 32])
    }
}

pub(crate) fn config() -> Config {
    let upstream = "http://upstream.internal".parse().unwrap();
    Config::new(vec![HOST.to_owned()], upstream)
}

/// The beginning of every test, 2026-11-21.
pub(crate) fn start() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(1000)),
        wall: Timestamp::from_unix_seconds(1_795_253_400),
    }
}

/// A client without certificate.
pub(crate) fn peer() -> Arc<Peer> {
    Arc::new(Peer {
        address: IpAddr::from([192, 0, 2, 7]),
        server_name: Some(HOST.to_owned()),
        certificate: None,
    })
}

pub(crate) fn certified(names: CertificateIdentity) -> Arc<Peer> {
    let mut peer = (*peer()).clone();
    peer.certificate = Some(names);
    Arc::new(peer)
}

/// A request, with the headers that every client sends.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

impl Request {
    pub(crate) fn post(query: &str) -> Self {
        Self {
            method: Method::POST,
            target: format!("/Microsoft-Server-ActiveSync?{query}"),
            headers: HeaderMap::new(),
        }
        .with("host", HOST)
        .with("ms-asprotocolversion", "14.1")
        .with("user-agent", "Test/1")
    }

    /// A command of this device and of `alice`.
    pub(crate) fn of(device: &str, command: &str) -> Self {
        let query = format!("Cmd={command}&User=alice&DeviceId={device}&DeviceType=phone");
        Self::post(&query).basic("alice", "right")
    }

    pub(crate) fn options() -> Self {
        let mut request = Self::post("");
        request.method = Method::OPTIONS;
        request.target = "/Microsoft-Server-ActiveSync".to_owned();
        request
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn basic(mut self, user: &str, password: &str) -> Self {
        self.headers.remove("authorization");
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        self.with("authorization", &value)
    }

    pub(crate) fn send(&self, gateway: &Gateway, peer: &Arc<Peer>) -> Step {
        self.send_at(start(), gateway, peer)
    }

    pub(crate) fn send_at(&self, now: Now, gateway: &Gateway, peer: &Arc<Peer>) -> Step {
        let head = Head {
            method: &self.method,
            uri: &self.target.parse().unwrap(),
            version: Version::HTTP_11,
            headers: &self.headers,
        };
        gateway.handle_head(now, peer, &head)
    }

    /// Sends it; the upstream accepts `right` as everybody's password and nothing else.
    pub(crate) fn settle(&self, gateway: &Gateway, peer: &Arc<Peer>) -> Step {
        let mut step = self.send(gateway, peer);
        while let Action::Ask(ask) = step.action {
            step = honest(gateway, ask);
        }
        step
    }
}

/// The upstream has answered with this status and this body; what others are told.
pub(crate) fn answered(
    gateway: &Gateway,
    now: Now,
    exchange: &portreeve::mail::Exchange,
    status: u16,
    body: &[u8],
) -> Option<Event> {
    let status = StatusCode::from_u16(status).unwrap();
    match gateway.handle_answer(now, exchange, status, HeaderMap::new()) {
        (Outgoing::Watch(_, _, promise), None) => gateway.handle_beginning(now, *promise, body),
        (_, event) => event,
    }
}

/// What an upstream does that knows its users.
pub(crate) fn honest(gateway: &Gateway, ask: Ask) -> Step {
    honest_at(start(), gateway, ask)
}

/// The same at another time.
pub(crate) fn honest_at(now: Now, gateway: &Gateway, ask: Ask) -> Step {
    assert_eq!(ask.request.method(), Method::OPTIONS);
    let authorization = ask.request.headers().get("authorization");
    let right = authorization.is_some_and(|value| {
        let token = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        STANDARD.decode(token).unwrap().ends_with(b":right")
    });
    let certified = ask.request.headers().contains_key("x-test-user");
    let (status, answer) = if right || certified {
        (StatusCode::OK, offer())
    } else {
        (StatusCode::UNAUTHORIZED, HeaderMap::new())
    };
    gateway.handle_told(now, ask.ticket, Told::Answer(status, &answer))
}

/// The headers of an OPTIONS answer.
pub(crate) fn offer() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ms-asprotocolversions", "2.5,12.0,12.1,14.0,14.1,16.0,16.1"),
        (
            "ms-asprotocolcommands",
            "Sync,SendMail,FolderSync,Ping,Provision",
        ),
        ("public", "OPTIONS,POST"),
        ("x-feserver", "internal-name"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// The body of an answer of our own, as text.
pub(crate) fn said(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

pub(crate) fn reply(step: Step) -> Reply {
    match step.action {
        Action::Answer(reply) => reply,
        Action::Ask(ask) => panic!("asked {ask:?}"),
        Action::Forward(forward) => panic!("forwarded {:?}", forward.request),
        Action::Read(read) => panic!("wants its body: {read:?}"),
        Action::Publish(_) | Action::Discover(_) => panic!("something beside ActiveSync"),
    }
}

pub(crate) fn read(step: Step) -> Read {
    match step.action {
        Action::Read(read) => read,
        Action::Answer(reply) => panic!("answered {reply:?}"),
        Action::Ask(ask) => panic!("asked {ask:?}"),
        Action::Forward(forward) => panic!("forwarded {:?}", forward.request),
        Action::Publish(_) | Action::Discover(_) => panic!("something beside ActiveSync"),
    }
}

pub(crate) fn ask(step: Step) -> Ask {
    match step.action {
        Action::Ask(ask) => ask,
        Action::Answer(reply) => panic!("answered {reply:?}"),
        Action::Forward(forward) => panic!("forwarded {:?}", forward.request),
        Action::Read(read) => panic!("wants its body: {read:?}"),
        Action::Publish(_) | Action::Discover(_) => panic!("something beside ActiveSync"),
    }
}

pub(crate) fn forward(step: Step) -> Forward {
    match step.action {
        Action::Forward(forward) => forward,
        Action::Answer(reply) => panic!("answered {reply:?}"),
        Action::Ask(ask) => panic!("asked {ask:?}"),
        Action::Read(read) => panic!("wants its body: {read:?}"),
        Action::Publish(_) | Action::Discover(_) => panic!("something beside ActiveSync"),
    }
}
