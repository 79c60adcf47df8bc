//! What is saved and opened again: the same answers, the same ages, the same guards.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use portreeve::inventory::Complete;
use portreeve::inventory::Config;
use portreeve::inventory::Damaged;
use portreeve::inventory::Lookup;
use portreeve::inventory::Origin;
use portreeve::inventory::Reader;
use portreeve::inventory::Refused;
use portreeve::inventory::Update;
use portreeve::inventory::Writer;
use portreeve::inventory::reopen;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::SourceId;
use portreeve::model::Tri;

use crate::at;
use crate::device;
use crate::eas;
use crate::found;
use crate::groups;
use crate::inventory;
use crate::name;
use crate::posture;
use crate::report;
use crate::said;
use crate::user;

pub(crate) fn origin(name: &str) -> Origin {
    Origin {
        name: name.to_owned(),
        place: format!("/srv/{name}.csv"),
    }
}

pub(crate) fn octets(reader: &Reader) -> Vec<u8> {
    reader.save().parts().concat()
}

/// Opens with another seed, as another process does.
pub(crate) fn open_again(octets: &[u8], sources: &[Origin]) -> Result<(Writer, Reader), Damaged> {
    reopen(
        &Config::new(*b"some other seed."),
        sources,
        octets,
        in_threads,
    )
}

/// Three threads.
pub(crate) fn in_threads(job: &(dyn Fn(usize) + Sync), jobs: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(at) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < jobs)
                {
                    job(at);
                }
            });
        }
    });
}

fn alone(job: &(dyn Fn(usize) + Sync), jobs: usize) {
    (0..jobs).for_each(job);
}

fn idle(_job: &(dyn Fn(usize) + Sync), _jobs: usize) {}

/// Ten thousand devices with all that devices have, and keys that several of them share.
fn crowd() -> (Writer, Reader) {
    let (mut writer, reader) = inventory();
    let sources = ["intune", "list"].map(|source| writer.name_origin(&origin(source)));
    let users = (0..100).map(|number| {
        let mut user = user(
            &format!("user{number}@x"),
            &[&format!("X\\user{number}"), "all"],
        );
        user.groups = groups(&["staff", ["a", "b", "c"][number % 3]]);
        user.enabled = Tri::Yes;
        Update::User(user)
    });
    writer.apply(sources[0], at(1), users.collect());
    for (source, step) in sources.into_iter().zip([1, 3]) {
        let devices = (0..10_000_u32).step_by(step).map(|number| {
            let mac = |number: u32| {
                let [a, b, c, d] = number.to_be_bytes();
                MacAddress::new([0, 1, a, b, c, d])
            };
            said(u128::from(number) + 1, |report| {
                report.managed = if number % 2 == 0 { Tri::Yes } else { Tri::No };
                report.macs = vec![mac(number), mac(number / 100 + 1_000_000)];
                report.serial = format!("S{:05}", number / 2).parse().ok();
                report.eas = Some(eas(&format!("appl{}", number / 2)));
                report.owner = (number % 5 > 0).then(|| name(&format!("X\\user{}", number % 100)));
                report.name = Some(format!("device {number}"));
                report.groups = groups(&[["one", "two", "three"][step % 3]]);
            })
        });
        writer.apply(source, at(step as i64), devices.collect());
    }
    for number in (0..10_000).step_by(7) {
        writer.bind(eas("appl7"), "user3@x", device(number + 1), at(9));
    }
    (writer, reader)
}

