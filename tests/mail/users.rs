//! Users whose devices are not let in any more: the check-again page, the wait, the mails, and what of
//! it outlives a restart.

use std::time::Duration;

use http::Method;
use http::StatusCode;
use portreeve::mail::Action;
use portreeve::mail::CHECK_PATH;
use portreeve::mail::Care;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::MailState;
use portreeve::mail::Next;
use portreeve::mail::Phase;
use portreeve::mail::Posted;
use portreeve::mail::Reply;
use portreeve::mail::Standing;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::mail::Words;
use portreeve::message::Kind;
use portreeve::model::ComplianceState;
use portreeve::model::EasDeviceId;
use portreeve::model::Now;
use portreeve::wbxml::Writer;
use portreeve::wbxml::service::settings;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::folder_hierarchy;

use crate::world::HOST;
use crate::world::Request;
use crate::world::World;
use crate::world::ask;
use crate::world::config;
use crate::world::forward;
use crate::world::offer;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

pub(crate) fn later(seconds: u64) -> Now {
    start().plus(Duration::from_secs(seconds))
}

/// Sends a command of a device of `alice`; the mail server takes every password.
pub(crate) fn send(gateway: &Gateway, now: Now, device: &str, command: &str) -> Step {
    let request = Request::of(device, command);
    let mut step = request.send_at(now, gateway, &peer());
    while matches!(step.action, Action::Ask(_)) {
        // The first question is one without credentials.
        let asked = ask(step);
        let signed = asked.request.headers().contains_key("authorization");
        let status = if signed { 200 } else { 401 };
        let status = StatusCode::from_u16(status).unwrap();
        step = gateway.handle_told(now, asked.ticket, Told::Answer(status, &offer()));
    }
    step
}

/// The answer to a command of a device in quarantine whose body is this.
pub(crate) fn held(gateway: &Gateway, now: Now, device: &str, command: &str, body: &[u8]) -> Reply {
    let aside = read(send(gateway, now, device, command)).aside;
    let (next, _) = gateway.handle_body(now, aside, Some(body));
    let Next::Answer(reply) = next else {
        panic!("not answered: {next:?}");
    };
    reply
}

pub(crate) fn folder_sync() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::SYNC_KEY, "0");
    });
    writer.finish()
}

pub(crate) fn sync() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, "portreeve.empty");
                writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
            });
        });
    });
    writer.finish()
}

/// The path of the link in the message of a device.
fn link(gateway: &Gateway, now: Now, device: &str) -> String {
    let message = said(&held(gateway, now, device, "Sync", &sync()));
    let begin = format!("https://{HOST}{CHECK_PATH}");
    let at = message
        .find(&begin)
        .unwrap_or_else(|| panic!("no link: {message:?}"));
    let link = &message[at + format!("https://{HOST}").len()..];
    let end = link
        .find(|c: char| !c.is_ascii_alphanumeric() && !"/-_".contains(c))
        .unwrap();
    link[..end].to_owned()
}

fn page(gateway: &Gateway, now: Now, method: Method, path: &str) -> (Reply, Option<Event>) {
    let mut request = Request::post("");
    request.method = method;
    request.target = path.to_owned();
    let step = request.send_at(now, gateway, &peer());
    let event = step.event.clone();
    (reply(step), event)
}

pub(crate) fn caring(world: &World, care: Care) -> Gateway {
    let gateway = world.gateway_with(config());
    gateway.replace_words(Words {
        care,
        ..Words::default()
    });
    gateway
}

pub(crate) fn standing(gateway: &Gateway, device: &str) -> Standing {
    let id = EasDeviceId::parse(device.as_bytes()).unwrap();
    let found = gateway.standings(id);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn the_link_of_a_message_shows_what_is_known_and_asks_the_sources_once_r39() {
    let world = World::new();
    let gateway = world.gateway();
    let path = link(&gateway, start(), "new");
    // What follows links in mails may do so as often as it likes.
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let (shown, event) = page(&gateway, start(), method, &path);
        assert_eq!(shown.status, 200);
        assert!(event.is_none(), "{event:?}");
        let shown = said(&shown);
        assert!(shown.contains("Mail is held back on your"), "{shown}");
        assert!(shown.contains("still being checked"), "{shown}");
        assert!(shown.contains("<button"), "{shown}");
    }
    let (shown, event) = page(&gateway, start(), Method::POST, &path);
    let Some(Event::LookUp(look_up)) = event else {
        panic!("{event:?}");
    };
    assert_eq!(look_up.device, Some(world.id("new")));
    assert_eq!((&*look_up.user, look_up.eas.as_str()), ("alice", "new"));
    assert!(said(&shown).contains("is being asked"), "{}", said(&shown));
    let (shown, event) = page(&gateway, later(59), Method::POST, &path);
    assert_eq!(shown.status, 429);
    assert!(event.is_none() && said(&shown).contains("a moment ago"));
    let (_, event) = page(&gateway, later(60), Method::POST, &path);
    assert!(matches!(event, Some(Event::LookUp(_))), "{event:?}");
    // When it is in order there is nothing to ask.
    world.set("new", ComplianceState::Compliant);
    let (shown, event) = page(&gateway, later(200), Method::POST, &path);
    assert!(event.is_none());
    assert!(said(&shown).contains("may get mail"), "{}", said(&shown));
    assert!(!said(&shown).contains("<button"), "{}", said(&shown));
}

