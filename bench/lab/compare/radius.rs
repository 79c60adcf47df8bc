//! MAC authentication bypass and PAP: Portreeve, FreeRADIUS, hostapd and the null server.

use std::io;

use portreeve::model::MacAddress;

use super::Setting;
use super::contest;
use super::contest::About;
use super::contest::Contender;
use super::contest::Load;
use super::contest::words;
use super::folder::free_port;
use super::folder::text;
use super::freeradius;
use super::freeradius::Form;
use super::gateway::Gateway;
use super::gateway::USERS;
use super::go;
use super::hostapd;
use super::program::Program;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;
use crate::load::world;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mab,
    Pap,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Mab => "MAB",
            Self::Pap => "PAP",
        }
    }

    const fn argument(self) -> &'static str {
        match self {
            Self::Mab => "mab",
            Self::Pap => "pap",
        }
    }
}

/// Starts everybody once and measures each kind at its most and one by one.
pub(super) fn run(setting: &Setting, kinds: &[Kind], report: &mut Report) -> io::Result<()> {
    say("RADIUS: starting Portreeve, FreeRADIUS, hostapd and the null server")?;
    let mut contenders = start(setting)?;
    for contender in &mut contenders {
        let first = [
            "load",
            "radius",
            "--json",
            "--kind",
            "mab",
            "--count",
            "1",
            "--timeout",
            "300",
        ];
        contender.await_first_answer(setting, &first);
    }
    for kind in kinds {
        for outstanding in ["64", "1"] {
            // hostapd's RADIUS server knows no passwords, and holds too few sessions for both.
            let part = match (kind, outstanding) {
                (Kind::Mab, "64") => &mut contenders[..],
                (Kind::Mab | Kind::Pap, _) => {
                    contenders.get_mut(..WITHOUT_HOSTAPD).unwrap_or_default()
                }
            };
            let case = match outstanding {
                "1" => format!("{}{ONE_BY_ONE}", kind.name()),
                _ => kind.name().to_owned(),
            };
            let seconds = setting.seconds.to_string();
            let load = Load::of(&[
                "load",
                "radius",
                "--json",
                "--kind",
                kind.argument(),
                "--expect",
                "vlan=20",
                "--outstanding",
                outstanding,
                "--seconds",
                &seconds,
            ]);
            let outcomes = contest::run(setting, &case, part, &load)?;
            report.add(
                &case,
                &Measure::OF_REQUESTS,
                &outcomes,
                &targets(outstanding == "1"),
            )?;
        }
    }
    Ok(())
}

fn targets(latency: bool) -> Vec<Target> {
    if latency {
        let (measure, of) = (Measure::P50, Of::Above(NULL));
        return vec![Target {
            measure,
            of,
            most: 15.0,
        }];
    }
    let cpu = |of, most| Target {
        measure: Measure::Cpu,
        of,
        most,
    };
    vec![
        cpu(Of::Ours, 6.0),
        cpu(Of::Peer(NULL), 1.5),
        cpu(Of::Peer(go::NAME), 0.6),
        cpu(Of::Best(&["FreeRADIUS -s", "FreeRADIUS threaded"]), 0.333),
    ]
}

/// Portreeve first; those that know no passwords last.
fn start(setting: &Setting) -> io::Result<Vec<Contender>> {
    let secret = text(&setting.folder.write("secret", SECRET)?);
    let door = |port: u16, secret: &str, devices: u32| {
        let macs = format!("{}+{devices}", world::mac(0));
        let users = format!("load{{n}}@example.com:password{{n}}+{USERS}");
        words(&[
            "--server",
            &format!("127.0.0.1:{port}"),
            "--secret-file",
            secret,
            "--macs",
            &macs,
            "--users",
            &users,
        ])
    };
    let mut contenders = Vec::new();
    for (folder, name, more) in [
        ("portreeve", "Portreeve", 0),
        ("portreeve-50", "Portreeve, 50 policies", MORE_POLICIES),
    ] {
        let mut gateway = Gateway::new(setting, folder, setting.devices, USERS)?;
        gateway.add_policies(more)?;
        let port = gateway.open("authentication")?;
        let started = gateway.start(setting);
        let secret = gateway.file("certs/secrets/nas-local");
        let mut about = gateway.about(setting);
        about.name = name;
        contenders.push(Contender::server(
            about,
            started.map(|program| (program, door(port, &secret, setting.devices))),
        ));
    }

    let port = free_port()?;
    let null = start_null(setting, port, &secret);
    contenders.push(Contender::server(
        About {
            name: NULL,
            version: "of Portreeve".to_owned(),
            logs: "nothing",
            devices: 0,
        },
        null.map(|program| (program, door(port, &secret, setting.devices))),
    ));
    for form in [Form::Single, Form::Threaded] {
        let port = free_port()?;
        let started = freeradius::start_with_users(setting, form, port, USERS);
        contenders.push(Contender::server(
            freeradius::about(form, setting.devices),
            started.map(|program| (program, unsigned(door(port, &secret, setting.devices)))),
        ));
    }
    let port = free_port()?;
    let started = go::start(setting, port, &secret, USERS);
    contenders.push(Contender::server(
        go::about(setting.devices),
        started.map(|program| (program, door(port, &secret, setting.devices))),
    ));
    let devices = setting.devices.min(hostapd::MOST_DEVICES);
    let port = free_port()?;
    let started = hostapd::start_with_users(setting, port);
    let mut last = Contender::server(
        hostapd::about(devices),
        started.map(|program| (program, unsigned(door(port, &secret, devices)))),
    );
    last.limit = Some(hostapd::MAB_LIMIT);
    contenders.push(last);
    Ok(contenders)
}

/// Peers that put no Message-Authenticator first, or none at all, save what it costs.
fn unsigned(mut door: Vec<String>) -> Vec<String> {
    door.push("--unsigned-replies".to_owned());
    door
}

fn start_null(setting: &Setting, port: u16, secret: &str) -> io::Result<Program> {
    let command = words(&[
        &text(setting.folder.lab()),
        "null",
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--secret-file",
        secret,
    ]);
    Program::start(
        &command,
        &setting.folder.path(""),
        setting.folder.path("null.log"),
    )
}

/// An address as a name: twelve digits.
pub(super) fn plain(mac: MacAddress) -> String {
    mac.to_string().replace(':', "")
}

/// The secret of all servers but Portreeve, which makes its own.
pub(super) const SECRET: &str = "lab-secret-of-24-letters";

/// The end of the names of cases in which each request waits for the answer of the one before.
pub(super) const ONE_BY_ONE: &str = ", one outstanding";

const NULL: &str = "null server";

/// Policies that are about a network connection of staff, beside those of the sample, so that
/// there are 50.
const MORE_POLICIES: u32 = 43;

/// Contenders before hostapd.
const WITHOUT_HOSTAPD: usize = 6;