fn same(before: &Reader, after: &Reader) {
    assert_eq!(before.device_count(), after.device_count());
    assert_eq!(before.user_count(), after.user_count());
    assert_eq!(after.overflowed(), 0);
    let owner = |reader: &Reader, lookup: Lookup| match lookup {
        Lookup::Found(posture, set) => (
            posture
                .owner
                .map(|owner| reader.user_name(owner).unwrap().clone()),
            reader.groups(set).to_vec(),
        ),
        Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser => (None, Vec::new()),
    };
    let bare = |lookup: Lookup| match lookup {
        Lookup::Found(mut posture, _) => {
            posture.owner = None;
            Some(posture)
        }
        Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser => None,
    };
    let agree = |identifier: &Identifier<'_>| {
        let (one, other) = (before.find(identifier), after.find(identifier));
        assert_eq!(
            std::mem::discriminant(&one),
            std::mem::discriminant(&other),
            "{identifier:?}: {one:?}, {other:?}"
        );
        assert_eq!(bare(one), bare(other), "{identifier:?}");
        assert_eq!(owner(before, one), owner(after, other), "{identifier:?}");
    };
    for number in 0..10_000_u32 {
        let id = device(u128::from(number) + 1);
        agree(&Identifier::Device(id));
        let (one, other) = (before.describe(id).unwrap(), after.describe(id).unwrap());
        assert_eq!((one.name, one.macs), (other.name, other.macs));
        assert_eq!((one.eas, one.sources), (other.eas, other.sources));
        agree(&Identifier::Serial(&format!("S{:05}", number / 2)));
        let eas = eas(&format!("appl{}", number / 2));
        for user in [
            format!("user{}@x", number % 100),
            "user3@x".to_owned(),
            "nobody".to_owned(),
        ] {
            agree(&Identifier::Eas(eas, &user));
        }
        for [a, b, c, d] in [number, number / 100 + 1_000_000].map(u32::to_be_bytes) {
            agree(&Identifier::Mac(MacAddress::new([0, 1, a, b, c, d])));
        }
    }
    for number in 0..100 {
        for name in [
            format!("user{number}@x"),
            format!("X\\user{number}"),
            "all".to_owned(),
        ] {
            let seen = |reader: &Reader| {
                let entry = reader.user(&name)?;
                let own = reader.user_name(entry.user)?.clone();
                Some((own, entry.enabled, reader.groups(entry.groups).to_vec()))
            };
            assert_eq!(seen(before), seen(after), "{name}");
        }
    }
}

#[test]
fn ten_thousand_devices_are_found_as_before_whoever_does_the_work() {
    let (_writer, reader) = crowd();
    let octets = octets(&reader);
    let sources = ["intune", "list"].map(origin);
    for run in [alone, in_threads, idle] {
        let (_again, after) = reopen(&Config::new([3; 16]), &sources, &octets, run).unwrap();
        same(&reader, &after);
    }
}

#[test]
fn what_was_opened_is_saved_as_it_was() {
    let (_writer, reader) = crowd();
    let sources = ["intune", "list"].map(origin);
    let (_again, after) = open_again(&octets(&reader), &sources).unwrap();
    let (_third, last) = open_again(&octets(&after), &sources).unwrap();
    assert_eq!(octets(&after).len(), octets(&reader).len());
    same(&reader, &last);
}

#[test]
fn facts_are_as_old_as_they_were() {
    let (mut writer, reader) = inventory();
    let files = writer.name_origin(&origin("files"));
    writer.apply(
        files,
        at(100),
        vec![said(1, |report| report.managed = Tri::Yes)],
    );
    let one = [origin("files")];
    let (mut again, after) = open_again(&octets(&reader), &one).unwrap();
    assert_eq!(posture(&after, 1).managed.observed, at(100));
    assert_eq!(after.walked(files), None);

    let all = || Complete {
        devices: vec![report(1, |report| report.managed = Tri::Yes)],
        ..Complete::default()
    };
    again.replace(files, at(200), all()).unwrap();
    let (mut third, last) = open_again(&octets(&after), &one).unwrap();
    assert_eq!(posture(&last, 1).managed.observed, at(200));
    assert_eq!(last.walked(files), Some(at(200)));

    // What is said again is no change, and fresh again.
    assert_eq!(third.replace(files, at(300), all()), Ok(Vec::new()));
    assert_eq!(posture(&last, 1).managed.observed, at(300));
}

#[test]
fn a_list_that_lacks_too_much_is_held_back_after_a_restart_too() {
    let (mut writer, reader) = inventory();
    let files = writer.name_origin(&origin("files"));
    let devices = |count| Complete {
        devices: (1..=count).map(|number| report(number, |_| {})).collect(),
        ..Complete::default()
    };
    writer.replace(files, at(1), devices(1000)).unwrap();
    let (mut again, after) = open_again(&octets(&reader), &[origin("files")]).unwrap();
    let refused = again.replace(files, at(2), devices(10));
    assert!(matches!(refused, Err(Refused::Shrunk { missing: 990, .. })));
    assert!(matches!(
        again.replace(files, at(2), Complete::default()),
        Err(Refused::Empty { had: 1000, .. })
    ));
    assert_eq!(again.replace(files, at(3), devices(960)).unwrap().len(), 40);
    assert_eq!(after.device_count(), 960);
}

