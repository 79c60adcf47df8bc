//! Mail clients: what is learned of them, what policies refuse them, and wipes that an administrator
//! has ordered.

use http::StatusCode;
use portreeve::inventory::Told;
use portreeve::inventory::Wipe;
use portreeve::inventory::WipeStage;
use portreeve::mail::Action;
use portreeve::mail::Gateway;
use portreeve::mail::Next;
use portreeve::mail::Reply;
use portreeve::mail::Step;
use portreeve::model::ComplianceState;
use portreeve::model::Reason;
use portreeve::model::Verdict;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::service::provision;
use portreeve::wbxml::service::settings;

use crate::world::Request;
use crate::world::World;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::start;

pub(crate) fn written(root: Tag, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, content);
    writer.finish()
}

/// What becomes of a request whose body is read.
pub(crate) fn with_body(gateway: &Gateway, step: Step, body: &[u8]) -> Next {
    let (next, _) = gateway.handle_body(start(), read(step).aside, Some(body));
    next
}

pub(crate) fn answered(next: Next) -> Reply {
    match next {
        Next::Answer(reply) => reply,
        Next::Forward(forward) => panic!("forwarded {:?}", forward.request),
        Next::Fetch(fetch) => panic!("forwarded {:?}", fetch.request),
        Next::Attest(attest) => panic!("wants it written down: {attest:?}"),
        Next::Wait(wait) => panic!("waits {wait:?}"),
    }
}

/// Sends a command and gets an answer of 200 from the mail server.
pub(crate) fn succeed(gateway: &Gateway, request: &Request) {
    let forward = forward(request.settle(gateway, &peer()));
    let exchange = &forward.exchange;
    drop(crate::world::answered(gateway, start(), exchange, 200, b""));
}

#[test]
fn every_client_gets_a_record_and_tells_only_what_is_new_r31() {
    let world = World::new();
    let gateway = world.gateway();
    let sync = Request::of("good", "Sync");
    // Before the mail server's word nothing is learned.
    drop(
        Request::of("good", "Sync")
            .basic("alice", "wrong")
            .settle(&gateway, &peer()),
    );
    assert_eq!(world.learn(&gateway), 0);
    succeed(&gateway, &sync);
    assert_eq!(world.learn(&gateway), 2);
    let client = world.client("good", "alice").unwrap();
    assert_eq!(
        client.state,
        Some((Verdict::Allow, Reason::RequirementsMet))
    );
    assert_eq!(&*client.device_type, "phone");
    assert_eq!(&*client.user_agent, "Test/1");
    assert_eq!(client.version, 141);
    assert_eq!(client.first_success, Some(start().wall));
    // The same again is no news.
    for _ in 0..5 {
        succeed(&gateway, &sync);
    }
    assert_eq!(world.learn(&gateway), 0);
    // Another application, another policy key, another verdict are.
    succeed(
        &gateway,
        &Request::of("good", "Sync").with("x-ms-policykey", "7"),
    );
    assert_eq!(world.learn(&gateway), 1);
    assert_eq!(world.client("good", "alice").unwrap().policy_key, Some(7));
    world.set("good", ComplianceState::NonCompliant);
    drop(sync.settle(&gateway, &peer()));
    world.learn(&gateway);
    let client = world.client("good", "alice").unwrap();
    assert_eq!(
        client.state,
        Some((Verdict::Block, Reason::DeviceNotCompliant))
    );
    assert_eq!(gateway.sightings_lost(), 0);
}

#[test]
fn ids_are_one_in_any_case_and_kept_as_they_are_spelled_and_each_user_has_a_record_r36() {
    let world = World::new();
    let gateway = world.gateway();
    for spelled in ["ApplF2LX", "aPPLf2lx", "androidc123"] {
        drop(Request::of(spelled, "Sync").settle(&gateway, &peer()));
    }
    let bob = "Cmd=Sync&User=bob&DeviceId=ApplF2LX&DeviceType=phone";
    drop(
        Request::post(bob)
            .basic("bob", "right")
            .settle(&gateway, &peer()),
    );
    world.learn(&gateway);
    let spelled = |device: &str, user: &str| world.client(device, user).unwrap().spelled.clone();
    assert_eq!(&*spelled("applf2lx", "alice"), "aPPLf2lx");
    assert_eq!(&*spelled("androidc123", "alice"), "androidc123");
    assert_eq!(&*spelled("applf2lx", "bob"), "ApplF2LX");
}

