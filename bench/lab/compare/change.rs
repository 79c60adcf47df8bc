//! The state of one device among all of them changes: how long until that counts.
//!
//! For nginx and HAProxy that is the time from the command to the first refusal: nginx reads its
//! whole configuration again, HAProxy is told at its socket. Their maps are those of the mail
//! cases, and they answer by themselves, in plain HTTP. Of Portreeve the inventory, the decision
//! and the registration of a waiting request are measured in this process: from the call that
//! writes the row to the moment at which another thread, which waits as the mail front does for a
//! Ping, has been told. How fast a source brings the row is not in it.

use std::fs;
use std::hint::black_box;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::time::ClockId;
use nix::unistd::Pid;
use portreeve::access::Live;
use portreeve::access::Trace;
use portreeve::model::Monotonic;
use portreeve::model::Verdict;

use super::Setting;
use super::contest::About;
use super::contest::Outcome;
use super::contest::words;
use super::figures::Figures;
use super::folder::free_port;
use super::folder::text;
use super::front;
use super::front::Decision;
use super::front::Front;
use super::program;
use super::program::Program;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;

#[path = "../../decide/world.rs"]
mod world;

use world::NOW;
use world::World;
use world::report;

/// Changes one device after another, of each.
pub(super) fn run(setting: &Setting, report: &mut Report) -> io::Result<()> {
    say("change of one device: Portreeve, nginx and HAProxy")?;
    let ours = Outcome {
        about: About {
            name: "Portreeve",
            version: program::version(&setting.folder.gateway(), "--version"),
            logs: "nothing",
            devices: setting.devices,
        },
        figures: Ok(ours(setting)),
    };
    let mut outcomes = vec![ours];
    for front in [Front::Nginx, Front::HaProxy] {
        let figures = peer(setting, front).map_err(|error| error.to_string());
        let decision = Decision::Map("");
        outcomes.push(Outcome {
            about: front.about(decision, setting.devices),
            figures,
        });
    }
    let most = |measure, most| Target {
        measure,
        of: Of::Ours,
        most,
    };
    let targets = [most(Measure::Write, 20.0), most(Measure::Counts, 100_000.0)];
    report.add(
        "Change of one device",
        &[Measure::Write, Measure::Counts],
        &outcomes,
        &targets,
    )
}

