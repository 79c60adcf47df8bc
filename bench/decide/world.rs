//! The made-up world in which decisions are measured: laptops with certificates, their users, and
//! policies that all apply.
#![allow(dead_code, reason = "each bench takes the parts that it needs")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;

use portreeve::access::DecisionPoint;
use portreeve::access::Trace;
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::inventory::open;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Presented;
use portreeve::model::SourceId;
use portreeve::model::Subject;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::policy::Policy;
use portreeve::policy::parse;

/// A laptop with a certificate on the Wi-Fi.
pub(crate) fn decide(point: &DecisionPoint, trace: &mut Trace, number: u32) {
    let decided = subject(number, |subject| {
        black_box(point.decide(NOW, subject, trace))
    });
    // A device that is just being changed is in quarantine; nothing else may happen.
    assert!(
        decided.decision.verdict != Verdict::Block,
        "{:?}",
        decided.decision
    );
}

/// Shows the subject of such a laptop.
pub(crate) fn subject<R>(number: u32, show: impl FnOnce(&Subject<'_>) -> R) -> R {
    let mut name = [0; 32];
    let user = user_name(&mut name, number % USERS);
    let device = [
        Presented {
            identifier: Identifier::Device(device(number)),
            established: Established::Proven,
        },
        Presented {
            identifier: Identifier::Mac(mac(number)),
            established: Established::Claimed,
        },
    ];
    show(&Subject {
        plane: Plane::Network,
        user: Some(user),
        credential: Credential::Certificate,
        device: &device,
        nas: Some(NasContext {
            name: "controller-7",
            group: "office",
            medium: Medium::Wireless,
            ssid: Some("corp"),
            claims: None,
        }),
        mail: None,
    })
}

/// An inventory of devices and their users.
pub(crate) struct World {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) source: SourceId,
    pub(crate) devices: u32,
}

impl World {
    /// With so many devices.
    pub(crate) fn load(devices: u32) -> Self {
        let mut world = Self::of_users(devices);
        world.add_devices();
        world
    }

    /// With room for so many devices, of whose users it knows already.
    pub(crate) fn of_users(devices: u32) -> Self {
        let (mut writer, reader) = open(Config {
            expected_devices: usize::try_from(devices).unwrap_or(0),
            expected_names: usize::try_from(USERS).unwrap_or(0),
            ..Config::new([42; 16])
        });
        let source = writer.name_source("benchmark");
        writer.apply(source, NOW, (0..USERS).map(user).collect());
        Self {
            writer,
            reader,
            source,
            devices,
        }
    }

    /// All of them.
    pub(crate) fn add_devices(&mut self) {
        for first in (0..self.devices).step_by(10_000) {
            let some = first..self.devices.min(first + 10_000);
            let reports = some.map(|number| report(number, true)).collect();
            self.writer.apply(self.source, NOW, reports);
        }
    }

    /// What decides by so many policies.
    pub(crate) fn point(&self, policies: usize) -> DecisionPoint {
        DecisionPoint::new(self.reader.clone(), policy(policies))
    }
}

/// What the source says of a device.
pub(crate) fn report(number: u32, compliant: bool) -> Update {
    let mut name = [0; 32];
    Update::Device(DeviceReport {
        macs: vec![mac(number)],
        owner: UserId::parse(user_name(&mut name, number % USERS)),
        managed: Tri::Yes,
        registered: Tri::Yes,
        compliance: Some(if compliant {
            ComplianceState::Compliant
        } else {
            ComplianceState::NonCompliant
        }),
        encrypted: Tri::Yes,
        jailbroken: Tri::No,
        platform: Platform::Windows,
        os_version: "10.0.22631".parse().unwrap_or_default(),
        ..DeviceReport::new(device(number))
    })
}

fn user(number: u32) -> Update {
    let mut name = [0; 32];
    let name = UserId::parse(user_name(&mut name, number)).expect("it is not empty");
    Update::User(UserReport {
        enabled: Tri::Yes,
        groups: ["staff", "vpn", "project-7", "everybody"]
            .map(GroupId::named)
            .to_vec(),
        ..UserReport::new(name)
    })
}

/// `count` policies that all apply: one on health, the others on access, five checks each.
pub(crate) fn policy(count: usize) -> Policy {
    let mut text = HEAD.to_owned();
    for number in 1..count {
        write!(
            text,
            "[[conditional]]\nname = \"Network {number}\"\nplanes = [\"network\"]\n\
             targets = [\"staff\"]\nexempt = [\"guests\"]\n\
             when = {{ platforms = [\"windows\", \"macos\"], media = [\"wireless\"] }}\n\
             require = [\"managed\", \"registered\", \"compliant\"]\notherwise = \"quarantine\"\n\n",
        )
        .expect("a String takes everything");
    }
    let (policy, _) = parse("bench", &text).expect("a policy of ours");
    assert_eq!(policy.len(), count);
    policy
}

const HEAD: &str = r#"
[groups]
staff = "staff"
guests = "guests"
rescue = "rescue"

[break_glass]
members = ["rescue"]

[defaults]
not_targeted = "allow"
no_policy_applies = "quarantine"
no_credential = "quarantine"
unknown_user = "block"
unknown_device = "quarantine"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "quarantine"
evaluating = "quarantine"
no_compliance_policy = "compliant"

[stale.network]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[stale.mail]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[stale.web]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[[compliance]]
name = "Health"
targets = ["staff"]
require = { source_verdict = true, encrypted = true, not_jailbroken = true, min_os = { windows = "10.0.19045" } }

"#;

pub(crate) fn device(number: u32) -> DeviceId {
    DeviceId::from_u128(u128::from(number) + 1)
}

pub(crate) fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([0x00, 0x1b, a, b, c, d])
}

/// Written into `buffer`, because a decision allocates nothing and a bench should not either.
pub(crate) fn user_name(buffer: &mut [u8; 32], number: u32) -> &str {
    let mut rest = &mut buffer[..];
    write!(rest, "user{number}@contoso.com").expect("26 octets at most");
    let length = 32 - rest.len();
    std::str::from_utf8(&buffer[..length]).expect("ASCII")
}

/// Numbers in an order that no cache foresees.
pub(crate) struct Order {
    state: u64,
    below: u32,
}

impl Order {
    pub(crate) const fn new(below: u32) -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            below,
        }
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        u32::try_from(((self.state >> 32) * u64::from(self.below)) >> 32).unwrap_or(0)
    }
}

/// Fewer than devices, as where people have several.
pub(crate) const USERS: u32 = 50_000;

/// All facts are of now, none is stale.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);