#[test]
fn without_a_link_of_ours_nobody_learns_anything() {
    let world = World::new();
    let gateway = world.gateway();
    let path = link(&gateway, start(), "new");
    let mut other = path.clone();
    let last = other.pop().unwrap();
    other.push(if last == 'A' { 'B' } else { 'A' });
    let expired = later(31 * 24 * 3600);
    for (row, now, path, status) in [
        ("another octet", start(), other, 404),
        ("more behind it", start(), format!("{path}/x"), 404),
        ("nothing", start(), CHECK_PATH.to_owned(), 404),
        ("a DeviceId", start(), format!("{CHECK_PATH}new"), 404),
        ("expired", expired, path.clone(), 404),
        ("good", start(), path.clone(), 200),
    ] {
        for method in [Method::GET, Method::POST] {
            let (shown, event) = page(&gateway, now, method, &path);
            assert_eq!(shown.status, status, "row {row}");
            if status == 404 {
                assert!(event.is_none(), "row {row}");
                let shown = said(&shown);
                assert!(
                    !shown.contains("alice") && !shown.contains("held back"),
                    "{shown}"
                );
                assert!(shown.contains("not valid"), "{shown}");
            }
        }
    }
    for method in ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let (shown, _) = page(&gateway, start(), method.parse().unwrap(), &path);
        assert_eq!(shown.status, 405, "{method}");
        assert_eq!(shown.headers["allow"], "GET, HEAD, POST");
    }
    let mut elsewhere = Request::post("").with("host", "other.example.org");
    elsewhere.headers.remove("host");
    let mut elsewhere = elsewhere.with("host", "other.example.org");
    elsewhere.method = Method::GET;
    elsewhere.target = path;
    let answer = reply(elsewhere.send_at(start(), &gateway, &peer()));
    assert_eq!(answer.status, 421);
}

#[test]
fn the_page_runs_nothing_and_is_in_the_reader_s_language() {
    let world = World::new();
    let gateway = world.gateway();
    let mut request = Request::post("").with("accept-language", "de");
    request.method = Method::GET;
    request.target = link(&gateway, start(), "new");
    let shown = reply(request.send_at(start(), &gateway, &peer()));
    assert!(
        said(&shown).contains("<html lang=\"de\""),
        "{}",
        said(&shown)
    );
    assert!(said(&shown).contains("wird Mail zurückgehalten"));
    let policy = shown.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(shown.headers[name], value);
    }
}

#[test]
fn the_message_names_the_device_and_speaks_as_the_device_has_told_r32() {
    let world = World::new();
    let gateway = world.gateway();
    let body = about("Alices iPhone", "Deutsch");
    let aside = read(send(&gateway, start(), "new", "Settings")).aside;
    let (next, _) = gateway.handle_body(start(), aside, Some(&body));
    assert!(matches!(next, Next::Forward(_)), "{next:?}");
    let message = said(&held(&gateway, start(), "new", "Sync", &sync()));
    assert!(
        message.contains("Mail wird auf Ihrem Gerät Alices iPhone zurückgehalten"),
        "{message:?}"
    );
}

fn about(name: &str, language: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| {
                writer.leaf(settings::FRIENDLY_NAME, name);
                writer.leaf(settings::OS_LANGUAGE, language);
            });
        });
    });
    writer.finish()
}

pub(crate) fn waits(seconds: u64) -> Care {
    Care {
        wait: Duration::from_secs(seconds),
        notify: true,
        ..Care::default()
    }
}

