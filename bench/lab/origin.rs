//! `portreeve-lab origin`: an ActiveSync server that knows logins and nothing else, to stand
//! behind a gateway in place of Exchange.
//!
//! OPTIONS tells the versions of the protocol, a command gets a body of a fixed length, a Ping
//! waits. Bodies are read and thrown away; only a Ping's HeartbeatInterval is looked for.

mod answer;
mod paced;

use std::convert::Infallible;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::login::Logins;
use answer::Origin;

/// Serve ActiveSync like a small Exchange, for a gateway to stand before.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen, in plain HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:18080")]
    listen: SocketAddr,
    /// Who has a mailbox: a file with NAME PASSWORD in each line, or NAME:PASSWORD.
    #[arg(
        long,
        value_name = "FILE|PATTERN",
        required_unless_present = "accept_any"
    )]
    users: Option<String>,
    /// Everybody has one, whatever the password; on a loopback address only.
    #[arg(long, conflicts_with = "users")]
    accept_any: bool,
    /// Octets of the answer to a command.
    #[arg(long, value_name = "OCTETS", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(0..=16 << 20))]
    body: u32,
    /// Octets a second in which the answer to a command leaves [default: at once].
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Seconds that a Ping waits, if it does not ask for less.
    #[arg(long, value_name = "S", default_value_t = 540,
          value_parser = clap::value_parser!(u32).range(1..=3540))]
    hold: u32,
}

/// Serves until it is interrupted.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let listen = arguments.listen;
    if arguments.accept_any && !listen.ip().is_loopback() {
        let message = format!("{listen} is no loopback address: --accept-any would accept anybody");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let users = arguments.users.as_deref().map(Logins::read).transpose()?;
    let hold = Duration::from_secs(arguments.hold.into());
    let origin = Arc::new(Origin::new(users, arguments.body, arguments.rate, hold));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        writeln!(
            io::stdout(),
            "ActiveSync origin on http://{}{}",
            listener.local_addr()?,
            answer::PATH
        )?;
        serve(listener, origin).await
    })
}

/// One task for each connection; they end with the process.
async fn serve(listener: TcpListener, origin: Arc<Origin>) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(talk(stream, Arc::clone(&origin)));
            }
            // Out of descriptors, as a rule: some connection will end.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn talk(stream: TcpStream, origin: Arc<Origin>) {
    // Without it answers are slower, that is all.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let origin = Arc::clone(&origin);
        async move { Ok::<_, Infallible>(origin.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // The other end went away: nobody is left to tell.
    drop(connection.await);
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use http_body_util::Full;
    use hyper::client::conn::http1::handshake;

    use super::*;

    async fn ask(
        address: SocketAddr,
        request: http::request::Builder,
        body: &'static [u8],
    ) -> (http::response::Parts, bytes::Bytes) {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request: http::Request<Full<bytes::Bytes>> = request
            .header("host", "origin")
            .body(Full::from(body))
            .unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn logins_are_demanded_and_commands_answered() {
        let users = Some(Logins::read("alice:secret").unwrap());
        let hold = Duration::from_millis(1);
        let origin = Arc::new(Origin::new(users, 77, None, hold));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, origin));

        let path = "/Microsoft-Server-ActiveSync";
        let right = "Basic YWxpY2U6c2VjcmV0"; // alice:secret
        let wrong = "Basic YWxpY2U6d3Jvbmc="; // alice:wrong
        let sync = "?Cmd=Sync&User=alice&DeviceId=d&DeviceType=t";
        let ping = "?Cmd=Ping&User=alice&DeviceId=d&DeviceType=t";
        for (method, target, login, status, length) in [
            ("OPTIONS", path.to_owned(), None, 401, 0),
            ("OPTIONS", path.to_owned(), Some(wrong), 401, 0),
            ("OPTIONS", path.to_owned(), Some("Bearer x"), 401, 0),
            ("OPTIONS", path.to_owned(), Some(right), 200, 0),
            ("POST", format!("{path}{sync}"), Some(right), 200, 77),
            ("POST", format!("{path}{sync}"), Some(wrong), 401, 0),
            ("POST", format!("{path}{ping}"), Some(right), 200, 13),
            ("POST", path.to_owned(), Some(right), 400, 0),
            ("GET", path.to_owned(), Some(right), 501, 0),
            ("POST", "/owa".to_owned(), Some(right), 404, 0),
        ] {
            let row = format!("row {method} {target} {login:?}");
            let mut request = http::Request::builder().method(method).uri(&target);
            if let Some(login) = login {
                request = request.header("authorization", login);
            }
            let (head, body) = ask(address, request, b"body").await;
            assert_eq!(head.status, status, "{row}");
            assert_eq!(body.len(), length, "{row}");
            let versions = head.headers.contains_key("ms-asprotocolversions");
            assert_eq!(versions, method == "OPTIONS" && status == 200, "{row}");
            let challenged = head.headers.contains_key("www-authenticate");
            assert_eq!(challenged, status == 401, "{row}");
        }
    }
}
