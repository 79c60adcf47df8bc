//! ActiveSync through a front: kept connections, new ones, HTTP/2, long answers, and Pings that
//! wait; Portreeve with its decision, nginx and HAProxy without one and with a map of devices.

use std::fs;
use std::io;

use super::Setting;
use super::contest;
use super::contest::Contender;
use super::contest::Load;
use super::contest::words;
use super::folder::free_port;
use super::folder::text;
use super::front;
use super::front::Decision;
use super::front::Front;
use super::front::Job;
use super::gateway::Gateway;
use super::gateway::USERS;
use super::program::GENERATOR_CORE;
use super::program::Program;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;

/// What is asked of fronts that stand before the same origin.
struct Scene {
    /// Sets the folders of several apart.
    name: &'static str,
    /// Octets of an answer.
    body: u32,
    devices: u32,
    users: u32,
    /// Whether fronts that decide take part.
    decisions: bool,
}

/// Requests.
pub(super) fn run(setting: &Setting, report: &mut Report) -> io::Result<()> {
    let short = Scene {
        name: "mail",
        body: 1_024,
        devices: setting.devices,
        users: USERS,
        decisions: true,
    };
    let long = Scene {
        name: "mail-long",
        body: 65_536,
        devices: setting.devices,
        users: USERS,
        decisions: false,
    };
    for (scene, cases) in [
        (
            short,
            &[
                ("Mail, kept connections", None),
                ("Mail, new connections", Some("--new-connections")),
                ("Mail, HTTP/2", Some("--http2")),
            ][..],
        ),
        (long, &[("Mail, 64 KiB", None)][..]),
    ] {
        let mut fronts = scene.start(setting)?;
        for (case, option) in cases {
            let (seconds, body) = (setting.seconds.to_string(), scene.body.to_string());
            let mut load = Load::of(&[
                "load",
                "eas",
                "--json",
                "--seconds",
                &seconds,
                "--expect-body",
                &body,
            ]);
            load.server.extend(option.map(str::to_owned));
            let outcomes = contest::run(setting, case, &mut fronts.contenders, &load)?;
            let targets = if *case == "Mail, kept connections" {
                vec![target(Measure::Cpu, Of::Peer("nginx with map"), 1.0)]
            } else {
                vec![target(Measure::Cpu, BETTER, 1.0)]
            };
            report.add(case, &Measure::OF_REQUESTS, &outcomes, &targets)?;
        }
    }
    Ok(())
}

/// Pings that wait: what each takes of a front that was just started.
pub(super) fn run_held(
    setting: &Setting,
    pings: Option<u32>,
    report: &mut Report,
) -> io::Result<()> {
    let usual = if setting.quick { QUICK_PINGS } else { PINGS };
    let pings = pings.unwrap_or(usual);
    let scene = Scene {
        name: "mail-held",
        body: 1_024,
        // A front that has let go of much memory would take Pings in without any more.
        devices: HELD_DEVICES,
        users: pings.max(USERS),
        decisions: false,
    };
    let mut fronts = scene.start(setting)?;
    let case = format!("Mail, {pings} held Pings");
    let load = Load::of(&[
        "load",
        "eas",
        "--json",
        "--hold",
        &pings.to_string(),
        "--seconds",
        "1",
    ]);
    let outcomes = contest::run_rounds(setting, 1, &case, &mut fronts.contenders, &load)?;
    let targets = [target(Measure::Held, BETTER, 1.0)];
    report.add(&case, &[Measure::Held], &outcomes, &targets)
}

const fn target(measure: Measure, of: Of, most: f64) -> Target {
    Target { measure, of, most }
}

/// Fronts, and the origin that they need as long as they live.
struct Fronts {
    contenders: Vec<Contender>,
    _origin: Program,
    /// What nginx asks, if it is there; without it nginx answers wrongly and its row says so.
    _service: Option<Program>,
}

