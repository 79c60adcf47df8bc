//! A tenant, an inventory and the feeds between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use portreeve::inventory;
use portreeve::inventory::Change;
use portreeve::inventory::Lookup;
use portreeve::inventory::Reader;
use portreeve::inventory::Writer;
use portreeve::model::DeviceId;
use portreeve::model::Identifier;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Posture;
use portreeve::model::Timestamp;
use portreeve::sync;
use portreeve::sync::Backoff;
use portreeve::sync::Base;
use portreeve::sync::Clock;
use portreeve::sync::Config;
use portreeve::sync::GraphConfig;
use portreeve::sync::Groups;
use portreeve::sync::Handle;
use portreeve::sync::Limits;
use portreeve::sync::Run;
use portreeve::sync::State;
use portreeve::sync::Status;
use portreeve::sync::Tasks;
use portreeve::sync::Timing;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::emulator;

pub(crate) const DEVICES: &str = "lab/devices";
pub(crate) const USERS: &str = "lab/users";
pub(crate) const SECRET: &str = "planted-client-secret";

/// An emulated tenant.
pub(crate) struct Tenant {
    pub(crate) address: String,
    pub(crate) folder: TempDir,
}

impl Tenant {
    pub(crate) async fn new(devices: u32, users: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = emulator::Config {
            tenant: "lab.example".to_owned(),
            client_id: "lab-client".to_owned(),
            client_secret: SECRET.to_owned(),
            devices,
            users,
            seed: 7,
        };
        tokio::spawn(emulator::serve(listener, config));
        let tenant = Self {
            address,
            folder: TempDir::new().unwrap(),
        };
        tenant.write_secret(SECRET);
        tenant
    }

    pub(crate) fn write_secret(&self, secret: &str) {
        std::fs::write(self.secret_file(), format!("{secret}\n")).unwrap();
    }

    fn secret_file(&self) -> PathBuf {
        self.folder.path().join("client.secret")
    }

    /// A source for this tenant whose runs come only when they are asked for, and whose waits are
    /// short.
    pub(crate) fn source(&self) -> GraphConfig {
        let hour = Duration::from_hours(1);
        let short = Backoff {
            first: Duration::from_millis(10),
            cap: Duration::from_millis(20),
        };
        GraphConfig {
            name: "lab".to_owned(),
            tenant: "lab.example".to_owned(),
            client_id: "lab-client".to_owned(),
            client_secret_file: self.secret_file(),
            login: Base::parse(&format!("http://{}", self.address)).unwrap(),
            graph: Base::parse(&format!("http://{}/v1.0", self.address)).unwrap(),
            ca_file: None,
            devices: true,
            users: false,
            groups: Groups::Listed(Vec::new()),
            timing: Timing {
                full_interval: hour,
                quick_interval: hour,
                users_interval: hour,
                request_deadline: Duration::from_mins(1),
                backoff: Backoff {
                    first: hour,
                    cap: hour,
                },
                ..Timing::default()
            },
            bad_percent: 10,
            limits: Limits {
                retries: 3,
                backoff: short,
                ..Limits::default()
            },
        }
    }