fn ours(setting: &Setting) -> Figures {
    let mut world = World::load(setting.devices);
    let point = Arc::new(world.point(5));
    let live = Arc::new(Live::new(Arc::clone(&point)));
    let mut counts = Vec::new();
    for number in 0..CHANGES {
        let device = number * (setting.devices / CHANGES);
        let (sender, told) = mpsc::channel();
        let waiting = Arc::clone(&live);
        let clock = setting.clock;
        let (ready, is_ready) = mpsc::channel();
        let waiter = thread::spawn(move || {
            let permit = world::subject(device, |subject| {
                waiting.admit(NOW, subject, &mut Trace::new()).1
            });
            let Some(permit) = permit else {
                return;
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let Ok(runtime) = runtime else {
                return;
            };
            if ready.send(()).is_err() {
                return;
            }
            let decided = runtime.block_on(permit);
            let told = (clock.now().monotonic, decided.decision.verdict);
            let _nobody_waits_any_more = sender.send(told);
        });
        if is_ready.recv().is_ok() {
            let begun = clock.now().monotonic;
            let changes = world
                .writer
                .apply(world.source, NOW, vec![report(device, false)]);
            live.sweep(NOW, &changes);
            if let Ok((at, verdict)) = told.recv_timeout(LONGEST)
                && verdict == Verdict::Quarantine
            {
                counts.push(at.since(begun));
            }
        }
        // It has ended, or has said what it had to say.
        drop(waiter.join());
    }
    let updates: Vec<_> = (0..WRITES)
        .map(|n| report(n.wrapping_mul(0x9e37_79b1) % setting.devices, n % 2 == 0))
        .collect();
    let begun = processor_time();
    for update in updates {
        black_box(world.writer.apply(world.source, NOW, vec![update]));
    }
    let write = (processor_time() - begun).as_secs_f64() * 1e6 / f64::from(WRITES);
    Figures {
        cpu: write,
        p50: median(counts),
        ..Figures::default()
    }
}

fn peer(setting: &Setting, front: Front) -> io::Result<Figures> {
    let (name, port) = (format!("change-{front:?}").to_lowercase(), free_port()?);
    let map = front::write_map(setting, front, setting.devices)?;
    let folder = setting.folder.path(&name);
    fs::create_dir_all(&folder)?;
    let socket = text(&folder.join("socket"));
    let (binary, conf) = match front {
        Front::Nginx => ("nginx", nginx(&text(&folder), port, &map)),
        Front::HaProxy => ("haproxy", haproxy(&socket, port, &map)),
    };
    let missing = || io::Error::other(format!("{binary} is not installed"));
    let path = text(&program::find(binary).ok_or_else(missing)?);
    let conf = text(&setting.folder.write(&format!("{name}/conf"), &conf)?);
    let command = match front {
        Front::Nginx => words(&[&path, "-c", &conf, "-e", "stderr"]),
        Front::HaProxy => words(&[&path, "-db", "-f", &conf]),
    };
    let program = Program::start(&command, &folder, folder.join("log"))?;
    let clock = setting.clock;
    let begun = clock.now().monotonic;
    while !passes(port, 0).unwrap_or(false) {
        give_up_after(clock.now().monotonic, begun, "does not answer")?;
        program::pause(BETWEEN_LOOKS);
    }
    let mut counts = Vec::new();
    for number in 1..=PEERS_CHANGES {
        let device = number * (setting.devices / (PEERS_CHANGES + 1));
        let before = format!("{} 1", crate::load::world::eas_id(device));
        let after = format!("{} 0", crate::load::world::eas_id(device));
        // What writes the file is not measured.
        if front == Front::Nginx {
            let lines = fs::read_to_string(&map)?;
            fs::write(
                &map,
                lines.replace(&format!("\n{before};"), &format!("\n{after};")),
            )?;
        }
        let begun = clock.now().monotonic;
        match front {
            Front::Nginx => {
                let pid = i32::try_from(program.pid()).map_err(io::Error::other)?;
                kill(Pid::from_raw(pid), Signal::SIGHUP)?;
            }
            Front::HaProxy => tell(&socket, &format!("set map {map} {after}\n"))?,
        }
        while passes(port, device)? {
            give_up_after(clock.now().monotonic, begun, "does not take the change")?;
            program::pause(BETWEEN_LOOKS);
        }
        counts.push(clock.now().monotonic.since(begun));
    }
    Ok(Figures {
        p50: median(counts),
        ..Figures::default()
    })
}

fn give_up_after(now: Monotonic, begun: Monotonic, why: &str) -> io::Result<()> {
    if now.since(begun) >= LONGEST {
        return Err(io::Error::other(why.to_owned()));
    }
    Ok(())
}

/// Whether a device may pass.
fn passes(port: u16, device: u32) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LONGEST))?;
    let id = crate::load::world::eas_id(device);
    write!(
        stream,
        "GET /?DeviceId={id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split(' ').nth(1) {
        Some("204") => Ok(true),
        Some("403") => Ok(false),
        other => Err(io::Error::other(format!("it answers {other:?}"))),
    }
}

/// A command at HAProxy's socket, which answers with an empty line when it is done.
fn tell(socket: &str, command: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LONGEST))?;
    stream.write_all(command.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.trim().is_empty() {
        return Ok(());
    }
    Err(io::Error::other(answer))
}

fn nginx(folder: &str, port: u16, map: &str) -> String {
    let user = if nix::unistd::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    format!(
        "{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n\
         map_hash_max_size 4194304;\nmap_hash_bucket_size 128;\n\
         map $arg_DeviceId $passes {{ default 0; include {map}; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{\n\
         if ($passes = 0) {{ return 403; }}\nreturn 204; }} }}\n}}\n"
    )
}

fn haproxy(socket: &str, port: u16, map: &str) -> String {
    format!(
        "global\n  nbthread 1\n  stats socket {socket} level admin\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         frontend mail\n  bind 127.0.0.1:{port}\n  \
         http-request deny deny_status 403 unless {{ url_param(DeviceId),map_str({map}) -m str 1 }}\n  \
         http-request return status 204\n"
    )
}

/// Microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let middle = times.get(times.len() / 2);
    middle.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.map_or(Duration::ZERO, Duration::from)
}

const CHANGES: u32 = 200;
const PEERS_CHANGES: u32 = 5;
const WRITES: u32 = 20_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_secs(60);
