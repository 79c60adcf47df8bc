//! `portreeve-lab bare`: the floor of EAP-TLS, rustls with both ends in memory.

#[path = "../handshake/bare.rs"]
mod handshake;

use std::io;
use std::io::Write;

use clap::Args;
use portreeve::eap::TlsVersion;
use serde_json::json;

use crate::load::Algorithm;
use crate::load::tls_version;
use handshake::Bare;
use handshake::Pki;
use handshake::Spent;

/// Make TLS handshakes in memory, and tell what they cost the server's end.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// TLS version, 1.2 or 1.3.
    #[arg(long, value_name = "VERSION", value_parser = tls_version, default_value = "1.3")]
    tls: TlsVersion,
    /// Kind of all keys.
    #[arg(long, value_enum, default_value_t = Algorithm::P256)]
    algorithm: Algorithm,
    /// Resume.
    #[arg(long)]
    resume: bool,
    /// How many handshakes.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

/// Prints one line, like the generators. Nobody waits for anything here: there are no latencies.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    // One pair for root, server and device would do; making some costs seconds at most.
    let key = || match arguments.algorithm.key() {
        Ok(key) => key,
        Err(error) => unreachable!("the system has random numbers: {error}"),
    };
    let pki = Pki::new(key);
    let mut bare = Bare::new(&pki, arguments.tls, arguments.resume);
    // The first handshake of those that resume is a full one, and every cache is cold.
    for _ in 0..WARM_UP {
        bare.handshake();
    }
    let spent = Spent::of((0..arguments.count).map(|_| bare.handshake()).collect());
    let line = json!({
        "load": format!("bare {}", arguments.tls),
        "operations": arguments.count,
        "per_second": 0.0,
        "errors": {},
        "latency_us": { "p50": 0.0, "p99": 0.0, "p99.9": 0.0 },
        "server_cpu_us": spent.mean,
        "server_cpu_median_us": spent.median,
    });
    writeln!(io::stdout(), "{line}")
}

const WARM_UP: u32 = 20;