#[test]
fn a_device_that_was_let_in_is_let_in_until_its_wait_is_over_r33() {
    let world = World::new();
    let gateway = caring(&world, waits(100));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    // What is new has no wait, whatever is configured.
    assert_eq!(reply(send(&gateway, later(1), "bad", "Ping")).status, 403);
    let going = forward(send(&gateway, later(10), "good", "Ping"));
    let until = later(110).wall;
    assert_eq!(standing(&gateway, "good").phase, Phase::Waiting(until));
    world.live.sweep_due(later(109).wall);
    assert!(going.permit.revoked().is_none(), "it goes on until then");
    // Neither does a restart make it longer.
    let saved = gateway.save(start());
    let (again, restored) = world.gateway_with(config()).restore(start(), &saved, b"");
    again.replace_words(Words {
        care: waits(100),
        ..Words::default()
    });
    assert_eq!((restored.devices, restored.unreadable), (2, 0));
    drop(forward(send(&again, later(60), "good", "Ping")));
    assert_eq!(standing(&again, "good").phase, Phase::Waiting(until));
    assert_eq!(reply(send(&again, later(110), "good", "Ping")).status, 403);
    world.live.sweep_due(later(110).wall);
    assert!(
        going.permit.revoked().is_some(),
        "a request under way ends then"
    );
    assert_eq!(
        reply(send(&gateway, later(111), "good", "Ping")).status,
        403
    );
    assert_eq!(standing(&gateway, "good").phase, Phase::Held);
    world.set("good", ComplianceState::Compliant);
    drop(forward(send(&gateway, later(112), "good", "Ping")));
    assert_eq!(standing(&gateway, "good").phase, Phase::Allowed);
}

#[test]
fn a_command_that_is_refused_alone_neither_waits_nor_says_anything_of_its_device_r33() {
    let world = World::new();
    let gateway = caring(&world, waits(100));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.with_policies(
        "[[conditional]]\nname = \"Read only\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { commands = [\"SendMail\"], established = [\"claimed\"] }\naction = \"block\"\n",
    );
    let refused = reply(send(&gateway, later(1), "good", "SendMail"));
    assert_eq!(refused.headers["x-portreeve-reason"], "54021");
    assert_eq!(standing(&gateway, "good").phase, Phase::Allowed);
    assert!(gateway.poll_post(later(2)).is_none(), "nor is anybody told");
    drop(forward(send(&gateway, later(3), "good", "Ping")));
}

#[test]
fn people_are_told_a_deviceid_as_the_device_spells_it_r36() {
    let world = World::new();
    world.report("good", "applf2lx", "alice", ComplianceState::Compliant);
    let gateway = caring(&world, waits(0));
    drop(forward(send(&gateway, start(), "ApplF2LX", "Ping")));
    world.report("good", "applf2lx", "alice", ComplianceState::NonCompliant);
    drop(reply(send(&gateway, later(1), "ApplF2LX", "Ping")));
    let (again, _) = world
        .gateway_with(config())
        .restore(start(), &gateway.save(start()), b"");
    again.replace_words(Words {
        care: waits(0),
        ..Words::default()
    });
    for gateway in [&gateway, &again] {
        assert_eq!(standing(gateway, "applf2lx").spelled, "ApplF2LX");
    }
    let post = again.poll_post(later(2)).unwrap();
    let letter = again.write_post(later(2), &post);
    assert!(letter.text.contains("ApplF2LX"), "{}", letter.text);
    // The message in quarantine.
    world.report("good", "applf2lx", "alice", ComplianceState::Unknown);
    let message = said(&held(&gateway, later(3), "ApplF2LX", "Sync", &sync()));
    assert!(message.contains("ApplF2LX"), "{message}");
    for text in [&letter.text, &letter.html, &message] {
        assert!(!text.contains("applf2lx"), "{text}");
    }
    // The record of its decision.
    let step = send(&gateway, later(4), "ApplF2LX", "Find");
    let Some(Event::Decision(record)) = step.event else {
        panic!("{:?}", step.event);
    };
    assert_eq!(record.presented.as_str(), "ApplF2LX");
}

#[test]
fn nothing_waits_unless_it_is_configured() {
    let world = World::new();
    let gateway = world.gateway();
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    assert_eq!(reply(send(&gateway, later(1), "good", "Ping")).status, 403);
    assert_eq!(standing(&gateway, "good").phase, Phase::Held);
    assert!(gateway.poll_post(later(2)).is_none(), "nor is anybody told");
}