#[test]
fn a_source_that_is_not_asked_any_more_or_looks_elsewhere_is_not_believed() {
    let (mut writer, reader) = inventory();
    let sources = ["cloud", "files"].map(|source| writer.name_origin(&origin(source)));
    for (source, managed) in sources.into_iter().zip([Tri::Yes, Tri::No]) {
        let both = |report: &mut portreeve::inventory::DeviceReport| report.managed = managed;
        let mut all = vec![said(1, both)];
        if managed == Tri::Yes {
            all.push(said(2, both));
            all.push(Update::User(user("alice@x", &["alice"])));
        }
        writer.apply(source, at(5), all);
    }
    writer.bind(eas("appl1"), "alice@x", device(2), at(6));
    let octets = octets(&reader);
    let elsewhere = Origin {
        place: "/srv/other.csv".to_owned(),
        ..origin("cloud")
    };
    for sources in [vec![origin("files")], vec![elsewhere, origin("files")]] {
        let (mut again, after) = open_again(&octets, &sources).unwrap();
        assert_eq!((after.device_count(), after.user_count()), (1, 0));
        let number = SourceId(u8::try_from(sources.len()).unwrap());
        let managed = posture(&after, 1).managed;
        assert_eq!((managed.value, managed.source), (Tri::No, number));
        assert_eq!(after.find(&Identifier::Device(device(2))), Lookup::Unknown);
        let unbound = after.find(&Identifier::Eas(eas("appl1"), "alice@x"));
        assert_eq!(unbound, Lookup::Unknown);
        assert!(after.user("alice").is_none());
        // Its row is free for others.
        again.apply(number, at(7), vec![said(3, |_| {}), said(2, |_| {})]);
        assert_eq!(after.device_count(), 3);
    }
    // The other way round, the other one is heard first.
    let turned = ["files", "cloud"].map(origin);
    let (_again, after) = open_again(&octets, &turned).unwrap();
    let managed = posture(&after, 1).managed;
    assert_eq!((managed.value, managed.source), (Tri::No, SourceId(1)));
    let bound = found(&after, &Identifier::Eas(eas("appl1"), "ALICE@x"));
    assert_eq!(bound.device, device(2));
}

#[test]
fn what_is_cut_or_longer_is_no_inventory() {
    let (mut writer, reader) = inventory();
    let files = writer.name_origin(&origin("files"));
    let alice = Update::User(user("a@x", &["a"]));
    writer.apply(files, at(1), vec![said(1, |_| {}), said(2, |_| {}), alice]);
    let octets = octets(&reader);
    let sources = [origin("files")];
    assert!(open_again(&octets, &sources).is_ok());
    for end in 0..octets.len() {
        let cut = open_again(&octets[..end], &sources);
        assert!(cut.is_err(), "{end} of {} octets", octets.len());
    }
    let longer = [&octets[..], b"x"].concat();
    assert_eq!(open_again(&longer, &sources).err(), Some(Damaged::Cut));

    let second = 2_u128.to_le_bytes();
    let place = octets.windows(16).rposition(|octets| octets == second);
    let mut twice = octets;
    twice[place.unwrap()] = 1;
    let twice = open_again(&twice, &sources).err();
    assert_eq!(twice, Some(Damaged::Invalid("a device twice")));
}

#[test]
fn what_is_saved_while_the_writer_writes_is_one_moment_s() {
    // A device that went while another came was in it twice, or neither was.
    let (mut writer, reader) = inventory();
    let files = writer.name_origin(&origin("files"));
    writer.apply(
        files,
        at(1),
        (1..=100).map(|number| said(number, |_| {})).collect(),
    );
    let sources = [origin("files")];
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for number in 1..=10_000 {
                let moved = vec![
                    Update::DeviceGone(device(number)),
                    said(number + 100, |report| report.owner = Some(name("alice"))),
                ];
                writer.apply(files, at(2), moved);
            }
        });
        while !writing.is_finished() {
            let (_writer, after) = open_again(&octets(&reader), &sources).unwrap();
            assert_eq!(after.device_count(), 100);
        }
    });
    let (_writer, last) = open_again(&octets(&reader), &sources).unwrap();
    let mut left: Vec<u128> = last
        .devices()
        .map(|(known, _)| known.device.as_u128())
        .collect();
    left.sort_unstable();
    assert!(left.into_iter().eq(10_001..=10_100));
}
