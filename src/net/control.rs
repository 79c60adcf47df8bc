//! The local control socket: how `status`, `explain`, `device` and `sync` reach a running gateway.
//!
//! One JSON object a line in, one out, then the connection is closed. The socket has mode 0600,
//! and the peer's user is checked besides: it must be root or the user the gateway runs as.
//! [`serve`] runs until it is dropped; each connection is one task that ends with its answer or
//! after `PATIENCE`, and aborting it loses an answer and nothing else.

use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader as StdBufReader;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Uid;
use serde::Deserialize;
use serde::Serialize;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tracing::debug;
use tracing::warn;

/// What an operator may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// How the gateway is.
    Status,
    /// Why a decision came out as it did: by its number.
    Explain {
        /// Sixteen hexadecimal digits.
        id: String,
    },
    /// What would be decided about a device now.
    ExplainDevice {
        /// Any identifier of the device.
        device: String,
    },
    /// All that is known of a device.
    Device {
        /// Any identifier of the device.
        device: String,
    },
    /// Sources are to be asked now; the answer has the `number` of the request.
    Sync {
        /// One source, or all.
        source: Option<String>,
        /// Only what may have changed.
        quick: bool,
        /// The complete list is taken however short it is.
        accept: bool,
    },
    /// Those whom a change would put out in numbers are let go of.
    Release {
        /// They stay in.
        keep: bool,
    },
    /// Mail clients, a page of them.
    Clients {
        /// Which.
        filter: ClientFilter,
        /// The number at which the page begins: 0, or the `next` of the page before.
        from: usize,
    },
    /// Why a mail client is not blocked, or is kept out without a message.
    ExplainClient {
        /// Its DeviceId, in any case.
        device: String,
        /// Its user, if the DeviceId alone does not say which client is meant.
        user: Option<String>,
        /// The second question.
        no_message: bool,
    },
    /// Something is to be done with a mail client.
    ClientAction {
        /// Its DeviceId, in any case.
        device: String,
        /// Its user, if the DeviceId alone does not say which client is meant.
        user: Option<String>,
        /// What.
        action: ClientAction,
        /// Who wants it.
        by: String,
        /// Whether it is to be done, and not only to be said what would be.
        confirmed: bool,
    },
    /// What has become of a [`Request::Sync`].
    SyncProgress {
        /// As it was asked.
        source: Option<String>,
        /// As it was answered.
        number: u64,
    },
}

/// Which mail clients are wanted; nothing is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFilter {
    /// Of this user.
    pub user: Option<String>,
    /// With this DeviceId.
    pub device: Option<String>,
    /// `allowed`, `quarantined`, `blocked` or `unknown`.
    pub state: Option<String>,
    /// Mapped to no device.
    pub unmapped: bool,
    /// Not served for so many seconds.
    pub inactive: Option<u64>,
    /// With a wipe.
    pub wipes: bool,
}

/// What can be done with a mail client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAction {
    /// It erases its device.
    Wipe,
    /// It erases what the account has brought to the device.
    WipeAccount,
    /// It is not to erase anything any more, or was erased and may come back.
    Cancel,
    /// Its record is removed.
    Forget,
}

/// What comes back: the answer, or a sentence that says why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The answer, as JSON and as text for people.
    Answer {
        /// For scripts.
        json: serde_json::Value,
        /// For people.
        text: String,
    },
    /// Nothing found, or not understood.
    Refused(String),
}

/// Answers requests; `app` knows how.
pub type Answer = Arc<dyn Fn(Request) -> Response + Send + Sync>;

/// Binds the socket at `path`, replacing one that a crash left behind.
///
/// # Errors
///
/// When another gateway listens there, or the folder does not allow it.
pub fn bind(path: &Path) -> io::Result<StdUnixListener> {
    if StdUnixStream::connect(path).is_ok() {
        let problem = "another gateway answers on this control socket";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, problem));
    }
    remove(path)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let listener = StdUnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a socket that nobody answers any more. What is no socket is somebody's file and stays.
///
/// # Errors
///
/// When something else has the name, or the folder does not allow it.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => {
            let problem = "this is no socket; name another path in data.control_socket";
            Err(io::Error::new(io::ErrorKind::AlreadyExists, problem))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Serves until dropped.
///
/// # Errors
///
/// When the listener cannot be used by the runtime.
pub async fn serve(listener: StdUnixListener, answer: Answer) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "control socket: a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let served = tokio::time::timeout(PATIENCE, converse(stream, answer)).await;
            if let Ok(Err(error)) = served {
                debug!(%error, "control connection ended");
            }
            drop(place);
        });
    }
}

async fn converse(mut stream: UnixStream, answer: Answer) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let trusted = peer.uid() == 0 || peer.uid() == Uid::effective().as_raw();
    if !trusted {
        warn!(
            uid = peer.uid(),
            "control socket: refused a peer of another user"
        );
        return Ok(());
    }
    let (reading, mut writing) = stream.split();
    let mut line = String::new();
    BufReader::new(reading)
        .take(MAX_REQUEST)
        .read_line(&mut line)
        .await?;
    let response = match serde_json::from_str(&line) {
        // It looks through all that is known and may wait a moment for the journal.
        Ok(request) => tokio::task::spawn_blocking(move || answer(request)).await?,
        Err(error) => Response::Refused(format!("not a request: {error}")),
    };
    let mut octets = serde_json::to_vec(&response)?;
    octets.push(b'\n');
    writing.write_all(&octets).await?;
    writing.shutdown().await
}

/// Asks a running gateway; used by the command line.
///
/// # Errors
///
/// When nobody answers at `path` or the answer is not one.
pub fn ask(path: &Path, request: &Request) -> io::Result<Response> {
    let mut stream = StdUnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut octets = serde_json::to_vec(request)?;
    octets.push(b'\n');
    stream.write_all(&octets)?;
    let mut line = String::new();
    StdBufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Operators and scripts at one time; more are closed at once.
const MAX_CONNECTIONS: usize = 32;

/// Longest request: an identifier and its frame.
const MAX_REQUEST: u64 = 4096;

/// Longest a connection is kept.
const PATIENCE: Duration = Duration::from_secs(10);