#[test]
fn what_a_client_tells_of_its_device_is_kept_and_goes_on_to_the_mail_server() {
    let world = World::new();
    let gateway = world.gateway();
    let told = |writer: &mut Writer, model: &str| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| {
                writer.leaf(settings::MODEL, model);
                writer.leaf(settings::IMEI, "490154203237518");
                writer.leaf(settings::FRIENDLY_NAME, "Alice's phone");
                writer.leaf(settings::OS, "iOS 17.1.2 21B101");
            });
        });
    };
    for (command, root, model) in [
        ("Settings", settings::SETTINGS, "iPhone15C2"),
        ("Provision", provision::PROVISION, "iPhone15C3"),
    ] {
        for device in ["good", "new"] {
            let body = written(root, |writer| told(writer, model));
            let step = Request::of(device, command).settle(&gateway, &peer());
            let next = with_body(&gateway, step, &body);
            // In quarantine too: it tells the client nothing of the mailbox.
            assert!(matches!(next, Next::Forward(_)), "row {device} {command}");
            world.learn(&gateway);
            let client = world.client(device, "alice").unwrap();
            let kept = Told {
                model: client.model.clone(),
                friendly_name: client.friendly_name.clone(),
                os: client.os.clone(),
            };
            assert_eq!(
                kept,
                Told {
                    model: model.into(),
                    friendly_name: "Alice's phone".into(),
                    os: "iOS 17.1.2 21B101".into(),
                },
                "row {device} {command}"
            );
            assert!(!format!("{client:?}").contains("490154203237518"));
        }
    }
    // A body that is none tells nothing, and is the mail server's to refuse.
    let step = Request::of("good", "Settings").settle(&gateway, &peer());
    assert!(matches!(
        with_body(&gateway, step, b"\x03\x01"),
        Next::Forward(_)
    ));
    assert_eq!(world.learn(&gateway), 0);
}

#[test]
fn a_third_device_is_one_too_many_and_the_first_two_stay() {
    let world = World::new();
    for device in ["second", "third"] {
        world.set(device, ComplianceState::Compliant);
    }
    let gateway = world.gateway();
    world.with_policies(
        "[[conditional]]\nname = \"Two devices\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { devices_over = 2 }\naction = \"block\"\n",
    );
    for device in ["good", "second"] {
        succeed(&gateway, &Request::of(device, "Sync"));
        world.learn(&gateway);
    }
    for _ in 0..2 {
        let refused = reply(Request::of("third", "Sync").settle(&gateway, &peer()));
        assert_eq!(refused.headers["x-portreeve-reason"], "54023");
        world.learn(&gateway);
        succeed(&gateway, &Request::of("good", "Sync"));
        succeed(&gateway, &Request::of("second", "Sync"));
    }
}

/// It was let in before the count was full, when nothing was counted, and its Ping stayed.
#[test]
fn a_ping_of_a_device_that_is_one_too_many_by_now_ends() {
    let world = World::new();
    for device in ["second", "third"] {
        world.set(device, ComplianceState::Compliant);
    }
    let gateway = world.gateway();
    let ping = forward(Request::of("third", "Ping").settle(&gateway, &peer()));
    world.with_policies(
        "[[conditional]]\nname = \"Two devices\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { devices_over = 2 }\naction = \"block\"\n",
    );
    for device in ["good", "second"] {
        assert!(ping.permit.revoked().is_none(), "before {device}");
        succeed(&gateway, &Request::of(device, "Sync"));
        world.learn(&gateway);
    }
    let revoked = ping.permit.revoked().unwrap();
    assert_eq!(revoked.decision.reason, Reason::TooManyDevices);
}

#[test]
fn a_device_that_is_retired_or_wiped_is_out_with_its_next_request_r40() {
    let world = World::new();
    let gateway = world.gateway();
    for state in [
        "retirePending",
        "retireIssued",
        "wipePending",
        "wipeIssued",
        "deletePending",
    ] {
        world.set("good", ComplianceState::Compliant);
        let sync = Request::of("good", "Sync");
        let under_way = forward(sync.settle(&gateway, &peer()));
        world.retire("good", state);
        // What is under way ends, and nothing that was granted before counts.
        let revoked = under_way.permit.revoked().unwrap();
        assert_eq!(
            revoked.decision.reason,
            Reason::DeviceRetired,
            "row {state}"
        );
        let refused = reply(sync.settle(&gateway, &peer()));
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "row {state}");
        assert_eq!(
            refused.headers["x-portreeve-reason"], "54011",
            "row {state}"
        );
    }
    world.retire("good", "retireCanceled");
    succeed(&gateway, &Request::of("good", "Sync"));
}

