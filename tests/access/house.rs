//! A small inventory with rules over it, and subjects who ask.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::access::Permit;
use portreeve::access::Revoked;
use portreeve::access::Trace;
use portreeve::inventory;
use portreeve::inventory::Change;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::Established;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::MailContext;
use portreeve::model::Plane;
use portreeve::model::Presented;
use portreeve::model::SourceId;
use portreeve::model::Subject;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::policy;
use portreeve::policy::Policy;

pub(crate) const POLICY: &str = r#"
[groups]
staff = "staff"

[break_glass]
members = ["user:rescue@contoso.com"]

[defaults]
not_targeted = "allow"
no_policy_applies = "quarantine"
no_credential = "quarantine"
unknown_user = "allow"
unknown_device = "allow"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "quarantine"
evaluating = "quarantine"
no_compliance_policy = "compliant"

[stale.network]
fresh_for = "1h"
grace_for = "1h"
then = "quarantine"

[stale.mail]
fresh_for = "1h"
grace_for = "1h"
then = "quarantine"

[stale.web]
fresh_for = "1h"
grace_for = "0s"
then = "block"

[[conditional]]
name = "Healthy devices"
planes = ["network", "mail"]
targets = ["all"]
require = ["compliant"]
otherwise = "block"
"#;

pub(crate) const CLOSED: &str = r#"
[[conditional]]
name = "Closed"
planes = ["network", "mail"]
targets = ["all"]
action = "block"
accept_lockout_risk = true
"#;

pub(crate) const ALICE: &str = "alice@contoso.com";
pub(crate) const BOB: &str = "bob@contoso.com";

pub(crate) struct House {
    pub(crate) writer: Writer,
    pub(crate) source: SourceId,
    pub(crate) point: Arc<DecisionPoint>,
    pub(crate) live: Arc<Live>,
    pub(crate) now: Timestamp,
}

pub(crate) fn rules(more: &str) -> Policy {
    match policy::parse("policy.toml", &format!("{POLICY}\n{more}")) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

pub(crate) const fn device(number: u128) -> DeviceId {
    DeviceId::from_u128(number)
}

pub(crate) fn report(number: u128, state: ComplianceState) -> DeviceReport {
    let mut report = DeviceReport::new(device(number));
    report.managed = Tri::Yes;
    report.compliance = Some(state);
    report
}

impl House {
    /// Devices 1 and 2 are compliant; Alice and Bob are known.
    pub(crate) fn new() -> Self {
        let (mut writer, reader) = inventory::open(inventory::Config::new(*b"a seed for tests"));
        let source = writer.name_source("mdm");
        let point = Arc::new(DecisionPoint::new(reader, rules("")));
        let live = Arc::new(Live::new(Arc::clone(&point)));
        let now = Timestamp::from_unix_seconds(1_780_272_000);
        let mut house = Self {
            writer,
            source,
            point,
            live,
            now,
        };
        for number in [1, 2] {
            house.judged(number, ComplianceState::Compliant);
        }
        for name in [ALICE, BOB] {
            house.user(name, Tri::Yes, &[]);
        }
        house
    }

    pub(crate) fn apply(&mut self, update: Update) -> Vec<Change> {
        self.writer.apply(self.source, self.now, vec![update])
    }

    pub(crate) fn judged(&mut self, number: u128, state: ComplianceState) -> Vec<Change> {
        self.apply(Update::Device(report(number, state)))
    }

    pub(crate) fn user(&mut self, name: &str, enabled: Tri, groups: &[&str]) -> Vec<Change> {
        let mut user = UserReport::new(UserId::parse(name).unwrap());
        user.enabled = enabled;
        user.groups = groups.iter().map(|group| GroupId::named(group)).collect();
        self.apply(Update::User(user))
    }

    pub(crate) fn admit(&self, subject: &Subject<'_>) -> Option<Permit> {
        self.live.admit(self.now, subject, &mut Trace::default()).1
    }

    /// A mail request of `user` with the device of that number.
    pub(crate) fn admit_device(&self, number: u128, user: Option<&str>) -> Option<Permit> {
        let presented = [proven(Identifier::Device(device(number)))];
        self.admit(&mail(&presented, user))
    }
}

pub(crate) const fn proven(identifier: Identifier<'_>) -> Presented<'_> {
    Presented {
        identifier,
        established: Established::Proven,
    }
}

pub(crate) fn claimed(identifier: Identifier<'_>) -> Presented<'_> {
    Presented {
        identifier,
        established: Established::Claimed,
    }
}

pub(crate) fn mail<'a>(presented: &'a [Presented<'a>], user: Option<&'a str>) -> Subject<'a> {
    Subject {
        plane: Plane::Mail,
        user,
        credential: Credential::Password,
        device: presented,
        nas: None,
        mail: Some(MailContext {
            device_type: "iPhone",
            user_agent: "Apple-iPhone",
            ..MailContext::default()
        }),
    }
}

pub(crate) fn eas(text: &str) -> EasDeviceId {
    text.parse().unwrap()
}

pub(crate) fn mac(text: &str) -> MacAddress {
    text.parse().unwrap()
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    pub(crate) fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls a permit once.
pub(crate) fn poll(permit: &mut Permit, bell: &Arc<Bell>) -> Poll<Revoked> {
    let waker = Waker::from(Arc::clone(bell));
    std::pin::Pin::new(permit).poll(&mut Context::from_waker(&waker))
}