impl Scene {
    /// Starts origin and fronts and waits for a first answer of each.
    fn start(&self, setting: &Setting) -> io::Result<Fronts> {
        say("mail: starting Portreeve, nginx and HAProxy")?;
        let origin_port = free_port()?;
        let command = words(&[
            &text(setting.folder.lab()),
            "origin",
            "--accept-any",
            "--listen",
            &format!("127.0.0.1:{origin_port}"),
            "--body",
            &self.body.to_string(),
        ]);
        let log = setting.folder.path(&format!("{}-origin.log", self.name));
        let origin = Program::start_on(GENERATOR_CORE, &command, &setting.folder.path(""), log)?;

        let mut gateway = Gateway::new(
            setting,
            &format!("portreeve-{}", self.name),
            self.devices,
            self.users,
        )?;
        let port = gateway.open("mail")?;
        gateway.set(
            "[mail]",
            "upstream",
            format!("\"http://127.0.0.1:{origin_port}\""),
        );
        gateway.set("[mail]", "max_connections", CONNECTIONS.to_owned());
        gateway.set(
            "[mail]",
            "max_connections_per_address",
            CONNECTIONS.to_owned(),
        );
        let started = gateway.start(setting);
        let root = gateway.file("certs/root.pem");
        let users = format!("load{{n}}@example.com:password{{n}}+{}", self.users);
        let door = |port: u16| {
            let url = format!("https://localhost:{port}");
            words(&["--url", &url, "--ca", &root, "--users", &users])
        };
        let ours = started.map(|program| (program, door(port)));
        let mut contenders = vec![Contender::server(gateway.about(setting), ours)];

        let (certificate, key) = (
            gateway.file("certs/eas.pem"),
            gateway.file("certs/keys/eas.key"),
        );
        let both = fs::read_to_string(&certificate)? + &fs::read_to_string(&key)?;
        let both = setting
            .folder
            .write(&format!("{}-both.pem", self.name), &both)?;
        let nginx_map = front::write_map(setting, Front::Nginx, self.devices)?;
        let haproxy_map = front::write_map(setting, Front::HaProxy, self.devices)?;
        let service_port = free_port()?;
        let mut service = None;
        let mut peers = vec![
            (Front::Nginx, Decision::None),
            (Front::HaProxy, Decision::None),
        ];
        if self.decisions {
            service = front::start_service(setting, service_port).ok();
            peers.extend([
                (Front::Nginx, Decision::Map(&nginx_map)),
                (Front::HaProxy, Decision::Map(&haproxy_map)),
                (Front::Nginx, Decision::Ask(service_port)),
            ]);
        }
        for (front, decision) in peers {
            let port = free_port()?;
            let about = front.about(decision, self.devices);
            let name = format!("{}-{}", self.name, about.name.replace(' ', "-"));
            let job = Job {
                port,
                origin: origin_port,
                certificate: &certificate,
                key: &key,
                both: &text(&both),
                decision,
                name: &name,
            };
            let started = front
                .start(setting, &job)
                .map(|program| (program, door(port)));
            contenders.push(Contender::server(about, started));
        }
        // Everybody signs in once, and what a front learns from that is not measured.
        let users = self.users.to_string();
        let first = [
            "load",
            "eas",
            "--json",
            "--count",
            &users,
            "--outstanding",
            "16",
            "--seconds",
            "60",
        ];
        for contender in &mut contenders {
            contender.await_first_answer(setting, &first);
        }
        Ok(Fronts {
            contenders,
            _origin: origin,
            _service: service,
        })
    }
}

const BETTER: Of = Of::Best(&["nginx", "HAProxy"]);

/// Connections that Portreeve takes at once, all of them from one address.
const CONNECTIONS: &str = "20000";

/// Pings that are held; each takes two descriptors of a front, of which systems grant 20,000.
const PINGS: u32 = 8_000;
const QUICK_PINGS: u32 = 500;

/// Devices of that case: one for each Ping.
const HELD_DEVICES: u32 = 10_000;