#[test]
fn a_user_is_told_once_for_each_change_although_the_device_is_away_r33() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    assert_eq!(gateway.judge_roll(later(1)), 0);
    world.set("good", ComplianceState::NonCompliant);
    assert_eq!(gateway.judge_roll(later(2)), 1);
    assert_eq!(gateway.judge_roll(later(3)), 0);
    let post = gateway.poll_post(later(3)).unwrap();
    assert_eq!(
        (post.kind, &*post.user, post.device.as_str()),
        (Kind::Held, "alice", "good")
    );
    let letter = gateway.write_post(later(3), &post);
    assert!(letter.text.contains("compliance policy"), "{}", letter.text);
    assert!(letter.text.contains(CHECK_PATH), "{}", letter.text);
    // The mail server is down: again later, and not before.
    gateway.handle_posted(later(3), &post, &Posted::Later("no route".into()));
    assert!(gateway.poll_post(later(60)).is_none());
    let post = gateway.poll_post(later(63)).unwrap();
    gateway.handle_posted(later(63), &post, &Posted::Sent);
    assert!(gateway.poll_post(later(64)).is_none());
    // It comes back after hours: its user may not have seen the mail.
    assert_eq!(
        reply(send(&gateway, later(8000), "good", "Ping")).status,
        403
    );
    let post = gateway.poll_post(later(8000)).unwrap();
    gateway.handle_posted(later(8000), &post, &Posted::Sent);
    drop(reply(send(&gateway, later(20_000), "good", "Ping")));
    assert!(gateway.poll_post(later(20_000)).is_none(), "once");
    assert_eq!(gateway.post_counts().sent, 2);
}

#[test]
fn mails_wait_while_what_they_tell_may_mend_itself() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    for device in ["good", "second"] {
        world.report(device, device, "alice", ComplianceState::Compliant);
        drop(forward(send(&gateway, start(), device, "Ping")));
    }
    gateway.hold_post(later(600).wall);
    for device in ["good", "second"] {
        world.set(device, ComplianceState::NonCompliant);
        drop(reply(send(&gateway, later(1), device, "Ping")));
    }
    assert!(gateway.poll_post(later(599)).is_none());
    // One of the two was mended meanwhile: nobody ever learns of it.
    world.set("good", ComplianceState::Compliant);
    drop(forward(send(&gateway, later(300), "good", "Ping")));
    let post = gateway.poll_post(later(600)).unwrap();
    assert_eq!(post.spelled, "second");
    gateway.handle_posted(later(600), &post, &Posted::Sent);
    assert!(gateway.poll_post(later(601)).is_none());
}

#[test]
fn mails_that_are_not_sent_are_not_lost_by_a_restart() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    drop(reply(send(&gateway, start(), "good", "Ping")));
    let (again, _) = world
        .gateway_with(config())
        .restore(start(), &gateway.save(start()), b"");
    again.replace_words(Words {
        care: waits(0),
        ..Words::default()
    });
    let post = again.poll_post(later(5)).unwrap();
    again.handle_posted(later(5), &post, &Posted::Refused("no such user".into()));
    let failed = MailState::Failed(later(5).wall, "no such user".into());
    assert_eq!(standing(&again, "good").mail.unwrap().state, failed);
    assert!(again.poll_post(later(9999)).is_none());
}

#[test]
fn a_change_of_many_is_told_slowly_and_one_user_not_too_often() {
    let world = World::new();
    let care = Care {
        per_minute: 2,
        per_user: 3,
        ..waits(0)
    };
    let gateway = caring(&world, care);
    let devices = [0, 1, 2, 3, 4, 5].map(|number| format!("many{number}"));
    for device in &devices {
        world.report(device, device, "alice", ComplianceState::Compliant);
        drop(forward(send(&gateway, start(), device, "Ping")));
        world.report(device, device, "alice", ComplianceState::NonCompliant);
        drop(reply(send(&gateway, start(), device, "Ping")));
    }
    // One that was never let in is told of in its Inbox.
    drop(reply(send(&gateway, start(), "bad", "Ping")));
    let mut sent = Vec::new();
    for minute in 0..5 {
        let now = later(60 * minute);
        let mut posts = 0;
        while let Some(post) = gateway.poll_post(now) {
            gateway.handle_posted(now, &post, &Posted::Sent);
            posts += 1;
        }
        sent.push(posts);
    }
    assert_eq!(sent, [2, 1, 0, 0, 0]);
    let counts = gateway.post_counts();
    assert_eq!((counts.sent, counts.too_many, counts.waiting), (3, 3, 0));
}

