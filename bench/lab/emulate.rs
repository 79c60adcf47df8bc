//! `portreeve-lab emulate`: the emulated cloud on a loopback address.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::emulator;

/// Serve an emulated Intune and Entra tenant for the gateway to read.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; a loopback address.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// How many devices the tenant has.
    #[arg(long, default_value_t = 1000)]
    devices: u32,
    /// How many users the tenant has.
    #[arg(long, default_value_t = 200)]
    users: u32,
    /// Another seed makes other devices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write the client secret that the gateway needs; made anew at each start.
    #[arg(long, default_value = "var/emulator.secret")]
    secret_file: PathBuf,
}

/// Serves until it is interrupted.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let listen = arguments.listen;
    if !listen.ip().is_loopback() {
        let message =
            format!("{listen} is no loopback address: whoever reaches the emulator controls it");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let config = emulator::Config {
        tenant: "lab.example".to_owned(),
        client_id: "5d1c8a40-6f2e-4b7a-9c31-0000000000ff".to_owned(),
        client_secret: Uuid::new_v4().simple().to_string(),
        devices: arguments.devices,
        users: arguments.users,
        seed: arguments.seed,
    };
    let secret_file = write_secret(&arguments.secret_file, &config.client_secret)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let emulator::Config {
            tenant, client_id, ..
        } = &config;
        writeln!(
            io::stdout(),
            "Emulates a tenant with {} devices and {} users on http://{address}.\n\
             \n\
             Paste this into conf/source.toml:\n\
             \n\
             [[graph]]\n\
             name               = \"lab\"\n\
             tenant             = \"{tenant}\"\n\
             client_id          = \"{client_id}\"\n\
             client_secret_file = \"{}\"\n\
             login              = \"http://{address}\"\n\
             graph              = \"http://{address}/v1.0\"\n\
             groups             = [\"staff\", \"contractors\", \"break-glass\"]\n\
             quick_interval     = \"10s\"\n\
             \n\
             Then try:\n\
             \n\
             curl -d '{{\"complianceState\": \"noncompliant\"}}' -H 'content-type: application/json' http://{address}/_lab/device/0\n\
             curl -d '{{\"kind\": \"throttle\", \"times\": 3, \"retryAfter\": \"5\"}}' -H 'content-type: application/json' http://{address}/_lab/fault\n\
             curl http://{address}/_lab/requests",
            config.devices,
            config.users,
            secret_file.display(),
        )?;
        emulator::serve(listener, config).await
    })
}

/// Writes the secret for its owner alone and gives the file's full path.
fn write_secret(path: &PathBuf, secret: &str) -> io::Result<PathBuf> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")?;
    path.canonicalize()
}
