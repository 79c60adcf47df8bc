use proptest::prelude::*;

use super::*;
use crate::model::DeviceId;
use crate::model::SourceId;
use crate::policy::words::Word;

proptest! {
    #[test]
    fn merging_does_not_depend_on_order_or_repetition_r11(
        a in health(), b in health(), c in health(),
    ) {
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a);
        prop_assert_eq!(a.merge(&Health::default()), a);
        prop_assert_eq!(a.merge(&b).merge(&a), a.merge(&b));
    }

    #[test]
    fn the_merged_passes_exactly_what_passes_each_r11(
        a in health(), b in health(), device in device(),
    ) {
        let both = passes(&a, &device) && passes(&b, &device);
        prop_assert_eq!(passes(&a.merge(&b), &device), both, "{:?} {:?} {:?}", a, b, device);
    }

    #[test]
    fn nothing_demanded_passes_everything(device in device()) {
        prop_assert!(passes(&Health::default(), &device));
    }
}

#[test]
fn each_setting_merges_to_the_stricter_r11() {
    let floor = |version: &str, demand| {
        let mut min_os = [MinOs::default(); Platform::ALL.len()];
        min_os[Platform::Ios as usize] = MinOs {
            version: version.parse().unwrap(),
            demand,
        };
        Health {
            min_os,
            ..Health::default()
        }
    };
    let threat = |ceiling, demand| Health {
        max_threat: MaxThreat { ceiling, demand },
        ..Health::default()
    };
    for (row, a, b, expected) in [
        (
            "versions",
            floor("16", Demand::Always),
            floor("17.0.1", Demand::WhenKnown),
            floor("17.0.1", Demand::Always),
        ),
        (
            "threats",
            threat(Ceiling::Low, Demand::WhenKnown),
            threat(Ceiling::Medium, Demand::Always),
            threat(Ceiling::Low, Demand::Always),
        ),
        (
            "facts",
            Health {
                passcode: Demand::WhenKnown,
                ..Health::default()
            },
            Health {
                passcode: Demand::Always,
                source_verdict: true,
                ..Health::default()
            },
            Health {
                passcode: Demand::Always,
                source_verdict: true,
                ..Health::default()
            },
        ),
    ] {
        assert_eq!(a.merge(&b), expected, "row {row}");
    }
}

/// Whether the settings that are asked of facts all hold.
fn passes(health: &Health, device: &Posture) -> bool {
    let mut all = true;
    health.ask(device, device.platform, |_, held, _| all &= held);
    all
}

fn health() -> impl Strategy<Value = Health> {
    let joins = (
        proptest::collection::vec(one_of(&Join::ALL), 1..4),
        demand(),
    );
    let floors = proptest::collection::vec((0_u64..4, demand()), Platform::ALL.len());
    (
        (demand(), demand(), demand()),
        floors,
        (
            one_of(&[
                Ceiling::High,
                Ceiling::Medium,
                Ceiling::Low,
                Ceiling::Secured,
            ]),
            demand(),
        ),
        joins,
        any::<bool>(),
    )
        .prop_map(|(facts, floors, threat, (joins, joined), source_verdict)| {
            let mut health = Health {
                encrypted: facts.0,
                not_jailbroken: facts.1,
                passcode: facts.2,
                source_verdict,
                ..Health::default()
            };
            // What is not demanded carries no value, as the parser makes it.
            for (place, (version, demand)) in health.min_os.iter_mut().zip(floors) {
                if demand != Demand::No {
                    *place = MinOs {
                        version: OsVersion::from_bits((version + 1) << 48),
                        demand,
                    };
                }
            }
            if threat.1 != Demand::No {
                health.max_threat = MaxThreat {
                    ceiling: threat.0,
                    demand: threat.1,
                };
            }
            if joined != Demand::No {
                health.joins = Joins {
                    allowed: joins.into_iter().collect(),
                    demand: joined,
                };
            }
            health
        })
}

fn device() -> impl Strategy<Value = Posture> {
    let tri = || one_of(&[Tri::Unknown, Tri::No, Tri::Yes]);
    (
        (tri(), tri(), tri()),
        one_of(&ThreatLevel::ALL),
        one_of(&Platform::ALL),
        0_u64..6,
        one_of(&Join::ALL),
    )
        .prop_map(|(facts, threat, platform, version, join)| {
            let at = Timestamp::from_unix_seconds(1);
            Posture {
                encrypted: Fact::new(facts.0, SourceId(1), at),
                jailbroken: Fact::new(facts.1, SourceId(1), at),
                passcode: Fact::new(facts.2, SourceId(1), at),
                threat: Fact::new(threat, SourceId(1), at),
                platform,
                os_version: OsVersion::from_bits(version << 48),
                join,
                ..Posture::unknown(DeviceId::from_u128(1))
            }
        })
}

fn demand() -> impl Strategy<Value = Demand> {
    one_of(&[Demand::No, Demand::WhenKnown, Demand::Always])
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(values)
}

#[test]
fn floors_stand_in_the_order_of_the_words() {
    for (position, (_, platform)) in Platform::WORDS.iter().enumerate() {
        assert_eq!(*platform as usize, position);
        let mut health = Health::default();
        health.min_os[position].version = "9".parse().unwrap();
        assert_eq!(
            health.min_os_for(*platform).version,
            "9".parse().unwrap(),
            "row {platform}"
        );
    }
}