/// The answer to a Provision with this body; what is new in it is written down before.
fn provisioned(world: &World, gateway: &Gateway, request: &Request, body: &[u8]) -> String {
    let reply = match with_body(gateway, request.settle(gateway, &peer()), body) {
        Next::Answer(reply) => reply,
        Next::Attest(attest) => {
            world.write_down(&attest.news);
            gateway.handle_attested(*attest, true)
        }
        next @ (Next::Forward(_) | Next::Fetch(_) | Next::Wait(_)) => panic!("{next:?}"),
    };
    assert_eq!(reply.status, StatusCode::OK);
    shown(&reply.body)
}

pub(crate) fn shown(octets: &[u8]) -> String {
    use portreeve::wbxml::Event;
    let mut reader = portreeve::wbxml::Reader::new(octets).unwrap();
    let mut shown = String::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::Start(tag) => shown.push_str(&format!("{}(", tag.name())),
            Event::Empty(tag) => shown.push_str(&format!("{} ", tag.name())),
            Event::Text(text) => shown.push_str(text),
            Event::Opaque(_) => {}
            Event::End(_) => shown.push(')'),
        }
    }
    shown
}

fn acknowledged(element: Tag, status: &str) -> Vec<u8> {
    written(provision::PROVISION, |writer| {
        writer.element(element, |writer| writer.leaf(provision::STATUS, status));
    })
}

#[test]
fn a_wipe_is_told_to_its_client_and_to_no_other_r41_ms_asprov_3_2_5_1_2() {
    let world = World::new();
    let gateway = world.gateway();
    let sync = Request::of("good", "Sync");
    succeed(&gateway, &sync);
    world.learn(&gateway);
    let waiting = forward(Request::of("good", "Ping").settle(&gateway, &peer()));
    world.order("good", Some(Wipe::Device));
    // What waits is sent to its orders at once.
    let revoked = waiting.permit.revoked().unwrap();
    let (cut, _) = gateway.handle_revoked(start(), &waiting.exchange, &revoked, false);
    assert_eq!(shown(&cut.body), "Ping(Status(140))");
    // So is every command, but for Provision, in its own form.
    for (command, expected) in [
        ("Sync", "Sync(Status(140))"),
        ("FolderSync", "FolderSync(Status(140))"),
        ("SendMail", "SendMail(Status(140))"),
    ] {
        let reply = reply(Request::of("good", command).settle(&gateway, &peer()));
        assert_eq!(
            (reply.status, shown(&reply.body)),
            (StatusCode::OK, expected.to_owned())
        );
    }
    // Before 14.0 it is a status of HTTP, for those who have a policy.
    for (key, expected) in [("7", 449), ("0", 403)] {
        let mut old = Request::of("good", "Sync").with("x-ms-policykey", key);
        old.headers
            .insert("ms-asprotocolversion", "12.1".parse().unwrap());
        let reply = reply(old.settle(&gateway, &peer()));
        assert_eq!(reply.status.as_u16(), expected);
    }
    // Neither another client of the user, nor the same DeviceId of another user.
    world.set("second", ComplianceState::Compliant);
    succeed(&gateway, &Request::of("second", "Sync"));
    let bob = "Cmd=Provision&User=bob&DeviceId=good&DeviceType=phone";
    let bob = Request::post(bob)
        .basic("bob", "right")
        .settle(&gateway, &peer());
    assert!(matches!(bob.action, Action::Answer(reply) if reply.status == StatusCode::FORBIDDEN));
    // It asks for its orders, gets them, fails, gets them again, obeys.
    let stage = || world.client("good", "alice").unwrap().wipe.unwrap().stage;
    let request = Request::of("good", "Provision");
    assert_eq!(stage(), WipeStage::Ordered);
    // Without a line about it, it is told nothing.
    let Next::Attest(attest) = with_body(&gateway, request.settle(&gateway, &peer()), b"") else {
        panic!("told before it is written down");
    };
    assert_eq!(attest.news.order.stage, WipeStage::Sent);
    let later = gateway.handle_attested(*attest, false);
    assert_eq!(later.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage(), WipeStage::Ordered);
    assert_eq!(
        provisioned(&world, &gateway, &request, b""),
        "Provision(Status(1)RemoteWipe )"
    );
    assert_eq!(stage(), WipeStage::Sent);
    // The same again.
    assert_eq!(
        provisioned(&world, &gateway, &request, b""),
        "Provision(Status(1)RemoteWipe )"
    );
    let failed = acknowledged(provision::REMOTE_WIPE, "2");
    assert_eq!(
        provisioned(&world, &gateway, &request, &failed),
        "Provision(Status(2)RemoteWipe )"
    );
    assert_eq!(stage(), WipeStage::Failed);
    let done = acknowledged(provision::REMOTE_WIPE, "1");
    assert_eq!(
        provisioned(&world, &gateway, &request, &done),
        "Provision(Status(1))"
    );
    assert_eq!(stage(), WipeStage::Done);
    // It stays out, and is not told to erase itself again, until the order is called off.
    let out = reply(request.settle(&gateway, &peer()));
    assert_eq!(out.status, StatusCode::FORBIDDEN);
    assert_eq!(out.headers["x-portreeve-reason"], "54011");
    world.order("good", None);
    succeed(&gateway, &sync);
}