    /// Tells the emulator something.
    pub(crate) async fn tell(&self, method: &str, path: &str, body: &Value) -> Value {
        let head = format!("{method} /_lab/{path} HTTP/1.1\r\ncontent-type: application/json");
        let answer = self.ask(&head, &body.to_string()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Sends a request and gives what comes until the connection ends, well or not.
    pub(crate) async fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{head}\r\nhost: lab\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // An end in the middle is for the caller to judge.
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.tell("POST", "fault", &fault).await;
    }

    pub(crate) async fn mend(&self) {
        self.tell("DELETE", "fault", &Value::Null).await;
    }

    pub(crate) async fn change(&self, device: usize, change: Value) {
        self.tell("POST", &format!("device/{device}"), &change)
            .await;
    }

    /// The queries asked of a path that ends so.
    pub(crate) async fn asked(&self, path: &str) -> Vec<String> {
        let requests = self.tell("GET", "requests", &Value::Null).await;
        let requests = requests.as_array().unwrap().iter();
        requests
            .filter(|request| request["path"].as_str().unwrap().ends_with(path))
            .map(|request| request["query"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Running feeds with the inventory that they fill.
pub(crate) struct Lab {
    pub(crate) handle: Handle,
    pub(crate) tasks: Tasks,
    pub(crate) reader: Reader,
    changes: Arc<Mutex<Vec<Change>>>,
    changed: Arc<Notify>,
}

impl Lab {
    pub(crate) fn start(config: &Config) -> Self {
        let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
        for origin in config.origins() {
            writer.name_origin(&origin);
        }
        Self::with(config, writer, reader)
    }

    /// Stops, and starts again from what it knew.
    pub(crate) async fn restart(self, config: &Config) -> Self {
        self.tasks.stop().await;
        let saved = self.reader.save().parts().concat();
        let (settings, origins) = (inventory::Config::new([8; 16]), config.origins());
        let in_turn = |job: &(dyn Fn(usize) + Sync), jobs| (0..jobs).for_each(job);
        let (writer, reader) = inventory::reopen(&settings, &origins, &saved, in_turn).unwrap();
        Self::with(config, writer, reader)
    }

    fn with(config: &Config, writer: Writer, reader: Reader) -> Self {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let changed = Arc::new(Notify::new());
        let (list, bell) = (Arc::clone(&changes), Arc::clone(&changed));
        let on_change = move |batch: &[Change]| {
            list.lock().unwrap().extend_from_slice(batch);
            bell.notify_one();
        };
        let (handle, tasks) = sync::start(config, writer, &clock(), on_change).unwrap();
        Self {
            handle,
            tasks,
            reader,
            changes,
            changed,
        }
    }

    pub(crate) fn of(source: GraphConfig) -> Self {
        Self::start(&only(source))
    }

    /// Starts the feeds of `source` and waits for the first success of each.
    pub(crate) async fn filled(source: GraphConfig) -> Self {
        let (devices, users) = (source.devices, source.users);
        let lab = Self::of(source);
        if devices {
            lab.until(DEVICES, |status| status.state == State::Connected)
                .await;
        }
        if users {
            lab.until(USERS, |status| status.state == State::Connected)
                .await;
        }
        lab
    }

    pub(crate) async fn until(&self, feed: &str, wanted: impl FnMut(&Status) -> bool) -> Status {
        let waited = self.handle.wait_for(feed, wanted);
        let waited = tokio::time::timeout(PATIENCE, waited).await;
        let Ok(status) = waited else {
            panic!("not reached: {:?}", self.handle.status());
        };
        status.unwrap()
    }

    /// Asks for a run and waits for its end, good or bad.
    pub(crate) async fn run(&self, feed: &str, run: Run) -> Status {
        let ended = |status: &Status| status.counters.successes + status.counters.failures;
        let before = self.until(feed, |_| true).await;
        self.handle.sync_now(None, run, false).unwrap();
        self.until(feed, |status| ended(status) > ended(&before))
            .await
    }

    /// Waits until the inventory has told of a change of `device`, and forgets what it has told.
    pub(crate) async fn until_changed(&self, device: DeviceId) {
        let told = async {
            loop {
                let told = std::mem::take(&mut *self.changes.lock().unwrap());
                if told.contains(&Change::Device(device)) {
                    return;
                }
                self.changed.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
    }

    pub(crate) fn forget_changes(&self) {
        self.changes.lock().unwrap().clear();
    }

    pub(crate) fn posture(&self, device: DeviceId) -> Option<Posture> {
        match self.reader.find(&Identifier::Device(device)) {
            Lookup::Found(posture, _) => Some(posture),
            Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser => None,
        }
    }

    /// The device that the emulator made from `number`, found by its serial number.
    pub(crate) fn device(&self, number: usize) -> Option<Posture> {
        let serial = format!("LAB{number:09}");
        match self.reader.find(&Identifier::Serial(&serial)) {
            Lookup::Found(posture, _) => Some(posture),
            Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser => None,
        }
    }
}

/// A configuration with this source.
pub(crate) fn only(source: GraphConfig) -> Config {
    Config {
        graphs: vec![source],
        ..Config::default()
    }
}

/// The sentence of a feed that fails; empty when none of its runs does.
pub(crate) fn reason(status: &Status) -> String {
    let first = status.failing().next();
    first.map_or(String::new(), |(_, error)| error.reason.clone())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the feeds under test run in real time, and this is their clock"
)]
pub(crate) fn clock() -> Clock {
    let start = Instant::now();
    Clock::new(move || Now {
        monotonic: Monotonic::from_elapsed(start.elapsed()),
        wall: {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let millis = since.unwrap_or_default().as_millis();
            Timestamp::from_unix_millis(i64::try_from(millis).unwrap())
        },
    })
}

/// Nothing here takes a second; a busy machine may.
const PATIENCE: Duration = Duration::from_secs(60);