/// Each start began to count anew.
#[test]
fn mails_of_the_day_are_counted_over_a_restart_and_over_a_kill() {
    let world = World::new();
    let care = Care {
        per_user: 3,
        ..waits(0)
    };
    let gateway = caring(&world, care.clone());
    let turns_bad = |gateway: &Gateway, device: &str| {
        world.report(device, device, "alice", ComplianceState::Compliant);
        drop(forward(send(gateway, start(), device, "Ping")));
        world.report(device, device, "alice", ComplianceState::NonCompliant);
        drop(reply(send(gateway, start(), device, "Ping")));
    };
    let post = |gateway: &Gateway| {
        let mut sent = 0;
        while let Some(post) = gateway.poll_post(start()) {
            gateway.handle_posted(start(), &post, &Posted::Sent);
            sent += 1;
        }
        sent
    };
    turns_bad(&gateway, "many0");
    turns_bad(&gateway, "many1");
    drop(gateway.poll_notes());
    let early = gateway.save(start());
    assert_eq!(post(&gateway), 2);
    let notes = gateway.poll_notes().unwrap();
    let saved = gateway.save(start());
    for (row, saved, notes) in [
        ("ended", &saved, &b""[..]),
        ("killed", &early, &notes),
        ("killed a moment later", &saved, &notes),
    ] {
        let (again, _) = world.gateway_with(config()).restore(start(), saved, notes);
        again.replace_words(Words {
            care: care.clone(),
            ..Words::default()
        });
        for device in ["many2", "many3"] {
            turns_bad(&again, device);
        }
        assert_eq!(post(&again), 1, "row {row}");
    }
}

/// The user's only one of the day would never come.
#[test]
fn a_mail_that_a_restart_overtook_is_sent_after_it() {
    let world = World::new();
    let care = Care {
        per_user: 1,
        ..waits(0)
    };
    let gateway = caring(&world, care.clone());
    world.report("many0", "many0", "alice", ComplianceState::Compliant);
    drop(forward(send(&gateway, start(), "many0", "Ping")));
    world.report("many0", "many0", "alice", ComplianceState::NonCompliant);
    drop(reply(send(&gateway, start(), "many0", "Ping")));
    drop(gateway.poll_post(start()).unwrap());
    let saved = gateway.save(start());
    let (again, _) = world.gateway_with(config()).restore(start(), &saved, b"");
    again.replace_words(Words {
        care,
        ..Words::default()
    });
    let post = again.poll_post(start()).unwrap();
    again.handle_posted(start(), &post, &Posted::Sent);
    assert_eq!(again.post_counts().too_many, 0);
}

#[test]
fn made_up_folders_and_links_are_remembered_over_a_restart() {
    let world = World::new();
    let gateway = world.gateway();
    let path = link(&gateway, start(), "new");
    drop(held(&gateway, start(), "new", "FolderSync", &folder_sync()));
    let (again, restored) =
        world
            .gateway_with(config())
            .restore(start(), &gateway.save(start()), b"");
    assert_eq!(restored.devices, 1);
    assert_eq!(page(&again, start(), Method::GET, &path).0.status, 200);
    world.set("new", ComplianceState::Compliant);
    // Its Sync is looked into, because it may be of the made-up folders.
    let aside = read(send(&again, start(), "new", "Sync")).aside;
    let (next, _) = again.handle_body(start(), aside, Some(&sync()));
    let Next::Answer(answer) = next else {
        panic!("{next:?}");
    };
    assert_eq!(answer.status, 200);
    // One that has lost its memory takes the word of the mail server for it.
    drop(forward(send(&world.gateway(), start(), "new", "Sync")));
}

#[test]
fn what_is_no_roll_is_none() {
    let world = World::new();
    for (octets, unreadable) in [
        (&b""[..], 0),
        (b"{}\n", 1),
        (b"garbage", 1),
        (b"{\"secret\":\"AAAA\"}\n", 1),
    ] {
        let (gateway, restored) = world.gateway_with(config()).restore(start(), octets, b"");
        assert_eq!((restored.devices, restored.unreadable), (0, unreadable));
        drop(link(&gateway, start(), "new"));
    }
    let mut saved = world.gateway().save(start());
    saved.extend_from_slice(b"{\"user\":\"x\"}\nnot JSON\n");
    let (_, restored) = world.gateway_with(config()).restore(start(), &saved, b"");
    assert_eq!((restored.devices, restored.unreadable), (0, 2));
}