#[test]
fn what_a_client_says_of_an_order_is_not_taken_for_the_next_r41() {
    let world = World::new();
    let gateway = world.gateway();
    succeed(&gateway, &Request::of("good", "Sync"));
    world.learn(&gateway);
    let request = Request::of("good", "Provision");
    let done = acknowledged(provision::REMOTE_WIPE, "1");
    let known = || world.client("good", "alice").unwrap().wipe.unwrap();
    world.order("good", Some(Wipe::Device));
    assert!(provisioned(&world, &gateway, &request, b"").contains("RemoteWipe"));
    let first = known();
    // It was told of the first, which is called off; then comes what it says of it.
    let under_way = request.settle(&gateway, &peer());
    world.order("good", None);
    world.order("good", Some(Wipe::Device));
    assert_ne!(known().number, first.number);
    assert_eq!(
        provisioned(&world, &gateway, &request, &done),
        "Provision(Status(1)RemoteWipe )"
    );
    assert_eq!(known().stage, WipeStage::Sent);
    // What was asked under the first speaks of the first, which is in force no more.
    match with_body(&gateway, under_way, &done) {
        Next::Attest(attest) => assert_eq!(attest.news.order, first.at(WipeStage::Done)),
        // Or it is sent to ask once more.
        Next::Answer(reply) => assert_eq!(shown(&reply.body), "Provision(Status(140))"),
        next @ (Next::Forward(_) | Next::Fetch(_) | Next::Wait(_)) => panic!("{next:?}"),
    }
    assert_eq!(
        provisioned(&world, &gateway, &request, &done),
        "Provision(Status(1))"
    );
    assert_eq!(known().stage, WipeStage::Done);
}

#[test]
fn an_account_is_wiped_by_clients_that_know_it_only_r41_ms_asprov_2_2_2_1() {
    let world = World::new();
    let gateway = world.gateway();
    succeed(&gateway, &Request::of("good", "Sync"));
    world.learn(&gateway);
    world.order("good", Some(Wipe::Account));
    let of_version = |version: &str| {
        let mut request = Request::of("good", "Provision");
        request
            .headers
            .insert("ms-asprotocolversion", version.parse().unwrap());
        request
    };
    // An older one is blocked and never told to erase anything.
    for version in ["2.5", "12.1", "14.1", "16.0"] {
        let reply = reply(of_version(version).settle(&gateway, &peer()));
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "row {version}");
        let kind = &reply.headers["content-type"];
        assert_eq!(kind, "text/plain; charset=utf-8", "row {version}");
    }
    // Upon 140 there are clients that erase the whole device.
    for (key, expected) in [("0", "Ping(Status(142))"), ("7", "Ping(Status(144))")] {
        let mut ping = of_version("16.1");
        ping.target = Request::of("good", "Ping").target;
        ping.headers.insert("x-ms-policykey", key.parse().unwrap());
        let told = reply(ping.settle(&gateway, &peer()));
        assert_eq!(shown(&told.body), expected, "row {key:?}");
    }
    let request = of_version("16.1");
    assert_eq!(
        provisioned(&world, &gateway, &request, b""),
        "Provision(Status(1)AccountOnlyRemoteWipe )"
    );
    // What it says of another kind of wipe is no answer to this one.
    let other = acknowledged(provision::REMOTE_WIPE, "1");
    assert_eq!(
        provisioned(&world, &gateway, &request, &other),
        "Provision(Status(1)AccountOnlyRemoteWipe )"
    );
    let done = acknowledged(provision::ACCOUNT_ONLY_REMOTE_WIPE, "1");
    assert_eq!(
        provisioned(&world, &gateway, &request, &done),
        "Provision(Status(1))"
    );
    let wipe = world.client("good", "alice").unwrap().wipe;
    let wipe = wipe.map(|order| (order.wipe, order.stage));
    assert_eq!(wipe, Some((Wipe::Account, WipeStage::Done)));
}
